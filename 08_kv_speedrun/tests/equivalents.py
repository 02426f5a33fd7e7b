"""Mutants that no promised behaviour can tell from the reference: {task: {mutant: reason}}."""

AXIS = "of four axes, axis 2 is axis -2, axis 1 of two is axis -1"
LENGTH = "keys and values have the same length"
ONE_DTYPE = "queries, keys and values have the same device and width"
DEVICE = "the workbook promises nothing about devices other than the CPU here"
REFUSED = "what is refused for the user's sake, and not promised in the workbook"
NEVER_READ = "slots that are not filled are never returned"
ONE_LOGIT = "the model returns the logits of one position here"
SAME_LOGITS = "the logits of earlier positions are computed and thrown away"
SUBNORMAL = "rows whose scale is not a normal number: the workbook promises any positive scale for zeros only"

SHAPES = "Tq, Tk = (q.shape[-2], k.shape[-2])"
MASK = "allowed = torch.ones(Tq, Tk, dtype=torch.bool, device=q.device).tri..."
SCORES = "scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])"
CHECK_SIZE = "check_size(batch_size, max_seq_len)"
CHECK_UPDATE = "check_update(layer, k, v, self.keys)"
CHECK_LAYERS = "check_layers(cache.layers, len(model.blocks))"
CHECK_REQUEST = "check_request(model.config, tokens, max_new_tokens, cache.max_seq_len)"
STEP = "logits = model(pieces[-1], cache, last_only=True)"
APPEND = "pieces.append(logits[:, -1].argmax(dim=-1, keepdim=True).to(tokens...."
WHERE = "scale = torch.where(scale < torch.finfo(torch.float32).tiny, torch...."

EQUIVALENT = {
    "attend": {
        f"-2 -> 2, in: {SHAPES}": AXIS,
        f"2 -> -2, in: {SHAPES}": AXIS,
        f"k -> v, in: {SHAPES}": LENGTH,
        f"-2 -> 2, in: {SHAPES} (2)": AXIS,
        f"2 -> -2, in: {SHAPES} (2)": AXIS,
        "torch.ones(Tq, Tk, dtype=torch.bool, device=q.device) -> torch.ones(Tq, Tk, dtype=torch.bool)"
        f", in: {MASK}": DEVICE,
        f"q -> k, in: {MASK}": ONE_DTYPE,
        f"q -> v, in: {MASK}": ONE_DTYPE,
        f"-2 -> 2, in: {SCORES}": AXIS,
        f"2 -> -2, in: {SCORES}": AXIS,
        f"q -> k, in: {SCORES} (2)": ONE_DTYPE,
        f"q -> v, in: {SCORES} (2)": ONE_DTYPE,
    },
    "StaticCache": {
        f"{CHECK_SIZE} -> pass, in: def __init__(self, config, batch_size, max_seq_len, dtype=torch.flo...": REFUSED,
        f"{CHECK_SIZE} -> batch_size": REFUSED,
        f"{CHECK_SIZE} -> check_size(max_seq_len, batch_size)": REFUSED,
        f"batch_size -> max_seq_len, in: {CHECK_SIZE}": REFUSED,
        f"max_seq_len -> batch_size, in: {CHECK_SIZE}": REFUSED,
        "torch.zeros(shape, dtype=dtype, device=device) -> torch.ones(shape, dtype=dtype, device=device), in: "
        "self.keys = torch.zeros(shape, dtype=dtype, device=device)": NEVER_READ,
        "torch.zeros(shape, dtype=dtype, device=device) -> torch.ones(shape, dtype=dtype, device=device), in: "
        "self.values = torch.zeros(shape, dtype=dtype, device=device)": NEVER_READ,
        f"{CHECK_UPDATE} -> pass, in: def update(self, layer, k, v):": REFUSED,
        f"{CHECK_UPDATE} -> layer": REFUSED,
        f"k -> v, in: {CHECK_UPDATE}": REFUSED,
        f"v -> k, in: {CHECK_UPDATE}": REFUSED,
        "k -> v, in: end = start + k.shape[2]": LENGTH,
        "2 -> -2, in: end = start + k.shape[2]": AXIS,
    },
    "forward_with_cache": {
        f"{CHECK_LAYERS} -> pass, in: def forward_with_cache(model, tokens, cache):": REFUSED,
        f"{CHECK_LAYERS} -> cache.layers": REFUSED,
        f"{CHECK_LAYERS} -> check_layers(len(model.blocks), cache.layers)": REFUSED,
        "torch.arange(cache.position, cache.position + tokens.shape[1], device=tokens.device) -> "
        "torch.arange(cache.position, cache.position + tokens.shape[1]), in: "
        "positions = torch.arange(cache.position, cache.position + tokens.sh...": DEVICE,
        "1 -> -1, in: positions = torch.arange(cache.position, cache.position + tokens.sh...": AXIS,
    },
    "generate": {
        f"{CHECK_REQUEST} -> pass, in: @torch.no_grad()": REFUSED,
        f"{CHECK_REQUEST} -> model.config": REFUSED,
        f"model(pieces[-1], cache, last_only=True) -> model(pieces[-1], cache), in: {STEP}": SAME_LOGITS,
        f"True -> False, in: {STEP}": SAME_LOGITS,
        f"-1 -> 0, in: {APPEND}": ONE_LOGIT,
        f"1 -> 0, in: {APPEND}": ONE_LOGIT,
        f"-1 -> 1, in: {APPEND} (2)": AXIS,
        f"1 -> -1, in: {APPEND} (2)": AXIS,
        "1 -> -1, in: return torch.cat(pieces, dim=1)": AXIS,
    },
    "quantize": {
        "absmax -> x, in: if not torch.isfinite(absmax).all():": "the largest magnitude is finite where all are",
        f"scale < torch.finfo(torch.float32).tiny -> scale <= torch.finfo(torch.float32).tiny, in: {WHERE}": SUBNORMAL,
        f"scale -> absmax, in: {WHERE}": SUBNORMAL,
        f"scale -> absmax, in: {WHERE} (2)": SUBNORMAL,
    },
}
