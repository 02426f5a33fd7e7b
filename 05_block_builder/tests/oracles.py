"""Weights copied from the blocks here into those of PyTorch and transformers, and gradients compared."""

import warnings

import torch
from block_builder import Config
from mistakes import filled, randn
from torch import nn

SIZES = {"vocab_size": 7, "context_length": 13, "layers": 2, "heads": 3, "width": 21}


def pytorch_attention(ours, theirs):
    theirs.in_proj_weight.data.copy_(torch.cat([p.weight for p in (ours.q_proj, ours.k_proj, ours.v_proj)]))
    theirs.in_proj_bias.data.copy_(torch.cat([p.bias for p in (ours.q_proj, ours.k_proj, ours.v_proj)]))
    theirs.out_proj.load_state_dict(ours.o_proj.state_dict())


def options(config):
    return {"dim_feedforward": config.expansion * config.width, "dropout": 0.0, "activation": config.activation,
            "batch_first": True, "norm_first": config.norm_first, "dtype": torch.float64}  # fmt: skip


def pytorch_encoder_layer(ours, config):
    theirs = nn.TransformerEncoderLayer(config.width, config.heads, **options(config))
    pytorch_attention(ours.attn, theirs.self_attn)
    pairs = {"linear1": ours.mlp.fc_in, "linear2": ours.mlp.fc_out, "norm1": ours.ln_1, "norm2": ours.ln_2}
    for name, layer in pairs.items():
        getattr(theirs, name).load_state_dict(layer.state_dict())
    return theirs.train()  # the fast path of evaluation has other rounding


def pytorch_decoder_layer(ours, config):
    theirs = nn.TransformerDecoderLayer(config.width, config.heads, **options(config))
    pytorch_attention(ours.self_attn, theirs.self_attn)
    pytorch_attention(ours.cross_attn, theirs.multihead_attn)
    pairs = {"linear1": ours.mlp.fc_in, "linear2": ours.mlp.fc_out, "norm1": ours.ln_1, "norm2": ours.ln_2,
             "norm3": ours.ln_3}  # fmt: skip
    for name, layer in pairs.items():
        getattr(theirs, name).load_state_dict(layer.state_dict())
    return theirs.train()


def huggingface_state(ours, names):
    """The state of `ours` under the names of transformers: {their name: our name}."""
    state = ours.state_dict()
    return {
        f"{theirs}.{kind}": state[f"{mine}.{kind}"] for theirs, mine in names.items() for kind in ("weight", "bias")
    }


def gpt2_block_state(block):
    """GPT-2 stores matrices as (in, out), and q, k, v as one."""
    attention = block.attn
    joined = (attention.q_proj, attention.k_proj, attention.v_proj)
    return {
        "ln_1.weight": block.ln_1.weight, "ln_1.bias": block.ln_1.bias,
        "ln_2.weight": block.ln_2.weight, "ln_2.bias": block.ln_2.bias,
        "attn.c_attn.weight": torch.cat([p.weight for p in joined]).T,
        "attn.c_attn.bias": torch.cat([p.bias for p in joined]),
        "attn.c_proj.weight": attention.o_proj.weight.T, "attn.c_proj.bias": attention.o_proj.bias,
        "mlp.c_fc.weight": block.mlp.fc_in.weight.T, "mlp.c_fc.bias": block.mlp.fc_in.bias,
        "mlp.c_proj.weight": block.mlp.fc_out.weight.T, "mlp.c_proj.bias": block.mlp.fc_out.bias,
    }  # fmt: skip


def gpt2_config(config, **more):
    from transformers import GPT2Config

    return GPT2Config(vocab_size=config.vocab_size, n_positions=config.context_length, n_embd=config.width,
                      n_layer=config.layers, n_head=config.heads, n_inner=config.expansion * config.width,
                      activation_function="gelu", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
                      attn_implementation="eager", **more)  # fmt: skip


def compare(ours, theirs, inputs, atol=1e-12, where=None):
    """Both functions give the same values, and the same gradients of every input."""
    results = []
    for function in (ours, theirs):
        leaves = [x.clone().requires_grad_() for x in inputs]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries about their own masks
            out = function(*leaves)
        out = out[where] if where is not None else out
        weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
        results.append((out, *torch.autograd.grad((out * weight).sum(), leaves)))
    for got, want in zip(*results, strict=True):
        torch.testing.assert_close(got, want, rtol=0, atol=atol)


def check_lengths(make, norm_first, *more):
    """One module gives the same for each length as a new one; x may lie transposed in memory, and stays as it is."""
    config = Config(**SIZES, norm_first=norm_first)
    block, more = filled(make(config), 0), [randn(9, *shape) for shape in more]
    for T in (5, 3, 6):
        x = randn(T, T, 2, 21).transpose(0, 1)
        before = x.clone()
        with torch.no_grad():
            got, want = block(x, *more), filled(make(config), 0)(before.clone(), *more)
        torch.testing.assert_close(got, want, rtol=0, atol=1e-12)
        assert torch.equal(x, before), "x is changed in place where gradients are off"


def check_dropout(make, *more):
    """At dropout 1, training keeps the stream of Pre-LN and nothing else; evaluation drops nothing."""
    x = randn(1, 2, 5, 21)
    more = [randn(2 + i, *shape) for i, shape in enumerate(more)]
    block, whole = (filled(make(Config(**SIZES, dropout=p)), 0) for p in (1.0, 0.0))
    torch.testing.assert_close(block(x, *more), whole(x, *more), rtol=0, atol=0)
    torch.testing.assert_close(block.train()(x, *more), x, rtol=0, atol=0)
    post = filled(make(Config(**SIZES, dropout=1.0, norm_first=False)), 0).train()
    norms = [layer for name, layer in sorted(post.named_children()) if name.startswith("ln_")]
    normed = x
    for norm in norms:
        normed = norm(normed)
    torch.testing.assert_close(post(x, *more), normed, rtol=0, atol=1e-13)
