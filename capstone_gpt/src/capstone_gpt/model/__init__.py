"""The models. Read in this order:

attention.py      softmax over what may be seen, plain and fast
gpt.py            GPT-2's shape
gpt2_weights.py   Hugging Face's names and layout, there and back
rotary.py         positions as angles
kv_cache.py       what is kept between two tokens
modern.py         one switch for each thing that changed since GPT-2
sample.py         tokens from logits, and the gallery
"""

from .attention import CausalSelfAttention, attend, attend_fast, causal_mask
from .gpt import GPT, GPTConfig
from .gpt2_weights import load_gpt2, to_hugging_face
from .kv_cache import KVCache
from .modern import ModernConfig, ModernGPT, modernisations
from .sample import gallery, generate

__all__ = ["GPT", "CausalSelfAttention", "GPTConfig", "KVCache", "ModernConfig", "ModernGPT", "attend", "attend_fast"]
__all__ += ["causal_mask", "gallery", "generate", "load_gpt2", "modernisations", "to_hugging_face"]
