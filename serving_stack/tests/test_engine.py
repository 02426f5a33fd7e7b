"""The engine with a model: the tokens of transformers, the same bits in any company, a log that can be replayed."""

import random

import pytest
import torch
from models import LLAMA, greedy, pair

from serving_stack import Engine, EngineConfig, Llama, ModelRunner, Request, SamplingParams
from serving_stack.engine.layouts import lay_out
from serving_stack.engine.replay import is_faithful, replay, timeline
from serving_stack.engine.weights import check_weights, llama_shapes, random_weights

CASES = {"alone": (200, 256, False, 1), "batched": (200, 256, False, 8), "chunked": (200, 5, False, 8),
         "preempted, with prefix hits": (9, 17, True, 8)}  # fmt: skip


def requests_of(count=16, seed=0, **params):
    g = random.Random(seed)
    shared = [g.randrange(101) for _ in range(40)]
    made = []
    for i in range(count):
        prompt = shared[: g.choice([0, 16, 33, 40])] + [g.randrange(101) for _ in range(g.randint(1, 20))]
        made.append(Request(str(i), prompt, SamplingParams(0, max_tokens=g.randint(1, 24), **params)))
    return made


def run(engine, requests):
    for request in requests:
        engine.add(request)
    while engine.has_work:
        engine.step()
    return requests


@pytest.fixture(scope="module")
def wanted():
    """The tokens that transformers generates for each request alone."""
    found = {}
    for kind in ("llama", "gpt2"):
        theirs, _ = pair(kind, "plain")
        found[kind] = [greedy(theirs, r.prompt, r.params.max_tokens) for r in requests_of()]
    return found


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("layout, attention", [("plain", "plain"), ("packed", "fast"), ("invariant", "invariant")])
def test_oracle_tokens_are_those_of_transformers(wanted, kind, layout, attention):
    _, ours = pair(kind, layout)
    for name, (blocks, budget, caching, running) in CASES.items():
        engine = Engine(ModelRunner(ours, blocks, 16, attention), EngineConfig(blocks, 16, running, budget, caching))
        done = run(engine, requests_of())
        assert [r.output for r in done] == wanted[kind], name
        assert engine.num_used_blocks == 0 and is_faithful(engine.log)
        if caching:
            assert sum(r.num_preemptions for r in done) > 0 and sum(r.num_cached for r in done) > 0


def test_oracle_logits(seed):
    """float32 against float32: 2e-5 of logits of about ten."""
    theirs, ours = pair("llama", "plain")
    tokens = torch.randint(101, (13,), generator=torch.Generator().manual_seed(seed))
    engine = ModelRunner(ours, 8)
    request = Request("a", tokens.tolist())
    request.table = [5]
    with torch.no_grad():
        want = theirs(tokens[None]).logits[0, -1]
        torch.testing.assert_close(engine.logits([(request, 13)])[0], want, rtol=1e-5, atol=2e-5)


def logit_rows(model, batch, budget, blocks, caching=False):
    """Every row of logits that a token was chosen from, by request."""
    rows: dict = {}
    runner = ModelRunner(model, blocks, 16, "invariant")
    original = runner.logits

    def kept(plan):
        logits = original(plan)
        ready = [r for r, n in plan if n == r.num_missing]
        for request, row in zip(ready, logits, strict=True):
            rows.setdefault(request.id, {})[len(request.output)] = row.clone()
        return logits

    runner.logits = kept
    done = run(Engine(runner, EngineConfig(blocks, 16, batch, budget, caching), keep_log=False), requests_of(10))
    return rows, sum(r.num_preemptions for r in done)


def test_property_the_same_bits_alone_batched_chunked_and_preempted():
    """vllm 23138, 5898: temperature 0 under load. Not nearly the same: every bit of every row."""
    model = Llama(LLAMA, random_weights(LLAMA), "invariant")
    alone, _ = logit_rows(model, 1, 10_000, 200)
    count = sum(map(len, alone.values()))
    assert count > 100
    for batch, budget, blocks, caching in ((8, 10_000, 200, False), (8, 7, 200, False), (8, 17, 9, True)):
        rows, preempted = logit_rows(model, batch, budget, blocks, caching)
        assert (blocks > 9) or preempted
        equal = sum(torch.equal(rows[name][i], row) for name, kept in alone.items() for i, row in kept.items())
        assert equal == count, (batch, budget, blocks)


@pytest.mark.parametrize("inputs", [576, 768, 1536])
def test_property_an_invariant_product_does_not_see_its_neighbours(inputs, seed):
    g = torch.Generator().manual_seed(seed)
    weight, x = torch.randn(96, inputs, generator=g), torch.randn(33, inputs, generator=g)
    product = lay_out(weight, None, "invariant")
    whole = product(x)
    for n in (1, 2, 5, 8, 16):
        parts = torch.cat([product(x[i : i + n].contiguous()) for i in range(0, 33, n)])
        assert torch.equal(parts, whole), n
    torch.testing.assert_close(whole, x @ weight.T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layout, atol", [("packed", 1e-4), ("w8a8", 0.6)])
def test_layouts_compute_the_same_product(layout, atol, seed):
    """Eight bits: 1/127 of the largest weight and input, over 96 products."""
    g = torch.Generator().manual_seed(seed)
    weight, bias, x = (torch.randn(*s, generator=g) for s in ((64, 96), (64,), (17, 96)))
    torch.testing.assert_close(lay_out(weight, bias, layout)(x), x @ weight.T + bias, rtol=0, atol=atol)


def test_several_answers_share_the_prompt_and_copy_on_write():
    """The children compute one token of the prompt each, and their texts are those that they would have alone."""
    model = Llama(LLAMA, random_weights(LLAMA))
    prompt = requests_of(1)[0].prompt + [3] * 21
    params = [SamplingParams(1.0, max_tokens=9, seed=s) for s in range(3)]
    alone = [run(Engine(ModelRunner(model, 60), EngineConfig(60)), [Request("a", prompt, p)])[0].output for p in params]
    engine = Engine(ModelRunner(model, 60), EngineConfig(60, prefix_caching=False))
    parent = Request("p", prompt, params[0])
    family = [parent, *(Request(f"c{i}", prompt, p, parent=parent) for i, p in enumerate(params[1:]))]
    run(engine, family)
    assert [r.output for r in family] == alone
    assert [r.num_cached for r in family[1:]] == [len(prompt) - 1] * 2
    copies = [e["tables"] for e in engine.log if e["event"] == "step"][1]
    assert copies["c0"][:-1] == copies["c1"][:-1] and len({t[-1] for t in copies.values()}) == 3


def test_stop_tokens_and_length():
    model = Llama(LLAMA, random_weights(LLAMA))
    free = run(Engine(ModelRunner(model, 20), EngineConfig(20)), requests_of(1))[0]
    stop = free.output[2]
    ended = run(Engine(ModelRunner(model, 20), EngineConfig(20)), requests_of(1, stop_token_ids=(stop,)))[0]
    assert ended.output == free.output[: free.output.index(stop) + 1] and ended.finish_reason == "stop"
    assert free.finish_reason == "length"


def test_logprobs_are_those_of_the_model():
    """vllm 4795: one entry a token, the likeliest in order, unchanged by the temperature."""
    theirs, ours = pair("llama", "plain")
    [request] = requests_of(1)
    request.params = SamplingParams(1.5, max_tokens=4, seed=1, logprobs=3)
    engine = Engine(ModelRunner(ours, 20), EngineConfig(20))
    engine.add(request)
    found = []
    while engine.has_work:
        found += [sampled for _, sampled in engine.step()]
    for i, sampled in enumerate(found):
        with torch.no_grad():
            row = theirs(torch.tensor([request.prompt + request.output[:i]])).logits[0, -1].log_softmax(-1)
        assert sampled.logprob == pytest.approx(float(row[sampled.token]), abs=1e-4)
        assert [t for t, _ in sampled.top] == row.topk(3).indices.tolist()


def test_replay_finds_another_decision():
    engine = Engine(ModelRunner(Llama(LLAMA, random_weights(LLAMA)), 9), EngineConfig(9, 16, 8, 17))
    run(engine, requests_of())
    assert is_faithful(engine.log)
    other = [{**e, "token_budget": 16} if e["event"] == "start" else e for e in engine.log]
    try:
        assert replay(other) != other
    except ValueError as error:
        assert "differ" in str(error) or "no more steps" in str(error)
    rows = timeline(engine.log)
    kinds = {kind for row in rows.values() for _, kind, _ in row}
    assert kinds == {"prefill", "decode", "wait", "preempted"}
    assert sum(n for row in rows.values() for _, kind, n in row if kind == "decode") > 50


@pytest.mark.parametrize("change, message", [
    (lambda w: w.pop("norm.weight"), "norm.weight: this weight is missing"),
    (lambda w: w.update(other=torch.ones(2)), "other: this weight is unknown"),
    (lambda w: w.update({"norm.weight": torch.ones(3)}), "expected"),
    (lambda w: w["norm.weight"].fill_(torch.nan), "holds NaN"),
])  # fmt: skip
def test_bad_input_weights(change, message):
    weights = random_weights(LLAMA)
    change(weights)
    with pytest.raises(ValueError, match=message):
        check_weights(LLAMA, weights)
    assert llama_shapes(LLAMA)["wte.weight"] == (101, 64)


def test_bad_input_names_of_layouts_and_attention():
    with pytest.raises(ValueError, match="layout='other': choose one of"):
        lay_out(torch.zeros(2, 2), None, "other")
    with pytest.raises(ValueError, match="attention='other'"):
        ModelRunner(Llama(LLAMA, random_weights(LLAMA)), 2, 16, "other")
