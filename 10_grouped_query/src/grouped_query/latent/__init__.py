"""Multi-head latent attention (DeepSeek-V2): all heads share one small latent.

Read in this order:
    latent.py      the latent and the rotated key that are cached; the expanded form
    absorbed.py    the form for decoding: the up-projection moves to the query's side
    model.py       the chapter's decoder with this attention
    low_rank.py    a trained model's keys and values cut to rank r
"""

from .absorbed import absorbed_attention
from .latent import compress_latent, expanded_attention, rms_norm
from .low_rank import SharedDown, joint_factors, low_rank
from .model import LatentAttention, LatentConfig

__all__ = ["LatentAttention", "LatentConfig", "SharedDown", "absorbed_attention", "compress_latent"]
__all__ += ["expanded_attention", "joint_factors", "low_rank", "rms_norm"]
