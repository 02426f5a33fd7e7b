"""The headline's effects on a model trained for seconds, the counted cost of the norms, and the image files."""

import gzip

import pytest
import torch
from norm_activation.lab.counting import bytes_moved
from norm_activation.lab.images import idx, mnist
from norm_activation.lab.language_model import Config, LanguageModel, encode, evaluate, leak, train, windows

TEXT = "the quick brown fox jumps over the lazy dog and runs away from it\n" * 60


def model_of(norm="layer", mlp="gelu", seed=0, steps=20):
    config = Config(norm, mlp, context_length=16, width=24, heads=2)
    tokens, _ = encode(TEXT)
    return train(config, tokens, steps, seed, 8)[0].train(), tokens


@pytest.mark.parametrize("seed", range(3))
def test_effect_batch_norm_leaks_the_future_and_the_others_do_not(seed):
    for norm, leaks in (("layer", False), ("rms", False), ("batch", True)):
        model, tokens = model_of(norm, seed=seed)
        moved = leak(model, windows(tokens, 4, 16, torch.Generator().manual_seed(seed)), 96)
        assert moved > 0.02 if leaks else moved == 0, (norm, moved)


def test_effect_batch_norm_leaks_at_training_only():
    model, tokens = model_of("batch")
    assert leak(model.eval(), windows(tokens, 4, 16, torch.Generator().manual_seed(0)), 96) == 0


def test_effect_a_batch_of_one_token_fails_at_training():
    model = LanguageModel(Config("batch", width=24, heads=2), 0)
    with pytest.raises(ValueError, match="no variance"):
        model.train()(torch.zeros(1, 1, dtype=torch.long))


@pytest.mark.parametrize("seed", range(2))
def test_effect_a_model_learns_and_a_batch_of_one_hurts_batch_norm_only(seed):
    for norm in ("rms", "batch"):
        model, tokens = model_of(norm, seed=seed, steps=60)
        whole, single = evaluate(model, tokens, 16), evaluate(model, tokens, 16, 1)
        assert whole < 3.2  # guessing costs log 96, 4.56
        assert single > whole + 0.01 if norm == "batch" else single == pytest.approx(whole, abs=1e-4)


def test_equal_weights_of_every_feed_forward_layer():
    counts = {
        mlp: LanguageModel(Config("rms", mlp), 0).weights() for mlp in ("relu", "gelu", "relu²", "swiglu", "geglu")
    }
    assert len(set(counts.values())) == 1, counts


def test_cost_rms_norm_moves_fewer_bytes_than_layer_norm():
    layer, rms = bytes_moved("layer"), bytes_moved("rms")
    assert rms["forward"] < 0.7 * layer["forward"] and rms["backward"] < 0.8 * layer["backward"]
    assert rms["operations"] < layer["operations"]


def test_idx_files_are_read_and_checked(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x02" + (2).to_bytes(4, "big") + (3).to_bytes(4, "big") + bytes(range(6))))
    assert idx(path).tolist() == [[0, 1, 2], [3, 4, 5]]
    for wrong in (b"", b"\0\0\x0d\x01", b"\0\0\x08\x01" + (9).to_bytes(4, "big") + b"12"):
        path.write_bytes(gzip.compress(wrong))
        with pytest.raises(ValueError, match="fetch it again"):
            idx(path)


@pytest.mark.data
def test_mnist_has_its_shapes():
    import os

    if "HARDWAY_DATA" not in os.environ:
        pytest.skip("HARDWAY_DATA is not set")
    x, classes, test_x, test_classes = mnist()
    assert x.shape == (60_000, 784) and classes.shape == (60_000,) and test_x.shape == (10_000, 784)
    assert test_classes[:5].tolist() == [7, 2, 1, 0, 4] and x.min() == -1 and x.max() == 1
