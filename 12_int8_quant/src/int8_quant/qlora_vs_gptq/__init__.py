"""Two ways to a model in four bits, and what each is for.

Read in this order:
    lora.py     NF4 and adapters: to train on
    packed.py   GPTQ's codes: to serve
    memory.py   bytes of training
"""

from .lora import LoRALinear, NF4Linear, lora_parameters, to_nf4, to_qlora
from .memory import TrainingBytes, training_bytes
from .packed import GPTQLinear, pack_nibbles, unpack_nibbles

__all__ = ["GPTQLinear", "LoRALinear", "NF4Linear", "TrainingBytes", "lora_parameters", "pack_nibbles", "to_nf4"]
__all__ += ["to_qlora", "training_bytes", "unpack_nibbles"]
