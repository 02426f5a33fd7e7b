"""The block in its fast form: one matrix for queries, keys and values, and a fused attention.

One product with a matrix of 3C columns replaces three, and `scaled_dot_product_attention` never stores the T x T
scores. The weights are those of `Block`, and a test holds both to the same values and gradients.

Dimensions:
    B   sequences in a batch
    T   positions
    C   width of the stream
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .block import Block
from .encoder_decoder import EncoderBlock


class FastBlock(nn.Module):
    """A block with the weights of `block`, for a norm of either place. `causal=False` makes it an encoder's."""

    def __init__(self, block: Block | EncoderBlock, causal: bool = True):
        super().__init__()
        attention = block.attn
        self.norm_first, self.causal, self.heads = block.norm_first, causal, attention.heads
        self.activation = block.mlp.activation
        parts = (attention.q_proj, attention.k_proj, attention.v_proj)
        self.qkv_weight = nn.Parameter(torch.cat([p.weight for p in parts]).detach())
        self.qkv_bias = nn.Parameter(torch.cat([p.bias for p in parts]).detach())
        self.ln_1, self.ln_2, self.o_proj = block.ln_1, block.ln_2, attention.o_proj
        self.fc_in, self.fc_out, self.dropout = block.mlp.fc_in, block.mlp.fc_out, block.dropout

    def attend(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        qkv = F.linear(x, self.qkv_weight, self.qkv_bias)  # B T 3C
        q, k, v = qkv.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # each B H T D
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.o_proj(mixed.transpose(1, 2).flatten(2))

    def feed_forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        return self.fc_out(self.activation(self.fc_in(x)))

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        if self.norm_first:
            x = x + self.dropout(self.attend(self.ln_1(x)))
            return x + self.dropout(self.feed_forward(self.ln_2(x)))
        x = self.ln_1(x + self.dropout(self.attend(x)))
        return self.ln_2(x + self.dropout(self.feed_forward(x)))
