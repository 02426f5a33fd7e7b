"""Mutants that no promised behaviour can tell from the reference: {task: {mutant: reason}}."""

AXIS = "of two axes, axis 1 is axis -1"
ZERO = "zero times or divided by a penalty is zero"
COPY = "the workbook does not promise that the very same tensor comes back"

GATHER, SCATTER = "seen = logits.gather(-1, tokens)", "return logits.scatter(-1, tokens, seen)"
WHERE = "seen = torch.where(seen < 0, seen * penalty, seen / penalty)"
SUMS = "cumulative = logits.double().softmax(dim=-1).cumsum(dim=-1)"

EQUIVALENT = {
    "repetition_penalty": {
        f"-1 -> 1, in: {GATHER}": AXIS,
        f"1 -> -1, in: {GATHER}": AXIS,
        f"seen < 0 -> seen <= 0, in: {WHERE}": ZERO,
        f"-1 -> 1, in: {SCATTER}": AXIS,
        f"1 -> -1, in: {SCATTER}": AXIS,
    },
    "warp": {"return logits -> return _copied(logits), in: def warp(logits, tokens, params):": COPY},
    "sample": {
        f"-1 -> 1, in: {SUMS}": AXIS,
        f"1 -> -1, in: {SUMS}": AXIS,
        f"-1 -> 1, in: {SUMS} (2)": AXIS,
        f"1 -> -1, in: {SUMS} (2)": AXIS,
        "1 -> -1, in: return torch.searchsorted(cumulative, targets, right=True).squeeze(1)": AXIS,
    },
}
