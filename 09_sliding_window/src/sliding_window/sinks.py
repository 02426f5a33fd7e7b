"""StreamingLLM: the first tokens stay in the cache for ever, and the rest rolls (Xiao et al. 2023).

Keys are stored before RoPE, because a sink's position in the cache is not its position in the text.

Dimensions:
    B   sequences        H   heads        D   width of a head
    S   sinks            W   window, beside the sinks
    Tq  queries          Tk  keys         new, n  tokens that are written
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .attention import rotate

Shown = tuple[Tensor, Tensor, Tensor]  # keys, values, text positions


def sink_slots(positions: Int[Tensor, "n"], sinks: int, window: int) -> Int[Tensor, "n"]:
    """The slot of each token in a cache of `sinks` + `window` slots.

    The first `sinks` tokens have the first slots to themselves. The next token has slot `sinks`, and from there on the
    tokens go round through the other `window` slots.
    """
    rolling = sinks + (positions - sinks) % window
    return torch.where(positions < sinks, positions, rolling)


class SinkCache:
    """Keys (not rotated) and values of all layers: the first S tokens of the text, and the last W.

    Slots that a single new token sees are returned as views: nothing is copied in the steady state.
    """

    def __init__(
        self, layers: int, batch_size: int, heads: int, head_dim: int, window: int, sinks: int = 0,
        reassign: bool = True, dtype: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        """`reassign`: rotate by positions in the cache (StreamingLLM), or by those of the text.

        Raises:
            ValueError: the window is smaller than one, or the number of sinks is negative.
        """
        if window < 1 or sinks < 0:
            raise ValueError(f"window={window}, sinks={sinks}: use a window of 1 or more, and 0 sinks or more")
        self.window, self.sinks, self.reassign = window, sinks, reassign
        shape = (batch_size, heads, sinks + window, head_dim)
        self.keys = [torch.zeros(shape, dtype=dtype) for _ in range(layers)]
        self.values = [torch.zeros(shape, dtype=dtype) for _ in range(layers)]
        self.reset()

    def reset(self) -> None:
        """Start a new text in the same memory."""
        self.written = [0] * len(self.keys)  # tokens, by layer
        self.text_positions = [torch.full((self.sinks + self.window,), -1) for _ in self.keys]

    @property
    def position(self) -> int:
        """Tokens that every layer has seen."""
        return min(self.written)

    @property
    def nbytes(self) -> int:
        """Bytes of keys and values: they do not depend on the length of the text."""
        return sum(x.numel() * x.element_size() for x in (*self.keys, *self.values))

    def update(self, layer: int, k: Float[Tensor, "B H new D"], v: Float[Tensor, "B H new D"]) -> Shown:
        """Write new tokens; returns keys, values and text positions of all that the new queries may see.

        The sinks come first.
        """
        start, new = self.written[layer], k.shape[2]
        if new == 1:
            return self.update_one(layer, k, v)
        held = min(start, self.sinks + self.window)
        positions = torch.arange(start, start + new)
        shown = (  # read before writing: the first new query sees tokens that the last one overwrites
            torch.cat((self.keys[layer][:, :, :held], k), dim=2),
            torch.cat((self.values[layer][:, :, :held], v), dim=2),
            torch.cat((self.text_positions[layer][:held], positions)),
        )
        last = start + new - self.window
        kept = (positions < self.sinks) | (positions >= last)
        slots = sink_slots(positions[kept], self.sinks, self.window)
        self.keys[layer][:, :, slots] = k.detach()[:, :, kept]
        self.values[layer][:, :, slots] = v.detach()[:, :, kept]
        self.text_positions[layer][slots] = positions[kept]
        self.written[layer] = start + new
        return shown

    def update_one(self, layer: int, k: Tensor, v: Tensor) -> Shown:
        """One new token: it overwrites the token that has just left its window, so it can be written first."""
        t = self.written[layer]
        slot = t if t < self.sinks else self.sinks + (t - self.sinks) % self.window
        self.keys[layer][:, :, slot] = k.detach()[:, :, 0]
        self.values[layer][:, :, slot] = v.detach()[:, :, 0]
        self.text_positions[layer][slot] = t
        self.written[layer] = t + 1
        held = min(t + 1, self.sinks + self.window)
        return self.keys[layer][:, :, :held], self.values[layer][:, :, :held], self.text_positions[layer][:held]


def sink_attention(
    q: Float[Tensor, "B H Tq D"], k: Float[Tensor, "B H Tk D"], v: Float[Tensor, "B H Tk D"],
    text_positions: Int[Tensor, "Tk"], window: int, sinks: int = 0, reassign: bool = True, base: float = 10_000.0,
) -> tuple[Float[Tensor, "B H Tq D"], Float[Tensor, "B H Tq Tk"]]:  # fmt: skip
    """Attention of a chunk of queries, the newest tokens; returns outputs and weights. Nothing is rotated yet.

    RoPE sees distances only. Between two tokens of the window, the distance in the cache is the distance in the text.
    Only a sink stands elsewhere: the query at text position t has position min(t, S + W - 1) in the cache.
    """
    at = text_positions[-q.shape[2] :]
    scores = rotate(q, at, base) @ rotate(k, text_positions, base).transpose(-2, -1)  # B H Tq Tk
    if reassign and sinks:
        in_cache = at.clamp(max=sinks + window - 1)
        sink_keys = rotate(k[:, :, :sinks], text_positions[:sinks], base)
        scores[..., :sinks] = rotate(q, in_cache, base) @ sink_keys.transpose(-2, -1)  # the sinks come first
    behind = at[:, None] - text_positions  # Tq Tk
    shown = (behind >= 0) & ((behind < window) | (text_positions < sinks))
    weights = (scores / math.sqrt(q.shape[-1])).masked_fill(~shown, -math.inf).softmax(dim=-1)
    return weights @ v, weights
