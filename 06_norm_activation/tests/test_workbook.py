"""The workbook: its worked examples are the reference's numbers, and its break-it cells do what is written."""

import json
import re
from pathlib import Path

import norm_activation as na
import pytest
import torch
from norm_activation.lab import break_it, record

FOLDER = Path(__file__).parents[1]
CELLS = json.loads((FOLDER / "starter.ipynb").read_text(encoding="utf-8"))["cells"]
TEXTS = ["".join(cell["source"]) for cell in CELLS]
PARTS = {"no norm at 24 layers": break_it.no_norm, "He for tanh": break_it.he_for_tanh}
PARTS |= {"a large negative bias": break_it.dead_units, "BatchNorm with batch size 2": break_it.small_batches}
PARTS |= {"eps 0 on a constant row": break_it.no_eps}


def written(name: str) -> dict[str, float]:
    """The outcome that the workbook tells, by what is measured."""
    start = next(i for i, text in enumerate(TEXTS) if text.startswith(f"## Break it · {name}"))
    return {what: float(value) for what, value in re.findall(r"- `([^`]+)`: (\S+)", TEXTS[start + 2])}


@pytest.mark.parametrize("name", PARTS)
def test_break_it_does_what_the_workbook_and_the_results_say(name):
    told, recorded = written(name), record.read(record.COMMITTED)["break_it"][name]
    assert told.keys() == recorded.keys()
    cell = next(TEXTS[i + 1] for i, text in enumerate(TEXTS) if text.startswith(f"## Break it · {name}"))
    assert f"{PARTS[name].__name__}(seed=0)" in cell
    for what, value in PARTS[name](seed=0).items():
        allowed = (
            {"abs": 0.12} if "accuracy" in what else {"rel": 0.2, "abs": 0.011 if told[what] > 0.05 else 0.0}
        )  # training differs by machine
        assert value == pytest.approx(told[what], **allowed), what
        assert recorded[what][0] == pytest.approx(told[what], **allowed), what


def test_the_readmes_example_prints_what_it_says():
    text = re.search(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    names: dict = {}
    shown = 0
    for line in text.splitlines():
        code, _, told = line.partition("  # ")
        if told:
            assert repr(eval(code, names)) == told, code
            shown += 1
        else:
            exec(code, names)
    assert shown == 3


def test_effects_of_break_it_hold_on_every_seed():
    found = record.read(record.COMMITTED)["break_it"]
    deep = found["no norm at 24 layers"]
    assert max(deep["signal at layer 24 / layer 1, no norm"]) < 1e-12
    assert max(deep["accuracy, no norm, lr 0.01"] + deep["accuracy, no norm, lr 0.0001"]) < 0.2
    assert min(deep["accuracy, LayerNorm, lr 0.0001"]) > 0.7 and max(deep["accuracy, LayerNorm, lr 0.01"]) < 0.3
    assert min(deep["cosine between examples at layer 24, ReLU, LayerNorm"]) > 0.9
    assert max(deep["cosine between examples at layer 24, ReLU, BatchNorm"]) < 0.6
    assert min(found["a large negative bias"]["dead at the start"]) > 0.95
    assert min(found["a large negative bias"]["accuracy with LayerNorm"]) > 0.9
    two = found["BatchNorm with batch size 2"]
    assert max(two["accuracy, BatchNorm, batch size 2"]) < min(two["accuracy, LayerNorm, batch size 2"])
    assert found["eps 0 on a constant row"]["NaN in the weight's gradient, eps 0"][0] == 8


def test_the_worked_examples_are_the_references_numbers():
    token, one, zero = torch.tensor([1.0, 3.0, 5.0, 7.0]), torch.ones(4), torch.zeros(4)
    close = {"rtol": 0, "atol": 6e-4}

    def equal(got, want):
        torch.testing.assert_close(got, torch.tensor(want), **close)

    equal(na.layer_norm(token, one, zero, 0.0), [-1.342, -0.447, 0.447, 1.342])
    equal(na.layer_norm(token, one, zero, 4.0), [-1.0, -1 / 3, 1 / 3, 1.0])
    dx, _, _ = na.layer_norm_backward(torch.tensor([1.0, 0, 0, 0]), token, one, 0.0)
    equal(dx, [0.134, -0.179, -0.045, 0.089])
    equal(na.rms_norm(token, one, 0.0), [0.218, 0.655, 1.091, 1.528])
    equal(na.rms_norm(token, one, 4.0), [0.2, 0.6, 1.0, 1.4])
    dx, dweight = na.rms_norm_backward(torch.tensor([1.0, 0.0]), torch.tensor([3.0, 4.0]), torch.ones(2), 0.0)
    equal(dx, [0.181, -0.136]), equal(dweight, [0.849, 0.0])
    single = torch.ones(1)
    y, mean, var = na.batch_norm(token[:, None], single, 0 * single, 0 * single, single, True, 0.1, 0.0)
    equal(y[:, 0], [-1.342, -0.447, 0.447, 1.342]), equal(mean, [0.4]), equal(var, [1.567])
    x = torch.tensor([-1.0, 0.0, 1.0])
    equal(na.gelu(x), [-0.1587, 0.0, 0.8413]), equal(na.gelu(x, "tanh"), [-0.1588, 0.0, 0.8412])
    equal(na.gelu_grad(x), [-0.0833, 0.5, 1.0833])
    assert (na.swiglu_width(4096, 256), na.swiglu_width(576)) == (11008, 1536)
    eye = torch.eye(2)
    equal(na.swiglu(torch.tensor([1.0, -2.0]), eye, 3 * eye, torch.tensor([[1.0, 0], [1, 1]])), [2.193, 3.624])
    equal(
        na.dropout(token.cumsum(0) * 0 + torch.arange(1.0, 5), 0.5, torch.tensor([0.1, 0.6, 0.9, 0.3]), True),
        [0.0, 4, 6, 0],
    )
    two = torch.tensor([2.0], dtype=torch.float64)
    slopes = [float(na.numerical_gradient(lambda x: (x**3).sum(), two, h)) for h in (1.0, 0.1)]
    assert slopes == pytest.approx([13.0, 12.01])
    three, dy = two + 1, torch.ones(1, dtype=torch.float64)
    assert na.gradcheck(lambda x: x**2, lambda dy, x: (2 * x * dy,), (three,), dy)
    assert not na.gradcheck(lambda x: x**2, lambda dy, x: (x * dy,), (three,), dy)
