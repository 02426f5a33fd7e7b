"""Mutants of the reference that no promised behaviour can tell from it, with the reason."""

FIRST_REFUSED = "jaxtyping's import hook refuses a list before the function does; test_bad_input has the sentence"
SAME_WIDTH = "the width is the same in both, which is checked"

EQUIVALENT = {
    "frequencies": {
        "2 -> 1, in: if dim < 2 or dim % 2:": "1 is odd, so the second condition refuses it",
        "2 -> -2, in: if dim < 2 or dim % 2: (2)": "the remainder by -2 is 0 for the same numbers",
    },
    "apply_rope": {
        "if not isinstance(positions, Tensor) -> never, in: def check_positions(positions):": FIRST_REFUSED,
        "raise TypeError(f'positions={positions!r:.60}: must be a tensor; use torch.tensor(posit... -> pass, in: "
        "if not isinstance(positions, Tensor):": FIRST_REFUSED,
        "layout == 'interleaved' -> layout >= 'interleaved', in: if layout == 'interleaved':": (
            "'half' comes before 'interleaved', and other layouts are refused"
        ),
        "layout == 'interleaved' -> layout >= 'interleaved', in: if layout == 'interleaved': (2)": (
            "'half' comes before 'interleaved', and other layouts are refused"
        ),
        "q -> k, in: B, _, T, D = q.shape": "the shapes differ in heads only, or an error is raised",
        "positions.cpu() -> positions, in: return positions.cpu()[..., None] * theta": "the tests run on a CPU",
        "q -> k, in: angle = angles(positions, frequencies(q.shape[-1], base))": SAME_WIDTH,
    },
    "assert_relative": {
        "scores -> shifted, in: assert not allclose(apart, scores), 'tokens three times as far apar...": (
            "the shifted scores have just been shown to equal the others"
        ),
    },
    "rotary_attention": {
        "k -> q, in: if v.shape != k.shape:": "where q and k differ, apply_rope raises the same error",
        "q -> k, in: scores = q @ k.mT / math.sqrt(q.shape[-1]) (2)": SAME_WIDTH,
        "q -> v, in: scores = q @ k.mT / math.sqrt(q.shape[-1]) (2)": SAME_WIDTH,
    },
    "alibi_slopes": {
        "1 -> 0, in: if num_heads < 1:": "for 0 heads the shift by -1 raises a ValueError too",
        "num_heads - power -> num_heads % power, in: extra = (2 * torch.arange(num_heads - power) + 1) * 4 / power": (
            "the power is above half of num_heads, so the two are the same"
        ),
    },
}
