"""Beside the peers: gguf's q8_0, llama.cpp on a tiny file, torchao's quantization-aware training."""

import importlib.util
import logging
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from int8_quant import Config, Decoder, fake_quantize, quantize_groups
from int8_quant.calibrate import LeNet5, accuracy, digits
from int8_quant.lab import lenet as lenet_lab
from int8_quant.lab import llama as llama_lab
from int8_quant.lab import llama_speed, record
from int8_quant.lab import torchao_qat as ao
from int8_quant.lab.cli import options
from int8_quant.quantize_model import RoundedLinear, replace_linears
from int8_quant.smollm2 import Checkpoint
from int8_quant.train import evaluate
from mistakes import randn

TINY = Config(vocab_size=64, d_model=64, layers=2, heads=2, kv_heads=1, ffn=128)
HAS_LLAMA = importlib.util.find_spec("llama_cpp") is not None


def tiny_model(seed=3):
    """A decoder with random weights, so large that rounding moves its loss."""
    model = Decoder(TINY, seed).requires_grad_(False)
    for parameter in model.parameters():
        parameter.mul_(9 if parameter.ndim == 2 else 1)
    return model


# -- q8_0 --------------------------------------------------------------------------------------------------------------


def test_oracle_groups_of_32_are_ggufs_q8_0(seed):
    weight = randn(seed, 9, 96)
    weight[2] *= 100
    weight[4, 32:64] = 0
    codes, scales = quantize_groups(weight, 32)
    theirs, their_scales = llama_lab.to_q8_0(weight)
    zeros = (weight.unflatten(1, (-1, 32)) == 0).all(2)
    assert torch.equal(scales.half().float()[~zeros], their_scales[~zeros])
    assert int(zeros.sum()) == 1 and float(their_scales[zeros]) == 0  # ours is 1: both stand for zeros
    assert torch.equal(codes, theirs)
    want = (theirs.unflatten(1, (-1, 32)) * their_scales[:, :, None]).flatten(1)
    assert torch.equal(llama_lab.by_q8_0(weight), want)


def test_halves_go_away_from_zero_in_q8_0_and_to_even_codes_here():
    row = torch.zeros(1, 32)
    row[0, :6] = torch.tensor([127, 0.5, 1.5, 2.5, -0.5, -2.5])
    assert llama_lab.to_q8_0(row)[0][0, :6].tolist() == [127, 1, 2, 3, -1, -3]
    assert quantize_groups(row, 32)[0][0, :6].tolist() == [127, 0, 2, 2, 0, -2]


def test_cost_q8_0_takes_eight_and_a_half_bits():
    from gguf import GGMLQuantizationType
    from gguf.quants import quantize

    weight = randn(0, 5, 64)
    packed = quantize(weight.numpy(), GGMLQuantizationType.Q8_0)
    assert 8 * packed.nbytes / weight.numel() == 8.5
    got = llama_lab.measured(tiny_model(), torch.arange(40).view(2, 20), "q8_0", 0)
    assert got["bits"] == 8.5 and 0.004 < got["normal"] < 0.007 and 0.004 < got["weights"] < 0.007


def test_bad_input_blocks_that_do_not_fill_a_row():
    with pytest.raises(ValueError, match="33 columns; a row of q8_0"):
        llama_lab.to_q8_0(torch.ones(2, 33))


def test_the_command_runs_on_a_tiny_model(monkeypatch):
    tokens = SimpleNamespace(encode=lambda text: [ord(c) % 64 for c in text])
    checkpoint = Checkpoint(TINY, tiny_model().state_dict(), tokens)
    monkeypatch.setattr(llama_lab, "read_checkpoint", lambda path: checkpoint)
    monkeypatch.setattr(llama_lab.fetch, "model", lambda name, log: "a file")
    monkeypatch.setattr(llama_lab.fetch, "load_text", lambda name: "the words of a short text " * 9)
    monkeypatch.setattr(llama_lab.importlib.util, "find_spec", lambda name: None)
    lines = []
    found = llama_lab.llama(options(quick=True), lines.append)
    assert llama_lab.MISSING in lines and llama_lab.THEIRS not in found["activations"]
    codes, total, scales = found["different codes"]
    assert total == 2 * (64 * 64 * 3 + 3 * 64 * 128) and codes <= total / 1000 and scales == 0
    same = found["formats"]["int8, groups of 32"]["loss"], found["formats"]["q8_0"]["loss"]
    assert abs(same[0] - same[1]) < 0.01 and "q8_0, activations too" in llama_lab.llama_table(found)


def write_tiny(path, model):
    """The model as a GGUF file in fp32, without a vocabulary."""
    from gguf import GGUFWriter
    from int8_quant.smollm2.checkpoint import PARTS, WHOLE

    c, state = model.config, model.state_dict()
    writer = GGUFWriter(str(path), "llama")
    writer.add_context_length(64)
    writer.add_vocab_size(c.vocab_size)
    writer.add_embedding_length(c.d_model)
    writer.add_block_count(c.layers)
    writer.add_feed_forward_length(c.ffn)
    writer.add_head_count(c.heads)
    writer.add_head_count_kv(c.kv_heads)
    writer.add_rope_freq_base(c.rope_base)
    writer.add_layer_norm_rms_eps(c.norm_eps)
    writer.add_tokenizer_model("none")
    for name, ours in WHOLE.items():
        writer.add_tensor(name, np.ascontiguousarray(state[ours].numpy()))
    for layer in range(c.layers):
        for name, ours in PARTS.items():
            writer.add_tensor(f"blk.{layer}.{name}.weight", state[f"blocks.{layer}.{ours}.weight"].numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.llama
@pytest.mark.skipif(not HAS_LLAMA, reason="llama-cpp-python is not installed here: nox -s peers-12-llama")
@pytest.mark.filterwarnings("ignore")
def test_oracle_llama_cpp_rounds_activations_to_q8_0_too(tmp_path):
    model = tiny_model()
    test = torch.randint(0, 64, (3, 33), generator=torch.Generator().manual_seed(0))
    theirs = llama_lab.llama_loss(write_tiny(tmp_path / "tiny.gguf", model), test)
    q8 = llama_lab.by_q8_0
    weights = replace_linears(model, lambda _, m: RoundedLinear(m.weight, lambda x: x, q8, None))
    both = replace_linears(model, lambda _, m: RoundedLinear(m.weight, q8, q8, None))
    off = abs(theirs - evaluate(both, test)), abs(theirs - evaluate(weights, test)), abs(theirs - evaluate(model, test))
    assert off[0] < 3e-3 and min(off[1:]) > 1e-2, off


# -- torchao -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def torchao():
    """The library, imported without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("torchao.quantization.qat")


def test_a_convolution_is_a_linear_layer_on_patches():
    model = LeNet5(1)
    x = randn(0, 3, 1, 28, 28)
    torch.testing.assert_close(ao.on_patches(model)(x), model(x), rtol=1e-4, atol=1e-5)
    wide = torch.nn.Conv2d(2, 3, (3, 5), padding=(1, 2))
    x = randn(1, 2, 2, 7, 11)
    torch.testing.assert_close(ao.Patches(wide)(x), wide(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bits", [4, 2])
def test_oracle_torchaos_fake_quantization(torchao, bits):
    config = torchao.IntxFakeQuantizeConfig(getattr(torch, f"int{bits}"), "per_channel")
    theirs, limit = torchao.FakeQuantizerBase.from_config(config), 2 ** (bits - 1) - 1
    w, v, upstream = randn(0, 7, 50).requires_grad_(), randn(0, 7, 50).requires_grad_(), randn(1, 7, 50)
    got = theirs(w)
    scale = theirs.scale.detach().view(-1, 1)
    want = fake_quantize(v, scale, bits)
    (got * upstream).sum().backward()
    (want * upstream).sum().backward()
    codes = w.detach() / scale
    inside = (codes > -limit - 0.49) & ((codes.frac().abs() - 0.5).abs() > 1e-3)  # ours has no code −limit − 1
    torch.testing.assert_close(got[inside], want[inside])
    torch.testing.assert_close(w.grad[inside], v.grad[inside])
    assert inside.float().mean() > 0.6 and (codes.round() < -limit).any()


@pytest.mark.parametrize("bits", [8, 3])
def test_what_torchao_converts_is_what_it_trained(torchao, bits):
    x = randn(0, 4, 1, 28, 28)
    made = ao.step(ao.on_patches(LeNet5()), bits, "prepare")
    before = made(x).detach()
    with torch.no_grad():
        torch.testing.assert_close(ao.step(made, bits, "convert")(x), before, rtol=1e-4, atol=1e-5)
    codes = made.fc1.weight.qdata
    assert codes.dtype == torch.int8 and int(codes.min()) == -(2 ** (bits - 1)) and int(codes.max()) < 2 ** (bits - 1)


def test_torchaos_training_leaves_the_model_alone_and_learns(torchao):
    data, model = digits(), LeNet5()
    before = {name: p.clone() for name, p in model.state_dict().items()}
    made = ao.torchao_qat(model, data.train, data.train_labels, 15, 8, lr=4e-3)
    assert all(torch.equal(p, before[name]) for name, p in model.state_dict().items())
    test = data.test[:200], data.test_labels[:200]
    assert accuracy(made, *test) > accuracy(model, *test) + 0.2


def test_the_logs_are_as_before():
    with ao.quiet():
        assert not logging.getLogger("any").isEnabledFor(logging.WARNING)
    assert logging.getLogger("any").isEnabledFor(logging.WARNING)


def test_lenet_does_without_torchao(monkeypatch, tmp_path):
    monkeypatch.setattr(lenet_lab, "installed", lambda: False)
    monkeypatch.setattr(lenet_lab, "BITS", (4,))
    monkeypatch.setattr(lenet_lab, "write_histograms", lambda *args: False)
    monkeypatch.setattr(lenet_lab, "load_images", lambda: ("digits", digits()))
    lines = []
    found = lenet_lab.lenet(options(quick=True, out=tmp_path), lines.append)
    assert ao.MISSING in lines and list(found["accuracy"])[-1] == "QAT, per channel"


def test_the_share_of_llama_cpps_speed_is_told():
    rates = {llama_speed.OURS: [20.0, 22.0, 21.0], llama_speed.THEIRS: [60.0, 70.0, 63.0]}
    meta = record.meta([0], 1) | {"quick": False}
    content = {"new": 4, "tokens/s": rates, "share": 21 / 63, "texts": {name: " a b" for name in rates}, "meta": meta}
    assert "| 0.33 times its speed | 0.5 | **missed** |" in llama_speed.llama_speed_table(content)
    assert "| met |" in llama_speed.llama_speed_table(content | {"share": 0.7})
