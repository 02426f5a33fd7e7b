"""SmolLM2 through the engine: transformers' tokens, llama.cpp's on our own file, a chat."""

import httpx
import pytest
import torch

from serving_stack import Engine, EngineConfig, ModelRunner, Request, SamplingParams
from serving_stack.engine import Llama
from serving_stack.formats.load import load_gguf, load_tokenizer, save_gguf
from serving_stack.lab import fetch
from serving_stack.lab.running import running
from serving_stack.lab.serve import real_model

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        not fetch.is_local(fetch.SMOLLM2), reason="the real model is not on this machine: nox -s models"
    ),
]
PROMPTS = ("The capital of France is", "Once upon a time, in a small village", "def add(a, b):")


@pytest.fixture(scope="module")
def checkpoint():
    return load_gguf(fetch.model("smollm2"))


def generate(model, prompts, count, blocks=60, budget=64):
    engine = Engine(ModelRunner(model, blocks), EngineConfig(blocks, 16, 8, budget), keep_log=False)
    made = [Request(str(i), p, SamplingParams(0, max_tokens=count)) for i, p in enumerate(prompts)]
    for request in made:
        engine.add(request)
    while engine.has_work:
        engine.step()
    return [r.output for r in made]


def test_oracle_weights_are_those_of_the_library(checkpoint):
    import gguf

    reader = gguf.GGUFReader(str(fetch.model("smollm2")))
    found = {t.name: t for t in reader.tensors}
    for theirs, ours in (("token_embd.weight", "wte.weight"), ("blk.7.attn_q.weight", "blocks.7.q_proj.weight")):
        want = gguf.quants.dequantize(found[theirs].data, found[theirs].tensor_type)
        assert torch.equal(checkpoint.weights[ours], torch.from_numpy(want.copy()))
    assert checkpoint.header.metadata["tokenizer.ggml.model"] == "gpt2"


def test_oracle_tokens_are_those_of_transformers(checkpoint):
    """Alone and in a batch, chunked: the greedy tokens of transformers with the same weights in float32."""
    from models import greedy, their_llama

    tokenizer = load_tokenizer(checkpoint)
    prompts = [tokenizer.encode(p) for p in PROMPTS]
    ours = Llama(checkpoint.config, checkpoint.weights, "packed")
    found = generate(ours, prompts, 16)
    theirs = their_llama(checkpoint.weights, checkpoint.config)
    assert found == [greedy(theirs, p, 16) for p in prompts]
    assert "Paris" in b"".join(tokenizer.token_bytes[t] for t in found[0]).decode()


def test_the_server_chats():
    config = EngineConfig(num_blocks=64)
    served = real_model(config, "packed")
    with running(served, config) as server:
        question = {"role": "user", "content": "What is the capital of France? Answer in one sentence."}
        body = {"model": "smollm2", "temperature": 0, "max_tokens": 20, "messages": [question]}
        answer = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=200).json()
        schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        form = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
        city = httpx.post(
            f"{server.url}/v1/chat/completions", json={**body, "response_format": form}, timeout=200
        ).json()
    assert answer["choices"][0]["message"]["content"] == "The capital of France is Paris."
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert city["choices"][0]["message"]["content"].startswith('{"city":"')


@pytest.mark.llama
def test_oracle_llama_cpp_runs_our_file(checkpoint, tmp_path):
    """In F32 both multiply the same numbers: the greedy tokens are equal."""
    llama_cpp = pytest.importorskip("llama_cpp")
    metadata = {k: v for k, v in checkpoint.header.metadata.items() if k.startswith("tokenizer")}
    path = save_gguf(tmp_path / "f32.gguf", checkpoint.config, checkpoint.weights, metadata, "F32")
    theirs = llama_cpp.Llama(str(path), n_ctx=256, n_threads=1, verbose=False)
    prompt = load_tokenizer(checkpoint).encode(PROMPTS[1])
    found = generate(Llama(checkpoint.config, checkpoint.weights), [prompt], 16)[0]
    stream = theirs.generate(prompt, temp=0.0, repeat_penalty=1.0)
    assert [next(stream) for _ in range(16)] == found
