"""Every documented error is raised, names the argument and its value, and says what to do."""

import pytest
import torch
from rope_animator import apply_rope, frequencies, interpolate, sinusoidal_table
from rope_animator.alibi import alibi_bias, alibi_slopes
from rope_animator.attention import rotary_attention
from rope_animator.decay import decay_bound
from rope_animator.extend import dynamic_ntk, linear, llama3, ntk_aware, yarn
from rope_animator.lab import corpus
from rope_animator.lab.model import Config, TinyLM
from rope_animator.lab.train import Training, loss_by_position, train
from rope_animator.learned import LearnedPositionalEmbedding
from rope_animator.rope import check_positions, split_pairs
from rope_animator.rope_fast import RotaryEmbedding
from rope_animator.t5_bias import T5Bias, t5_bucket


def refuses(pattern, function, *arguments, **options):
    with pytest.raises(ValueError, match=pattern):
        function(*arguments, **options)


# ---------------------------------------------------------------- frequencies and tables


@pytest.mark.parametrize("base", [0.0, -1.0, float("nan"), float("inf")])
def test_a_base_that_is_not_positive_and_finite(base):
    refuses(f"base={base}: .*10000", frequencies, 8, base)


@pytest.mark.parametrize("dim", [0, 1, 7, -2])
def test_an_odd_width(dim):
    refuses(f"dim={dim}: .*even; use 2, 4, 6", frequencies, dim)


def test_tables_without_a_position():
    refuses("max_seq_len=0: ", sinusoidal_table, 0, 8)
    refuses("max_seq_len=0", LearnedPositionalEmbedding, 0, 8)
    refuses("max_seq_len=0: ", RotaryEmbedding, 8, 0)


def test_a_learned_table_ends():
    table = LearnedPositionalEmbedding(8, 4)
    assert table(torch.tensor([0, 7])).shape == (2, 4)
    for positions in (torch.arange(9), torch.tensor([-1])):
        refuses(r"positions=.*8 rows \(0\.\.7\).*use another scheme", table, positions)


def test_a_learned_table_takes_integers_of_any_width_and_nothing_else():
    """uint8 must not become a mask."""
    table = LearnedPositionalEmbedding(4, 3)
    assert torch.equal(table(torch.tensor([1, 0], dtype=torch.uint8)), table(torch.tensor([1, 0])))
    for positions in (torch.tensor([0.5]), torch.tensor([True, False, True, False])):
        refuses(r"positions.dtype=.*use positions.long", table, positions)


# ---------------------------------------------------------------- rope


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int8, torch.bool])
def test_positions_in_a_dtype_that_cannot_hold_them(dtype):
    refuses(f"positions.dtype={dtype}: .*use int64", check_positions, torch.tensor([1, 0]).to(dtype))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_no_function_takes_positions_in_half_precision(dtype):
    x, at = torch.zeros(1, 1, 2, 4), torch.tensor([256.0, 257.0]).to(dtype)
    refuses("positions.dtype", apply_rope, x, x, at)
    refuses("positions.dtype", rotary_attention, x, x, x, at)
    refuses("positions.dtype", interpolate, at, 8, 16)
    refuses("positions.dtype", decay_bound, at, 4)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.float32, torch.float64])
def test_positions_in_every_other_dtype_are_the_same(dtype):
    q = torch.randn(1, 2, 3, 4, dtype=torch.float64)
    at = torch.tensor([256, 257, 4095])
    assert torch.equal(apply_rope(q, q, at.to(dtype))[0], apply_rope(q, q, at)[0])


@pytest.mark.parametrize("positions", [[0, 1], (0, 1), 0, None])
def test_positions_that_are_no_tensor(positions):
    with pytest.raises(TypeError, match="positions=.*use torch.tensor"):
        check_positions(positions)
    with pytest.raises(TypeError):
        apply_rope(torch.zeros(1, 1, 2, 4), torch.zeros(1, 1, 2, 4), positions)


def test_one_query_and_the_keys_of_a_cache():
    """One position must not become the position of ten keys, nor one key be spread over five queries."""
    x = torch.zeros(1, 1, 10, 4)
    refuses(r"k.shape=\(1, 1, 10, 4\): .*before they enter the cache", apply_rope, x[:, :, :1], x, torch.tensor([9]))
    refuses(r"k.shape=\(1, 1, 1, 4\): ", apply_rope, x[:, :, :5], x[:, :, :1], torch.arange(5))


@pytest.mark.parametrize("shape", [(2, 1, 5, 4), (1, 1, 5, 6)])
def test_keys_of_another_batch_or_width(shape):
    refuses("k.shape=", apply_rope, torch.zeros(1, 1, 5, 4), torch.zeros(shape), torch.arange(5))


def test_positions_of_another_shape():
    q = torch.zeros(2, 3, 5, 4)
    for at in (torch.arange(4), torch.zeros(1), torch.zeros(3, 5), torch.zeros(1, 5)):
        refuses(r"positions.shape=.*use \(5,\) or \(2, 5\)", apply_rope, q, q, at)


def test_pairs_need_an_even_width_and_a_known_layout():
    q = torch.zeros(1, 1, 2, 5)
    refuses("dim=5: ", apply_rope, q, q, torch.arange(2))
    refuses("layout='neox': ", split_pairs, torch.zeros(1, 4), "neox")
    refuses("layout='neox': ", RotaryEmbedding, 4, 4, layout="neox")


def test_attention_with_shapes_that_differ():
    x = torch.zeros(1, 2, 5, 8)
    refuses(r"v.shape=\(1, 2, 4, 8\): ", rotary_attention, x, x, x[:, :, :4], torch.arange(5))


def test_the_fast_form_refuses_what_it_cannot_do():
    rotary, x = RotaryEmbedding(4, 8), torch.zeros(1, 2, 5, 4)
    for offset in (4, -1):
        refuses(rf"offset={offset}: .*the table holds 0\.\.7.*larger max_seq_len", rotary, x, offset)
    for bad in (x.double(), torch.zeros(1, 2, 5, 6), x.transpose(1, 2).contiguous().transpose(1, 2)):
        refuses("x.shape=.*use rope.apply_rope", rotary, bad)
    for bad in (torch.zeros(5, 2, 1, 4).permute(2, 1, 0, 3), x.double()):
        refuses("out.shape=", rotary, x, out=bad)
    refuses("out=x: ", rotary, x, out=x)


# ---------------------------------------------------------------- longer texts

SCHEMES = {
    "linear": lambda factor=2.0, trained_len=64: linear(16, 1e4, factor),
    "ntk_aware": lambda factor=2.0, trained_len=64: ntk_aware(16, 1e4, factor),
    "dynamic_ntk": lambda factor=2.0, trained_len=64: dynamic_ntk(16, 1e4, factor, trained_len, 128),
    "yarn": lambda factor=2.0, trained_len=64: yarn(16, 1e4, factor, trained_len),
    "llama3": lambda factor=2.0, trained_len=64: llama3(16, 1e4, factor, trained_len),
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("factor", [0.5, 0.0, float("nan"), float("inf")])
def test_a_factor_that_would_shrink_the_context(scheme, factor):
    refuses(f"factor={factor}: .*use seq_len / trained_len", SCHEMES[scheme], factor=factor)


@pytest.mark.parametrize("scheme", ["dynamic_ntk", "yarn", "llama3"])
@pytest.mark.parametrize("trained_len", [0, -1])
def test_a_trained_length_below_one(scheme, trained_len):
    refuses(f"trained_len={trained_len}: ", SCHEMES[scheme], trained_len=trained_len)
    refuses(f"trained_len={trained_len}: ", interpolate, torch.arange(4), trained_len, 8)


def test_an_empty_text():
    refuses("seq_len=0: ", interpolate, torch.arange(0), 8, 0)


def test_ntk_needs_two_pairs():
    refuses("dim=2: .*use 4 or more", ntk_aware, 2, 1e4, 4.0)


@pytest.mark.parametrize("base", [1.0, 0.5])
def test_yarn_needs_pairs_of_different_speeds(base):
    refuses(f"base={base}: ", yarn, 16, base, 2.0, 64)


def test_ramps_that_go_backwards():
    refuses("beta_fast=1.0, beta_slow=1.0: ", yarn, 16, 1e4, 2.0, 64, 1.0, 1.0)
    refuses("beta_fast=32.0, beta_slow=0.0: ", yarn, 16, 1e4, 2.0, 64, 32.0, 0.0)
    refuses("low_freq_factor=4.0, high_freq_factor=4.0: ", llama3, 16, 1e4, 2.0, 64, 4.0, 4.0)


# ---------------------------------------------------------------- biases


@pytest.mark.parametrize("query_len, key_len", [(5, 4), (0, 4), (-1, 4)])
def test_biases_with_more_queries_than_keys_or_none(query_len, key_len):
    refuses(f"query_len={query_len}, key_len={key_len}: ", alibi_bias, 2, query_len, key_len)
    refuses(f"query_len={query_len}, key_len={key_len}: ", T5Bias(2), query_len, key_len)


@pytest.mark.parametrize("num_heads", [0, -3])
def test_no_heads(num_heads):
    refuses(f"num_heads={num_heads}: ", alibi_slopes, num_heads)


@pytest.mark.parametrize("bidirectional, buckets, distance", [(True, 2, 128), (False, 1, 128), (True, 32, 8)])
def test_t5_without_room_for_its_buckets(bidirectional, buckets, distance):
    refuses(
        f"num_buckets={buckets}, max_distance={distance}: ",
        t5_bucket,
        torch.arange(3),
        bidirectional,
        buckets,
        distance,
    )


def test_t5_takes_integers_of_any_width_and_nothing_else():
    distances = torch.tensor([-100, -1, 0, 1, 100])
    assert torch.equal(t5_bucket(distances.to(torch.int8)), t5_bucket(distances))
    refuses("relative_position.dtype=torch.float32: ", t5_bucket, distances.float())


# ---------------------------------------------------------------- models and texts


@pytest.mark.parametrize(
    "wrong",
    [
        {"scheme": "rotary"},
        {"num_heads": 3},
        {"num_heads": 0},
        {"rotary_fraction": 0.0},
        {"rotary_fraction": 0.05},
        {"rotary_fraction": 1.5},
        {"layout": "neox"},
    ],
)
def test_a_model_that_cannot_be(wrong):
    refuses(f"{next(iter(wrong))}=", Config, 11, **wrong)


def test_a_model_with_learned_positions_refuses_a_longer_text():
    model = TinyLM(Config(11, "learned", trained_len=8, dim=16))
    refuses("no row for other positions", model, torch.zeros(1, 9, dtype=torch.long))


def test_a_text_that_is_too_short():
    refuses("data=5 characters: ", corpus.encode, "short")
    short = corpus.encode("a text of some characters")
    config = Config(len(short.vocab), trained_len=64, dim=16)
    refuses("data=22 characters for training", train, config, Training(steps=1), short)
    refuses("data=3 characters for validation", loss_by_position, TinyLM(config), short, 64)


def test_a_training_that_diverges():
    text = corpus.encode("the same few words again and again " * 20)
    config = Config(len(text.vocab), trained_len=16, dim=16)
    refuses("loss=.*use a smaller lr", train, config, Training(steps=50, batch_size=2, lr=1e30, warmup_steps=1), text)
