"""One string's lattice: all ways to segment it with the pieces of a vocabulary (Kudo 2018, section 3.2).

The nodes are the places between characters, 0 to n. Each piece x at start..end of the string is an edge from start to
end with the score log p(x). A segmentation is a path from 0 to n, and its log probability is the sum of its edges. The
string's probability sums over all paths. There may be 2^(n-1) of them, but they are never listed:

    forward    alpha[e] = log sum over edges (s, e) of exp(alpha[s] + score)       all segmentations of the first e
    backward   beta[s]  = log sum over edges (s, e) of exp(score + beta[e])        all segmentations of the rest
    string     log Z = alpha[n] = beta[0]
    posterior  P(edge | string) = exp(alpha[s] + score + beta[e] - log Z)
    Viterbi    the forward recursion with max in place of log-sum-exp, and a pointer back

These are also the recursions of a hidden Markov model and of CTC. This file is the plain form, one string at a time.
`lattice_fast.py` does the same for all words of a corpus at once.
"""

import math
import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

UNKNOWN_PENALTY = 10.0


class Edge(NamedTuple):
    """An occurrence of a piece in the string. `known` is False for a character without a piece."""

    start: int
    end: int
    score: float
    known: bool


def edges_of(string: str, log_probs: Mapping[str, float], longest: int, unknown: float) -> list[Edge]:
    """All edges of a string's lattice, sorted by (end, start). `longest` is the length of the longest piece.

    A character that is no piece gets an edge with the score `unknown`, so that every string has a path. SentencePiece
    does the same, with the lowest score of the vocabulary less 10 nats.
    """
    edges = []
    for end in range(1, len(string) + 1):
        for start in range(max(0, end - longest), end):
            score = log_probs.get(string[start:end])
            if score is not None:
                edges.append(Edge(start, end, score, True))
            elif start == end - 1:
                edges.append(Edge(start, end, unknown, False))
    return edges


def log_sum_exp(values: Sequence[float]) -> float:
    """log(sum(exp(values))) without overflow; minus infinity for an empty sum."""
    top = max(values, default=-math.inf)
    if top == -math.inf:
        return top
    return top + math.log(sum(math.exp(v - top) for v in values))


def forward(edges: Sequence[Edge], n: int) -> list[float]:
    """alpha[e]: the log probability of all segmentations of the first e characters. alpha[n] is the string's."""
    arriving: list[list[Edge]] = [[] for _ in range(n + 1)]
    for edge in edges:
        arriving[edge.end].append(edge)
    alpha = [0.0]
    for end in range(1, n + 1):
        alpha.append(log_sum_exp([alpha[edge.start] + edge.score for edge in arriving[end]]))
    return alpha


def backward(edges: Sequence[Edge], n: int) -> list[float]:
    """beta[s]: the log probability of all segmentations of what follows the first s characters."""
    leaving: list[list[Edge]] = [[] for _ in range(n + 1)]
    for edge in edges:
        leaving[edge.start].append(edge)
    beta = [0.0] * (n + 1)
    for start in range(n - 1, -1, -1):
        beta[start] = log_sum_exp([edge.score + beta[edge.end] for edge in leaving[start]])
    return beta


def posteriors(edges: Sequence[Edge], n: int) -> list[float]:
    """P(edge | string) for each edge: the share of the string's probability on paths through it."""
    alpha, beta = forward(edges, n), backward(edges, n)
    return [math.exp(alpha[e.start] + e.score + beta[e.end] - alpha[n]) for e in edges]


def viterbi(edges: Sequence[Edge], n: int) -> list[Edge]:
    """The most probable path. Of equally probable ones, the one whose last piece is longest, and so on from the end."""
    best = [0.0] + [-math.inf] * n
    arrived_by: list[Edge | None] = [None] * (n + 1)
    for edge in edges:
        score = best[edge.start] + edge.score
        if arrived_by[edge.end] is None or score > best[edge.end]:
            best[edge.end] = score
            arrived_by[edge.end] = edge
    path = []
    while n > 0:
        edge = arrived_by[n]
        path.append(edge)
        n = edge.start
    return path[::-1]


def sample(edges: Sequence[Edge], n: int, theta: float, rng: random.Random) -> list[Edge]:
    """Draw a path with probability proportional to p(path)^theta: subword regularization (Kudo 2018, section 3.3).

    theta = 0 draws evenly among all segmentations, 1 from the model, and a large theta draws the Viterbi path. The draw
    goes backwards through the forward sums. It is exact and needs no list of the best paths.
    """
    tempered = [edge._replace(score=theta * edge.score) for edge in edges]
    alpha = forward(tempered, n)
    arriving: list[list[tuple[Edge, float]]] = [[] for _ in range(n + 1)]
    for edge, hot in zip(edges, tempered, strict=True):
        weight = math.exp(alpha[edge.start] + hot.score - alpha[edge.end])
        arriving[edge.end].append((edge, weight))
    path = []
    while n > 0:
        choices, weights = zip(*arriving[n], strict=True)
        path.append(rng.choices(choices, weights)[0])
        n = path[-1].start
    return path[::-1]
