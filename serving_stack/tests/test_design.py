"""The calculator: formulas by hand, shapes against transformers, and the worked answer's numbers."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from serving_stack.design import (
    GPUS,
    MODELS,
    Goal,
    Gpu,
    ModelShape,
    Own,
    Prices,
    Rented,
    Replica,
    break_even,
    capacity,
    month,
    replicas_for,
)
from serving_stack.design.calculator import at_batch
from serving_stack.design.exercise import OPTIONS, WORKLOADS, answer, cheapest, replica_of
from serving_stack.lab import design
from serving_stack.lab.cli import options

FOLDER = Path(__file__).parents[1]
TOY = ModelShape("toy", layers=2, d_model=4, heads=2, kv_heads=1, ffn=3, vocab_size=5)
CARD = Gpu("toy", memory=1e6, bandwidth=1e4, flops=1e5, source="by hand")
GOAL = Goal(prompt_tokens=10, output_tokens=4, first_token=1e9, gap=1e9)


def test_a_toy_by_hand():
    """A layer: q and o 4·4 each, k and v 4·2 each, three of 4·3, two norms of 4; then a norm, embedding and head."""
    assert TOY.parameters == 2 * (16 + 16 + 8 + 8 + 36 + 8) + 4 + 20 + 20
    assert TOY.multiplied == TOY.parameters - 20 and TOY.bytes_of_weights == 2 * TOY.parameters
    assert TOY.cache_per_token == 2 * 2 * 1 * 2 * 2  # keys and values, layers, heads, width, bytes
    assert TOY.flops(3, 7) == 3 * (2 * TOY.multiplied + 4 * 2 * 4 * 7)
    replica = Replica(TOY, CARD, gpus=2, bandwidth_share=0.5, compute_share=0.25, memory_share=0.5)
    assert replica.free_memory == 1e6 - 456 and TOY.parameters == 228
    assert replica.step(1, 1) == (pytest.approx((456 + 16) / 1e4), "weights")
    assert replica.prefill(10) == pytest.approx(10 * (2 * 208 + 32 * 5) / 5e4)


def test_what_bounds_a_step():
    slow, fast = replace(CARD, flops=1e2), replace(CARD, flops=1e12)
    assert Replica(TOY, slow).step(1, 0) == (TOY.flops(1, 0) / 1e2, "compute")
    assert Replica(TOY, fast).step(1, 28) == ((456 + 448) / 1e4, "weights")
    assert Replica(TOY, fast).step(1, 29) == ((456 + 464) / 1e4, "cache")


def test_a_full_replica_by_hand():
    """Time of a request: its prompt, and its tokens at a B-th of a step each. Little's law gives the gap."""
    replica = Replica(TOY, CARD)
    found = at_batch(replica, GOAL, 3)
    step, prompt = replica.step(3, 12)[0], replica.prefill(10)
    assert found.requests == pytest.approx(1 / (prompt + 4 * step / 3))
    assert found.gap == pytest.approx(3 / (4 * found.requests)) and found.tokens == pytest.approx(4 * found.requests)
    assert found.prefill_share == pytest.approx(prompt * found.requests) and found.first_token == prompt + step


@pytest.mark.parametrize("name", ["Llama-2-7B", "Llama-3.1-8B", "Llama-3.1-70B", "Qwen2.5-1.5B", "Qwen2.5-7B"])
def test_oracle_transformers_counts_the_same_parameters(name):
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    shape = MODELS[name]
    config, model = (Qwen2Config, Qwen2ForCausalLM) if shape.qkv_bias else (LlamaConfig, LlamaForCausalLM)
    fields = {"num_hidden_layers": shape.layers, "hidden_size": shape.d_model, "num_attention_heads": shape.heads,
              "num_key_value_heads": shape.kv_heads, "intermediate_size": shape.ffn, "vocab_size": shape.vocab_size,
              "tie_word_embeddings": shape.tied}  # fmt: skip
    with torch.device("meta"):
        made = model(config(**fields))
    assert shape.parameters == sum(p.numel() for p in made.parameters())


def test_published_figures():
    """Llama-2-7B: half a mebibyte a token; gpt-fast's 104.9 tokens a second lie below the bound, and not far."""
    assert MODELS["Llama-2-7B"].cache_per_token == 2**19
    bound = 1 / Replica(MODELS["Llama-2-7B"], GPUS["A100 SXM 80GB"]).step(1, 0)[0]
    assert 0.6 < design.PUBLISHED / bound < 0.8


# ---------------------------------------------------------------- properties

GOALS = st.builds(Goal, prompt_tokens=st.integers(1, 2000), output_tokens=st.integers(50, 500),
                  first_token=st.just(1e3), gap=st.floats(0.02, 1), cached_share=st.floats(0, 0.9))  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(GOALS, st.sampled_from(sorted(GPUS)))
def test_property_more_of_anything_carries_no_less(goal, card):
    replica = Replica(MODELS["Qwen2.5-1.5B"], GPUS[card])
    base = capacity(replica, goal)
    better = [replace(replica, gpus=2), replace(replica, gpu=replace(replica.gpu, memory=2 * replica.gpu.memory)),
              replace(replica, model=replace(replica.model, cache_bytes=1)),
              replace(replica, model=replace(replica.model, weight_bytes=1))]  # fmt: skip
    assert all(capacity(other, goal).requests >= base.requests * (1 - 1e-9) for other in better)
    looser = replace(goal, gap=2 * goal.gap)
    assert capacity(replica, looser).batch >= base.batch
    assert capacity(replica, replace(goal, cached_share=0.95)).requests >= base.requests * (1 - 1e-9)


@settings(max_examples=40, deadline=None)
@given(GOALS)
def test_property_the_batch_is_the_largest(goal):
    replica = Replica(MODELS["Qwen2.5-1.5B"], GPUS["L4"])
    found = capacity(replica, goal)
    assert found.gap <= goal.gap and found.first_token <= goal.first_token
    if found.limited_by == "the gap":
        assert at_batch(replica, goal, found.batch + 1).gap > goal.gap
    else:
        tokens = (found.batch + 1) * (goal.prompt_tokens + goal.output_tokens)
        assert tokens * replica.model.cache_per_token > replica.free_memory


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.1, 20),
    st.floats(0, 5000),
    st.floats(0.1, 20),
    st.floats(1e-5, 1e-2),
    st.floats(0.1, 1),
    st.integers(1, 3),
)
def test_property_break_even_is_the_first_rate_of_a_search(hour, fixed, rate, price, share, least):
    way = Rented(hour, fixed)
    found = break_even(way, 2, rate, price, share, least)

    def cards(mean):
        return month(way, 2 * max(least, math.ceil(mean / (rate * share) - 1e-9)))

    def api(mean):
        return mean * 730 * 3600 * price

    if found is None:
        for n in (least, 10, 1000):
            full = n * rate * share
            assert cards(full) >= api(full) * (1 - 1e-9)
    else:
        assert cards(found) == pytest.approx(api(found))
        assert all(cards(found * part / 50) > api(found * part / 50) for part in range(1, 50))


# ---------------------------------------------------------------- costs by hand, errors


def test_costs_by_hand():
    assert month(Rented(2.0, 100), 3) == 100 + 3 * 730 * 2
    assert month(Own(24_000, 2, 0.5, 0.1, 10), 2) == pytest.approx(10 + 2 * (1000 + 36.5))
    assert Prices(2, 8, 1).request(1000, 100, 0.5) == pytest.approx((1000 * 1.5 + 800) / 1e6)
    assert Prices(2, 8).request(1000, 100, 0.5) == pytest.approx((2000 + 800) / 1e6)
    # a replica for 730 a month; 0.001 a request; it carries at most one a second: 730 000 requests of 2 628 000
    assert break_even(Rented(1.0), 1, 1.0, 0.001) == pytest.approx(730_000 / 2_628_000)
    assert break_even(Rented(4.0), 1, 1.0, 0.001) is None
    assert replicas_for(10, at_batch(Replica(TOY, CARD), GOAL, 1), 0.5) == math.ceil(
        20 / at_batch(Replica(TOY, CARD), GOAL, 1).requests
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: replace(TOY, layers=0),
        lambda: replace(TOY, heads=3),
        lambda: replace(CARD, bandwidth=0),
        lambda: replace(GOAL, gap=0),
        lambda: replace(GOAL, cached_share=1),
        lambda: Replica(TOY, CARD, gpus=0),
        lambda: Replica(TOY, CARD, compute_share=1.5),
        lambda: capacity(Replica(MODELS["Llama-3.1-70B"], GPUS["L4"]), GOAL),
        lambda: capacity(Replica(TOY, CARD), replace(GOAL, gap=1e-6)),
        lambda: replicas_for(1, at_batch(Replica(TOY, CARD), GOAL, 1), 0),
        lambda: month(Rented(-1), 1),
        lambda: month(Own(1, 0, 1, 1), 1),
        lambda: break_even(Rented(1), 1, 0, 1),
    ],
)
def test_bad_input_is_an_error(call):
    with pytest.raises(ValueError, match=r"[;:,]"):
        call()


# ---------------------------------------------------------------- the worked answer


def test_effect_three_services_three_bottlenecks():
    """What the prose claims: cache, prompts and memory, the gap; and eight bits where they help most."""
    chat, papers, code = WORKLOADS
    h100 = OPTIONS[0]
    found = {w.name: answer(w, h100).capacity for w in WORKLOADS}
    assert found["chatbot"].bound == "cache"
    assert found["summarisation"].limited_by == "memory" and found["summarisation"].prefill_share > 0.5
    assert found["code completion"].limited_by == "the gap"
    replica = replica_of(chat, h100)
    cache = capacity(replace(replica, model=replace(replica.model, cache_bytes=1)), chat.goal).requests
    weights = capacity(replace(replica, model=replace(replica.model, weight_bytes=1)), chat.goal).requests
    assert cache > 1.05 * weights
    assert answer(chat, OPTIONS[3]).replicas > 24 and answer(code, OPTIONS[2]).capacity is None
    assert cheapest(papers).option.name == cheapest(code).option.name == "A100"


def test_the_command_has_every_option_and_the_figure_its_claim():
    made = design.design(options(), print)
    assert [list(rows) for rows in made["workloads"].values()] == [[o.name for o in OPTIONS]] * 3
    text = design.whole(made)
    assert all(w.name in text for w in WORKLOADS) and text.count("API by the token") == 3
    figure = design.draw_costs()
    cheaper = answer(WORKLOADS[0], OPTIONS[0]).rented_from
    assert f"below {cheaper:.1f} requests" in figure.get_suptitle()
