"""Cost, counted and not timed: rows fetched and FLOPs of the three forms of a step."""

import numpy as np
import torch
from meaning_space.blocks import blocks
from meaning_space.corpus import Corpus, Vocabulary
from meaning_space.sampler import NegativeSampler
from meaning_space.skipgram_fast import block_step, pair_step
from meaning_space.windows_fast import pair_batches, windowed_text
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

V, D, T, WIDTH, N, K = 400, 100, 64, 5, 64, 5


class Rows(TorchDispatchMode):
    """Counts the rows of vectors that are gathered and scattered."""

    def __init__(self):
        super().__init__()
        self.gathered = self.scattered = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func._schema.name == "aten::index" and out.shape[-1] == D:
            self.gathered += out.numel() // D
        if func._schema.name == "aten::index_add_" and args[0].shape == (V, D):
            self.scattered += args[2].numel()
        return out


def prepared():
    rng = np.random.default_rng(0)
    words = tuple(f"w{i}" for i in range(V))
    vocabulary = Vocabulary(words, np.full(V, 9), {w: i for i, w in enumerate(words)})
    corpus = Corpus(vocabulary, rng.integers(0, V, T), np.array([0]))
    text = windowed_text(corpus, WIDTH, None, rng)
    sampler = NegativeSampler(corpus.vocabulary.counts)
    pairs = next(pair_batches(text, T))
    negatives = sampler.sample(pairs[:, 1], rng.random((len(pairs), K)))
    _, block = next(blocks(text, torch.from_numpy(sampler.sample_shared(rng, 1, N)), T, K))
    w, c = torch.randn(V, D), torch.randn(V, D)
    return text, (w, c, torch.from_numpy(pairs), torch.from_numpy(negatives), 0.01), (w, c, block, 0.01)


def test_a_block_fetches_every_vector_once():
    _, _, args = prepared()
    with Rows() as rows:
        block_step(*args)
    assert rows.gathered == rows.scattered == T + (T + 2 * WIDTH) + N


def test_the_per_pair_form_fetches_k_plus_two_rows_a_pair():
    _, args, block_args = prepared()
    with Rows() as rows:
        pair_step(*args)
    assert rows.gathered == rows.scattered == len(args[2]) * (K + 2)
    with Rows() as fewer:
        block_step(*block_args)
    assert rows.gathered > 10 * fewer.gathered  # 6 pairs a word, 7 rows a pair; 202 rows in all


def test_a_blocks_products_are_the_three_that_it_needs():
    _, _, args = prepared()
    with FlopCounterMode(display=False) as counter:
        block_step(*args)
    contexts = T + 2 * WIDTH
    assert counter.get_total_flops() == 3 * 2 * T * D * (contexts + N)  # scores, and the gradients of either side
