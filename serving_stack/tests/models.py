"""Small models for tests: ours, and transformers' with the same weights."""

import torch

from serving_stack import ModelConfig
from serving_stack.engine import GPT2, Llama
from serving_stack.engine.weights import random_weights

LLAMA = ModelConfig(101, 64, 2, 4, 2, 96, 128)
SIZES = {"n_layer": 2, "n_embd": 64, "n_head": 4, "vocab_size": 101, "n_positions": 128}
RENAMED = {"wte": "model.embed_tokens", "blocks": "model.layers", "attn_norm": "input_layernorm",
           "mlp_norm": "post_attention_layernorm", **{f"{n}_proj": f"self_attn.{n}_proj" for n in "qkvo"},
           **{f"{n}_proj": f"mlp.{n}_proj" for n in ("gate", "up", "down")}}  # fmt: skip


def halves(weight, heads):
    """Rows in the order of transformers: channels that turn together stand half a head apart there."""
    return weight.view(heads, -1, 2, weight.shape[-1]).transpose(1, 2).reshape(weight.shape)


def their_llama(weights, config=LLAMA):
    """transformers' Llama with our weights."""
    import transformers  # here: it takes seconds, and most tests need none

    made = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=config.vocab_size, hidden_size=config.d_model, intermediate_size=config.ffn,
        num_hidden_layers=config.layers, num_attention_heads=config.heads, num_key_value_heads=config.kv_heads,
        rms_norm_eps=config.norm_eps, rope_theta=config.rope_base, max_position_embeddings=config.max_model_len,
        tie_word_embeddings=True, bos_token_id=None, eos_token_id=None,
    )).eval()  # fmt: skip
    state = {}
    for name, weight in weights.items():
        if "q_proj" in name or "k_proj" in name:
            weight = halves(weight, config.heads if "q_proj" in name else config.kv_heads)
        parts = [RENAMED.get(part, part) for part in name.split(".")]
        state["model.norm.weight" if name == "norm.weight" else ".".join(parts)] = weight
    state["lm_head.weight"] = weights["wte.weight"]
    made.load_state_dict(state)
    return made


def their_gpt2(seed=0):
    import transformers

    torch.manual_seed(seed)
    made = transformers.GPT2LMHeadModel(transformers.GPT2Config(**SIZES, bos_token_id=None, eos_token_id=None)).eval()
    for p in made.parameters():
        if p.ndim == 2:
            p.data.mul_(3)
    return made


def pair(kind, layout):
    """(theirs, ours) with the same weights."""
    if kind == "llama":
        weights = random_weights(LLAMA)
        return their_llama(weights), Llama(LLAMA, weights, layout)
    theirs = their_gpt2()
    weights = {name: w.detach() for name, w in theirs.state_dict().items() if name != "lm_head.weight"}
    return theirs, GPT2(ModelConfig(101, 64, 2, 4, 4, 256, 128), weights, layout)


def greedy(theirs, prompt, count):
    """What transformers generates alone."""
    ids = torch.tensor([prompt])
    out = theirs.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, min_new_tokens=count,
                          do_sample=False, pad_token_id=0)  # fmt: skip
    return out[0, len(prompt) :].tolist()
