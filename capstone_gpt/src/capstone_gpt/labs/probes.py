"""Active probes: small experiments on a training that settle what its curves cannot.

Each probe gets a new run of the same training, with its functions `batch`, `loss`, `backward`, `update`, `evaluate`
and `rate`, and returns the name of a fault, or None. What the run was set up with is not read.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..model.attention import attend
from .faulty_run import Run
from .probes_of_updates import one_update, rates, train_against_eval

Make = Callable[[], Run]
TINY = 1e-6


def later_token(make: Make) -> str | None:
    """Change the last token: no earlier logit may move, and none may be NaN."""
    run = make()
    x, _ = run.batch()
    changed = x.clone()
    changed[:, -1] = (x[:, -1] + 7) % run.vocab_size
    run.model.eval()
    with torch.no_grad():
        before, after = run.model(x)[:, :-1], run.model(changed)[:, :-1]
    if not torch.isfinite(before).all():
        return "own token masked"
    return "future seen" if float((before - after).abs().max()) > TINY else None


def first_output(make: Make) -> str | None:
    """An untrained model knows nothing, says it in logits, and has weights that differ."""
    run = make()
    with torch.no_grad():
        logits = run.model(run.batch()[0])
    if float((logits.sum(-1) - 1).abs().max()) < 1e-4 and float(logits.min()) >= 0:
        return "softmax twice"
    if float(logits.std()) > 2:
        return "weights too large"
    return "weights zero" if float(logits.abs().max()) == 0 else None


def doubled_batch(make: Make) -> str | None:
    """A batch twice as long, made of the same rows, has the same loss: micro-batches can be averaged."""
    run = make()
    run.model.eval()
    x, y = run.batch()
    with torch.no_grad():
        ratio = float(run.loss(torch.cat([x, x]), torch.cat([y, y])) / run.loss(x, y))
    return "loss summed" if ratio > 1.5 else None


def gradients_of(run: Run, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """What `backward` leaves for the optimizer, with the dropout of one seed."""
    torch.manual_seed(3)
    run.backward(x, y)
    return {name: p.grad.clone() for name, p in run.model.named_parameters() if p.grad is not None}


def same_batch_twice(make: Make) -> str | None:
    """The gradient of a batch does not depend on the batch before."""
    run = make()
    x, y = run.batch()
    first, second = gradients_of(run, x, y), gradients_of(run, x, y)
    ratio = sum(float(g.norm()) for g in second.values()) / max(TINY, sum(float(g.norm()) for g in first.values()))
    return "gradients not zeroed" if ratio > 1.5 else None


def against_autograd(make: Make) -> str | None:
    """What the optimizer gets is the gradient: its sign, its small elements, and for every group."""
    run = make()
    x, y = run.batch()
    given = gradients_of(run, x, y)
    if "wte.weight" not in given:
        return "stream detached"
    torch.manual_seed(3)
    matrices = [(name, p) for name, p in run.model.named_parameters() if name in given and name.startswith("blocks.")]
    true = torch.autograd.grad(run.loss(x, y), [p for _, p in matrices])
    flat = torch.cat([given[name].flatten() for name, _ in matrices])
    right = torch.cat([g.flatten() for g in true])
    if float(flat @ right) < 0:
        return "ascent"
    lost = float(((flat == 0) & (right != 0)).float().mean())
    return "gradients underflow" if lost > 0.1 else None


def counted_groups(make: Make) -> str | None:
    """Count the parameters that the optimizer holds, by group."""
    run = make()
    held = {id(p) for group in run.optimizer.param_groups for p in group["params"]}
    missing = [name for name, p in run.model.named_parameters() if id(p) not in held]
    if any(name.startswith("lm_head.") for name in missing):
        return "head not trained"
    return "blocks not trained" if any(name.startswith("blocks.") for name in missing) else None


def targets(make: Make) -> str | None:
    """Lay inputs and targets side by side: the target of a token is the next token of its row."""
    run = make()
    x, y = run.batch()
    if torch.equal(x, y):
        return "targets not shifted"
    if torch.equal(x[:, 1:], y[:, :-1]):
        return None
    return "targets shifted twice" if torch.equal(x[:, 2:], y[:, :-2]) else "targets shuffled"


def next_batches(make: Make) -> str | None:
    """Two batches in a row are not the same."""
    run = make()
    return "same batch" if torch.equal(run.batch()[0], run.batch()[0]) else None


def text(make: Make) -> str | None:
    """Count: how often a run sees each training token, and how many validation windows stand in the training text."""
    run = make()
    x, _ = run.batch()
    if run.setup.steps * x.numel() / len(run.train_tokens) > 4:
        return "training text too small"
    width = x.shape[1]
    rows = run.valid_tokens[: len(run.valid_tokens) // width * width].view(-1, width)
    rows = rows[:: max(1, len(rows) // 40)]
    every = run.train_tokens.unfold(0, width, 1)
    shared = sum(bool((every[every[:, 0] == row[0]] == row).all(1).any()) for row in rows) / len(rows)
    return "validation from training" if shared > 0.8 else None


def validated_twice(make: Make) -> str | None:
    """Validation gives one number for one model."""
    run = make()
    return (
        "validation in training mode"
        if run.evaluate(run.valid_tokens, 5) != run.evaluate(run.valid_tokens, 5)
        else None
    )


def attention(make: Make) -> str | None:
    """The first attention is the formula's, on queries, keys and values of its own."""
    run = make()
    layer = run.model.blocks[0].attn.eval()
    x = 10 * torch.randn(2, 7, layer.o_proj.in_features)
    with torch.no_grad():
        q, k, v = layer.qkv_proj(x).view(2, 7, 3, layer.n_head, -1).permute(2, 0, 3, 1, 4)
        right = layer.o_proj(attend(q, k, v).transpose(1, 2).reshape(x.shape))
        error = float((layer(x) - right).norm() / right.norm().clamp_min(TINY))
    return "attention scaled up" if error > 1e-3 else None


PROBES = (later_token, first_output, doubled_batch, same_batch_twice, against_autograd, counted_groups, targets)
PROBES += (next_batches, text, validated_twice, attention, train_against_eval, one_update, rates)


def examine(make: Make) -> tuple[str, str]:
    """(name of the fault, name of the probe) of the first probe that finds one; ("clean", "") if none does."""
    for probe in PROBES:
        if found := probe(make):
            return found, probe.__name__.replace("_", " ")
    return "clean", ""
