"""Ten shape puzzles. The tensors:

    x         (B, T, H·D)     positions of a batch, as they come
    q         (B, H, T, D)    the queries of each head
    lengths   (B,)            how long each sequence is

B, T, H and D are all different and above 1. An answer is a shape, or None where PyTorch refuses.
"""

Answer = tuple[int, ...] | None

PUZZLES = {
    "A": "x.view(B, T, H, D)",
    "B": "x.view(B, T, H, D).transpose(1, 2)",
    "C": "q @ q.transpose(-2, -1)",
    "D": "q.sum(-1, keepdim=True)",
    "E": "q + q.mean(2)",
    "F": "torch.arange(T)[:, None] >= torch.arange(T)",
    "G": "q.transpose(1, 2).view(B, T, H * D)",
    "H": "q.transpose(1, 2).reshape(B, T, H * D)",
    "I": "x[:, -1]",
    "J": "torch.arange(T) < lengths[:, None, None, None]",
}


def shape_puzzles(B: int, T: int, H: int, D: int) -> dict[str, Answer]:
    """The answer to each puzzle, for any sizes."""
    return {
        "A": (B, T, H, D),  # H·D is cut into H times D
        "B": (B, H, T, D),  # axes 1 and 2 are exchanged
        "C": (B, H, T, T),  # (T, D) @ (D, T), for each sequence and head
        "D": (B, H, T, 1),  # keepdim: the axis stays, with size 1
        "E": None,  # from the right: D with D, then T with H
        "F": (T, T),  # (T, 1) against (T,)
        "G": None,  # the numbers do not lie in this order in memory
        "H": (B, T, H * D),  # reshape copies them into this order
        "I": (B, H * D),  # an index takes its axis away
        "J": (B, 1, 1, T),  # (T,) against (B, 1, 1, 1)
    }
