"""Right solutions in other styles: each must be RIGHT. None of them calls the reference."""

import json
import math
import struct
from collections import Counter, OrderedDict, deque
from itertools import takewhile

import numpy as np
import torch

from serving_stack import GGUFHeader, TensorInfo, blocks_for, give_back, release, reserve, take_known_beginning

# ---------------------------------------------------------------- BlockAllocator


class AllocatorWithADeque:
    def __init__(self, num_blocks):
        self.holders = [0 for _ in range(num_blocks)]
        self.queue = deque(range(num_blocks))

    @property
    def num_free(self):
        return len(self.queue)

    def allocate(self, count):
        if len(self.queue) < count:
            raise ValueError("not enough")
        taken = []
        while len(taken) < count:
            taken.append(self.queue.popleft())
            self.holders[taken[-1]] += 1
        return taken

    def share(self, blocks):
        for b in blocks:
            if not self.holders[b]:
                self.queue.remove(b)
            self.holders[b] += 1

    def free(self, blocks):
        left = list(self.holders)
        for b in blocks:
            left[b] -= 1
            if left[b] < 0:
                raise ValueError("double free")
        self.holders = left
        self.queue.extend(b for b in dict.fromkeys(reversed(blocks)) if left[b] == 0)


class AllocatorWithTimes:
    """No queue: each free block knows when it was freed."""

    def __init__(self, num_blocks):
        self.holders = np.zeros(num_blocks, dtype=int)
        self.freed_at = np.arange(num_blocks)
        self.clock = num_blocks

    @property
    def num_free(self):
        return int((self.holders == 0).sum())

    def allocate(self, count):
        free = np.flatnonzero(self.holders == 0)
        if count > free.size:
            raise ValueError(count)
        chosen = free[np.argsort(self.freed_at[free], kind="stable")][:count]
        self.holders[chosen] = 1
        return chosen.tolist()

    def share(self, blocks):
        np.add.at(self.holders, blocks, 1) if len(blocks) else None

    def free(self, blocks):
        counts = Counter(blocks)
        if any(self.holders[b] < n for b, n in counts.items()):
            raise ValueError(blocks)
        for b in blocks[::-1]:
            self.holders[b] -= 1
            if self.holders[b] == 0:
                self.freed_at[b] = self.clock
                self.clock += 1


# ---------------------------------------------------------------- copy_on_write


def copy_into_a_copy(table, index, allocator, copy_block):
    table = table.copy()
    if allocator.holders[table[index]] > 1:
        old, table[index] = table[index], allocator.allocate(count=1)[0]
        copy_block(old, table[index])
        allocator.free(blocks=[old])
    return table


def copy_by_enumerating(table, index, allocator, copy_block):
    def replacement(block):
        if allocator.holders[block] < 2:
            return block
        new = allocator.allocate(1)[0]
        copy_block(block, new)
        allocator.free([block])
        return new

    return [replacement(block) if i == index else block for i, block in enumerate(table)]


# ---------------------------------------------------------------- PrefixCache


class CacheOfWholeBeginnings:
    """The key is the whole beginning: no hash, no collision, more memory."""

    def __init__(self, block_size):
        self.block_size = block_size
        self.known = OrderedDict()  # block -> (tag, beginning), in the order of arrival

    def lookup(self, tokens, tag=""):
        first = {}
        for block, key in self.known.items():
            first.setdefault(key, block)
        ends = range(self.block_size, len(tokens), self.block_size)
        keys = [(tag, tuple(tokens[:end])) for end in ends]
        return [first[key] for key in takewhile(first.__contains__, keys)]

    def insert(self, tokens, table, tag=""):
        for i in range(min(len(table), len(tokens) // self.block_size)):
            self.known.setdefault(table[i], (tag, tuple(tokens[: (i + 1) * self.block_size])))

    def evict(self, blocks):
        for block in blocks:
            self.known.pop(block, None)


class CacheAsATree:
    """A tree of blocks: each node has the tokens of one block, and the blocks that hold them."""

    def __init__(self, block_size):
        self.block_size, self.roots, self.at = block_size, {}, {}

    def pieces(self, tokens):
        size = self.block_size
        return [tuple(tokens[i : i + size]) for i in range(0, len(tokens) - size + 1, size)]

    def lookup(self, tokens, tag=""):
        node, found = self.roots.get(tag, ({}, [])), []
        for piece in self.pieces(tokens[: max(len(tokens) - 1, 0)]):
            node = node[0].get(piece)
            if node is None or not node[1]:
                break
            found.append(node[1][0])
        return found

    def insert(self, tokens, table, tag=""):
        node = self.roots.setdefault(tag, ({}, []))
        for piece, block in zip(self.pieces(tokens), table, strict=False):
            node = node[0].setdefault(piece, ({}, []))
            if block not in self.at:
                node[1].append(block)
                self.at[block] = node

    def evict(self, blocks):
        for block in blocks:
            node = self.at.pop(block, None)
            if node is not None:
                node[1].remove(block)


# ---------------------------------------------------------------- paged_attention


def paged_token_by_token(q, keys, values, tables, query_lens, context_lens):
    H, D = q.shape[1], q.shape[2]
    G, S = keys.shape[1], keys.shape[2]
    out, row = torch.empty_like(q), 0
    for table, n, length in zip(tables, query_lens, context_lens, strict=True):
        for i in range(n):
            last = length - n + i
            slots = [(table[p // S], p % S) for p in range(last + 1)]
            k = torch.stack([keys[b, :, o] for b, o in slots], 1)  # G T D
            v = torch.stack([values[b, :, o] for b, o in slots], 1)
            for h in range(H):
                g = h // (H // G)
                weights = torch.softmax(k[g] @ q[row, h] / D**0.5, 0)
                out[row, h] = weights @ v[g]
            row += 1
    return out


def paged_with_einsum(q, keys, values, tables, query_lens, context_lens):
    H, D = q.shape[1:]
    G, S = keys.shape[1:3]
    ends = np.cumsum(query_lens).tolist()
    results = []
    for i, (table, n, length) in enumerate(zip(tables, query_lens, context_lens, strict=True)):
        used = table[: blocks_for(length, S)]
        k = keys[used].permute(1, 0, 2, 3).reshape(G, -1, D).repeat_interleave(H // G, dim=0)
        v = values[used].permute(1, 0, 2, 3).reshape(G, -1, D).repeat_interleave(H // G, dim=0)
        scores = torch.einsum("nhd,htd->hnt", q[ends[i] - n : ends[i]], k) * D**-0.5
        late = torch.arange(k.shape[1])[None, :] > torch.arange(length - n, length)[:, None]
        weights = scores.masked_fill(late, -math.inf)
        weights = torch.softmax(weights, dim=-1)
        clean = v.masked_fill((torch.arange(k.shape[1]) >= length)[None, :, None], 0)
        results.append(torch.einsum("hnt,htd->nhd", weights, clean))
    return torch.cat(results, dim=0)


# ---------------------------------------------------------------- preempt


def preempt_with_the_helper(state):
    newest = state.running[-1]
    give_back(state, request=newest)
    newest.num_preemptions = newest.num_preemptions + 1
    state.running = state.running[:-1]
    state.waiting = deque([newest, *state.waiting])
    return newest


def preempt_in_another_order(state):
    request = state.running[len(state.running) - 1]
    state.waiting.insert(0, request)
    del state.running[-1]
    blocks, request.table, request.num_computed = request.table, [], 0
    state.allocator.free(blocks)
    request.num_preemptions += 1
    return request


# ---------------------------------------------------------------- schedule


def schedule_in_two_passes(state):
    release(state)
    planned, counts, left, preempted = [], {}, state.token_budget, False
    decodes = [r for r in state.running if r.num_missing == 1]
    prefills = [r for r in state.running if r.num_missing != 1]
    for request in decodes + prefills:
        if request not in state.running or left == 0:
            continue
        count = min(left, request.num_missing)
        fits = reserve(state, request, count)
        while not fits and request in state.running:
            victim = preempt_in_another_order(state)
            preempted = True
            if victim in planned:
                planned.remove(victim)
                left += counts[victim]
            if victim is not request:
                count = min(left, request.num_missing)
                fits = reserve(state, request, count)
        if request in state.running:
            planned.append(request)
            counts[request] = count
            left -= count
    if not preempted:
        while left and state.waiting and len(state.running) < state.max_running:
            head = state.waiting.popleft()
            take_known_beginning(state, head)
            count = min(left, head.num_missing)
            if not reserve(state, head, count):
                give_back(state, head)
                state.waiting.appendleft(head)
                break
            state.running.append(head)
            planned.append(head)
            counts[head] = count
            left -= count
    return [(request, counts[request]) for request in planned]


def schedule_with_a_list(state):
    release(state=state)
    plan = []

    def left():
        return state.token_budget - sum(n for _, n in plan)

    def place(request):
        """True if the request is planned or the budget is spent; preempts as often as needed."""
        nonlocal plan
        any_victim = False
        while request in state.running and left() > 0:
            count = min(request.num_missing, left())
            if reserve(state, request, count):
                plan.append((request, count))
                return any_victim
            gone = preempt_with_the_helper(state)
            any_victim = True
            plan = [(r, n) for r, n in plan if r is not gone]
        return any_victim

    first = [r for r in state.running if r.num_missing == 1]
    victims = [place(r) for r in first + [r for r in state.running if r not in first]]
    while not any(victims) and state.waiting and len(state.running) < state.max_running and left() > 0:
        head = state.waiting[0]
        take_known_beginning(state, head)
        count = min(head.num_missing, left())
        if not reserve(state, head, count):
            give_back(state, head)
            return plan
        plan.append((head, count))
        state.running.append(head)
        state.waiting.popleft()
    return plan


# ---------------------------------------------------------------- sample


def sample_in_numpy(logits, params, generators):
    tokens, scores = [], []
    for row, p, g in zip(logits, params, generators, strict=True):
        x = row.double().numpy()
        if p.temperature == 0:
            tokens.append(int(np.argmax(x)))
        else:
            e = np.exp((x - x.max()) / p.temperature)
            probs = e / e.sum()
            order = np.argsort(-probs, kind="stable")
            count = int(np.searchsorted(np.cumsum(probs[order]), p.top_p - 1e-15)) + 1
            kept = np.zeros_like(probs)
            kept[order[:count]] = probs[order[:count]]
            kept /= kept.sum()
            u = float(torch.rand(1, generator=g, dtype=torch.float64))
            tokens.append(int(np.argmax(np.cumsum(kept) > u)))
        with np.errstate(divide="ignore"):
            scores.append(x[tokens[-1]] - x.max() - np.log(np.exp(x - x.max()).sum()))
    return tokens, torch.tensor(scores, dtype=torch.float32)


def sample_in_a_loop(logits, params, generators):
    tokens = []
    for i in range(len(params)):
        if params[i].temperature == 0:
            tokens.append(logits[i].argmax().item())
            continue
        probs = (logits[i].to(torch.float64) / params[i].temperature).softmax(dim=0)
        probs, kept = probs.tolist(), {}
        for token in sorted(range(len(probs)), key=lambda t, p=probs: (-p[t], t)):
            if sum(kept.values()) >= params[i].top_p:
                break
            kept[token] = probs[token]
        u, running = torch.rand(1, generator=generators[i], dtype=torch.float64).item() * sum(kept.values()), 0.0
        for token, prob in sorted(kept.items()):
            running += prob
            if running > u:
                tokens.append(token)
                break
    rows = torch.log_softmax(logits, dim=-1)
    return tokens, torch.stack([rows[i, t] for i, t in enumerate(tokens)])


# ---------------------------------------------------------------- StreamDetokenizer


class DetokenizerByCharacters:
    """One character at a time: the first stop string that the text ends with has won."""

    def __init__(self, token_bytes, stop=()):
        self.token_bytes, self.stop, self.stopped = token_bytes, stop, False
        self.data, self.seen, self.text, self.sent = b"", 0, "", 0

    def add(self, text):
        for character in text:
            if self.stopped:
                return
            self.text += character
            ended = [s for s in self.stop if self.text[self.sent :].endswith(s)]
            if ended:
                self.stopped = True
                self.text = self.text[: -max(map(len, ended))]

    def ready(self, keep):
        begin, self.sent = self.sent, len(self.text) - keep
        return self.text[begin : self.sent]

    def push(self, token):
        if self.stopped:
            return ""
        self.data += self.token_bytes[token]
        whole = self.data.decode(errors="replace")
        complete = len(whole)
        for n in (1, 2, 3):  # bytes at the end that may still become a character
            if len(self.data) >= n and self.unfinished(self.data[-n:]):
                complete = len(self.data[:-n].decode(errors="replace"))
        new, self.seen = whole[self.seen : complete], complete
        self.add(new)
        if self.stopped:
            return self.ready(0)
        held = self.text[self.sent :]
        keep = 0
        for s in self.stop:
            for n in range(min(len(held), len(s) - 1) + 1):
                if n and held[-n:] == s[:n]:
                    keep = max(keep, n)
        return self.ready(keep)

    @staticmethod
    def unfinished(tail):
        try:
            tail.decode()
        except UnicodeDecodeError as error:
            return error.start == 0 and error.reason == "unexpected end of data"
        return False

    def finish(self):
        if self.stopped:
            return ""
        self.add(self.data.decode(errors="replace")[self.seen :])
        return self.ready(0)


class DetokenizerThatKeepsAllBytes:
    """Everything is decoded again for each token; what has been sent is cut off."""

    def __init__(self, token_bytes, stop=()):
        self.token_bytes, self.stop, self.stopped = token_bytes, list(stop), False
        self.data, self.sent = [], ""

    def result(self, final):
        import codecs

        text = codecs.getincrementaldecoder("utf-8")("replace").decode(b"".join(self.data), final)
        best = None
        for s in self.stop:
            at = text.find(s)
            if at >= 0 and (best is None or (at + len(s), -len(s)) < best):
                best = (at + len(s), -len(s))
        if best:
            self.stopped = True
            text = text[: best[0] + best[1]]
        elif not final:
            keep = [n for s in self.stop for n in range(1, len(s)) if text.endswith(s[:n])]
            text = text[: len(text) - max(keep, default=0)]
        new = text[len(self.sent) :]
        self.sent = text
        return new

    def push(self, token):
        if self.stopped:
            return ""
        self.data.append(self.token_bytes[token])
        return self.result(final=False)

    def finish(self):
        return "" if self.stopped else self.result(final=True)


# ---------------------------------------------------------------- SSEStream


def event_of(head, **content):
    return "data: " + json.dumps(dict(head, **content)) + "\n\n"


class StreamOfLists:
    def __init__(self, head, prompt_tokens, include_usage=False):
        self.head, self.prompt, self.include_usage = head, prompt_tokens, include_usage
        self.generated, self.roles = 0, []

    def push(self, delta):
        self.generated += delta.num_tokens
        if delta.text == "" and delta.finish_reason is None:
            return []
        parts = []
        if self.head["object"] == "text_completion":
            parts.append(({"text": delta.text}, delta.finish_reason, delta.logprobs))
        else:
            if delta.index not in self.roles:
                self.roles.append(delta.index)
                parts.append(({"delta": {"role": "assistant", "content": ""}}, None, None))
            if delta.text != "":
                parts.append(({"delta": {"content": delta.text}}, None, delta.logprobs))
            if delta.finish_reason:
                parts.append(({"delta": {}}, delta.finish_reason, None))
        events = []
        for part, reason, logprobs in parts:
            choice = {"index": delta.index, "finish_reason": reason, **part}
            if logprobs is not None:
                choice["logprobs"] = logprobs
            events.append(event_of(self.head, choices=[choice]))
        return events

    def usage(self):
        return dict(prompt_tokens=self.prompt, completion_tokens=self.generated,
                    total_tokens=self.prompt + self.generated)  # fmt: skip

    def close(self):
        last = [event_of(self.head, choices=[], usage=self.usage())] if self.include_usage else []
        last.append("data: [DONE]\n\n")
        return last


class StreamOfGenerators:
    def __init__(self, head, prompt_tokens, include_usage=False):
        self.head, self.include_usage = head, include_usage
        self.counts = {"prompt_tokens": prompt_tokens, "completion_tokens": 0, "total_tokens": prompt_tokens}
        self.is_chat = head["object"] != "text_completion"
        self.seen = set()

    def push(self, delta):
        for name in ("completion_tokens", "total_tokens"):
            self.counts[name] += delta.num_tokens
        return list(self.generate(delta)) if delta.text or delta.finish_reason else []

    def generate(self, delta):
        more = {} if delta.logprobs is None else {"logprobs": delta.logprobs}
        if not self.is_chat:
            yield self.one(delta.index, delta.finish_reason, text=delta.text, **more)
            return
        if delta.index not in self.seen:
            yield self.one(delta.index, None, delta={"role": "assistant", "content": ""})
        self.seen |= {delta.index}
        if delta.text:
            yield self.one(delta.index, None, delta={"content": delta.text}, **more)
        if delta.finish_reason:
            yield self.one(delta.index, delta.finish_reason, delta={})

    def one(self, index, finish_reason, **rest):
        return event_of(self.head, choices=[{"index": index, **rest, "finish_reason": finish_reason}])

    def usage(self):
        return dict(self.counts)

    def close(self):
        if self.include_usage:
            return [event_of(self.head, usage=self.usage(), choices=[]), "data: [DONE]\n\n"]
        return ["data: [DONE]\n\n"]


# ---------------------------------------------------------------- route


def route_with_numpy(tokens, workers, tag=""):
    costs = np.full(len(workers), np.inf)
    for i, w in enumerate(workers):
        if w.ready:
            costs[i] = w.remaining_tokens - w.cache.block_size * len(w.cache.lookup(tokens, tag=tag))
    if not np.isfinite(costs).any():
        raise ValueError("no worker")
    return int(costs.argmin())


def route_in_a_loop(tokens, workers, tag=""):
    best = None
    for i, w in enumerate(workers):
        if not w.ready:
            continue
        missing = len(tokens) - len(w.cache.lookup(tokens, tag)) * w.cache.block_size
        if best is None or w.remaining_tokens + missing < best[0]:
            best = (w.remaining_tokens + missing, i)
    if best is None:
        raise ValueError("no worker is ready")
    return best[1]


# ---------------------------------------------------------------- read_gguf_header


def header_with_a_closure(data):
    view, at = memoryview(data), 0

    def take(n):
        nonlocal at
        if at + n > len(view):
            raise ValueError("the file is too short")
        at += n
        return view[at - n : at]

    def number(code):
        return struct.unpack("<" + code, take(struct.calcsize("<" + code)))[0]

    def value(kind):
        if kind == 8:
            return str(take(number("Q")), "utf-8")
        if kind == 9:
            inner, count = number("I"), number("Q")
            if inner == 9:
                raise ValueError("nested")
            found = []
            while len(found) < count:
                found.append(value(inner))
            return found
        codes = "BbHhIif?__Qqd"
        if kind >= len(codes):
            raise ValueError("kind")
        return number(codes[kind])

    if bytes(take(4)) != b"GGUF":
        raise ValueError("magic")
    version = number("I")
    if not 2 <= version <= 3:
        raise ValueError("version")
    tensors, entries = number("Q"), number("Q")
    metadata = {}
    while entries:
        key = value(8)
        metadata[key] = value(number("I"))
        entries -= 1
    infos = []
    while tensors:
        name, n = value(8), number("I")
        if n < 1 or n > 4:
            raise ValueError("dimensions")
        dims = [number("Q") for _ in range(n)]
        infos.append((name, tuple(reversed(dims)), number("I"), number("Q")))
        tensors -= 1
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or alignment <= 0:
        raise ValueError("alignment")
    start = at + (-at) % alignment
    blocks = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 8: (32, 34)}
    for _, shape, kind, offset in infos:
        if kind in blocks:
            weights, size = blocks[kind]
            if shape[-1] % weights:
                raise ValueError("blocks")
            if start + offset + math.prod(shape) * size // weights > len(view):
                raise ValueError("end")
        elif start + offset > len(view):
            raise ValueError("end")
    return GGUFHeader(version, metadata, tuple(TensorInfo(n, s, k, start + o) for n, s, k, o in infos), start)


class Reader:
    FORMATS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}

    def __init__(self, data):
        self.rest = memoryview(data)
        self.done = 0

    def get(self, size):
        if not 0 <= size <= len(self.rest):
            raise ValueError("end of file")
        piece, self.rest = bytes(self.rest[:size]), self.rest[size:]
        self.done += size
        return piece

    def read(self, kind):
        if kind == 8:
            return self.get(self.read(10)).decode("utf-8")
        if kind == 9:
            inner = self.read(4)
            count = self.read(10)
            if inner == 9 or count > len(self.rest):
                raise ValueError("list")
            return [self.read(inner) for _ in range(count)]
        try:
            form = self.FORMATS[kind]
        except KeyError:
            raise ValueError(kind) from None
        return struct.unpack(form, self.get(struct.calcsize(form)))[0]


def header_with_a_class(data):
    reader = Reader(data)
    if reader.get(4) != b"GGUF":
        raise ValueError
    version, count, entries = reader.read(4), reader.read(10), reader.read(10)
    if version not in {2, 3}:
        raise ValueError
    metadata = {}
    for _ in range(entries):
        key, kind = reader.read(8), reader.read(4)
        metadata[key] = reader.read(kind)
    raw = []
    for _ in range(count):
        name, n = reader.read(8), reader.read(4)
        if n not in range(1, 5):
            raise ValueError
        raw.append((name, [reader.read(10) for _ in range(n)], reader.read(4), reader.read(10)))
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1:
        raise ValueError
    begin = math.ceil(reader.done / alignment) * alignment
    infos = []
    for name, dims, kind, offset in raw:
        if kind in (2, 3, 8) and dims[0] % 32:
            raise ValueError
        bits = {0: 32, 1: 16, 2: 18 * 8 / 32, 3: 20 * 8 / 32, 8: 34 * 8 / 32}.get(kind, 0)
        if begin + offset + math.prod(dims) * bits / 8 > len(data):
            raise ValueError
        infos.append(TensorInfo(name=name, shape=tuple(dims[::-1]), type=kind, offset=begin + offset))
    return GGUFHeader(version=version, metadata=metadata, tensors=tuple(infos), data_offset=begin)


# ---------------------------------------------------------------- dequantize_q4_0


def q4_0_block_by_block(data):
    if len(data) % 18 != 0:
        raise ValueError("not whole blocks")
    out = np.zeros(len(data) // 18 * 32, dtype=np.float32)
    for b in range(len(data) // 18):
        block = bytes(data[18 * b : 18 * b + 18])
        (scale,) = struct.unpack("<e", block[:2])
        for i, byte in enumerate(block[2:]):
            out[32 * b + i] = scale * ((byte & 15) - 8)
            out[32 * b + 16 + i] = scale * ((byte >> 4) - 8)
    return out


def q4_0_with_a_structured_type(data):
    if data.size % 18:
        raise ValueError(data.size)
    blocks = np.frombuffer(data.tobytes(), dtype=[("d", "<f2"), ("q", "u1", 16)])
    quants = np.stack([blocks["q"] % 16, blocks["q"] // 16], axis=1).reshape(-1, 32).astype(np.int8) - 8
    return (quants * blocks["d"].astype(np.float32)[:, None]).astype(np.float32).ravel()


STYLES = {
    "BlockAllocator": {"a deque": AllocatorWithADeque, "times in an array": AllocatorWithTimes},
    "copy_on_write": {"a copy that is changed": copy_into_a_copy, "a comprehension": copy_by_enumerating},
    "PrefixCache": {"whole beginnings as keys": CacheOfWholeBeginnings, "a tree": CacheAsATree},
    "paged_attention": {"token by token": paged_token_by_token, "einsum": paged_with_einsum},
    "preempt": {"with give_back": preempt_with_the_helper, "another order": preempt_in_another_order},
    "schedule": {"two passes": schedule_in_two_passes, "a list": schedule_with_a_list},
    "sample": {"NumPy": sample_in_numpy, "a loop": sample_in_a_loop},
    "StreamDetokenizer": {"character by character": DetokenizerByCharacters, "all bytes": DetokenizerThatKeepsAllBytes},
    "SSEStream": {"lists": StreamOfLists, "a generator": StreamOfGenerators},
    "route": {"NumPy": route_with_numpy, "a loop": route_in_a_loop},
    "read_gguf_header": {"closures": header_with_a_closure, "a class": header_with_a_class},
    "dequantize_q4_0": {"block by block": q4_0_block_by_block, "a structured type": q4_0_with_a_structured_type},
}
