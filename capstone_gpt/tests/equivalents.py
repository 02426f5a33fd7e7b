"""Mutants that no promised behaviour can tell from the reference, each with its reason.

`nox -s mutate-capstone_gpt` prints the key of each mutant that survives.
"""

COPY = "a copy of a text, a number or a list that nobody else holds is as good"
STRICT = "every value has as many local gradients as parents"
SHAPE = "only the sizes are read, and this tensor has the same"
AXIS = "this axis is the same one counted from the end"
ORDER = "the order of the alternatives does not matter"
EXTRA = "what is made in addition is never read"
LONGER = "a longer slice finds no entry in a table of longer contexts"
FULL = "the same numbers, at another cost"
DURABLE = "only a machine that loses its power in between can tell"
TYPES = "the library converts it to the same type itself"
TRUE = "NumPy reads only whether it is zero, and both are or both are not"

SCALE = "max(1, p.shape[0] / p.shape[1]) ** 0.5"
GENERATORS = "numpy_state = [name, torch.from_numpy(keys.astype(np.int64)), posit..."

EQUIVALENT = {
    "backward": {
        "seen -> order, in: if value not in seen:": FULL,
        "return order -> return _copied(order), in: def topological(output):": COPY,
        "output -> value, in: output.grad = 1.0": "the last value of the order is the output",
        "zip(value.parents, value.local_grads, strict=True) -> zip(value.parents, value.local_grads), in: "
        "for parent, local_grad in zip(value.parents, value.local_grads, str...": STRICT,
        "True -> False, in: for parent, local_grad in zip(value.parents, value.local_grads, str...": STRICT,
    },
    "kneser_ney": {
        "5 -> 6, in: n = [max(1, sum((1 for x in counts.values() if x == c))) for c in r...": EXTRA,
        "1 -> 2, in: for n in range(1, order + 1): (2)": EXTRA,
        "n == order -> n >= order, in: if n == order:": "n is never above order",
        "n -> order, in: counts = Counter(grams(tokens, n))": "n is order there",
        "dict(followers) -> followers, in: tables.append((dict(followers), discounts(counts)))": "get adds no entries",
        "return tables -> return _copied(tables), in: def count_tables(tokens, order):": COPY,
        "min(order - 1, len(context)) -> order - 1, in: for length in range(min(order - 1, len(context)) + 1):": LONGER,
        "context -> contexts, in: for length in range(min(order - 1, len(context)) + 1):": LONGER,
        "context -> p, in: for length in range(min(order - 1, len(context)) + 1):": LONGER,
        "context -> tables, in: for length in range(min(order - 1, len(context)) + 1):": LONGER,
        "context -> tokens, in: for length in range(min(order - 1, len(context)) + 1):": LONGER,
        "tuple(context[len(context) - length:]) -> context[len(context) - length:], in: "
        "counts = followers.get(tuple(context[len(context) - length:]))": "a slice of a tuple is a tuple",
        "break -> continue, in: if counts is None:": "no longer context has been seen either",
    },
    "batchnorm_backward": {"x -> dy, in: n = len(x)": SHAPE},
    "windows": {
        "('train', 'valid') -> ('valid', 'train'), in: if split not in ('train', 'valid'):": ORDER,
        "split == 'train' -> split <= 'train', in: part = tokens[:boundary] if split == 'train' else tokens[boundary:]":
        "of the two names that are left, one is the smaller",
    },
    "Sampler": {
        "__init__: if batch_size * world_size > size: raise -> at the end, in: class Sampler:":
        "an object whose __init__ raises does not exist",
        "return self.order[first:first + self.batch_size] -> return _copied(self.order[first:first + self.batch_size])"
        ", in: def __next__(self):": COPY,
    },
    "GPT": {
        "nn.Linear(config.n_embd, config.vocab_size, bias=False) -> nn.Linear(config.vocab_size, config.n_embd, "
        "bias=False), in: self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)":
        "its weight is replaced by the embedding",
        "p.ndim == 2 -> p.ndim >= 2, in: if p.ndim == 2:": "no parameter has three axes",
        "('o_proj.weight', 'c_proj.weight') -> ('c_proj.weight', 'o_proj.weight'), in: "
        "is_residual = name.endswith(('o_proj.weight', 'c_proj.weight'))": ORDER,
        "1 -> -1, in: T = tokens.shape[1]": AXIS,
    },
    "load_gpt2": {
        "return name -> return _copied(name), in: "
        "if name in ('wte.weight', 'wpe.weight', 'ln_f.weight', 'ln_f.bias',...": COPY,
        "('.attn.bias', '.attn.masked_bias') -> ('.attn.masked_bias', '.attn.bias'), in: "
        "if name.endswith(('.attn.bias', '.attn.masked_bias')):": ORDER,
        "return ours -> return _copied(ours), in: def load_gpt2(state):": COPY,
    },
    "adamw": {
        "p -> grad, in: state.update(step=0, exp_avg=torch.zeros_like(p), exp_avg_sq=torch....": SHAPE,
        "p -> grad, in: state.update(step=0, exp_avg=torch.zeros_like(p), exp_avg_sq=torch.... (2)": SHAPE,
    },
    "muon": {
        "G.shape[0] > G.shape[1] -> G.shape[0] >= G.shape[1], in: tall = G.shape[0] > G.shape[1]": FULL,
        "G.shape[0] > G.shape[1] -> G.shape[0] != G.shape[1], in: tall = G.shape[0] > G.shape[1]": FULL,
        "1 -> -1, in: tall = G.shape[0] > G.shape[1]": AXIS,
        "X -> G, in: X = X / X.norm().clamp(min=1e-07) (2)": "a transposed matrix has the same norm",
        "c * A @ A -> A @ (c * A), in: X = a * X + (b * A + c * A @ A) @ X": "the same product",
        f"p -> average, in: scale = {SCALE}": SHAPE,
        f"p -> direction, in: scale = {SCALE}": SHAPE,
        f"p -> average, in: scale = {SCALE} (2)": SHAPE,
        f"p -> direction, in: scale = {SCALE} (2)": SHAPE,
        f"1 -> -1, in: scale = {SCALE} (2)": AXIS,
        "return updated -> return _copied(updated), in: @torch.no_grad()": COPY,
    },
    "cosine_lr": {
        "step < warmup_steps -> step <= warmup_steps, in: if step < warmup_steps:": "both forms give the peak there",
    },
    "train_step": {
        "float('inf') -> 'inf', in: def train_step(loss_sum, optimizer, micro_batches, max_norm=float('...": TYPES,
        "torch.amp.GradScaler('cpu', enabled=False) -> torch.amp.GradScaler('cpu'), in: "
        "scaler = scaler or torch.amp.GradScaler('cpu', enabled=False)": "a power of two cancels",
        "False -> True, in: scaler = scaler or torch.amp.GradScaler('cpu', enabled=False)": "a power of two cancels",
        "int((y != IGNORE).sum()) -> (y != IGNORE).sum(), in: "
        "targets = sum((int((y != IGNORE).sum()) for _, y in micro_batches))": TYPES,
    },
    "Checkpoint": {
        "keys.numpy().astype(np.uint32) -> keys.numpy(), in: "
        "np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))": TYPES,
        f"keys.astype(np.int64) -> keys, in: {GENERATORS}": TYPES,
        f"has_gauss -> gauss, in: {GENERATORS}": TRUE,
        "list(words) -> words, in: return {'torch': torch.get_rng_state(), 'numpy': numpy_state, 'pyth...": TYPES,
        "file.flush() -> pass, in: with tmp.open('wb') as file:": DURABLE,
        "file.flush() -> file": DURABLE,
        "file -> buffer, in: file.flush()": DURABLE,
        "file.fileno() -> file, in: os.fsync(file.fileno())": TYPES,
        "torch.load(io.BytesIO(payload), weights_only=True) -> torch.load(io.BytesIO(payload)), in: "
        "saved = torch.load(io.BytesIO(payload), weights_only=True)": "it is the default",
        "True -> False, in: saved = torch.load(io.BytesIO(payload), weights_only=True)":
        "what a run has written itself loads either way",
        "return saved['step'] -> return _copied(saved['step']), in: def load(self, parts):": COPY,
    },
    "evaluate": {
        "x -> y, in: for first in range(0, len(x), batch_size):": SHAPE,
        "y -> x, in: return total / y.numel()": SHAPE,
    },
}  # fmt: skip
