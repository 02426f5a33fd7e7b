"""The two other blocks: oracles are PyTorch, BERT and BART, with copied weights, in float64."""

import pytest
import torch
from block_builder import ACTIVATIONS, Config
from mistakes import filled, like, randn, real_tokens
from oracles import (
    check_dropout,
    check_lengths,
    compare,
    huggingface_state,
    pytorch_decoder_layer,
    pytorch_encoder_layer,
)

CONFIG = Config(vocab_size=7, context_length=13, layers=2, heads=3, width=21, expansion=3)


@pytest.mark.task("EncoderBlock")
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_encoder_block_is_pytorchs(impl, seed, norm_first, activation):
    config = like(CONFIG, norm_first=norm_first, activation=activation)
    block, seen = filled(impl.EncoderBlock(config), seed), real_tokens(11, 4, 1)
    oracle = pytorch_encoder_layer(block, config)
    x = randn(seed, 3, 11, 21)
    compare(lambda x: block(x, seen), lambda x: oracle(x, src_key_padding_mask=~seen), [x], where=seen)
    compare(block, oracle, [x])


def test_encoder_block_is_berts(impl, seed):
    from transformers import BertConfig
    from transformers.models.bert.modeling_bert import BertLayer

    config = like(CONFIG, norm_first=False)
    block, seen = filled(impl.EncoderBlock(config), seed), real_tokens(11, 6)
    bert = BertConfig(hidden_size=21, num_attention_heads=3, intermediate_size=63, hidden_act="gelu",
                      hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, layer_norm_eps=1e-5,
                      attn_implementation="eager")  # fmt: skip
    oracle = BertLayer(bert).double()
    names = {"attention.self.query": "attn.q_proj", "attention.self.key": "attn.k_proj",
             "attention.self.value": "attn.v_proj", "attention.output.dense": "attn.o_proj",
             "attention.output.LayerNorm": "ln_1", "intermediate.dense": "mlp.fc_in", "output.dense": "mlp.fc_out",
             "output.LayerNorm": "ln_2"}  # fmt: skip
    oracle.load_state_dict(huggingface_state(block, names))
    added = torch.zeros(2, 1, 1, 11, dtype=torch.float64).masked_fill(~seen[:, None, None, :], -torch.inf)

    def theirs(x):
        out = oracle(x, attention_mask=added)
        return out[0] if isinstance(out, tuple) else out

    compare(lambda x: block(x, seen), theirs, [randn(seed, 2, 11, 21)], where=seen)


@pytest.mark.task("EncoderBlock")
def test_every_real_token_sees_every_other(impl, seed):
    block, x = filled(impl.EncoderBlock(CONFIG), seed), randn(seed, 1, 5, 21)
    for changed in range(5):
        other = x.clone()
        other[:, changed] += randn(seed + 2, 21)  # a constant would vanish in the norm
        assert ((block(other) - block(x)).abs().amax(-1) > 1e-9).all()


@pytest.mark.task("EncoderBlock")
@pytest.mark.parametrize("norm_first", [True, False])
def test_an_encoder_block_takes_another_length_at_each_call_and_leaves_x_as_it_is(impl, norm_first):
    check_lengths(impl.EncoderBlock, norm_first)


@pytest.mark.task("EncoderBlock")
def test_padding_may_stand_on_the_left_of_a_text(impl):
    block, x, seen = filled(impl.EncoderBlock(CONFIG), 0), randn(1, 2, 5, 21), real_tokens(3, 5).flip(1)
    torch.testing.assert_close(block(x, seen)[0, 2:], block(x[:1, 2:])[0], rtol=0, atol=1e-12)


@pytest.mark.task("DecoderBlock")
@pytest.mark.parametrize("norm_first", [True, False])
def test_a_decoder_block_takes_another_length_at_each_call_and_leaves_x_as_it_is(impl, norm_first):
    check_lengths(impl.DecoderBlock, norm_first, (2, 4, 21))


@pytest.mark.task("DecoderBlock")
def test_padding_may_stand_on_the_left_of_a_memory(impl):
    block, x, memory = filled(impl.DecoderBlock(CONFIG), 0), randn(1, 2, 3, 21), randn(2, 2, 5, 21)
    before, seen = memory.clone(), real_tokens(3, 5).flip(1)
    torch.testing.assert_close(block(x, memory, seen)[0], block(x[:1], memory[:1, 2:])[0], rtol=0, atol=1e-12)
    assert torch.equal(memory, before)


@pytest.mark.task("DecoderBlock")
def test_the_memory_gets_a_gradient(impl):
    memory = randn(2, 1, 5, 21).requires_grad_()
    filled(impl.DecoderBlock(CONFIG), 0)(randn(1, 1, 3, 21), memory).square().sum().backward()
    assert memory.grad is not None, "no gradient arrives at the memory"
    assert (memory.grad.abs().amax(-1) > 0).all()


@pytest.mark.task("DecoderBlock")
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_decoder_block_is_pytorchs(impl, seed, norm_first, activation):
    config = like(CONFIG, norm_first=norm_first, activation=activation)
    block, seen = filled(impl.DecoderBlock(config), seed), real_tokens(7, 3)
    oracle = pytorch_decoder_layer(block, config)
    ahead = torch.ones(5, 5, dtype=torch.bool).triu(1)

    def theirs(x, memory):
        return oracle(x, memory, tgt_mask=ahead, memory_key_padding_mask=~seen, tgt_is_causal=True)

    compare(lambda x, memory: block(x, memory, seen), theirs, [randn(seed, 2, 5, 21), randn(seed + 1, 2, 7, 21)])


def test_decoder_block_is_barts(impl, seed):
    from transformers import BartConfig
    from transformers.models.bart.modeling_bart import BartDecoderLayer

    config = like(CONFIG, norm_first=False)
    block = filled(impl.DecoderBlock(config), seed)
    bart = BartConfig(d_model=21, decoder_attention_heads=3, decoder_ffn_dim=63, activation_function="gelu",
                      dropout=0.0, attention_dropout=0.0, activation_dropout=0.0)  # fmt: skip
    bart._attn_implementation = "eager"
    oracle = BartDecoderLayer(bart).double()
    names = {"self_attn_layer_norm": "ln_1", "encoder_attn_layer_norm": "ln_2", "final_layer_norm": "ln_3",
             "fc1": "mlp.fc_in", "fc2": "mlp.fc_out"}  # fmt: skip
    for theirs_name, mine in (("self_attn", "self_attn"), ("encoder_attn", "cross_attn")):
        names |= {f"{theirs_name}.{p}_proj": f"{mine}.{p}_proj" for p in "qkv"}
        names[f"{theirs_name}.out_proj"] = f"{mine}.o_proj"
    oracle.load_state_dict(huggingface_state(block, names))
    ahead = torch.full((1, 1, 5, 5), -torch.inf, dtype=torch.float64).triu(1)

    def theirs(x, memory):
        out = oracle(x, attention_mask=ahead, encoder_hidden_states=memory)
        return out[0] if isinstance(out, tuple) else out

    compare(block, theirs, [randn(seed, 2, 5, 21), randn(seed + 1, 2, 8, 21)])


@pytest.mark.task("DecoderBlock")
def test_every_target_position_sees_the_whole_memory_and_no_later_target(impl, seed):
    block, x, memory = filled(impl.DecoderBlock(CONFIG), seed), randn(seed, 1, 4, 21), randn(seed + 1, 1, 6, 21)
    other = memory.clone()
    other[:, -1] += randn(seed + 2, 21)
    assert ((block(x, other) - block(x, memory)).abs().amax(-1) > 1e-9).all()
    later = x.clone()
    later[:, -1] += randn(seed + 3, 21)
    torch.testing.assert_close(block(later, memory)[:, :-1], block(x, memory)[:, :-1], rtol=0, atol=1e-13)


@pytest.mark.task("EncoderBlock")
def test_dropout_of_the_encoder_block_acts_on_the_branches_in_training(impl):
    check_dropout(impl.EncoderBlock)


@pytest.mark.task("DecoderBlock")
def test_dropout_of_the_decoder_block_acts_on_the_branches_in_training(impl):
    check_dropout(impl.DecoderBlock, (2, 7, 21))


@pytest.mark.task("EncoderBlock")
def test_parameters_of_the_encoder_block_by_formula(impl):
    C, E = 21, 3
    assert sum(p.numel() for p in impl.EncoderBlock(CONFIG).parameters()) == (4 + 2 * E) * C * C + (9 + E) * C


@pytest.mark.task("DecoderBlock")
def test_parameters_of_the_decoder_block_by_formula(impl):
    C, E = 21, 3
    assert sum(p.numel() for p in impl.DecoderBlock(CONFIG).parameters()) == (8 + 2 * E) * C * C + (15 + E) * C
