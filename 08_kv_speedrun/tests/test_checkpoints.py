"""Weights from files and from Hugging Face: what comes back is what went in, and what is foreign is refused."""

import os

import pytest
import torch
from kv_speedrun import GPT, Config
from kv_speedrun.checkpoints import files, from_hf, from_pretrained, load, save
from kv_speedrun.weight_layouts import lay_out
from safetensors.torch import save_file

os.environ.setdefault("HF_HUB_OFFLINE", "1")
SHAPE = Config(vocab_size=61, context_length=96, layers=3, heads=2, width=22)


@pytest.fixture
def tokens(seed):
    return torch.randint(61, (3, 23), generator=torch.Generator().manual_seed(seed))


def test_weights_come_back_from_a_file(tmp_path, tokens):
    model = GPT(SHAPE, seed=3).eval()
    save(model, tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert torch.equal(again(tokens), model(tokens)) and again.lm_head.weight is again.wte.weight
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def damage(path, how):
    raw = path.read_bytes()
    if how == "cut short":
        path.write_bytes(raw[: len(raw) // 2])
    elif how == "overwritten at the front":
        path.write_bytes(b"\xff" * 64 + raw[64:])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "of another program":
        save_file({"x": torch.zeros(3)}, path)
    elif how == "missing":
        path.unlink()


@pytest.mark.parametrize("how", ["cut short", "overwritten at the front", "empty", "of another program", "missing"])
def test_damaged_weight_files_are_refused(tmp_path, how):
    path = tmp_path / "m.safetensors"
    save(GPT(SHAPE), path)
    damage(path, how)
    with pytest.raises(ValueError, match="`save`"):
        load(path)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda s: s.pop("blocks.1.up_proj.bias"), "missing or unknown"),
        (lambda s: s.update({"blocks.1.up_proj.bias": torch.zeros(3)}), "has shape"),
        (lambda s: s.update({"ln_f.bias": s["ln_f.bias"].double()}), "dtypes"),
        (lambda s: s.update({"ln_f.bias": s["ln_f.bias"] / 0}), "NaN or infinity"),
    ],
)
def test_weight_files_with_wrong_tensors_are_refused(tmp_path, change, words):
    path = tmp_path / "m.safetensors"
    save(GPT(SHAPE), path)
    metadata, state = files.read(path)
    change(state)
    save_file(state, path, metadata=metadata)
    with pytest.raises(ValueError, match=words):
        load(path)


@pytest.mark.parametrize("config", ["{", "{}", '{"vocab_size": 61}', "[1]"])
def test_weight_files_without_a_configuration_are_refused(tmp_path, config):
    path = tmp_path / "m.safetensors"
    save(GPT(SHAPE), path)
    metadata, state = files.read(path)
    save_file(state, path, metadata=metadata | {"config": config})
    with pytest.raises(ValueError, match="no readable configuration"):
        load(path)


def test_a_model_in_another_layout_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="has shape"):
        save(lay_out(GPT(SHAPE), "transposed"), tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


def hf_model(kind="GPT2LMHeadModel", **changes):
    import transformers

    shape = {"vocab_size": 61, "n_positions": 96, "n_layer": 3, "n_head": 2, "n_embd": 22}
    config = transformers.GPT2Config(**shape, bos_token_id=0, eos_token_id=0, **changes)
    return getattr(transformers, kind)(config).eval()


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: torch.nn.Linear(2, 2), "model=Linear: must be a transformers GPT2LMHeadModel"),
        (lambda: hf_model("GPT2Model"), "model=GPT2Model: must be a transformers GPT2LMHeadModel"),
        (lambda: hf_model(activation_function="relu"), "activation_function='relu': must be 'gelu_new'"),
        (lambda: hf_model(tie_word_embeddings=False), "tie_word_embeddings=False: must be True"),
    ],
)
def test_models_that_are_not_gpt2_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        from_hf(make())


def test_a_head_that_is_not_tied_is_refused_whatever_the_config_says():
    model = hf_model()
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach() + 1)
    with pytest.raises(ValueError, match="lm_head.weight differs from wte.weight"):
        from_hf(model)


@pytest.mark.skipif(os.environ.get("HF_HUB_OFFLINE") != "1", reason="asserts what happens without a network")
def test_an_unreachable_hub_is_a_clear_error():
    with pytest.raises(ValueError, match="https://huggingface.co/no-such-model"):
        from_pretrained("no-such-model")
