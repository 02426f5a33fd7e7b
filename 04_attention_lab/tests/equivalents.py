"""Mutants that no promised behaviour can tell from the reference, each with its reason. `nox -s mutate-04`."""

FOUR = "the tensor has four axes here, so axis -2 is axis 2"

EQUIVALENT = {
    "scaled_dot_product_attention": {
        "q -> k, in: scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]) (2)": "queries and keys have one width",
    },
    "split_heads": {"2 -> -2, in: return x.view(B, T, heads, -1).transpose(1, 2)": FOUR},
    "merge_heads": {
        "2 -> -2, in: return x.transpose(1, 2).flatten(2)": FOUR,
        "2 -> -2, in: return x.transpose(1, 2).flatten(2) (2)": FOUR,
    },
    "online_softmax": {
        "scores -> values, in: lowest = torch.finfo(scores.dtype).min": "scores and values have one dtype",
        "highest -> new, in: return (output / total.clamp(min=1), highest + total.log())": "equal after the loop",
    },
}
