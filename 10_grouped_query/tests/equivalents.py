"""Mutants that no promised behaviour can tell from the reference, each with its reason.

`nox -s mutate-10` prints the key of each mutant that survives.
"""

SAME_AXIS = "this axis is the same one counted from the end"
SAME_WIDTH = "the last axes of these tensors have the same width"
SAME_SHAPE = "only the sizes of the two axes are read, and this tensor has the same"

EQUIVALENT = {
    "grouped_attention": {
        "q -> k, in: scores = rows @ k.mT / math.sqrt(q.shape[-1])": SAME_WIDTH,
        "q -> rows, in: scores = rows @ k.mT / math.sqrt(q.shape[-1])": SAME_WIDTH,
        "q -> v, in: scores = rows @ k.mT / math.sqrt(q.shape[-1])": SAME_WIDTH,
        "2 -> -2, in: scores = mask_future(scores.unflatten(2, q.shape[2:4]))": SAME_AXIS,
        "2 -> -2, in: return (weights.flatten(2, 3) @ v).unflatten(2, q.shape[2:4]) (2)": SAME_AXIS,
        "q -> scores, in: return (weights.flatten(2, 3) @ v).unflatten(2, q.shape[2:4])": SAME_SHAPE,
        "q -> weights, in: return (weights.flatten(2, 3) @ v).unflatten(2, q.shape[2:4])": SAME_SHAPE,
    },
    "absorbed_attention": {
        "2 -> -2, in: scores = q_latent.flatten(1, 2) @ latent.mT + q_rope.flatten(1, 2) ...": SAME_AXIS,
        "2 -> -2, in: scores = q_latent.flatten(1, 2) @ latent.mT + q_rope.flatten(1, 2) ... (2)": SAME_AXIS,
        "q_nope -> q_latent, in: scores = scores.unflatten(1, q_nope.shape[1:3]) / math.sqrt(q_nope....": SAME_SHAPE,
        "q_nope -> q_rope, in: scores = scores.unflatten(1, q_nope.shape[1:3]) / math.sqrt(q_nope....": SAME_SHAPE,
        "q_rope -> k_rope, in: scores = scores.unflatten(1, q_nope.shape[1:3]) / math.sqrt(q_nope....": SAME_WIDTH,
        "2 -> -2, in: latent_out = (weights.flatten(1, 2) @ latent).unflatten(1, q_nope.s...": SAME_AXIS,
        "q_nope -> q_latent, in: latent_out = (weights.flatten(1, 2) @ latent).unflatten(1, q_nope.s...": SAME_SHAPE,
        "q_nope -> q_rope, in: latent_out = (weights.flatten(1, 2) @ latent).unflatten(1, q_nope.s...": SAME_SHAPE,
        "q_nope -> scores, in: latent_out = (weights.flatten(1, 2) @ latent).unflatten(1, q_nope.s...": SAME_SHAPE,
        "q_nope -> weights, in: latent_out = (weights.flatten(1, 2) @ latent).unflatten(1, q_nope.s...": SAME_SHAPE,
    },
}
