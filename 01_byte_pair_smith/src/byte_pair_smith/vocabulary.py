"""A vocabulary: the tokens in the order of their ids, and the pair of earlier tokens each one is made of.

The order is everything. Token k was made by merging two tokens before it, so a list of tokens is a BPE vocabulary only
if each can be derived from those above it. `Vocabulary` replays that derivation for every token, once, when it is
built; a file with a line missing, doubled or out of place fails there, and not in a model's output months later.
"""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from .alphabet import BYTE_ORDER
from .encode import merge_short_word
from .pretokenize import GPT2, compiled
from .train import id_of_byte


@dataclass(frozen=True)
class Vocabulary:
    """Tokens in the order of their ids, the split pattern, and the special tokens with ids of their own.

    Raises:
        ValueError: the first 256 tokens are not the bytes; a token that is doubled or not made of two earlier ones; a
            special token whose id is taken; a pattern that is no pattern.
    """
    tokens: tuple[bytes, ...]
    pattern: str = GPT2
    special: Mapping[str, int] = field(default_factory=dict)
    pairs: dict[str, int] = field(init=False, repr=False, compare=False)
    made_of: list[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        compiled(self.pattern)
        check_special(self.special, len(self.tokens))
        pairs, made_of = derive(self.tokens)
        object.__setattr__(self, "pairs", pairs)
        object.__setattr__(self, "made_of", made_of)

    @classmethod
    def from_merges(cls, merges: Sequence[tuple[int, int]], alphabet: bytes = BYTE_ORDER, pattern: str = GPT2,
                    special: Mapping[str, int] | None = None) -> "Vocabulary":
        """The vocabulary that training gave; `alphabet` as it was given to `train_fast`."""
        return cls(tuple(tokens_of(merges, alphabet)), pattern, dict(special or {}))

    @classmethod
    def from_ranks(cls, ranks: Mapping[bytes, int], pattern: str = GPT2,
                   special: Mapping[str, int] | None = None) -> "Vocabulary":
        """The vocabulary of a rank file, {token: id}; its merges are recovered."""
        if sorted(ranks.values()) != list(range(len(ranks))):
            raise ValueError(f"ranks must be 0..{len(ranks) - 1}, each once: one is missing or doubled")
        return cls(tuple(sorted(ranks, key=ranks.__getitem__)), pattern, dict(special or {}))

    @property
    def alphabet(self) -> bytes:
        """The 256 bytes in the order of their ids."""
        return b"".join(self.tokens[:256])

    @cached_property
    def merges(self) -> list[tuple[int, int]]:
        """The pair of ids behind each token from 256 on."""
        return [(ord(pair[0]), ord(pair[1])) for pair in self.made_of[256:]]

    @cached_property
    def ranks(self) -> dict[bytes, int]:
        """{token: id}, special tokens left out: tiktoken's `mergeable_ranks`."""
        return {token: i for i, token in enumerate(self.tokens)}

    @cached_property
    def bytes_of(self) -> dict[int, bytes]:
        """{id: bytes}, special tokens included."""
        return dict(enumerate(self.tokens)) | {i: name.encode() for name, i in self.special.items()}

    def first(self, size: int) -> "Vocabulary":
        """The vocabulary of the first `size` tokens: what training would have given had it stopped there."""
        if not 256 <= size <= len(self.tokens):
            raise ValueError(f"size={size} must lie between 256, the bytes, and {len(self.tokens)}, all there is")
        return Vocabulary(self.tokens[:size], self.pattern)


def tokens_of(merges: Sequence[tuple[int, int]], alphabet: bytes = BYTE_ORDER) -> list[bytes]:
    """The bytes of every token that the merges make, after the 256 bytes themselves."""
    id_of_byte(alphabet)
    tokens = [bytes([b]) for b in alphabet]
    for k, (a, b) in enumerate(merges):
        if not (0 <= a < 256 + k and 0 <= b < 256 + k):
            raise ValueError(f"merge {k} joins ids {a} and {b}, but only 0..{255 + k} exist before it")
        tokens.append(tokens[a] + tokens[b])
    return tokens


def derive(tokens: Sequence[bytes]) -> tuple[dict[str, int], list[str]]:
    """The pair behind each token, found by encoding it with the tokens before it: two must be left."""
    if sorted(tokens[:256]) != [bytes([b]) for b in range(256)]:
        raise ValueError("the first 256 tokens must be the 256 bytes, each once: without them some text has no ids")
    table = id_of_byte(b"".join(tokens[:256]))
    pairs: dict[str, int] = {}
    made_of = [""] * 256
    for rank in range(256, len(tokens)):
        pair = merge_short_word(tokens[rank].translate(table).decode("latin-1"), pairs)
        if len(pair) != 2:
            reason = "is there twice" if len(pair) == 1 else f"is {len(pair)} of the tokens before it, not two"
            raise ValueError(f"token {tokens[rank]!r} at rank {rank} {reason}: ranks out of order, or lines missing")
        pairs[pair] = rank
        made_of.append(pair)
    return pairs, made_of


def check_special(special: Mapping[str, int], size: int) -> None:
    """Special tokens have ids after the ordinary ones, each its own."""
    if "" in special:
        raise ValueError("special token '' is empty: it would match everywhere")
    if low := {name: i for name, i in special.items() if i < size}:
        raise ValueError(f"special tokens {low!r} have ids below {size}, which ordinary tokens hold")
    if len(set(special.values())) < len(special):
        raise ValueError(f"special tokens {dict(special)!r} share an id")
