"""What the labs compute, beside another way to compute it."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from capstone_gpt.labs import (
    adam_paper,
    clipping,
    drawing,
    dynamic_batch,
    fp16_traps,
    landscape,
    schedules,
    small_run,
    warmup,
)
from capstone_gpt.labs.size_speed_memory import formula, kept_for_backward


@pytest.mark.parametrize(("way", "torchs"), [("norm", clip_grad_norm_), ("value", clip_grad_value_)])
def test_oracle_clipping_is_torchs(way, torchs):
    found = {}
    for who in ("ours", "torch"):
        torch.manual_seed(0)
        layer = nn.Linear(7, 5, dtype=torch.float64)
        (layer(torch.randn(11, 7, dtype=torch.float64)) ** 4).sum().backward()
        grads = torch.cat([p.grad.flatten() for p in layer.parameters()])
        if who == "ours":
            norm = clipping.clip(list(layer.parameters()), way, 0.3, 0.3)
            assert norm == pytest.approx(float(grads.norm()), rel=1e-12)
        else:
            torchs(layer.parameters(), 0.3)
        found[who] = torch.cat([p.grad.flatten() for p in layer.parameters()])
    torch.testing.assert_close(found["ours"], found["torch"], rtol=1e-5, atol=0)  # torch adds 1e-6 to the norm
    assert not torch.equal(found["ours"], grads)


def test_accumulation_equals_one_batch_only_if_clipped_once():
    once, each = clipping.accumulation(0).values()
    assert once < 1e-12 and each > 0.01


def test_the_direction_survives_clipping_by_norm_only():
    turned = clipping.direction(0)
    assert turned["norm"] == pytest.approx(1, abs=1e-6) and turned["value"] < 0.999


def test_float16_loses_below_its_smallest_number_and_above_its_largest():
    grads = torch.tensor([2.0**-26, 2.0**-24, 1.0, 2.0**15])
    assert fp16_traps.lost(grads, 1.0, torch.float16) == (0.25, 0.0)
    assert fp16_traps.lost(grads, 2.0, torch.float16) == (0.25, 0.25)
    assert fp16_traps.lost(grads, 4.0, torch.float16)[0] == 0.0
    assert fp16_traps.lost(grads, 1.0, torch.bfloat16) == (0.0, 0.0)


def test_the_single_traps():
    traps = fp16_traps.single_traps()
    assert traps["1e-8 + 0, an epsilon"]["float16"] == "0" and traps["300², a square in a norm"]["float16"] == "inf"
    assert traps["exp(12) / sum, softmax without the maximum"]["float16"] == "nan"
    assert traps["inf − inf, after an overflow"] == {"float32": "0", "float16": "nan", "bfloat16": "0"}
    assert traps["1 + 0.001, an update of a weight"]["bfloat16"] == "1"
    assert traps["2,049 as a counter"] == {"float32": "2049", "float16": "2048", "bfloat16": "2048"}


def test_batches_under_a_budget_hold_every_line_once():
    sizes = [5, 31, 2, 17, 32, 9, 3, 3, 28, 1] * 20
    for way in (dynamic_batch.fixed_rows, dynamic_batch.token_budget):
        made = way(sizes, 0)
        assert sorted(i for batch in made for i in batch) == list(range(200))
        assert all(len(batch) * max(sizes[i] for i in batch) <= dynamic_batch.TOKENS for batch in made)


def test_padding_changes_the_loss_only_where_it_is_counted():
    found = dynamic_batch.mean_of_lines(0, dynamic_batch.lines()[:12])
    assert found["padding ignored"] < 1e-6 and found["padding counted"] > 1e-3


@pytest.mark.parametrize("name", ["constant", "falling rate", "growing batch"])
def test_each_way_uses_the_whole_budget(name):
    assert sum(size for size, _ in dynamic_batch.sizes_of(name)) == dynamic_batch.BUDGET


def test_directions_are_normalised_row_by_row():
    model = small_run.small_gpt(0, n_embd=16, n_layer=1)
    found = landscape.direction(model, torch.Generator().manual_seed(1))
    for name, p in model.named_parameters():
        if p.ndim == 2:
            torch.testing.assert_close(found[name].norm(dim=1), p.detach().norm(dim=1), rtol=1e-5, atol=1e-7)
        else:
            assert not found[name].any()


def test_oracle_the_curvature_is_that_of_a_whole_hessian():
    model, x = nn.Linear(3, 4, dtype=torch.float64), torch.randn(6, 3, dtype=torch.float64)
    y = torch.randint(4, (6,))

    class Rows(nn.Module):
        """A classifier in the shape of a language model: one token a row."""

        def __init__(self):
            super().__init__()
            self.layer = model

        def forward(self, x):
            return self.layer(x)[:, None]

    rows = Rows()
    rows.load_state_dict({f"layer.{k}": v for k, v in model.state_dict().items()})

    def loss(weight):
        return nn.functional.cross_entropy(x @ weight.view(4, 4)[:, :3].T + weight.view(4, 4)[:, 3], y)

    weight = torch.cat([model.weight, model.bias[:, None]], dim=1).detach().flatten()
    right = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, weight))[-1]
    found = landscape.curvature(rows.double(), x, y[:, None], 0, 300)
    assert found == pytest.approx(float(right), rel=1e-3)


def test_the_formula_counts_the_parameters_of_gpt_2():
    assert formula(50257, 1024, 768, 12) == 124_439_808


def test_what_is_kept_for_backward_grows_with_the_batch():
    model = small_run.small_gpt(0, n_embd=16, n_layer=1)
    one, two = (kept_for_backward(model, *next(small_run.batches(0, rows))) for rows in (4, 8))
    assert 1.7 < two / one < 2.05


def test_adams_first_step_is_one_rate_long():
    assert warmup.step_over_rate() == pytest.approx(1, rel=1e-3)


def test_every_schedule_warms_up_and_plateau_falls_after_no_gain():
    model = small_run.small_modern(0)
    for name in schedules.NAMES:
        share = schedules.share_of(name, 400, model)
        assert share(0) == pytest.approx(1 / (schedules.WARMUP + 1)) and 0 < share(30) <= 1
    on_plateau = schedules.share_of("plateau", 400, model)
    shares = [on_plateau(step) for step in (30, 40, 80, 120)]  # the untrained model gains nothing
    assert shares == pytest.approx([1, 1, 0.3, 0.09])


def test_labels_are_moved_apart_and_keep_their_order():
    moved = drawing.apart([0.5, 0.1, 0.52, 0.51], 0.1)
    assert sorted(range(4), key=moved.__getitem__) == [1, 0, 3, 2]
    assert sum(moved[i] for i in (0, 2, 3)) / 3 == pytest.approx(0.51)
    assert sorted(moved)[2] - sorted(moved)[1] == pytest.approx(0.1) and moved[1] == 0.1


def test_the_convex_task_is_solved_by_the_frequencies_of_the_pairs():
    text = small_run.offline_text()
    model = adam_paper.Pairs(text.vocab_size)
    pairs = torch.bincount((text.x * text.vocab_size + text.y).flatten(), minlength=text.vocab_size**2)
    table = pairs.view(text.vocab_size, -1) + 1e-9
    model.table.weight.data = (table / table.sum(1, keepdim=True)).log()
    small_run.mean_loss(model, text.x, text.y).backward()
    assert float(model.table.weight.grad.abs().max()) < 1e-6
    guess = small_run.mean_loss(adam_paper.Pairs(5), torch.tensor([[1]]), torch.tensor([[2]])).item()
    assert guess == pytest.approx(math.log(5))


@pytest.mark.parametrize("task", ["MLP with dropout", "convolutions"])
def test_convolutions_see_their_window_and_nothing_after(task):
    torch.manual_seed(0)
    model = adam_paper.TASKS[task](11).eval()
    tokens = torch.randint(10, (1, 20))
    changed = tokens.repeat(20, 1).fill_diagonal_(10)  # row i has another token at place i
    with torch.no_grad():
        moved = (model(changed)[:, 15] - model(tokens)[:, 15]).abs().sum(-1)
    width = 1 + sum(layer.kernel_size[0] - 1 for layer in model.layers)
    assert (moved > 1e-5).nonzero().flatten().tolist() == list(range(16 - width, 16))
