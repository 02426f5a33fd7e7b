"""Break it: experiments with a mistake switched on. A test compares the outcomes with what the workbook says."""

import argparse
import copy
from collections.abc import Callable

import torch
from torch import nn

from ..absmax import absmax_quantize, dequantize, rms_error
from ..calibrate import LeNet5, accuracy, digits, fit, post_training
from ..compress import apply_masks, keep_masks, magnitude_masks, prunable, sparsity_of
from ..granularity import dequantize_groups, quantize_channels
from ..outliers import inject_outliers
from ..quantize_model import quantize_model, weights_only
from ..train import evaluate
from .compression import SmallNet, distillation
from .experiment import CHANNELS, batches, trained

Log = Callable[[str], None]


def break_it(options: argparse.Namespace, log: Log) -> dict:
    """All of them; about a minute."""
    steps = 15 if options.quick else 300
    found = {"one outlier": one_outlier()}
    log("calibration")
    found["calibrate on noise"] = calibrate_on_noise(steps, options.seed)
    log("a small decoder")
    model, text, unseen = trained(options.data, steps, options.seed, log)
    test = batches(text, unseen, 4 if options.quick else 32)[1]
    found["threshold"] = thresholds(model, test)
    found["bits"] = few_bits(model, test)
    found["prune the embedding"] = prune_the_embedding(model, test)
    log("masks and distillation")
    found["mask once"] = mask_once(steps, options.seed)
    distilled: dict = {"labels alone": [], "T = 1": [], "T = 2": [], "T = 5": [], "T = 20": []}
    distillation(distilled, digits(options.seed), steps, options.seed, log)
    found["temperature"] = {name: values[0] for name, values in distilled.items()}
    return found | {"steps": steps}


def one_outlier(outlier: float = 1000.0) -> dict:
    """absmax of a thousand normal numbers, and of the same with one outlier: the error of the others, and zeros."""
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    found = {}
    for name, largest in (("without", None), ("with", outlier)):
        y = x.clone()
        if largest:
            y[0] = largest
        codes, scale = absmax_quantize(y)
        back = dequantize(codes, scale)
        found[name] = {"error": rms_error(y[1:], back[1:]), "zeros": float((codes[1:] == 0).float().mean())}
    return found


def calibrate_on_noise(steps: int, seed: int) -> dict:
    """Static ranges of LeNet-5 from a hundred digits, from noise in 0…1, and from almost black images."""
    data = digits(seed)
    model = fit(LeNet5(seed), data.train, data.train_labels, steps, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(100, 1, 28, 28, generator=generator)
    kinds = {"digits": data.train[:100], "noise": noise, "almost black": 0.02 * noise, "test digits": data.test[:100]}
    found = {"fp32": accuracy(model, data.test, data.test_labels)}
    for name, images in kinds.items():
        found[name] = accuracy(post_training(model, images), data.test, data.test_labels)
    return found


def thresholds(model: nn.Module, test: torch.Tensor) -> dict:
    """LLM.int8 with injected outliers: threshold 0 is floating point throughout, infinity is plain vector-wise."""
    loud = inject_outliers(model, CHANNELS, 60.0)
    found = {"fp32": evaluate(model, test), "vector-wise": evaluate(quantize_model(loud, "vector-wise"), test)}
    for threshold in (0.0, 6.0, float("inf")):
        found[f"threshold {threshold:g}"] = evaluate(quantize_model(loud, "LLM.int8", threshold=threshold), test)
    return found


def few_bits(model: nn.Module, test: torch.Tensor) -> dict:
    """Rounding to nearest, weights alone, per channel."""
    return {
        f"{bits} bits": evaluate(
            weights_only(model, lambda _, w, b=bits: dequantize_groups(*quantize_channels(w, b))), test
        )
        for bits in (8, 4, 3, 2)
    }


def prune_the_embedding(model: nn.Module, test: torch.Tensor, sparsity: float = 0.5) -> dict:
    """Half of the weights gone: of the linear layers, and of the embedding, which is the head too."""
    found = {"nothing": evaluate(model, test)}
    for name in ("linear layers", "embedding"):
        made = copy.deepcopy(model)
        weights = list(prunable(made).values()) if name == "linear layers" else [made.wte.weight]
        apply_masks(weights, magnitude_masks(weights, sparsity))
        found[name] = evaluate(made, test)
    return found


def mask_once(steps: int, seed: int) -> dict:
    """A pruned network trained on, with its masks applied after each step and with none: [sparsity, accuracy]."""
    data, found = digits(seed), {}
    model = fit(SmallNet(seed), data.train, data.train_labels, steps, seed=seed)
    for name in ("after each step", "once"):
        made = copy.deepcopy(model)
        weights = list(prunable(made).values())
        masks = magnitude_masks(weights, 0.9)
        apply_masks(weights, masks)
        after = keep_masks(masks) if name == "after each step" else None
        fit(made, data.train, data.train_labels, steps // 3, seed=seed, after_step=after)
        found[name] = [sparsity_of(made), accuracy(made, data.test, data.test_labels)]
    return found
