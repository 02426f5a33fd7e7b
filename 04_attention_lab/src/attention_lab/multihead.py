"""Multi-head attention: several small attentions side by side, each with its own question.

Dimensions:
    B         sequences in a batch
    T         positions; Tq of those that ask, Tk of those that are asked
    d_model   width of the model
    H         heads
    D         width of a head, d_model / H
"""

from jaxtyping import Float
from torch import Tensor, nn

from .attention import scaled_dot_product_attention


def split_heads(x: Float[Tensor, "B T d_model"], heads: int) -> Float[Tensor, "B H T D"]:
    """The first D channels of every position go to head 0, the next D to head 1, and so on.

    Raises:
        ValueError: d_model is not a multiple of `heads`.
    """
    B, T, d_model = x.shape
    if d_model % heads:
        raise ValueError(f"heads={heads}: must divide d_model={d_model}")
    return x.view(B, T, heads, -1).transpose(1, 2)  # B T H D -> B H T D


def merge_heads(x: Float[Tensor, "B H T D"]) -> Float[Tensor, "B T d_model"]:
    """The inverse of `split_heads`: the heads of a position stand side by side again."""
    return x.transpose(1, 2).flatten(2)  # B T H D -> B T d_model


class Projections(nn.Module):
    """The four learned matrices of a layer. Without `bias` they are matrices and nothing else."""

    def __init__(self, d_model: int, bias: bool = True):
        super().__init__()
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)  # what do I look for?
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)  # what can I be found by?
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)  # what do I give to those who find me?
        self.o_proj = nn.Linear(d_model, d_model, bias=bias)  # what do the heads say together?


def multi_head_attention(
    projections: Projections,
    x: Float[Tensor, "B Tq d_model"],
    context: Float[Tensor, "B Tk d_model"],
    heads: int,
    attention_mask: Tensor | None = None,
) -> tuple[Float[Tensor, "B Tq d_model"], Float[Tensor, "B H Tq Tk"]]:
    """Project, split, attend, merge, project (Vaswani et al. 2017, section 3.2.2). Returns output and weights.

    Queries are made of `x`, keys and values of `context`. Self-attention is `context = x`; cross-attention is two
    different sequences. `attention_mask` is broadcast to (B, H, Tq, Tk).
    """
    q = split_heads(projections.q_proj(x), heads)  # B H Tq D
    k = split_heads(projections.k_proj(context), heads)  # B H Tk D
    v = split_heads(projections.v_proj(context), heads)  # B H Tk D
    attn_out, weights = scaled_dot_product_attention(q, k, v, attention_mask)
    return projections.o_proj(merge_heads(attn_out)), weights


class MultiHeadAttention(Projections):
    """The same as a layer: (B, T, d_model) in and out."""

    def __init__(self, d_model: int, heads: int, bias: bool = True):
        """Raises ValueError if `heads` does not divide `d_model`."""
        if d_model % heads:
            raise ValueError(f"heads={heads}: must divide d_model={d_model}")
        super().__init__(d_model, bias)
        self.heads = heads

    def forward(self, x: Tensor, context: Tensor | None = None, attention_mask: Tensor | None = None) -> Tensor:
        """Self-attention, or cross-attention with a `context`."""
        context = x if context is None else context
        return multi_head_attention(self, x, context, self.heads, attention_mask)[0]

    @classmethod
    def from_torch(cls, layer: nn.MultiheadAttention) -> "MultiHeadAttention":
        """A copy of PyTorch's layer, which keeps q, k and v in one matrix of 3 d_model rows.

        Raises:
            ValueError: its keys or values have a width of their own.
        """
        if layer.in_proj_weight is None:
            raise ValueError(f"kdim={layer.kdim}, vdim={layer.vdim}: must be embed_dim={layer.embed_dim}")
        bias = layer.in_proj_bias is not None
        ours = cls(layer.embed_dim, layer.num_heads, bias).to(layer.in_proj_weight)
        three = [ours.q_proj, ours.k_proj, ours.v_proj]
        for linear, weight in zip(three, layer.in_proj_weight.detach().chunk(3), strict=True):
            linear.weight.data.copy_(weight)
        ours.o_proj.weight.data.copy_(layer.out_proj.weight.detach())
        if bias:
            for linear, values in zip(three, layer.in_proj_bias.detach().chunk(3), strict=True):
                linear.bias.data.copy_(values)
            ours.o_proj.bias.data.copy_(layer.out_proj.bias.detach())
        return ours
