"""All the parts, one model: a GPT trained on real text by a trainer that survives being killed.

Read in this order; each package's own docstring gives the order of its files:
    model/      attention, GPT-2's shape and weights, the modern decoder, samples
    data/       tokens, windows, a sampler that resumes, lazy loading
    optim/      parameter groups, AdamW, Muon, schedules
    training/   the step, precision, checkpoints, evaluation, the trainer, several processes
    ladder/     how one gets there: autograd, counts, MLP, BatchNorm, WaveNet, GPT
"""

from .data import ByteTokenizer, CharTokenizer, GPT2Tokenizer, Pairs, Sampler, TokenFile, windows
from .ladder import Value, backward, batchnorm_backward, kneser_ney
from .model import (
    GPT,
    CausalSelfAttention,
    GPTConfig,
    KVCache,
    ModernConfig,
    ModernGPT,
    gallery,
    generate,
    load_gpt2,
    to_hugging_face,
)
from .optim import AdamW, MuonAdamW, adamw, cosine_lr, muon, param_groups
from .training import Checkpoint, Config, Trainer, bits_per_byte, evaluate, from_toml, token_loss, train_step

__all__ = ["GPT", "AdamW", "ByteTokenizer", "CausalSelfAttention", "CharTokenizer", "Checkpoint", "Config"]
__all__ += ["GPT2Tokenizer", "GPTConfig", "KVCache", "ModernConfig", "ModernGPT", "MuonAdamW", "Pairs", "Sampler"]
__all__ += ["TokenFile", "Trainer", "Value", "adamw", "backward", "batchnorm_backward", "bits_per_byte", "cosine_lr"]
__all__ += ["evaluate", "from_toml", "gallery", "generate", "kneser_ney", "load_gpt2", "muon", "param_groups"]
__all__ += ["to_hugging_face", "token_loss", "train_step", "windows"]
