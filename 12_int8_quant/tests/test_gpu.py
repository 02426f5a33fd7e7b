"""The layer of a GPU, computed here on the CPU, and the command that measures it."""

import pytest
import torch
from int8_quant import Decoder, FastW8A8Linear, generate, int8_linear, whole_int8_linear
from int8_quant.__main__ import COMMANDS
from int8_quant.lab import gpu, plots, record
from int8_quant.lab.cli import main, options
from int8_quant.linear_fast import rows_to_add
from mistakes import int8_case
from torch import nn


@pytest.mark.parametrize(("T", "I", "O"), [(1, 64, 32), (3, 48, 8), (17, 24, 16), (33, 304, 48), (131, 64, 16)])
def test_the_whole_form_is_the_plain_one(T, I, O):
    x, codes, scales, bias = int8_case(0, min(T, 8), I, O)
    x = x.repeat(20, 1)[:T]
    torch.testing.assert_close(whole_int8_linear(x, codes, scales, bias), int8_linear(x, codes, scales, bias))
    x[0] = 0
    torch.testing.assert_close(whole_int8_linear(x, codes, scales), int8_linear(x, codes, scales))


@pytest.mark.parametrize(("tokens", "rows"), [(1, 32), (16, 32), (31, 32), (32, 32), (33, 40), (40, 40), (4096, 4096)])
def test_a_gpus_product_gets_enough_rows(tokens, rows, monkeypatch):
    """More than 16, and a multiple of 8: what the product itself was given is looked at."""
    assert tokens + rows_to_add(tokens) == rows
    given, real = [], torch._int_mm
    monkeypatch.setattr(torch, "_int_mm", lambda a, b: given.append(a) or real(a, b))
    x, codes, scales, _ = int8_case(0, 1, 16, 8)
    y = whole_int8_linear(x.expand(tokens, 16), codes, scales)
    assert given[0].shape == (rows, 16) and y.shape == (tokens, 8)
    assert not given[0][tokens:].any()


def test_sixteen_bits_in_sixteen_bits_out():
    x, codes, scales, _ = int8_case(0, 5, 64, 32)
    wanted = int8_linear(x.bfloat16().float(), codes, scales)
    y = whole_int8_linear(x.bfloat16(), codes, scales)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), wanted, rtol=2**-8, atol=0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_comes_out_in_its_row_alone(bad):
    x, codes, scales, _ = int8_case(0, 3, 16, 8)
    wanted = whole_int8_linear(x, codes, scales)
    x[1, 2] = bad
    y = whole_int8_linear(x, codes, scales)
    assert not y[1].isfinite().any() and torch.equal(y[[0, 2]], wanted[[0, 2]])


@pytest.mark.parametrize(("I", "O"), [(12, 8), (8, 12)])
def test_bad_input_no_multiple_of_eight(I, O):
    x, codes, scales, _ = int8_case(0, 3, I, O)
    with pytest.raises(ValueError, match="multiples of 8; use int8_linear"):
        whole_int8_linear(x, codes, scales)


def test_the_layer_takes_bfloat16():
    linear, x = nn.Linear(64, 32), torch.randn(2, 5, 64)
    got = FastW8A8Linear(linear)(x.bfloat16()).float()
    assert (got - linear(x)).square().mean().sqrt() < 0.03 * linear(x).square().mean().sqrt()


@pytest.mark.parametrize("form", [gpu.OURS, gpu.BF16, gpu.FP32])
def test_nothing_is_made_on_another_device(form):
    """On the device "meta" nothing is computed, and a tensor that was made on the CPU is refused."""
    model = gpu.decoders(options(device="cpu", quick=True))[form].to("meta")
    tokens = torch.zeros(2, 7, dtype=torch.long, device="meta")
    assert isinstance(model, Decoder)
    assert generate(model, tokens, 3).shape == (2, 10)
    with pytest.raises(Exception, match="device"):
        model.wte.weight + torch.zeros(1, 48)


def test_a_compiler_that_fails_is_done_without():
    x, weights = torch.randn(3, 16).bfloat16(), torch.randn(2, 8, 16)

    def fails(*_):
        raise RuntimeError("no compiler")

    calls = gpu.layer_calls(x, weights)
    names = set(calls)
    assert "RuntimeError" in gpu.refused(calls, fails, x, weights) and set(calls) == names
    zero = torch.zeros(3, 8)
    assert "other numbers" in gpu.refused(calls, lambda *_: zero, x, weights) and set(calls) == names
    assert gpu.refused(calls, whole_int8_linear, x, weights) == "" and set(calls) == names | {gpu.COMPILED}
    assert set(gpu.errors_of(calls, x, weights[0])) == names - {gpu.PRODUCT} | {gpu.COMPILED}
    with pytest.raises(ValueError, match="error="):
        gpu.errors_of({gpu.FP32: lambda i: torch.zeros(3, 8)}, x, weights[0])


def test_the_whole_command(monkeypatch):
    """`cpu:0` is a device by its name, so that all of the path runs here."""
    found = gpu.gpu(options(device="cpu:0", quick=True), lambda line: None)
    assert set(found["limits"]) == {"bf16", "int8", "copy"}
    for by in found["layer"]["tokens"].values():
        assert by["error"][gpu.FP32] < 1e-5 < by["error"][gpu.BF16] < by["error"][gpu.OURS] < 0.02
        assert all(len(us) == 2 and min(us) > 0 for us in by["us"].values())
    decoder = found["decoder"]
    assert decoder["error"][gpu.BF16] < decoder["error"][gpu.OURS] < 0.1
    assert decoder["bytes"][gpu.BF16] * 2 == decoder["bytes"][gpu.FP32] > 3 * decoder["bytes"][gpu.OURS]
    text = gpu.table_of(found)
    assert "decoding, 32 rows" in text and "largest error" in text
    monkeypatch.setattr(record, "read", lambda folder: {})
    assert gpu.table_of() == "No run on a GPU is recorded.\n"


def test_without_a_gpu_the_command_says_so(capsys):
    assert main("int8_quant", "", COMMANDS, plots.draw, ["gpu"]) == 1
    assert "give --device cuda" in capsys.readouterr().out


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_command_on_a_gpu(tmp_path, capsys):
    argv = ["gpu", "--quick", "--device", "cuda", "--out", str(tmp_path)]
    assert main("int8_quant", "", COMMANDS, plots.draw, argv) == 0
    assert "Quick run" in capsys.readouterr().out
