"""LeNet-5 in few bits: MNIST where its files are, else the bundled digits. Histograms for TensorBoard."""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from ..calibrate import (
    Images,
    LeNet5,
    accuracy,
    digits,
    fit,
    mnist,
    post_training,
    quantization_aware,
    rounded_layers,
    size_in_bytes,
)
from . import record
from .catalogue import MNIST_TEST_IMAGES, MNIST_TEST_LABELS, MNIST_TRAIN_IMAGES, MNIST_TRAIN_LABELS
from .cli import seeds_of
from .fetch import fetch, is_local
from .torchao_qat import MISSING, installed, torchao_qat

Log = Callable[[str], None]
FILES = (MNIST_TRAIN_IMAGES, MNIST_TRAIN_LABELS, MNIST_TEST_IMAGES, MNIST_TEST_LABELS)
BITS = (8, 4, 3, 2)
CALIBRATION = 128  # images


def load_images(seed: int = 0) -> tuple[str, Images]:
    """("MNIST" or "digits", the images)."""
    if all(is_local(file) for file in FILES):
        return "MNIST", mnist([fetch(file) for file in FILES])
    return "digits", digits(seed)


def lenet(options: argparse.Namespace, log: Log) -> dict:
    """Static per tensor and per channel, dynamic, and QAT, at eight to two bits; about six minutes on one core."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    steps, more = (20, 5) if options.quick else (900, 300)
    if not installed():
        log(MISSING)
    name, data = load_images()
    data = data._replace(test=data.test[:200], test_labels=data.test_labels[:200]) if options.quick else data
    found: dict = {"data": name, "seeds": seeds, "steps": steps, "qat steps": more, "fp32": [], "accuracy": {}}
    found["bytes"] = {"32": size_in_bytes(LeNet5())} | {
        f"{bits} {w}": size_in_bytes(LeNet5(), bits, w) for bits in BITS for w in ("tensor", "channel")
    }
    for seed in seeds:
        log(f"seed {seed}: training")
        model = fit(LeNet5(seed), data.train, data.train_labels, steps, seed=seed)
        found["fp32"].append(accuracy(model, data.test, data.test_labels))
        for bits in BITS[::3] if options.quick else BITS:
            for kind, made in variants(model, data, bits, more, seed, log):
                got = accuracy(made, data.test, data.test_labels)
                found["accuracy"].setdefault(kind, {}).setdefault(str(bits), []).append(got)
    out = Path(options.out).resolve()
    logs = (record.MINE if out == record.COMMITTED.resolve() else out) / "tensorboard"
    if write_histograms(model, data, logs):
        log(f"histograms: tensorboard --logdir {logs}")
    found["histograms"] = histograms(model, data)
    return found


def variants(model: nn.Module, data: Images, bits: int, steps: int, seed: int, log: Log):
    """(kind, rounded model) for each way."""
    calibration = data.train[:CALIBRATION]
    yield "static, per tensor", post_training(model, calibration, bits, "tensor", "static")
    yield "static, per channel", post_training(model, calibration, bits, "channel", "static")
    yield "dynamic, per channel", post_training(model, calibration, bits, "channel", "dynamic")
    log(f"seed {seed}: QAT with {bits} bits")
    yield "QAT, per tensor", quantization_aware(model, data.train, data.train_labels, steps, bits, "tensor", seed=seed)
    yield "QAT, per channel", quantization_aware(model, data.train, data.train_labels, steps, bits, seed=seed)
    if installed():
        log(f"seed {seed}: QAT with {bits} bits by torchao")
        yield "QAT by torchao, per channel", torchao_qat(model, data.train, data.train_labels, steps, bits, seed=seed)


def tensors_of(model: nn.Module, data: Images) -> dict[str, torch.Tensor]:
    """Weights, and the inputs of each layer on calibration images."""
    made = post_training(model, data.train[:CALIBRATION], activations="none")
    found: dict[str, torch.Tensor] = {}
    names = [name for name, _ in model.named_children()]
    hooks = []
    for name, layer in zip(names, rounded_layers(made), strict=True):
        found[f"weights/{name}"] = layer.layer.weight.detach()

        def keep(module, args, name=name):
            found[f"activations/{name}"] = args[0].detach()

        hooks.append(layer.register_forward_pre_hook(keep))
    with torch.no_grad():
        made(data.train[:CALIBRATION])
    for hook in hooks:
        hook.remove()
    return found


def histograms(model: nn.Module, data: Images, bins: int = 41) -> dict:
    """{tensor: [lowest, highest, counts]}: what TensorBoard shows, small enough to record."""
    found = {}
    for name, x in tensors_of(model, data).items():
        low, high = float(x.min()), float(x.max())
        found[name] = [low, high, torch.histc(x.flatten(), bins, low, high).int().tolist()]
    return found


def write_histograms(model: nn.Module, data: Images, folder: Path) -> bool:
    """TensorBoard's event file, where the library is installed: open it with `tensorboard --logdir FOLDER`."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return False
    with SummaryWriter(str(folder)) as writer:
        for name, x in tensors_of(model, data).items():
            writer.add_histogram(name, x.flatten(), 0)
    return True
