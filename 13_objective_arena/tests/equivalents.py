"""Mutants that no promised behaviour can tell from the reference, each with its reason.

`nox -s mutate-13` prints the key of each mutant that survives.
"""

TWO_AXES = "the logits have two axes: the last one is axis 1"
OWN = "the value is new already, and nobody else holds it"
AS_MANY = "all of them have as many rows as there are views"
LOG_SOFTMAX = {
    "-1 -> 1, in: shifted = logits - logits.amax(-1, keepdim=True)": TWO_AXES,
    "1 -> -1, in: shifted = logits - logits.amax(-1, keepdim=True)": TWO_AXES,
    "-1 -> 1, in: return shifted - shifted.exp().sum(-1, keepdim=True).log()": TWO_AXES,
    "1 -> -1, in: return shifted - shifted.exp().sum(-1, keepdim=True).log()": TWO_AXES,
}
EQUIVALENT = {
    "shift_labels": {
        "return labels -> return _copied(labels), in: def shift_labels(ids, ignore_index=-100):": OWN,
    },
    "mask_tokens": {
        "return ordinary[(uniforms * len(ordinary)).long()] -> return _copied(ordinary[(uniforms * "
        "len(ordinary)).long()]), in: def random_ids(special_ids, vocab_size, uniforms):": OWN,
    },
    "span_corruption": {
        "spans.tolist() -> spans, in: for i, (start, end) in enumerate(spans.tolist()):": (
            "numbers and tensors of one number cut a text alike"
        ),
    },
    "fill_in_the_middle": {
        "order == 'psm' -> order <= 'psm', in: if order == 'psm':": "the only other order is behind it in the alphabet",
    },
    "cross_entropy": {
        **LOG_SOFTMAX,
        "1 -> -1, in: return -log_probs.gather(1, labels[counts][:, None]).mean()": TWO_AXES,
    },
    "smoothed_cross_entropy": LOG_SOFTMAX,
    "info_nce": {
        "-1 -> 1, in: unit = views / views.norm(dim=-1, keepdim=True)": TWO_AXES,
        "1 -> -1, in: unit = views / views.norm(dim=-1, keepdim=True)": TWO_AXES,
        "views -> scores, in: itself = torch.eye(len(views), dtype=torch.bool)": AS_MANY,
        "views -> unit, in: itself = torch.eye(len(views), dtype=torch.bool)": AS_MANY,
        "views -> itself, in: partner = torch.arange(len(views)).roll(len(a))": AS_MANY,
        "views -> scores, in: partner = torch.arange(len(views)).roll(len(a))": AS_MANY,
        "views -> unit, in: partner = torch.arange(len(views)).roll(len(a))": AS_MANY,
        "a -> b, in: partner = torch.arange(len(views)).roll(len(a))": "a and b have as many rows",
    },
    "sentence_pair": {
        "sentence + 1 >= len(documents[document]) -> sentence + 1 == len(documents[document]), in: if sentence + 1 >= "
        "len(documents[document]):": "a is a sentence of its document",
    },
}
