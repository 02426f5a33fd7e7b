"""Words a second and quality beside gensim, the per-pair forms, and the speed of the machine; all in one run."""
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import numpy as np
import torch
from jaxtyping import Float

from .blocks import block_loss, blocks
from .corpus import Corpus
from .experiment import MIN_COUNT
from .judgement import accuracy, forms_questions, percent
from .peer import MISSING, available, gensim_run
from .perpair import pair_step
from .sampler import NegativeSampler
from .skipgram import loss_and_gradients, sgd_step
from .softmax import softmax_step
from .sources import texts
from .space import nearest, overlap
from .train import Config, initial, train
from .windows import pair_batches, stream

BATCH = 160         # centres in a batch of the per-pair forms: about a thousand pairs


def bench(seed: int, quick: bool = False, data: str = "offline", say: Callable[[str], None] = print) -> dict:
    """Correctness first, then time, alternating; then quality after a whole training. About four minutes."""
    corpus = Corpus.from_texts(texts(data), MIN_COUNT if data == "offline" else 5)
    say(f"{data}: {len(corpus):,} words, {len(corpus.vocabulary):,} different ones")
    checked = check(corpus, seed)
    say(f"checked: the loss of a block is that of its pairs, to {checked:.1e} of it")
    peer = available()
    if not peer:
        say(MISSING)
    # No subsampling: gensim uses the formula of word2vec.c, which keeps more words, and both shall do the same work.
    config = Config(epochs=1, seed=seed, threshold=None)
    speed = race(corpus, config, 1 if quick else 5, peer, say)
    return {"data": data, "words": len(corpus), "vocabulary": len(corpus.vocabulary), "checked": checked,
            "speed": speed, "limit": limit(corpus, config),
            "quality": quality(corpus, replace(config, epochs=2 if quick else 10), seed, 1 if quick else 3, peer, say),
            "softmax": softmax_cost(corpus, seed, 2 if quick else 8, say)}


def check(corpus: Corpus, seed: int) -> float:
    """The relative difference of a block's loss from that of its pairs one by one, with all their noise words.

    Raises RuntimeError if it is above 1e-9: nothing is timed before that is mended.
    """
    rng = np.random.default_rng(seed)
    text = stream(corpus, 5, 1e-3, rng)
    noise = NegativeSampler(corpus.vocabulary.counts).shared(rng, -(-len(text) // 64), 32)
    _, block = next(blocks(text, torch.from_numpy(noise), 64, 5))
    w, c = rng.standard_normal((2, len(corpus.vocabulary), 20))
    fast = float(block_loss(torch.from_numpy(w), torch.from_numpy(c), block))
    slow = 0.0
    for centre, context in next(pair_batches(text, 64)):
        loss = loss_and_gradients(w[[centre]], c[[context]], c[noise[0][noise[0] != context]][None])[0]
        positive = loss_and_gradients(w[[centre]], c[[context]], np.zeros((1, 0, 20)))[0]
        slow += float((positive + (loss - positive) * 5 / 32)[0])
    if not abs(fast / slow - 1) < 1e-9:
        raise RuntimeError(f"a block's loss is {fast}, that of its pairs {slow}: nothing is timed until they agree")
    return abs(fast / slow - 1)


# -- speed -------------------------------------------------------------------------------------------------------------

def race(corpus: Corpus, config: Config, repeats: int, peer: bool, say: Callable[[str], None]) -> dict:
    """Words a second of one epoch, all sides in turn, `repeats` times."""
    sentences = corpus.sentences()
    part = max(1, len(corpus) // 10)        # the slow forms get a tenth of the text
    sides: dict[str, Callable[[], float]] = {
        "blocks, 1 thread": lambda: whole(corpus, config),
        "blocks, 2 threads": lambda: whole(corpus, replace(config, threads=2)),
        "pair by pair, PyTorch": lambda: by_pairs(corpus, config, part, torch_steps),
        "pair by pair, NumPy": lambda: by_pairs(corpus, config, part // 4, numpy_steps),
    }
    if peer:
        sides["gensim, 1 thread"] = lambda: len(corpus) / gensim_run(sentences, corpus, config).seconds
        sides["gensim, 2 threads"] = lambda: len(corpus) / gensim_run(
            sentences, corpus, replace(config, threads=2)).seconds
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    measured: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(repeats + 1):       # the first round only warms up
        for name, side in sides.items():
            value = side()
            if repeat:
                measured[name].append(value)
        say(f"round {repeat} of {repeats}" + "".join(f"  {n} {v[-1]:,.0f}" for n, v in measured.items() if v))
    torch.set_num_threads(before)
    return measured


def whole(corpus: Corpus, config: Config) -> float:
    """Words a second of training by blocks, drawing windows and noise included."""
    start = time.perf_counter()
    train(corpus, config)
    return len(corpus) * config.epochs / (time.perf_counter() - start)


def by_pairs(corpus: Corpus, config: Config, words: int, steps: Callable) -> float:
    """Words a second of a per-pair form on the first `words` words."""
    part = Corpus(corpus.vocabulary, corpus.ids[:words], corpus.starts[corpus.starts < words])
    rng = np.random.default_rng(config.seed)
    centres, contexts = initial(len(corpus.vocabulary), config.dimensions, config.seed)
    sampler = NegativeSampler(corpus.vocabulary.counts)
    start = time.perf_counter()
    steps(part, config, rng, sampler, centres, contexts)
    return words / (time.perf_counter() - start)


def torch_steps(part, config, rng, sampler, centres, contexts) -> None:
    """Gathers and scatters for each pair, a thousand pairs at a time."""
    for pairs in pair_batches(stream(part, config.window, config.threshold, rng), BATCH):
        negatives = sampler.draw(pairs[:, 1], rng.random((len(pairs), config.negatives)))
        pair_step(centres, contexts, torch.from_numpy(pairs), torch.from_numpy(negatives), config.rate)


def numpy_steps(part, config, rng, sampler, centres, contexts) -> None:
    """The form that the learner writes."""
    for pairs in pair_batches(stream(part, config.window, config.threshold, rng), BATCH):
        negatives = sampler.draw(pairs[:, 1], rng.random((len(pairs), config.negatives)))
        sgd_step(centres.numpy(), contexts.numpy(), pairs, negatives, config.rate)


def limit(corpus: Corpus, config: Config) -> dict[str, float]:
    """What the machine allows the block form: its bytes at the speed of a copy, its FLOPs at that of a product."""
    contexts = config.block + 2 * config.window
    rows = config.block + contexts + config.noise
    bytes_word = rows * config.dimensions * 4 * 4 / config.block        # gathered, then added: two reads, two writes
    flops_word = 3 * 2 * config.dimensions * (contexts + config.noise)  # scores, and the gradients of either side
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    copied, product = copy_speed(), product_speed()
    torch.set_num_threads(before)
    seconds = bytes_word / copied + flops_word / product
    return {"words_per_second": 1 / seconds, "bytes_per_word": bytes_word, "flops_per_word": flops_word,
            "copy_bytes_per_second": copied, "flops_per_second": product}


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

def quality(corpus: Corpus, config: Config, seed: int, runs: int, peer: bool, say: Callable[[str], None]) -> dict:
    """Analogies of word forms after training, and shared neighbours, of both sides on the same seeds."""
    questions = forms_questions(corpus.vocabulary)
    asked = np.arange(60, min(1060, len(corpus.vocabulary)))
    sentences = corpus.sentences()
    vectors: dict[str, list[Float[np.ndarray, "V D"]]] = {}
    for s in range(seed, seed + runs):
        vectors.setdefault("ours", []).append(train(corpus, replace(config, seed=s)).centres)
        if peer:
            vectors.setdefault("gensim", []).append(gensim_run(sentences, corpus, replace(config, seed=s)).vectors)
    marks = {side: [percent(accuracy(v, questions)) for v in runs] for side, runs in vectors.items()}
    near = {side: [nearest(v, asked, 10) for v in runs] for side, runs in vectors.items()}
    shared = {side: [overlap(a, b) for a, b in zip(lists, lists[1:], strict=False)] for side, lists in near.items()}
    if peer:
        shared["both"] = [overlap(a, b) for a, b in zip(near["ours"], near["gensim"], strict=True)]
    say(f"quality after {config.epochs} epochs: {marks}")
    return {"epochs": config.epochs, "analogies": marks, "overlap": shared}


# -- full softmax ------------------------------------------------------------------------------------------------------

def softmax_cost(corpus: Corpus, seed: int, steps: int, say: Callable[[str], None]) -> list[dict]:
    """Microseconds a pair of the full softmax and of negative sampling, both in NumPy, for growing vocabularies."""
    rng = np.random.default_rng(seed)
    rows = []
    for size in (250, 500, 1000, 2000, 4000, 8000):
        w, c = (rng.standard_normal((2, size, 100)) * 0.01).astype(np.float32)
        sampler = NegativeSampler(np.arange(size, 0, -1))
        pairs = rng.integers(0, size, (1000, 2))
        draws = sampler.draw(pairs[:, 1], rng.random((1000, 5)))
        full = [seconds(lambda w=w, c=c, p=pairs: softmax_step(w, c, p, 0.01)) for _ in range(steps + 1)][1:]
        some = [seconds(lambda w=w, c=c, p=pairs, d=draws: sgd_step(w, c, p, d, 0.01)) for _ in range(steps + 1)][1:]
        microseconds = {"softmax": [1e3 * t for t in full], "negative_sampling": [1e3 * t for t in some]}
        rows.append({"vocabulary": size, **microseconds})
        say(f"vocabulary {size}: " + ", ".join(f"{k} {median(v):.1f} µs a pair" for k, v in microseconds.items()))
    return rows
