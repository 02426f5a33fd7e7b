"""The real model as a `transformers` Llama, read from its GGUF file: `gguf` dequantizes, and this names the weights.

llama.cpp stores the rows of q and k in another order, because it rotates neighbouring pairs where `transformers`
rotates halves. `_halves` puts them back.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..gated import swiglu, swiglu_backward
from ..rms_norm import rms_norm, rms_norm_backward

NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


def load(path: Path, layers: int | None = None):
    """(model, tokenizer), fp32, in evaluation mode. `layers` keeps the first ones only, for a quick look."""
    import gguf
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    reader = gguf.GGUFReader(path)
    value = {name.removeprefix("llama."): field.contents() for name, field in reader.fields.items()}
    config = LlamaConfig(
        vocab_size=value["vocab_size"],
        hidden_size=value["embedding_length"],
        intermediate_size=value["feed_forward_length"],
        num_hidden_layers=layers or value["block_count"],
        num_attention_heads=value["attention.head_count"],
        num_key_value_heads=value["attention.head_count_kv"],
        max_position_embeddings=value["context_length"],
        rms_norm_eps=value["attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": value["rope.freq_base"]},
        tie_word_embeddings=True,
        pad_token_id=None,
    )
    model = LlamaForCausalLM(config)
    state = {}
    for tensor in reader.tensors:
        name = _name(tensor.name, config.num_hidden_layers)
        if name:
            weight = torch.from_numpy(np.array(gguf.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32))
            heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
            state[name] = _halves(weight, heads[name.split(".")[-2]]) if name.split(".")[-2] in heads else weight
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)
    tokenizer = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
    return model.eval(), tokenizer


def _name(name: str, layers: int) -> str | None:
    """The name that transformers gives a tensor of the file, None for one that is not needed."""
    whole = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
    if name in whole:
        return whole[name]
    _, layer, part, _ = name.split(".")
    return f"model.layers.{layer}.{NAMES[part]}.weight" if int(layer) < layers else None


def _halves(weight: Tensor, heads: int) -> Tensor:
    """From neighbouring pairs to halves: rows (head, pair, 2) become (head, 2, pair)."""
    return weight.unflatten(0, (heads, -1, 2)).transpose(1, 2).reshape(weight.shape)


# -- our layers in place of the model's --------------------------------------------------------------------------------


class _ByHand(torch.autograd.Function):
    """A forward pass with its backward pass by hand: autograd differentiates neither."""

    @staticmethod
    def forward(ctx, forward: Callable, backward: Callable, *inputs: Tensor) -> Tensor:
        ctx.save_for_backward(*inputs)
        ctx.by_hand = backward
        return forward(*inputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy: Tensor) -> tuple:
        return (None, None, *ctx.by_hand(dy, *ctx.saved_tensors))


class OurNorm(nn.Module):
    """RMSNorm by hand, with the original's own weight."""

    def __init__(self, norm: nn.Module):
        super().__init__()
        self.weight, self.eps = norm.weight, norm.variance_epsilon

    def forward(self, x: Tensor) -> Tensor:
        return _ByHand.apply(self.value, self.gradients, x, self.weight)

    def value(self, x: Tensor, weight: Tensor) -> Tensor:
        return rms_norm(x, weight, self.eps)

    def gradients(self, dy: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        return rms_norm_backward(dy, x, weight, self.eps)


class OurMLP(nn.Module):
    """SwiGLU by hand, with the original's own weights."""

    def __init__(self, mlp: nn.Module):
        super().__init__()
        self.gate_proj, self.up_proj, self.down_proj = mlp.gate_proj, mlp.up_proj, mlp.down_proj

    def forward(self, x: Tensor) -> Tensor:
        weights = (self.gate_proj.weight, self.up_proj.weight, self.down_proj.weight)
        return _ByHand.apply(swiglu, swiglu_backward, x, *weights)


class Replaced(nn.Module):
    """A module that computes something else with the original's weights: a wrong norm, a wrong gate."""

    def __init__(self, original: nn.Module, function: Callable[[nn.Module, Tensor], Tensor]):
        super().__init__()
        self.original, self.function = original, function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.original, x)


def replace(model: nn.Module, norm: Callable | None = None, mlp: Callable | None = None) -> Callable[[], None]:
    """Exchange every norm and every feed-forward layer; returns the function that puts the originals back."""
    kept = []
    owners = [(layer, n) for layer in model.model.layers for n in ("input_layernorm", "post_attention_layernorm")]
    for owner, name in [*owners, (model.model, "norm")] if norm else []:
        kept.append((owner, name, getattr(owner, name)))
        setattr(owner, name, norm(getattr(owner, name)))
    for layer in model.model.layers if mlp else []:
        kept.append((layer, "mlp", layer.mlp))
        layer.mlp = mlp(layer.mlp)

    def put_back() -> None:
        for owner, name, original in kept:
            setattr(owner, name, original)

    return put_back
