"""GPT-2's weights as Hugging Face stores them, into ours and back.

Two things differ. Their `Conv1D` holds a matrix as (in, out), `nn.Linear` as (out, in). And names.
"""

import re

from torch import Tensor

PARTS = {
    "attn.c_attn": "attn.qkv_proj",
    "attn.c_proj": "attn.o_proj",
    "mlp.c_fc": "mlp.c_fc",
    "mlp.c_proj": "mlp.c_proj",
    "ln_1": "ln_1",
    "ln_2": "ln_2",
}
CONV1D = ("c_attn.weight", "c_proj.weight", "c_fc.weight")


def load_gpt2(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A Hugging Face state dict of GPT-2, of any size, as a state dict of `GPT`.

    The names may begin with "transformer.". The causal masks that old files hold are left out. The head is the token
    embedding. Every tensor is contiguous.

    Raises:
        ValueError: a name that GPT-2 does not have.
    """
    ours = {}
    for name, tensor in state.items():
        name = name.removeprefix("transformer.")
        if name.endswith((".attn.bias", ".attn.masked_bias")):
            continue
        if name.endswith(CONV1D):
            tensor = tensor.T
        ours[our_name(name)] = tensor.contiguous()
    ours["lm_head.weight"] = ours["wte.weight"]
    return ours


def our_name(name: str) -> str:
    """h.3.attn.c_attn.weight -> blocks.3.attn.qkv_proj.weight"""
    if name in ("wte.weight", "wpe.weight", "ln_f.weight", "ln_f.bias", "lm_head.weight"):
        return name
    match = re.fullmatch(r"h\.(\d+)\.(.+)\.(weight|bias)", name)
    if match is None or match[2] not in PARTS:
        raise ValueError(f"name={name!r}: GPT-2 has no such parameter; is this another model's file?")
    return f"blocks.{match[1]}.{PARTS[match[2]]}.{match[3]}"


def to_hugging_face(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of `GPT` as one of `GPT2LMHeadModel`."""
    theirs_of = {ours: theirs for theirs, ours in PARTS.items()}
    theirs = {}
    for name, tensor in state.items():
        match = re.fullmatch(r"blocks\.(\d+)\.(.+)\.(weight|bias)", name)
        if match is None:
            theirs[name if name == "lm_head.weight" else f"transformer.{name}"] = tensor
            continue
        new = f"transformer.h.{match[1]}.{theirs_of[match[2]]}.{match[3]}"
        theirs[new] = tensor.T.contiguous() if new.endswith(CONV1D) else tensor
    return theirs
