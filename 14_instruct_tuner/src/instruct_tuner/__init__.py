"""A base model continues; show it a thousand answers, score only the answers, and it replies.

Read in this order:
    template.py       conversations as text: ChatML, Alpaca, a tokenizer's own template
    labels.py         loss on the answers only
    packing.py        several conversations in a row, and none sees the other
    packing_fast.py   the same rows in a hundredth of the time
    model.py          a decoder whose mask and positions are arguments
    lora.py           a frozen matrix and a narrow path beside it
    nf4.py            four bits a weight
    qlora.py          LoRA on a base of four bits
    finetune.py       the loop
    evaluate.py       exact match, ROUGE-L, BLEU, chrF, gold loss, answers

Side quests: tools/ (calls, checked and run), curriculum/, variants/ (DoRA, rank-stabilised LoRA, prompt tuning),
format_following/, world/ (what the small model knows), smollm2/ (the real model's file).
"""

from .curriculum import curriculum_batches, difficulty
from .evaluate import bleu, chrf, exact_match, generate, gold_loss, rouge_l
from .finetune import Batch, Example, batch_loss, finetune, pack_batch, packed_batches, pad_batch, shuffled_batches
from .format_following import CONSTRAINTS, check_format, share_followed
from .labels import IGNORE, answer_labels, answer_loss
from .lora import LoRALinear, add_lora, lora_parameters, merge_lora, merge_model, trainable_parameters
from .model import Cache, Config, Decoder
from .nf4 import NF4, dequantize_nf4, double_quantize, pack_nibbles, quantize_nf4, unpack_nibbles
from .packing import lower_bound, pack_best_fit, packed_layout
from .packing_fast import pack_best_fit_fast
from .qlora import NF4Linear, model_bytes, optimizer_bytes, quantize_base
from .template import IM_END, IM_START, ROLES, SYSTEM, Message, format_alpaca, format_conversation, render_template
from .tools import TOOL_CLOSE, TOOL_OPEN, answer_with_tools, calculate, default_tools, parse_tool_call, run_tool_call
from .variants import DoRALinear, SoftPrompt, rank_stabilized_alpha

__all__ = ["CONSTRAINTS", "IGNORE", "IM_END", "IM_START", "NF4", "ROLES", "SYSTEM", "TOOL_CLOSE", "TOOL_OPEN"]
__all__ += ["Batch", "Cache", "Config", "Decoder", "DoRALinear", "Example", "LoRALinear", "Message", "NF4Linear"]
__all__ += ["SoftPrompt", "add_lora", "answer_labels", "answer_loss", "answer_with_tools", "batch_loss", "bleu"]
__all__ += ["calculate", "check_format", "chrf", "curriculum_batches", "default_tools", "dequantize_nf4", "difficulty"]
__all__ += ["double_quantize", "exact_match", "finetune", "format_alpaca", "format_conversation", "generate"]
__all__ += ["gold_loss", "lora_parameters", "lower_bound", "merge_lora", "merge_model", "model_bytes"]
__all__ += ["optimizer_bytes", "pack_batch", "pack_best_fit", "pack_best_fit_fast", "pack_nibbles", "packed_batches"]
__all__ += ["packed_layout", "pad_batch", "parse_tool_call", "quantize_base", "quantize_nf4", "rank_stabilized_alpha"]
__all__ += ["render_template", "rouge_l", "run_tool_call", "share_followed", "shuffled_batches", "trainable_parameters"]
__all__ += ["unpack_nibbles"]
