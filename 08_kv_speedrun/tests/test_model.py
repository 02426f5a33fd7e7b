"""The model, against transformers' GPT-2 with the same random weights; and the files and inputs it refuses."""
import os

import pytest
import torch
from kv_speedrun import GPT, Config, GrowingCache, Int8Cache, StaticCache, attend_fast, generate
from safetensors.torch import save_file

os.environ.setdefault("HF_HUB_OFFLINE", "1")
SHAPE = Config(vocab_size=61, context_length=96, layers=3, heads=2, width=22)


@pytest.fixture(scope="module")
def theirs():
    from transformers import GPT2Config, GPT2LMHeadModel
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=61, n_positions=96, n_layer=3, n_head=2, n_embd=22, attn_implementation="eager",
                        bos_token_id=0, eos_token_id=0, initializer_range=0.3)
    return GPT2LMHeadModel(config).eval()


@pytest.fixture
def tokens(seed):
    return torch.randint(61, (3, 23), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype, atol", [(torch.float64, 1e-10), (torch.float32, 2e-5)])
@torch.no_grad()
def test_logits_equal_gpt2(theirs, tokens, dtype, atol):
    """atol of the project: the fused and the plain sum differ in their last bits; erf-GELU would be off by 8e-4."""
    theirs = theirs.to(dtype)
    want = theirs(tokens).logits
    for attend in (None, attend_fast):
        model = from_hf(theirs, *([attend] if attend else []))
        torch.testing.assert_close(model(tokens), want, rtol=0, atol=atol)
        for cache in (GrowingCache(3), StaticCache(SHAPE, 3, 30, dtype=dtype)):
            got = torch.cat([model(part, cache) for part in tokens.split([11, 7, 1, 1, 3], dim=1)], dim=1)
            torch.testing.assert_close(got, want, rtol=0, atol=atol)


@torch.no_grad()
def test_sixty_four_greedy_tokens_equal_generate(theirs, tokens):
    theirs.generation_config.eos_token_id = None                 # no token ends the text: all 64 are compared
    want = theirs.float().generate(tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=64, do_sample=False,
                                   pad_token_id=0)
    assert torch.equal(generate(from_hf(theirs), tokens, 64, StaticCache(SHAPE, 3, 96)), want)


@torch.no_grad()
def test_an_int8_cache_stays_near_gpt2(theirs, tokens):
    model = from_hf(theirs.float())
    got = torch.cat([model(part, Int8Cache(SHAPE, 3, 30)) for part in [tokens]], dim=1)
    want = theirs(tokens).logits
    assert (got - want).abs().max() < 0.05 * want.abs().max()


@torch.no_grad()
def test_left_padding_moves_nothing(tokens):
    model, pad = GPT(SHAPE, seed=1).double(), torch.tensor([0, 4, 9])
    padded = torch.stack(
        [
            torch.cat([torch.zeros(int(p), dtype=torch.long), row[: 23 - int(p)]])
            for p, row in zip(pad, tokens, strict=True)
        ]
    )
    cache = StaticCache(SHAPE, 3, 30, dtype=torch.float64)
    together = torch.cat([model(part, cache, pad) for part in padded.split([20, 1, 2], dim=1)], dim=1)
    for i, p in enumerate(pad.tolist()):
        torch.testing.assert_close(together[i, p:], model(tokens[i : i + 1, : 23 - p])[0], rtol=0, atol=1e-10)


def test_shape_of_gpt2_small():
    assert sum(p.numel() for p in GPT(Config(50257, 1024, 1, 12, 768)).parameters()) + 11 * 7087872 == 124439808


def test_the_same_seed_is_the_same_model():
    a, b, c = GPT(SHAPE, seed=1), GPT(SHAPE, seed=1), GPT(SHAPE, seed=2)
    assert torch.equal(a.wte.weight, b.wte.weight) and not torch.equal(a.wte.weight, c.wte.weight)


# ---------------------------------------------------------------- bad input

def test_inputs_that_are_refused(tokens):
    model = GPT(SHAPE)
    for bad, words in (
        (tokens[:, :0], "begin-of-text"),
        (tokens.float(), r"pass tokens.long\(\)"),
        (tokens + 61, "0 to 60"),
        (tokens.repeat(1, 5), "context_length=96; shorten"),
        (tokens[0], "batch, time"),
    ):
        with pytest.raises((ValueError, TypeError), match=words if bad.dim() == 2 else ".*"):
            model(bad)
    with pytest.raises(ValueError, match="one count >= 0 for each of 3 rows"):
        model(tokens, pad=torch.tensor([0, 1]))
    cache = GrowingCache(3)
    model(tokens.repeat(1, 4), cache)
    with pytest.raises(ValueError, match="5 tokens after 92 need 97 positions"):
        model(tokens[:, :5], cache)


def test_configurations_that_are_refused():
    with pytest.raises(ValueError, match="width=10 must be divisible by heads=3"):
        Config(5, 5, 1, 3, 10)
    with pytest.raises((ValueError, TypeError)):
        Config(5, 0, 1, 1, 10)


def test_weights_come_back_from_a_file(tmp_path, tokens):
    model = GPT(SHAPE, seed=3).eval()
    model.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert torch.equal(again(tokens), model(tokens)) and again.head.weight is again.wte.weight
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
    GPT(SHAPE).save(path)
    damage(path, how)
    with pytest.raises(ValueError, match="GPT.save"):
        load(path)


@pytest.mark.parametrize("change, words", [
    (lambda s: s.pop("blocks.1.up.bias"), "missing or unknown"),
    (lambda s: s.update({"blocks.1.up.bias": torch.zeros(3)}), "has shape"),
    (lambda s: s.update({"norm.bias": s["norm.bias"].double()}), "dtypes"),
])
def test_weight_files_with_wrong_tensors_are_refused(tmp_path, change, words):
    from kv_speedrun import weights
    model, path = GPT(SHAPE), tmp_path / "m.safetensors"
    state = {k: v.clone() for k, v in model.state_dict().items()}
    change(state)
    weights.write(path, {k: getattr(SHAPE, k) for k in ("vocab_size", "context", "layers", "heads", "width")}, state)
    with pytest.raises(ValueError, match=words):
        load(path)


def test_models_that_are_not_gpt2_are_refused():
    with pytest.raises(ValueError, match="GPT2LMHeadModel"):
        from_hf(torch.nn.Linear(2, 2))


@pytest.mark.skipif(os.environ.get("HF_HUB_OFFLINE") != "1", reason="asserts what happens without a network")
def test_an_unreachable_hub_is_a_clear_error():
    with pytest.raises(ValueError, match="https://huggingface.co/no-such-model"):
        from_pretrained("no-such-model")
