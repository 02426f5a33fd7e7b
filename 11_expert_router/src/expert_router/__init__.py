"""Many experts, few used per token: capacity without compute, as long as the router neither starves nor floods them.

Read in this order:
    experts.py        E feed-forward layers in two tensors
    router.py         which experts a token goes to, and how much each counts
    balance.py        the losses and the bias that keep the load even
    dispatch.py       all experts on all tokens, a loop over experts, capacity and drops
    dispatch_fast.py  sorted by expert: the form that is used
    moe.py            the layer, and a decoder of dense and MoE blocks
    collapse.py       training, with the load recorded step by step

Side quests: upcycling/ (a dense model's layer copied into experts), expert_choice/ (experts choose tokens),
parallel/ (experts spread over processes).
"""

from .balance import expert_load, importance_loss, load_balancing_loss, load_loss, squared_cv, update_bias, z_loss
from .collapse import Balance, History, balance_loss, evaluate, mixtures, train, windows
from .dispatch import all_experts, drop_overflow, loop_over_experts
from .dispatch_fast import grouped_dispatch, grouped_mm_dispatch
from .experts import Experts, FeedForward, swiglu
from .moe import Config, Decoder, MoE, MoEConfig, Routing, init_weights
from .router import combine_weights, gate_noise, jitter, top_k_gate
from .upcycling import upcycle, upcycle_decoder

__all__ = ["Balance", "Config", "Decoder", "Experts", "FeedForward", "History", "MoE", "MoEConfig", "Routing"]
__all__ += ["all_experts", "balance_loss", "combine_weights", "drop_overflow", "evaluate", "expert_load", "gate_noise"]
__all__ += ["grouped_dispatch", "grouped_mm_dispatch", "importance_loss", "init_weights", "jitter"]
__all__ += ["load_balancing_loss", "load_loss", "loop_over_experts", "mixtures", "squared_cv", "swiglu", "top_k_gate"]
__all__ += ["train", "update_bias", "upcycle", "upcycle_decoder", "windows", "z_loss"]
