"""SmolLM2's GGUF file into the model. The library `gguf` reads and dequantizes it.

GGUF stores the rows of q_proj and k_proj so that the two channels of a rotated pair are neighbours.
"""

from pathlib import Path

import torch

from .model import Llama, LlamaConfig
from .tokens import Tokens

PARTS = {
    "attn_q": "q_proj", "attn_k": "k_proj", "attn_v": "v_proj", "attn_output": "o_proj", "ffn_gate": "gate_proj",
    "ffn_up": "up_proj", "ffn_down": "down_proj",
}  # fmt: skip
WHOLE = {"token_embd.weight": "wte.weight", "output_norm.weight": "norm"}


def state_name(name: str) -> str:
    """blk.3.attn_q.weight -> blocks.3.q_proj.weight; norms have no ".weight" here."""
    if name in WHOLE:
        return WHOLE[name]
    _, layer, part, _ = name.split(".")
    return f"blocks.{layer}.{PARTS[part]}.weight" if part in PARTS else f"blocks.{layer}.{part}"


def load_chat_model(path: Path | str, seed: int = 0) -> tuple[Llama, Tokens]:
    """The model in float32, frozen but for its adapters, and its tokens.

    Raises:
        ValueError: the file is no GGUF file, or holds another architecture.
    """
    from gguf import GGUFReader
    from gguf.quants import dequantize

    with open(path, "rb") as file:
        if (magic := file.read(4)) != b"GGUF":
            raise ValueError(f"{path}: begins with {magic!r}, not with b'GGUF'; get it again")
    reader = GGUFReader(str(path))
    fields = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("tokenizer")}
    if (kind := fields["general.architecture"]) != "llama":
        raise ValueError(f"{path}: general.architecture={kind!r}; this loader reads 'llama'")
    state = {
        state_name(tensor.name): torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()).float()
        for tensor in reader.tensors
    }
    vocabulary, merges = (reader.fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges"))
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        d_model=int(fields["llama.embedding_length"]),
        layers=int(fields["llama.block_count"]),
        heads=int(fields["llama.attention.head_count"]),
        kv_heads=int(fields["llama.attention.head_count_kv"]),
        ffn=int(fields["llama.feed_forward_length"]),
        rope_base=float(fields["llama.rope.freq_base"]),
        norm_eps=float(fields["llama.attention.layer_norm_rms_epsilon"]),
    )
    model = Llama(config)
    missing, unexpected = model.load_state_dict(state, strict=False)
    if unexpected or any("lora" not in name for name in missing):
        raise ValueError(f"{path}: missing={missing}, unexpected={unexpected}: another model than SmolLM2")
    model.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if name.endswith("lora_a"):
            parameter.data.normal_(std=0.02, generator=generator)
        parameter.requires_grad_("lora" in name)
    return model, Tokens(vocabulary, merges)
