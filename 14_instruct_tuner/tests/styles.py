"""Right solutions in other styles: each must be RIGHT. They use nothing of the package but what is handed out."""

import json
import re
import string
from bisect import bisect_left

import torch
import torch.nn.functional as F
from instruct_tuner import IGNORE, IM_END, IM_START, NF4, ROLES, SYSTEM, TOOL_CLOSE, TOOL_OPEN
from torch import nn


def format_by_joining(messages, add_generation_prompt=False, system=SYSTEM):
    if len(messages) == 0:
        raise ValueError("give a message")
    lines = []
    if messages[0]["role"] != "system":
        lines.append(IM_START + "system\n" + system + IM_END)
    for m in messages:
        role, content = m["role"], m["content"]
        if role not in ROLES or any(mark in content for mark in (IM_START, IM_END)):
            raise ValueError(f"cannot format {role}")
        lines.append(IM_START + role + "\n" + content + IM_END)
    if add_generation_prompt:
        lines.append(IM_START + "assistant")
    return "\n".join(lines) + "\n"


def format_by_recursion(messages, add_generation_prompt=False, system=SYSTEM):
    def frame(message):
        if message["role"] not in ROLES:
            raise ValueError("role")
        if re.search(re.escape(IM_START) + "|" + re.escape(IM_END), message["content"]):
            raise ValueError("special token")
        return "{}{}\n{}{}\n".format(IM_START, message["role"], message["content"], IM_END)

    text = ""
    for i, message in enumerate(messages):
        if i == 0 and message["role"] != "system":
            text += f"{IM_START}system\n{system}{IM_END}\n"
        text += frame(message)
    if not text:
        raise ValueError("empty")
    return text + (IM_START + "assistant\n") * add_generation_prompt


def labels_by_spans(input_ids, header, end):
    ids, H = input_ids.tolist(), len(header)
    labels = torch.full_like(input_ids, IGNORE)
    t = H
    while t < len(ids):
        if ids[t - H : t] != list(header):
            t += 1
            continue
        stop = ids.index(end, t) + 1 if end in ids[t:] else len(ids)
        labels[t:stop] = input_ids[t:stop]
        t = stop
    return labels


def labels_by_masking(input_ids, header, end):
    pattern = torch.tensor(list(header), dtype=input_ids.dtype)
    T, H = len(input_ids), len(pattern)
    opens = torch.zeros(T + 1, dtype=torch.bool)
    if T >= H:
        opens[H:] = (input_ids.unfold(0, H, 1) == pattern).all(1)
    state, keep = False, []
    for t in range(T):
        state = state or bool(opens[t])
        keep.append(state)
        state = state and int(input_ids[t]) != end
    return torch.where(torch.tensor(keep, dtype=torch.bool), input_ids, IGNORE)


def loss_by_log_softmax(logits, labels, count=None):
    B, T, V = logits.shape
    log_p = logits.log_softmax(-1)
    picked = [-log_p[b, t - 1, labels[b, t]] for b in range(B) for t in range(1, T) if labels[b, t] != IGNORE]
    if not picked:
        raise ValueError("nothing to score")
    return sum(picked) / (len(picked) if count is None else count)


def loss_by_ignore_index(logits, labels, count=None):
    targets = F.pad(labels[:, 1:], (0, 1), value=IGNORE)
    number = (targets >= 0).sum()
    if number == 0:
        raise ValueError("no scored token")
    total = F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=IGNORE, reduction="sum")
    return total / (number if count is None else count)


def pack_with_pairs(lengths, capacity):
    if any(n > capacity for n in lengths):
        raise ValueError("too long")
    rows = []  # [room, indices]
    for n, i in sorted(((-n, i) for i, n in enumerate(lengths))):
        best = None
        for row in rows:
            if row[0] >= -n and (best is None or row[0] < best[0]):
                best = row
        if best is None:
            best = [capacity, []]
            rows.append(best)
        best[0] += n
        best[1].append(i)
    return [indices for _, indices in rows]


def pack_by_sorting_rows(lengths, capacity):
    sums, rows = [], []
    order = sorted(range(len(lengths)), key=lambda i: lengths[i], reverse=True)
    for i in order:
        if lengths[i] > capacity:
            raise ValueError(f"sequence {i} is longer than a row")
        fullest = sorted(range(len(rows)), key=lambda r: (-sums[r], r))
        row = next((r for r in fullest if sums[r] + lengths[i] <= capacity), None)
        if row is None:
            sums.append(lengths[i])
            rows.append((i,))
        else:
            sums[row] += lengths[i]
            rows[row] += (i,)
    return tuple(rows)


def layout_by_blocks(lengths, capacity):
    parts = list(lengths) + [1] * (capacity - sum(lengths))
    if sum(parts) != capacity:
        raise ValueError("does not fit")
    positions = torch.cat([torch.arange(n) for n in parts])
    return positions, torch.block_diag(*[torch.ones(n, n).tril() for n in parts]).bool()


def layout_by_loops(lengths, capacity):
    where = [(s, p) for s, n in enumerate(lengths) for p in range(n)]
    if len(where) > capacity:
        raise ValueError("too many tokens")
    where += [(-1 - i, 0) for i in range(capacity - len(where))]
    mask = [[sq == sk and pq >= pk for sk, pk in where] for sq, pq in where]
    return torch.tensor([p for _, p in where]), torch.tensor(mask)


class LoRAByLinear(nn.Module):
    def __init__(self, base, r, alpha, dropout=0.0):
        super().__init__()
        self.base = base
        for p in base.parameters():
            p.requires_grad = False
        limit = base.in_features**-0.5
        like = dict(dtype=base.weight.dtype, device=base.weight.device)
        self.A = nn.Parameter((torch.rand(r, base.in_features, **like) * 2 - 1) * limit)
        self.B = nn.Parameter(torch.zeros(base.out_features, r, **like))
        self.drop = nn.Dropout(dropout)
        self.r, self.alpha = r, alpha

    def forward(self, x):
        return self.base(x) + F.linear(F.linear(self.drop(x), self.A), self.B) * self.alpha / self.r


class LoRAByEinsum(nn.Module):
    def __init__(self, base, r, alpha, dropout=0.0):
        super().__init__()
        self.base, self.factor, self.p = base.requires_grad_(False), alpha / r, dropout
        self.A = nn.Parameter(base.weight.new_empty(r, base.in_features))
        self.B = nn.Parameter(base.weight.new_zeros(base.out_features, r))
        nn.init.kaiming_uniform_(self.A, a=5**0.5)

    def forward(self, x):
        h = torch.einsum("...i,ri->...r", F.dropout(x, p=self.p, training=self.training), self.A)
        return torch.einsum("...r,or->...o", self.factor * h, self.B) + self.base(x)


def add_to_children(model, targets, r, alpha):
    names = []
    for p in model.parameters():
        p.requires_grad = False

    def visit(module, prefix):
        for name, child in list(module.named_children()):
            if name in targets and isinstance(child, nn.Linear):
                setattr(module, name, LoRAByLinear(child, r, alpha))
                names.append(prefix + name)
            else:
                visit(child, prefix + name + ".")

    visit(model, "")
    order = [name.removesuffix(".base") for name, _ in model.named_modules()]
    if {n.split(".")[-1] for n in names} != set(targets):
        raise ValueError("no such layer")
    return sorted(names, key=order.index)


def add_by_parents(model, targets, r, alpha):
    linear = [n for n, m in model.named_modules() if isinstance(m, nn.Linear)]
    found = [n for n in linear if n.split(".")[-1] in set(targets)]
    for t in targets:
        if not any(n.split(".")[-1] == t for n in found):
            raise ValueError(t)
    for name in found:
        parent, _, own = name.rpartition(".")
        home = model.get_submodule(parent)
        layer = LoRAByEinsum(getattr(home, own), r, alpha)
        if isinstance(home, nn.ModuleDict):
            home[own] = layer
        else:
            setattr(home, own, layer)
    for n, p in model.named_parameters():
        p.requires_grad_(n.endswith((".A", ".B")) and n.rpartition(".")[0] in found)
    return tuple(found)


def merge_by_outer_products(weight, A, B, alpha):
    if weight.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        raise ValueError("dequantize first")
    merged, A, B = weight.clone(), A.to(weight.dtype), B.to(weight.dtype)
    for a, b in zip(A, B.T, strict=True):
        merged += alpha / len(A) * torch.outer(b, a)
    return merged


def merge_by_addmm(weight, A, B, alpha):
    if not torch.is_floating_point(weight):
        raise ValueError("these are codes")
    return torch.addmm(weight, B.to(weight), A.to(weight), alpha=alpha / A.shape[0])


def nf4_by_thresholds(x, block_size=64):
    if x.numel() % block_size != 0 or bool(torch.isnan(x).any() | torch.isinf(x).any()):
        raise ValueError("cannot be quantized")
    flat = x.detach().to(torch.float32).flatten().view(-1, block_size)
    largest = flat.abs().max(dim=1).values
    divisor = torch.where(largest == 0, torch.ones_like(largest), largest)
    middles = (NF4[1:] + NF4[:-1]) / 2
    codes = torch.bucketize(flat / divisor[:, None], middles)
    return codes.view(x.shape).to(torch.uint8), largest


def nf4_block_by_block(x, block_size=64):
    if x.numel() % block_size or not torch.isfinite(x).all():
        raise ValueError("no")
    codes, absmax = [], []
    for block in x.detach().float().reshape(-1).split(block_size):
        m = max(block.max(), -block.min())
        absmax.append(m)
        scaled = block / m if m > 0 else block
        codes.append((scaled.unsqueeze(1) - NF4.unsqueeze(0)).abs().min(dim=1).indices)
    return torch.cat(codes).reshape(x.shape).byte(), torch.stack(absmax)


def match_by_regex(prediction, answers):
    def norm(text):
        text = re.sub(f"[{re.escape(string.punctuation)}]", "", text.lower())
        return re.sub(r"\b(a|an|the)\b", " ", text).split()

    return any(norm(prediction) == norm(answer) for answer in answers)


def match_by_words(prediction, answers):
    def words(text):
        bare = "".join(c for c in text.lower() if c not in set(string.punctuation))
        return [w for w in bare.split() if w not in {"a", "an", "the"}]

    found = False
    for answer in answers:
        found = found or words(answer) == words(prediction)
    return found


def rouge_by_bisection(prediction, reference):
    """ends[n]: the earliest place where a common subsequence of n + 1 words may end (Hunt and Szymanski)."""
    p, r = prediction.lower().split(), reference.lower().split()
    places, ends = {}, []
    for j in range(len(r) - 1, -1, -1):
        places.setdefault(r[j], []).append(j)
    for w in p:
        for j in places.get(w, ()):
            n = bisect_left(ends, j)
            ends[n : n + 1] = [j]
    n = len(ends)
    if n == 0:
        return 0.0
    precision, recall = n / len(p), n / len(r)
    return 2 * precision * recall / (precision + recall)


def rouge_by_a_table(prediction, reference):
    p, r = (text.lower().split() for text in (prediction, reference))
    if not p or not r:
        return 0.0
    table = [[0] * (len(r) + 1) for _ in range(len(p) + 1)]
    for i in range(1, len(p) + 1):
        for j in range(1, len(r) + 1):
            up = max(table[i - 1][j], table[i][j - 1])
            table[i][j] = table[i - 1][j - 1] + 1 if p[i - 1] == r[j - 1] else up
    return table[-1][-1] / ((len(p) + len(r)) / 2)


def parse_by_partition(text):
    before, mark, rest = text.strip().partition(TOOL_OPEN)
    if before or not mark:
        return None
    body, mark, after = rest.rpartition(TOOL_CLOSE)
    if after or not mark:
        raise ValueError("not closed")
    call = json.loads(body)
    if not isinstance(call, dict) or sorted(call) != ["arguments", "name"]:
        raise ValueError("two keys")
    if type(call["name"]) is not str or type(call["arguments"]) is not dict:
        raise ValueError("types")
    return call["name"], call["arguments"]


def parse_by_regex(text):
    if re.match(r"\s*" + re.escape(TOOL_OPEN), text) is None:
        return None
    match = re.fullmatch(rf"\s*{re.escape(TOOL_OPEN)}(.*){re.escape(TOOL_CLOSE)}\s*", text, re.DOTALL)
    if match is None:
        raise ValueError("cut off")
    try:
        value = json.JSONDecoder().decode(match[1])
        name, arguments = value.pop("name"), value.pop("arguments")
    except (KeyError, AttributeError, TypeError) as error:
        raise ValueError("no call") from error
    if value or not isinstance(name, str) or not isinstance(arguments, dict):
        raise ValueError("no call")
    return [name, arguments]


STYLES = {
    "format_conversation": {"by joining lines": format_by_joining, "one by one": format_by_recursion},
    "answer_labels": {"by spans": labels_by_spans, "by a mask": labels_by_masking},
    "answer_loss": {"token by token": loss_by_log_softmax, "ignore_index": loss_by_ignore_index},
    "pack_best_fit": {"rows that know their room": pack_with_pairs, "fullest first": pack_by_sorting_rows},
    "packed_layout": {"block_diag": layout_by_blocks, "pair by pair": layout_by_loops},
    "LoRALinear": {"F.linear": LoRAByLinear, "einsum": LoRAByEinsum},
    "add_lora": {"child by child": add_to_children, "by parents": add_by_parents},
    "merge_lora": {"outer products": merge_by_outer_products, "addmm": merge_by_addmm},
    "quantize_nf4": {"thresholds": nf4_by_thresholds, "block by block": nf4_block_by_block},
    "exact_match": {"regular expressions": match_by_regex, "lists of words": match_by_words},
    "rouge_l": {"bisection": rouge_by_bisection, "a table": rouge_by_a_table},
    "parse_tool_call": {"partition": parse_by_partition, "fullmatch": parse_by_regex},
}
