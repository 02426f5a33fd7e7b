"""Words a second and quality next to gensim, the per-pair forms, and the speed of the machine; all in one run."""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import numpy as np
import torch
from jaxtyping import Float

from ..blocks import blocks
from ..corpus import Corpus
from ..sampler import NegativeSampler
from ..skipgram import loss_and_gradients, sgd_step
from ..skipgram_fast import block_loss, pair_step
from ..space import most_similar
from ..train import Config, init_vectors, train
from ..variants import softmax_step
from ..windows_fast import pair_batches, windowed_text
from .corpora import load_corpus
from .evaluation import analogy_scores, neighbor_overlap, percent_right, word_form_questions
from .experiment import Log
from .gensim_peer import MISSING, available, train_gensim

BATCH = 160  # centers in a batch of the per-pair forms: about a thousand pairs


def bench(options: argparse.Namespace, log: Log) -> dict:
    """Correctness first; then time, in turn; then quality after a whole training. About four minutes.

    Raises:
        RuntimeError: the loss of a block is not that of its pairs. Nothing is timed then.
    """
    quick, seed = options.quick, options.seed
    corpus = load_corpus(options.data)
    log(f"{options.data}: {len(corpus):,} words, {len(corpus.vocabulary):,} different ones")
    error = check(corpus, seed)
    log(f"checked: the loss of a block is that of its pairs, relative error {error:.1e}")
    peer = available()
    if not peer:
        log(MISSING)
    # No subsampling: gensim has the formula of word2vec.c, which keeps more words. Both sides shall do the same work.
    config = Config(epochs=1, seed=seed, threshold=None)
    return {
        "data": options.data,
        "words": len(corpus),
        "vocabulary": len(corpus.vocabulary),
        "check": error,
        "speed": race(corpus, config, 1 if quick else 5, peer, log),
        "limit": limit(config),
        "quality": quality(corpus, replace(config, epochs=2 if quick else 10), 1 if quick else 3, peer, log),
        "softmax": softmax_cost(seed, 2 if quick else 8, log),
    }


def check(corpus: Corpus, seed: int, size: int = 64, k: int = 5, shared: int = 32) -> float:
    """The relative error of a block's loss against that of its pairs one by one, each with its negatives.

    Raises:
        RuntimeError: it is above 1e-9.
    """
    rng = np.random.default_rng(seed)
    text = windowed_text(corpus, 5, 1e-3, rng)
    negatives = NegativeSampler(corpus.vocabulary.counts).sample_shared(rng, math.ceil(len(text) / size), shared)
    _, block = next(blocks(text, torch.from_numpy(negatives), size, k))
    w, c = rng.standard_normal((2, len(corpus.vocabulary), 20))
    fast = float(block_loss(torch.from_numpy(w), torch.from_numpy(c), block))
    plain = 0.0
    for center, context in next(pair_batches(text, size)):
        own = negatives[0][negatives[0] != context]
        alone = loss_and_gradients(w[[center]], c[[context]], np.zeros((1, 0, 20)))[0]
        full = loss_and_gradients(w[[center]], c[[context]], c[own][None])[0]
        plain += float((alone + (full - alone) * k / shared)[0])
    error = abs(fast / plain - 1)
    if not error < 1e-9:
        raise RuntimeError(f"a block's loss is {fast}, that of its pairs {plain}: nothing is timed until they agree")
    return error


# -- speed -------------------------------------------------------------------------------------------------------------


def race(corpus: Corpus, config: Config, repeats: int, peer: bool, log: Log) -> dict[str, list[float]]:
    """Words a second of one epoch, all sides in turn, `repeats` times after a round that only warms up."""
    sides = contenders(corpus, config, peer)
    speed: dict[str, list[float]] = {name: [] for name in sides}
    torch_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for repeat in range(repeats + 1):
        for name, words_per_second in sides.items():
            value = words_per_second()
            if repeat > 0:
                speed[name].append(value)
        log(f"round {repeat} of {repeats}" + "".join(f"  {n} {v[-1]:,.0f}" for n, v in speed.items() if v))
    torch.set_num_threads(torch_threads)
    return speed


def contenders(corpus: Corpus, config: Config, peer: bool) -> dict[str, Callable[[], float]]:
    """The sides of the race. The slow forms get a part of the text."""
    sentences = corpus.sentences()
    two = replace(config, threads=2)
    part = max(1, len(corpus) // 10)
    sides: dict[str, Callable[[], float]] = {
        "blocks, 1 thread": lambda: speed_of_blocks(corpus, config),
        "blocks, 2 threads": lambda: speed_of_blocks(corpus, two),
        "pair by pair, PyTorch": lambda: speed_by_pairs(corpus, config, part, torch_step),
        "pair by pair, NumPy": lambda: speed_by_pairs(corpus, config, part // 4, numpy_step),
    }
    if peer:
        sides["gensim, 1 thread"] = lambda: len(corpus) / train_gensim(sentences, corpus, config).seconds
        sides["gensim, 2 threads"] = lambda: len(corpus) / train_gensim(sentences, corpus, two).seconds
    return sides


def speed_of_blocks(corpus: Corpus, config: Config) -> float:
    """Words a second of training by blocks, with the drawing of windows and negatives."""
    return len(corpus) * config.epochs / seconds(lambda: train(corpus, config))


def speed_by_pairs(corpus: Corpus, config: Config, words: int, step: Callable) -> float:
    """Words a second of a per-pair form on the first `words` words."""
    part = Corpus(corpus.vocabulary, corpus.ids[:words], corpus.starts[corpus.starts < words])
    rng = np.random.default_rng(config.seed)
    centers, contexts = init_vectors(len(corpus.vocabulary), config.embedding_dim, config.seed)
    sampler = NegativeSampler(corpus.vocabulary.counts)
    start = time.perf_counter()
    for pairs in pair_batches(windowed_text(part, config.window, config.threshold, rng), BATCH):
        negatives = sampler.sample(pairs[:, 1], rng.random((len(pairs), config.negatives)))
        step(centers, contexts, pairs, negatives, config.lr)
    return words / (time.perf_counter() - start)


def torch_step(centers, contexts, pairs, negatives, lr) -> None:
    """Gathers and scatters for each pair, in PyTorch."""
    pair_step(centers, contexts, torch.from_numpy(pairs), torch.from_numpy(negatives), lr)


def numpy_step(centers, contexts, pairs, negatives, lr) -> None:
    """The form that the learner writes."""
    sgd_step(centers.numpy(), contexts.numpy(), pairs, negatives, lr)


def limit(config: Config) -> dict[str, float]:
    """What the machine allows the block form: its bytes at the speed of a copy, its FLOPs at that of a product."""
    contexts = config.block_size + 2 * config.window
    rows = config.block_size + contexts + config.shared_negatives
    bytes_per_word = rows * config.embedding_dim * 4 * 4 / config.block_size  # float32: read, then read, add, write
    # Three products: the scores, and the gradients of both sides.
    flops_per_word = 3 * 2 * config.embedding_dim * (contexts + config.shared_negatives)
    torch_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    copied, product = copy_speed(), product_speed()
    torch.set_num_threads(torch_threads)
    seconds_per_word = bytes_per_word / copied + flops_per_word / product
    return {
        "words_per_second": 1 / seconds_per_word,
        "bytes_per_word": bytes_per_word,
        "flops_per_word": flops_per_word,
        "copy_bytes_per_second": copied,
        "flops_per_second": product,
    }


def copy_speed(megabytes: int = 128) -> float:
    """Bytes a second, read and written, of copying a large array: the best of five."""
    source = torch.ones(megabytes * 2**18)
    target = torch.empty_like(source)
    return 2 * megabytes * 2**20 / min(seconds(lambda: target.copy_(source)) for _ in range(5))


def product_speed(size: int = 1024) -> float:
    """FLOPs a second of a square float32 matrix product: the best of five."""
    a = torch.ones(size, size)
    return 2 * size**3 / min(seconds(lambda: a @ a) for _ in range(5))


def seconds(function: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


# -- quality -----------------------------------------------------------------------------------------------------------


def quality(corpus: Corpus, config: Config, runs: int, peer: bool, log: Log) -> dict:
    """Analogies of word forms after training, and shared neighbors, of both sides on the same seeds."""
    questions = word_form_questions(corpus.vocabulary)
    queries = np.arange(60, min(1060, len(corpus.vocabulary)))
    sentences = corpus.sentences()
    vectors: dict[str, list[Float[np.ndarray, "V D"]]] = {"ours": []}
    for seed in range(config.seed, config.seed + runs):
        seeded = replace(config, seed=seed)
        vectors["ours"].append(train(corpus, seeded).centers)
        if peer:
            vectors.setdefault("gensim", []).append(train_gensim(sentences, corpus, seeded).vectors)
    scores = {side: [percent_right(analogy_scores(v, questions)) for v in runs] for side, runs in vectors.items()}
    near = {side: [most_similar(v, queries, 10) for v in runs] for side, runs in vectors.items()}
    shared = {}
    for side, lists in near.items():
        shared[side] = [neighbor_overlap(a, b) for a, b in zip(lists, lists[1:], strict=False)]
    if peer:
        shared["both"] = [neighbor_overlap(a, b) for a, b in zip(near["ours"], near["gensim"], strict=True)]
    log(f"quality after {config.epochs} epochs: {scores}")
    return {"epochs": config.epochs, "analogies": scores, "overlap": shared}


# -- full softmax ------------------------------------------------------------------------------------------------------


def softmax_cost(seed: int, repeats: int, log: Log) -> list[dict]:
    """Microseconds a pair of the full softmax and of negative sampling, both in NumPy, for growing vocabularies."""
    rng = np.random.default_rng(seed)
    rows = []
    for size in (250, 500, 1000, 2000, 4000, 8000):
        w, c = (rng.standard_normal((2, size, 100)) * 0.01).astype(np.float32)
        pairs = rng.integers(0, size, (1000, 2))
        sampler = NegativeSampler(np.arange(size, 0, -1))
        negatives = sampler.sample(pairs[:, 1], rng.random((1000, 5)))
        steps = {
            "softmax": lambda w=w, c=c, p=pairs: softmax_step(w, c, p, 0.01),
            "negative_sampling": lambda w=w, c=c, p=pairs, n=negatives: sgd_step(w, c, p, n, 0.01),
        }
        row = {name: microseconds(step, len(pairs), repeats) for name, step in steps.items()}
        rows.append({"vocabulary": size, **row})
        log(f"vocabulary {size}: " + ", ".join(f"{name} {median(v):.1f} µs a pair" for name, v in row.items()))
    return rows


def microseconds(step: Callable[[], object], pairs: int, repeats: int) -> list[float]:
    """Microseconds for each pair, `repeats` times after a call that only warms up."""
    step()
    return [1e6 * seconds(step) / pairs for _ in range(repeats)]
