"""Two comparisons: three architectures at their tasks, and four networks of convolutions under equal conditions."""

import argparse
import time
from collections.abc import Callable

import torch
from torch import nn

from .. import vision
from ..architectures import accuracy as classifier_accuracy
from ..architectures import sentiment, train_classifier, train_translator, translate, translation, translation_batch
from ..attention import causal_mask, padding_mask
from ..config import Config
from ..initialization import seeded
from ..model import GPT, EncoderClassifier, EncoderDecoder
from ..overfit import RHYME, decode, encode, memorize, recite
from . import images
from .cli import seeds_of

# ---------------------------------------------------------------- three architectures


def architectures(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Parameters, steps, seconds and the score of each, and one attention pattern of each."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    found: dict = {"seeds": seeds, "models": {}, "patterns": {}}
    makers = {"decoder-only": reciter, "encoder-only": classifier, "encoder-decoder": translator}
    for name, make in makers.items():
        scores, seconds = [], []
        for seed in seeds:
            log(f"{name}, seed {seed}")
            start = time.process_time()
            model, score, task, pattern, words = make(seed, 5 if options.quick else None)
            scores.append(score)
            seconds.append(time.process_time() - start)
        parameters = sum(p.numel() for p in model.parameters())
        found["models"][name] = {"task": task, "parameters": parameters, "score": scores, "seconds": seconds}
        found["patterns"][name] = {"weights": pattern.mean(0).tolist(), "words": words}
    return found


def reciter(seed: int, steps: int | None):
    """A GPT that learns a text by heart; the share of characters that it recites rightly."""
    vocabulary = "".join(sorted(set(RHYME)))
    tokens = encode(RHYME, vocabulary)
    model = seeded(GPT(Config(len(vocabulary), 128, layers=2, heads=2, width=32)), seed)
    memorize(model, tokens, steps or 150, lr=1e-2)
    said = decode(recite(model, tokens[:, :1], len(RHYME) - 1), vocabulary)
    score = sum(a == b for a, b in zip(said, RHYME, strict=True)) / len(RHYME)
    shown = tokens[:, :16]
    with torch.no_grad():
        h = model.blocks[0].ln_1(model.wte(shown) + model.wpe.weight[:16])
        pattern = model.blocks[0].attn.weights(h, h, causal_mask(16))[0]
    return model, score, "recites its text", pattern, [list(RHYME[:16])] * 2


def classifier(seed: int, steps: int | None):
    """An encoder for sentiment; accuracy on unseen reviews."""
    torch.manual_seed(seed)
    model = EncoderClassifier(Config(len(sentiment.WORDS), sentiment.LENGTH, layers=2, heads=2, width=32), 2)
    train_classifier(model, steps or 200, seed)
    model.eval()
    score = classifier_accuracy(model, seed=99)
    words = "<cls> the film is not dull but the plot is not good".split()
    tokens = torch.tensor([[sentiment.WORDS.index(word) for word in words]])
    with torch.no_grad():
        encoder = model.encoder
        x = encoder.blocks[0](encoder.wte(tokens) + encoder.wpe.weight[: len(words)])
        h = encoder.blocks[1].ln_1(x)
        pattern = encoder.blocks[1].attn.weights(h, h)[0]
    return model, score, "classifies reviews", pattern, [words] * 2


def translator(seed: int, steps: int | None):
    """An encoder-decoder; the share of unseen sentences that are translated without a fault."""
    torch.manual_seed(seed)
    model = EncoderDecoder(Config(len(translation.WORDS), translation.TARGET_LENGTH, layers=2, heads=2, width=32))
    train_translator(model, steps or 300, seed)
    model.eval()
    source, mask, target = translation_batch(500, torch.Generator().manual_seed(99))
    score = float((translate(model, source, mask) == target).all(1).float().mean())
    words = "the old cat sees the small dog".split()
    target_words = ["<start>", *translation.translation_of(words)]
    ids, wanted = (torch.tensor([[translation.WORDS.index(w) for w in row]]) for row in (words, target_words))
    with torch.no_grad():
        memory, block = model.encoder(ids), model.blocks[1]
        x = model.blocks[0](model.encoder.wte(wanted) + model.wpe.weight[: wanted.shape[1]], memory)
        h = block.ln_1(x)
        x = x + block.self_attn(h, h, causal_mask(wanted.shape[1]))
        pattern = block.cross_attn.weights(block.ln_2(x), memory, padding_mask(ids != 0))[0]
    return model, score, "translates a toy language", pattern, [target_words, words]


# ---------------------------------------------------------------- networks of convolutions


def nets(channels: int, size: int) -> dict[str, Callable[[], nn.Module]]:
    return {
        "LeNet-5": lambda: vision.lenet5(channels, size),
        "AlexNet style": lambda: vision.alexnet(channels, size),
        "VGG style": lambda: vision.vgg(channels, size),
        "ResNet-18, narrow": lambda: vision.resnet(channels, width=8),
    }


def convolutions(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Accuracy, parameters, seconds and curves, all with the same optimizer, rate, batches and epochs."""
    name, train, test = images.load(options)
    seeds = seeds_of(options, 1 if options.quick else 3)
    most, epochs = (128, 1) if options.quick else (1400, 8) if name == "digits" else (6000, 2)
    train, test = tuple(x[:most] for x in train), tuple(x[:2000] for x in test)
    found: dict = {"seeds": seeds, "images": name, "train": len(train[1]), "epochs": epochs, "nets": {}}
    for label, make in nets(*train[0].shape[1:3]).items():
        accuracy, seconds, curves = [], [], []
        for seed in seeds:
            log(f"{label} on {name}, seed {seed}")
            torch.manual_seed(seed)
            net, start = make(), time.process_time()
            curves.append(vision.fit(net, *train, epochs=epochs, seed=seed))
            seconds.append(time.process_time() - start)
            accuracy.append(vision.score(net, *test))
        parameters = sum(p.numel() for p in net.parameters())
        found["nets"][label] = {"parameters": parameters, "accuracy": accuracy, "seconds": seconds, "curves": curves}
        if label == "LeNet-5":
            found |= filters(net, test[0][:1])
    return found


@torch.no_grad()
def filters(net: nn.Sequential, image: torch.Tensor) -> dict:
    """The first layer's kernels, and what they make of one image."""
    maps = net[1](net[0](image))[0]
    return {"filters": net[0].weight[:, 0].tolist(), "image": image[0, 0].tolist(), "maps": maps.tolist()}
