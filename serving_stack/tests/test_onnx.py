"""ONNX: the same logits and tokens as the engine, for every size; and what has no form in ONNX."""

import numpy as np
import pytest
import torch
from models import LLAMA

from serving_stack import Engine, EngineConfig, ModelRunner, Request, SamplingParams
from serving_stack.engine import Llama, ModelConfig
from serving_stack.engine.weights import random_weights

pytest.importorskip("onnxscript", reason="onnx, onnxscript and onnxruntime are in the extra 'onnx'")
pytest.importorskip("onnxruntime", reason="onnx, onnxscript and onnxruntime are in the extra 'onnx'")
from serving_stack.formats.onnx_export import CachedLlama, OnnxRunner, export_onnx  # noqa: E402

SMALL = ModelConfig(11, 16, 1, 2, 1, 16, 16)


@pytest.fixture(scope="module")
def model():
    return Llama(LLAMA, random_weights(LLAMA))


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    return export_onnx(model, tmp_path_factory.mktemp("onnx") / "tiny.onnx")


@pytest.fixture(scope="module")
def runner(path):
    return OnnxRunner(path)


def ours(model, prompt, count):
    engine = Engine(ModelRunner(model, 16), EngineConfig(16), keep_log=False)
    engine.add(request := Request("a", prompt, SamplingParams(0, max_tokens=count)))
    while engine.has_work:
        engine.step()
    return request.output


@pytest.mark.parametrize("batch, sizes", [(1, [1]), (1, [7, 1, 1]), (3, [2, 5, 1]), (5, [11])])
def test_the_graph_has_the_models_logits_for_every_size(model, runner, batch, sizes):
    """Only the order of additions differs: 3e-5 was seen, of logits up to 11."""
    tokens = torch.randint(0, 101, (batch, sum(sizes)), generator=torch.Generator().manual_seed(batch))
    nothing = torch.zeros(2, batch, 2, 0, 16)
    with torch.inference_mode():
        want, want_keys, want_values = CachedLlama(model)(tokens, nothing, nothing)
    cache, parts = runner.empty(batch), []
    for part in tokens.split(sizes, 1):
        logits, cache = runner.step(part.numpy(), cache)
        parts.append(logits)
    np.testing.assert_allclose(np.concatenate(parts, 1), want.numpy(), atol=3e-4, rtol=0)
    np.testing.assert_allclose(cache[0], want_keys.numpy(), atol=1e-4, rtol=0)
    np.testing.assert_allclose(cache[1], want_values.numpy(), atol=1e-4, rtol=0)


def test_the_graph_generates_the_engines_tokens(model, runner):
    for prompt in ([5], [3, 1, 4, 1, 5, 9], list(range(40))):
        assert runner.greedy(prompt, 20) == ours(model, prompt, 20)


def test_the_file_is_a_valid_graph_with_named_axes(path):
    import onnx

    graph = onnx.load(path)
    onnx.checker.check_model(graph)
    axes = {i.name: [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim] for i in graph.graph.input}
    keys = axes["past_keys"]
    assert list(axes) == ["tokens", "past_keys", "past_values"] and axes["past_values"] == keys
    assert (keys[0], keys[2], keys[4]) == (2, 2, 16)  # layers, heads and width are constants
    assert keys[1] == axes["tokens"][0] and all(isinstance(a, str) for a in (*axes["tokens"], keys[3]))
    assert [p.name for p in path.parent.iterdir()] == ["tiny.onnx"]


def test_fixed_axes_take_the_examples_sizes_only(tmp_path):
    model = Llama(SMALL, random_weights(SMALL))
    runner = OnnxRunner(export_onnx(model, tmp_path / "fixed.onnx", dynamic=False))
    past = np.zeros((1, 2, 1, 3, 8), np.float32)
    assert runner.step(np.zeros((2, 5), np.int64), (past, past))[0].shape == (2, 5, 11)
    with pytest.raises(ValueError):
        runner.step(np.zeros((2, 6), np.int64), (past, past))


def test_a_layout_of_onednn_has_no_form_in_onnx(tmp_path):
    with pytest.raises(ValueError, match="plain"):
        export_onnx(Llama(SMALL, random_weights(SMALL), "packed"), tmp_path / "packed.onnx")
    assert not list(tmp_path.iterdir())


def test_the_record_says_that_the_graph_is_equal():
    from serving_stack.lab import record

    recorded = record.read(record.COMMITTED)["onnx"]
    for found in recorded["models"].values():
        assert found["equal tokens"] == found["tokens"] == 32 and found["largest difference"] < 1e-4
        assert found["bytes"] < 1.1 * found["bytes of weights"]  # a tied head is there once
    assert [name for name, said in recorded["layouts"].items() if said == "exported"] == ["plain"]
