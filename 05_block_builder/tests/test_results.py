"""The numbers: README and REPORT say what results.json says, and the experiments show what they are said to show."""

import json
from pathlib import Path
from statistics import median

import pytest
import torch
from block_builder.__main__ import COMMANDS, run
from block_builder.lab import (
    autograd,
    break_it,
    cli,
    experiment,
    fetch,
    images,
    plots,
    record,
    smollm2,
    stream,
    tables,
    train,
)

FOLDER = Path(__file__).parents[1]
STARTER = json.loads((FOLDER / "starter.ipynb").read_text(encoding="utf-8"))
RESULTS = record.read(record.COMMITTED)


def test_nothing_quick_is_committed():
    assert set(RESULTS) == {command.key for command in COMMANDS} | {"convolutions_mnist", "trial"}
    assert RESULTS["convolutions"]["images"] == "digits" and RESULTS["convolutions_mnist"]["images"] == "mnist"
    assert not [name for name, section in RESULTS.items() if section["meta"]["quick"]]


@pytest.mark.parametrize("command", ["headline", "break", "convolutions", "signal", "graph"])
def test_each_command_runs_quickly(command, tmp_path, capsys):
    assert cli.main("block_builder", "", COMMANDS, plots.draw, [command, "--quick", "--out", str(tmp_path)]) == 0
    assert "Quick run" in capsys.readouterr().out and list(tmp_path.glob("*.png"))


def test_the_trial_is_counted_and_no_wrong_attempt_was_right_at_its_end():
    assert len(RESULTS["trial"]["trials"]) == 2
    for each in RESULTS["trial"]["trials"]:
        first, last = (each["wrong"][run] for run in ("first", "last"))
        assert sum(first.values()) == sum(last.values()) >= 40 and last["RIGHT"] == last["false"] == 0
        right = each["right"]
        assert right["first"] <= right["last"] == right["attempts"] >= 12


def test_the_recorded_slopes_are_those_of_the_theory():
    init = RESULTS["headline"]["initialization"]
    slopes = init["Pre-LN, normal"]["slopes"]
    assert -0.6 < median(slopes) < -0.4 and all(-0.75 < s < -0.4 for s in slopes)
    assert all(abs(s) < 0.15 for s in init["Post-LN, normal"]["slopes"])
    xavier = init["Post-LN, xavier"]
    assert all(0 < s < 0.3 for s in xavier["slopes"]) and all(abs(s) < 0.1 for s in xavier["slopes of positions"])
    assert median(xavier["likeness"][0]) < 0.5 and min(xavier["likeness"][-1]) > 0.99


def test_the_recorded_losses_are_as_the_readme_says():
    training = RESULTS["headline"]["training"]
    assert training["depths"] == list(experiment.TRAINED_DEPTHS) and training["steps"] == experiment.STEPS
    stuck = {name: [sum(row) for row in tables.stuck_runs(training, name)] for name in training["runs"]}
    assert stuck == {"Pre-LN": [0, 0, 0], "Post-LN": [0, 2, 3]}
    conv = RESULTS["headline"]["convolution"]
    assert median(conv["residual"]["accuracy"][-1]) > median(conv["plain"]["accuracy"][-1]) + 0.3
    assert median(conv["plain"]["loss"][-1]) > median(conv["plain"]["loss"][0]), "deeper is worse in training"
    assert all(min(m["score"]) > 0.95 for m in RESULTS["architectures"]["models"].values())


def test_the_gradient_of_post_ln_vanishes_in_training_and_not_at_the_start():
    kinds, unigram = RESULTS["signal"]["kinds"], RESULTS["signal"]["unigram"]

    def first_over_last(name, when):
        return [one["stream gradient"][0] / one["stream gradient"][-1] for one in kinds[name][when]]

    assert all(0.9 < ratio < 1 for ratio in first_over_last("Post-LN", "before"))
    stuck = [loss > unigram - 0.15 for loss in kinds["Post-LN"]["unseen"]]
    assert sum(stuck) == 2
    for ratio, is_stuck in zip(first_over_last("Post-LN", "after"), stuck, strict=True):
        assert ratio < 1e-4 if is_stuck else ratio > 0.5
    others = [name for name in kinds if name != "Post-LN"]
    assert all(0.5 < ratio < 3 for name in others for ratio in first_over_last(name, "after"))
    assert all(loss < unigram - 0.5 for name in others for loss in kinds[name]["unseen"])


def test_the_gradients_slopes_repeat():
    found = experiment.at_initialization([0], (2, 8, 24), lambda line: None)
    assert -0.65 < found["Pre-LN, normal"]["slopes"][0] < -0.4
    assert abs(found["Post-LN, normal"]["slopes"][0]) < 0.15


@pytest.mark.parametrize("name", break_it.BY_NAME)
def test_break_it_is_as_recorded_and_as_written(name):
    chosen, recorded = break_it.BY_NAME[name], RESULTS["break_it"]["outcomes"][name]
    for i in range(3):
        assert chosen.holds({key: values[i] for key, values in recorded.items()}), (i, recorded)
    text = "\n".join("".join(cell["source"]) for cell in STARTER["cells"])
    assert chosen.answer in text and chosen.predict in text and f'BY_NAME["{name}"]' in text


def test_post_ln_at_24_layers_by_seed():
    recorded = RESULTS["break_it"]["outcomes"]["post-ln at 24 layers"]
    gaps = [post - pre for post, pre in zip(recorded["Post-LN"], recorded["Pre-LN"], strict=True)]
    assert gaps[0] == pytest.approx(0.5, abs=0.05) and 0 < gaps[-1] < 0.1


@pytest.mark.parametrize("name", ["no final norm", "expansion 1", "no depth scale"])
def test_break_it_repeats(name):
    result = break_it.BY_NAME[name].run()
    assert break_it.BY_NAME[name].holds(result), result


def test_the_gradients_of_positions_add_up_to_the_gradient_of_the_layer():
    """For one position the two norms are the same; for many, only orthogonal parts would make them so."""
    found = experiment.last_gradient(False, "xavier", 3, 0)
    assert 0.3 < found["likeness"] < 1 and found["gradient"] > found["of positions"] > 0


def test_the_picture_of_the_graph_has_the_stream_as_a_line(tmp_path):
    for name, norm_first, wanted in (("Pre-LN", True, ["input", "add", "add"]),
                                     ("Post-LN", False, ["input", "add", "ln_1", "add", "ln_2"])):  # fmt: skip
        block, _, output = autograd.example(norm_first)
        picture = autograd.simplified(output, dict(block.named_parameters()))
        assert [picture["nodes"][i] for i in autograd.stream_of(picture)] == wanted, name
        assert len(picture["nodes"]) == 17
        places = autograd.positions(picture)
        assert len(set(places)) == len(places) and all(places[i][1] == 0 for i in autograd.stream_of(picture))
    assert autograd.write_dot(tmp_path).read_text().startswith("digraph block {")
    with pytest.raises(ValueError, match="does not depend on the input"):
        autograd.stream_of({"nodes": ["input", "a", "b"], "edges": [[1, 2]]})


def test_mnist_has_a_section_of_its_own(tmp_path, monkeypatch):
    pictures = torch.rand(40, 1, 8, 8), torch.arange(40) % 10
    monkeypatch.setattr(images, "mnist", lambda: (pictures, pictures))
    arguments = ["convolutions", "--data", "mnist", "--quick", "--out", str(tmp_path)]
    assert run(arguments) == 0
    assert set(record.read(tmp_path)) == {"convolutions_mnist"} and (tmp_path / "convolutions_mnist.png").is_file()


def test_what_is_refused():
    with pytest.raises(ValueError, match="add --model smollm2"):
        stream.stream(cli.options(), print)
    with pytest.raises(ValueError, match="data='cats': choose one of digits, mnist, cifar10"):
        images.load(cli.options(data="cats"))
    with pytest.raises(ValueError, match="at least 20,000 are needed"):
        train.letters("short")


def test_cifar10_in_the_data_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HARDWAY_DATA", str(tmp_path))
    with pytest.raises(OSError, match="data_batch_1.bin is not on this machine"):
        images.load(cli.options(data="cifar10"))
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        (folder / f"{name}.bin").write_bytes((bytes([3]) + bytes(3072)) * 2)
    name, (pictures, labels), _ = images.load(cli.options(data="cifar10"))
    assert name == "cifar10" and pictures.shape == (10, 3, 32, 32) and set(labels.tolist()) == {3}


@pytest.mark.data
@pytest.mark.skipif(not fetch.is_local(images.MNIST_TRAIN_IMAGES), reason="MNIST is not on this machine")
def test_mnist_is_read():
    (pictures, labels), test = images.mnist()
    assert pictures.shape == (60_000, 1, 28, 28) and len(test[1]) == 10_000
    assert labels[:5].tolist() == [5, 0, 4, 1, 9]


# ---------------------------------------------------------------- the real model


def test_the_llama_block_is_that_of_transformers():
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding

    config = LlamaConfig(hidden_size=24, num_attention_heads=3, num_key_value_heads=1, intermediate_size=40,
                         head_dim=8, rope_theta=1e4, attn_implementation="sdpa")  # fmt: skip
    layer = LlamaDecoderLayer(config, 0)
    state = layer.state_dict()

    def paired(weight):  # transformers rotates halves, the file neighbouring pairs
        return weight.unflatten(0, (-1, 2, 4)).transpose(1, 2).flatten(0, 2)

    names = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
             "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
             "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}  # fmt: skip
    block = {ours: state[f"{theirs}.weight"] for ours, theirs in names.items()}
    block |= {name: paired(block[name]) for name in ("attn_q", "attn_k")}
    model = smollm2.Llama(torch.zeros(1, 24), [block], torch.ones(24), 3, 1e4, config.rms_norm_eps)
    x = torch.randn(2, 7, 24, generator=torch.Generator().manual_seed(0))
    positions = LlamaRotaryEmbedding(config)(x, torch.arange(7)[None])
    want = layer(x, position_embeddings=positions)
    want = want[0] if isinstance(want, tuple) else want
    with torch.no_grad():
        torch.testing.assert_close(smollm2.apply_block(model, block, x), want.detach(), rtol=1e-5, atol=1e-5)


@pytest.mark.real
@pytest.mark.skipif(not fetch.is_local(fetch.SMOLLM2), reason="the real model is not on this machine")
def test_the_real_models_stream(tmp_path):
    pytest.importorskip("gguf")
    found = stream.stream(cli.options(model="smollm2", quick=True), lambda line: None)
    assert 2 < found["loss"] < 4.5 and found["early loss"][0] > found["loss"] + 3
    assert max(found["first token"]) > 10 * max(found["other tokens"][:-1])
    assert tables.stream(found | {"meta": RESULTS["stream"]["meta"]})
