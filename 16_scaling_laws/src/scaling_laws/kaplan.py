"""Kaplan et al. (2020), arXiv:2001.08361: the laws that made models large.

N counts parameters without embeddings, D tokens, losses are nats a token. The constants belong to their data and
their vocabulary; only the exponents can be compared.
"""

ALPHA_N, N_C = 0.076, 8.8e13
ALPHA_D, D_C = 0.095, 5.4e13
PF_DAY = 1e15 * 24 * 3600  # FLOPs of a petaflop/s-day
N_E, P_N = 1.3e9, 0.73  # the optimal N is N_E (C / PF-day)^P_N: their table 6
D_E, P_D = 2e10, 0.27

Number = int | float


def loss_of_size(n: Number) -> float:
    """L(N) = (N_c / N)^alpha_N: trained to convergence on enough data (their equation 1.1)."""
    return (N_C / n) ** ALPHA_N


def loss_of_data(tokens: Number) -> float:
    """L(D) = (D_c / D)^alpha_D: a large model, stopped early (their equation 1.2)."""
    return (D_C / tokens) ** ALPHA_D


def joint_loss(n: Number, tokens: Number) -> float:
    """L(N, D), their equation 1.5: as data grows it becomes L(N), as the model grows L(D)."""
    return ((N_C / n) ** (ALPHA_N / ALPHA_D) + D_C / tokens) ** ALPHA_D


def compute_optimal(flops: Number) -> tuple[float, float]:
    """(N, D) that they advise for a budget. Their D is fitted on its own, so 6ND is not exactly the budget."""
    days = flops / PF_DAY
    return N_E * days**P_N, D_E * days**P_D


def data_for_size(n: Number) -> float:
    """Tokens at which a model of size N just stops being limited by data: 5,000 N^0.74 (their equation 4.4)."""
    return 5e3 * n**0.74
