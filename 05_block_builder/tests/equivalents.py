"""Mutants that no promised behaviour can tell from the reference: {task: {mutant: reason}}."""

AXIS = "of two axes, axis 1 is axis -1; of four, axis 2 is axis -2"
REPLACED = "the head's own weight is replaced by the token table's in the next line"
NO_SCALARS = "no parameter has zero axes"
DEVICE = "text and memory are on the same device"
FRESH = "the padded image is new in any case"

EQUIVALENT = {
    "GPT": {
        "nn.Linear(config.width, config.vocab_size, bias=False) -> nn.Linear(config.vocab_size, config.width, "
        "bias=False), in: self.lm_head = nn.Linear(config.width, config.vocab_size, bias=False)": REPLACED,
        "1 -> -1, in: T = tokens.shape[1]": AXIS,
    },
    "init_weights": {"parameter.ndim == 1 -> parameter.ndim <= 1, in: if parameter.ndim == 1:": NO_SCALARS},
    "DecoderBlock": {"x -> memory, in: causal = causal_mask(x.shape[1], x.device) (2)": DEVICE},
    "conv2d": {
        "return padded -> return _copied(padded), in: def zero_pad(x, padding):": FRESH,
        "2 -> -2, in: K, J = weight.shape[2:]": AXIS,
        "2 -> -2, in: rows = output_size(x.shape[2], K, stride, dilation)": AXIS,
    },
}
