"""The loader, on a small GGUF file made here; and, where the real model is, what it shows."""

import pytest
import torch
from sliding_window import Config, Llama, Trace, pull_down, residual_peaks, sink_mass, stream_loss
from sliding_window.lab import fetch
from sliding_window.pretrained import Tokens, read_checkpoint
from sliding_window.pretrained.checkpoint import NAMES, PARTS

REAL = pytest.mark.skipif(not fetch.is_local(fetch.SMOLLM2), reason="the real model is not here: nox -s models")


def written(path, model, head=False):
    """The model's weights as a GGUF file."""
    import gguf

    writer, c = gguf.GGUFWriter(path, "llama"), model.config
    writer.add_block_count(c.layers)
    writer.add_embedding_length(c.d_model)
    writer.add_head_count(c.heads)
    writer.add_head_count_kv(c.kv_heads)
    writer.add_feed_forward_length(c.ffn)
    writer.add_rope_freq_base(c.rope_base)
    writer.add_layer_norm_rms_eps(c.norm_eps)
    writer.add_token_list(["a", "b", "ab", "Ġ", "Ġa"])
    writer.add_token_merges(["a b", "Ġ a"])
    back = {v: k for k, v in NAMES.items()} | {v: k for k, v in PARTS.items()}
    for name, value in model.state_dict().items():
        if name.startswith("blocks."):
            _, layer, part, kind = name.split(".")
            name = f"blk.{layer}.{back[part]}.{kind}"
        else:
            name = back[name]
        writer.add_tensor(name, value.detach().numpy())
    if head:
        writer.add_tensor("output.weight", model.wte.weight.detach().numpy())
    for step in ("write_header_to_file", "write_kv_data_to_file", "write_tensors_to_file", "close"):
        getattr(writer, step)()
    return path


def test_a_file_comes_back_as_it_was(tmp_path):
    torch.manual_seed(0)
    model = Llama(Config(5, d_model=8, layers=2, heads=2, kv_heads=1, ffn=12, rope_base=500.0))
    read, tokens = read_checkpoint(written(tmp_path / "m.gguf", model))
    assert read.config == Config(5, 8, 2, 2, 1, 12, 500.0, read.config.norm_eps)
    ids = torch.tensor([[0, 1, 2, 3, 4]])
    torch.testing.assert_close(read(ids), model(ids))
    assert tokens.encode("ab a") == [2, 4] and tokens.decode([2, 4]) == "ab a"


def test_bad_files_are_refused(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="begins with b'PK.*get it again"):
        read_checkpoint(tmp_path / "x.gguf")
    model = Llama(Config(5, d_model=8, layers=1, heads=2, kv_heads=1, ffn=12))
    with pytest.raises(ValueError, match="a head of its own"):
        read_checkpoint(written(tmp_path / "y.gguf", model, head=True))


def test_pre_tokens_and_merges():
    tokens = Tokens(["a", "b", "c", "ab", "abc", "Ġ"], ["a b", "ab c"])
    assert tokens.encode("abc cab") == [4, 5, 2, 3]
    assert tokens.decode([4, 5, 3]) == "abc ab"


@pytest.mark.real
@REAL
def test_effect_sinks_and_massive_activations_of_the_real_model():
    model, tokens = read_checkpoint(fetch.model())
    text = fetch.load_text("pydoc")
    start = len(text) // 2
    ids = torch.tensor([tokens.encode(text[start : start + 1200])[:192]])
    trace = Trace()
    with torch.no_grad():
        model(ids, trace=trace)
        first, others = residual_peaks(trace)
        assert first[11:28].min() > 10_000 and others[11:28].max() < 1_000
        mass = sink_mass(trace, 32).mean(1)
        assert mass[:2].max() < 0.05 and mass[12:].mean() > 0.2
        edited = model(ids, edit=lambda layer, x: pull_down(x))
    target = ids[0, 1:]
    whole = stream_loss(model, ids, None).mean()
    assert torch.nn.functional.cross_entropy(edited[0, :-1], target) > whole + 3
    none, four = (stream_loss(model, ids, model.new_cache(*c), 96)[80:].mean() for c in ((32, 0), (28, 4)))
    assert none > four + 0.3
