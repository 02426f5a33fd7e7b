"""Mutants that no promised behaviour can tell from the reference: {task: {mutant: reason}}."""

AXIS = "of four axes, axis 2 is axis -2"
LENGTH = "queries, keys and values have the same length"
HIDDEN = "one older key is read as well, and the mask hides it"
NEVER_READ = "slots that are not filled are never returned"
FIRST_FREE = "the first token after the sinks has slot `sinks` in both branches"
RIGHT_PAD = "what is padded on the right is beyond the last tap"

FIRST = "in: first = max(start - window + 1, 0)"
WHERE = "in: return torch.where(positions < sinks, positions, rolling)"
KEYS = "self.keys = torch.zeros(batch_size, heads, window, head_dim, dtype=..."
ZEROS = "torch.zeros(batch_size, heads, window, head_dim, dtype=dtype)"

EQUIVALENT = {
    "banded_attention": {
        "q -> k, in: T = q.shape[2]": LENGTH,
        "q -> v, in: T = q.shape[2]": LENGTH,
        "2 -> -2, in: T = q.shape[2]": AXIS,
        "2 -> -2, in: return torch.cat(blocks, dim=2)": AXIS,
        f"start - window + 1 -> (start - window) * 1, {FIRST}": HIDDEN,
        f"start - window + 1 -> (start - window) // 1, {FIRST}": HIDDEN,
        f"start - window + 1 -> (start - window) ** 1, {FIRST}": HIDDEN,
        f"start - window + 1 -> start - window, {FIRST}": HIDDEN,
        f"1 -> 0, {FIRST}": HIDDEN,
    },
    "RollingCache": {
        f"{ZEROS} -> {ZEROS.replace('zeros', 'ones')}, in: {KEYS}": NEVER_READ,
        "torch.zeros_like(self.keys) -> torch.ones_like(self.keys), in: self.values = torch.zeros_like(self.keys)": (
            NEVER_READ
        ),
        "2 -> -2, in: keys = torch.cat((self.keys[:, :, slots], k), dim=2)": AXIS,
        "2 -> -2, in: values = torch.cat((self.values[:, :, slots], v), dim=2)": AXIS,
        "k -> v, in: end = self.position + k.shape[2]": LENGTH,
        "2 -> -2, in: end = self.position + k.shape[2]": AXIS,
    },
    "sink_slots": {
        f"positions < sinks -> positions <= sinks, {WHERE}": FIRST_FREE,
        f"sinks -> rolling, {WHERE}": FIRST_FREE,
    },
    "causal_conv1d": {"0 -> 1, in: padded = F.pad(x, ((K - 1) * dilation, 0))": RIGHT_PAD},
}
