"""Bytes: by formula, as allocated, and what fits on a card."""

import pytest
import torch
from grouped_query import PUBLISHED, Cache, Config, Decoder, Shape, cache_bytes_per_token, largest_batch
from grouped_query.latent import LatentAttention, LatentConfig
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import COMPRESSED, SMALL

BY_NAME = {shape.name: shape for shape in PUBLISHED}
BYTES = {torch.float32: 4, torch.bfloat16: 2}


@pytest.mark.task("cache_bytes_per_token")
@pytest.mark.parametrize("dtype", BYTES)
@pytest.mark.parametrize("shape", [SMALL, COMPRESSED], ids=["shared heads", "a latent"])
def test_the_formula_is_what_a_cache_allocates(impl, shape, dtype):
    parts = [(shape.kv_heads, shape.head_dim)] * 2
    if shape.latent_dim:
        parts = [(shape.latent_dim,), (shape.rope_dim,)]
    allocated = Cache(shape.layers, 3, 17, parts, dtype).nbytes
    assert impl.cache_bytes_per_token(shape, BYTES[dtype]) * 3 * 17 == allocated


@pytest.mark.task("cache_bytes_per_token")
def test_the_published_numbers(impl):
    assert impl.cache_bytes_per_token(BY_NAME["Llama 3 8B"]) == 131_072
    assert impl.cache_bytes_per_token(BY_NAME["GPT-3"]) == 4_718_592
    assert impl.cache_bytes_per_token(BY_NAME["DeepSeek-V3"]) == 70_272
    assert impl.cache_bytes_per_token(Shape("bare", 2, 4, 4, 5, 100_000, latent_dim=9)) == 36


@pytest.mark.task("largest_batch")
def test_property_the_batch_fits_and_one_more_does_not(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 5_000), st.integers(200_000, 9_000_000), st.sampled_from([1, 2]))
    def holds(context, memory, size):
        for shape in (SMALL, COMPRESSED):
            batch = impl.largest_batch(shape, context, memory, size)
            each = context * cache_bytes_per_token(shape, size)
            assert isinstance(batch, int) and batch >= 0
            assert shape.parameters * size + batch * each <= memory < shape.parameters * size + (batch + 1) * each

    holds()


@pytest.mark.task("largest_batch")
def test_a_card_on_which_exactly_so_many_fit(impl):
    text = 13 * 7 * 2 * 5 * 11 * 2
    assert [impl.largest_batch(SMALL, 13, 200_000 + n) for n in (0, text - 1, text, 3 * text)] == [0, 0, 1, 3]


@pytest.mark.task("largest_batch")
def test_a_text_for_which_one_byte_is_missing_does_not_fit(impl):
    shape, text = BY_NAME["Llama 3 8B"], 131_072 * 131_072
    memory = 2 * shape.parameters + 7 * text
    assert [impl.largest_batch(shape, 131_072, memory - n) for n in (0, 1)] == [7, 6]


@pytest.mark.task("largest_batch")
@pytest.mark.parametrize("memory", [0, 199_999])
def test_bad_input_weights_that_do_not_fit(impl, memory):
    with pytest.raises(ValueError):
        impl.largest_batch(SMALL, 13, memory)


def test_the_latent_of_deepseek_is_57_times_smaller_than_its_mha():
    shape = BY_NAME["DeepSeek-V3"]
    ratio = cache_bytes_per_token(shape.as_mha()) / cache_bytes_per_token(shape)
    assert ratio == pytest.approx(56.9, abs=0.05)  # 32,768 numbers against 576


def test_shared_heads_save_their_share():
    for name, share in (("Llama 3 8B", 4), ("Llama 2 70B", 8), ("SmolLM2-135M", 3), ("Llama 2 7B", 1)):
        shape = BY_NAME[name]
        assert cache_bytes_per_token(shape.as_mha()) == share * cache_bytes_per_token(shape)


@pytest.mark.parametrize("kv_heads", [1, 2, 6])
def test_a_models_cache_has_the_bytes_of_the_formula(kv_heads):
    model = Decoder(Config(31, 24, 3, 6, kv_heads, 20))
    shape = Shape("", 3, 6, kv_heads, 4, 0)
    assert model.new_cache(2, 9).nbytes == 2 * 9 * cache_bytes_per_token(shape, 4)
    assert largest_batch(shape, 9, 4 * 9 * cache_bytes_per_token(shape), 2) == 4


def test_a_latent_models_cache_has_the_bytes_of_the_formula():
    model = Decoder(LatentConfig(31, 24, 3, 6, 6, 20, latent_dim=5, rope_dim=2), LatentAttention)
    assert model.new_cache(2, 9).nbytes == 2 * 9 * cache_bytes_per_token(Shape("", 3, 6, 6, 4, 0, 5, 2), 4)
