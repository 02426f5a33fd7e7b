"""Mutants that no promised behaviour can tell from the reference, each with its reason."""

EQUIVALENT = {
    "answer_labels": {
        "ids -> input_ids, in: for t, token in enumerate(ids):": "a tensor of one id compares and is stored as the id",
    },
    "answer_loss": {
        "targets != IGNORE -> targets > IGNORE, in: scored = targets != IGNORE": "ids are 0 and above, IGNORE is below",
    },
    "pack_best_fit": {
        "rows -> used, in: fits = [row for row in range(len(rows)) if used[row] + lengths[i] <...": "as many as rows",
        "rows -> used, in: best = len(rows)": "equally long lists",
        "return rows -> return _copied(rows), in: def pack_best_fit(lengths, capacity):": "nobody else holds the list",
    },
    "packed_layout": {
        "0 -> -1, in: starts = parts.cumsum(0) - parts": "one axis is the first and the last",
        "parts -> starts, in: sequence = torch.arange(len(parts)).repeat_interleave(parts)": "equally long",
        "sequence[:, None] == sequence -> sequence[:, None] <= sequence, in: return (positions, "
        "(sequence[:, None] == sequence).tril())": "numbers rise along the row, and tril keeps earlier keys alone",
    },
    "quantize_nf4": {
        "1 -> -1, in: absmax = blocks.abs().amax(1)": "axis 1 of two is the last",
        "scaled[..., None] - NF4 -> NF4 - scaled[..., None], in: codes = (scaled[..., None] - NF4).abs().argmin(-1)": (
            "a distance has no sign"
        ),
    },
    "rouge_l": {
        "(prediction.lower().split(), reference.lower().split()) -> (reference.lower().split(), "
        "prediction.lower().split()), in: p, r = (prediction.lower().split(), reference.lower().split())": "symmetric",
        "r -> reference, in: row = [0] * (len(r) + 1)": "zeros to spare: a text has no fewer letters than words",
        "1 -> 2, in: row = [0] * (len(r) + 1)": "zeros to spare",
        "1 -> 2, in: return 2 * row[-1] / max(len(p) + len(r), 1)": "one word in all has none in common",
    },
}
