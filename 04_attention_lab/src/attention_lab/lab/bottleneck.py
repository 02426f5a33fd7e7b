"""The bottleneck: copying and reversing sequences of growing length, with and without attention."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..road import Seq2Seq
from .packing import packed

COPY, REVERSE = 1, 2  # the first token of the source says what to do; 0 starts the target
LETTERS = 16
VOCABULARY = 3 + LETTERS
HIDDEN = 64
LONGEST = 12  # in training
LENGTHS = (2, 4, 6, 8, 10, 12, 14, 16, 20)


def batch(size: int, length: int, task: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(sources, targets) of one length and task."""
    letters = torch.randint(3, VOCABULARY, (size, length), generator=generator)
    source = torch.cat((torch.full((size, 1), task), letters), dim=1)
    return source, letters if task == COPY else letters.flip(1)


def train(attention: str, seed: int, steps: int) -> Seq2Seq:
    """Both tasks in turn, lengths 1 to LONGEST, teacher forcing."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = Seq2Seq(VOCABULARY, HIDDEN, attention)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps)
    for step in range(steps):
        length = int(torch.randint(1, LONGEST + 1, (1,), generator=generator))
        source, target = batch(64, length, (COPY, REVERSE)[step % 2], generator)
        logits, _ = model(source, target)
        loss = F.cross_entropy(logits.transpose(1, 2), target)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model


def accuracies(model: Seq2Seq, lengths: tuple[int, ...], size: int = 128) -> dict[str, list[float]]:
    """The share of right tokens at each length, where the model reads its own output."""
    found = {}
    for name, task in (("copy", COPY), ("reverse", REVERSE)):
        generator = torch.Generator().manual_seed(1_000_003)
        pairs = [batch(size, length, task, generator) for length in lengths]
        right = [(model.generate(source, target.shape[1]) == target).float().mean() for source, target in pairs]
        found[name] = [float(r) for r in right]
    return found


def bottleneck(seeds: list[int], steps: int, log) -> dict:
    """Accuracy by attention, task, seed and length; parameters; the weights of one copy and one reversal."""
    content = {"lengths": LENGTHS, "longest": LONGEST, "accuracy": {}, "parameters": {}, "weights": {}}
    for attention in ("none", "additive", "multiplicative"):
        runs = {"copy": [], "reverse": []}
        for seed in seeds:
            log(f"copy and reverse, attention {attention}, seed {seed}")
            model = train(attention, seed, steps)
            for name, values in accuracies(model, LENGTHS).items():
                runs[name].append(values)
        content["accuracy"][attention] = runs
        content["parameters"][attention] = sum(p.numel() for p in model.parameters())
        if attention == "additive":
            for name, task in (("copy", COPY), ("reverse", REVERSE)):
                source, target = batch(1, 8, task, torch.Generator().manual_seed(5))
                content["weights"][name] = packed(model(source, target)[1][0].detach())
    return content
