"""A vocabulary: the tokens in the order of their ids, and the pair of tokens that each one is merged from.

The list of tokens is enough. What happens inside the bytes of a token depends on these bytes alone, so each token has
exactly one derivation: merge its bytes by rank until two tokens are left. `Vocabulary` does this once for every token.

A few published vocabularies hold tokens that merging does not reach, Llama 3's for one. They are used only where a
pre-token equals one of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from .checks import byte_to_id, compile_pattern
from .encode import merge_by_rank
from .pretokenize import GPT2
from .train_fast import BYTE_ORDER


@dataclass(frozen=True)
class Vocabulary:
    """Tokens in the order of their ids, the split pattern, and the special tokens.

    `tokens[i]` is the token with id i. It is b"" where a special token holds the id. `missing_bytes` names the bytes
    without a token of their own: text that holds one of them cannot be encoded.

    Raises:
        TypeError: a token is not bytes.
        ValueError: a byte is missing, a token is there twice, or two tokens share an id; `pattern` is not usable.
    """

    tokens: tuple[bytes, ...]
    pattern: str = GPT2
    special_tokens: Mapping[str, int] = field(default_factory=dict)
    missing_bytes: bytes = b""

    def __post_init__(self):
        compile_pattern(self.pattern)
        check_tokens(self.tokens)
        check_special_tokens(self.special_tokens, self.tokens)
        check_bytes(self.tokens, self.missing_bytes)

    @classmethod
    def from_merges(
        cls,
        merges: Sequence[tuple[int, int]],
        alphabet: bytes = BYTE_ORDER,
        pattern: str = GPT2,
        special_tokens: Mapping[str, int] | None = None,
    ) -> "Vocabulary":
        """The vocabulary that training gave. `alphabet` is the one that `train_fast` was called with."""
        return cls(tuple(tokens_of(merges, alphabet)), pattern, dict(special_tokens or {}))

    @classmethod
    def from_ranks(
        cls, ranks: Mapping[bytes, int], pattern: str = GPT2, special_tokens: Mapping[str, int] | None = None
    ) -> "Vocabulary":
        """The vocabulary of a rank file, {token: id}.

        Raises:
            ValueError: ids are negative, shared or missing; or as for `Vocabulary`.
        """
        tokens = [b""] * (max(ranks.values(), default=-1) + 1)
        for token, i in ranks.items():
            if i < 0 or tokens[i]:
                raise ValueError(f"ranks={{{token!r}: {i}}}: an id must be at least 0 and belong to one token; fix it")
            tokens[i] = token
        return cls(tuple(tokens), pattern, dict(special_tokens or {}))

    @cached_property
    def ranks(self) -> dict[bytes, int]:
        """{token: id} without the special tokens. tiktoken calls it `mergeable_ranks`."""
        return {token: i for i, token in enumerate(self.tokens) if token}

    @cached_property
    def token_bytes(self) -> dict[int, bytes]:
        """{id: bytes}, with the special tokens."""
        return {i: token for token, i in self.ranks.items()} | {i: n.encode() for n, i in self.special_tokens.items()}

    @cached_property
    def alphabet(self) -> bytes:
        """The bytes in the order of their ids."""
        return b"".join(token for token in self.tokens if len(token) == 1)

    @cached_property
    def parents(self) -> dict[int, tuple[int, int]]:
        """{id: the ids of the two tokens it is merged from}. Single bytes and tokens out of reach are left out."""
        parents = {}
        for token, i in self.ranks.items():
            parts = next((tokens for tokens in merge_by_rank(token, self.ranks) if len(tokens) == 2), [])
            if parts and all(part in self.ranks for part in parts):
                parents[i] = (self.ranks[parts[0]], self.ranks[parts[1]])
        return parents

    @cached_property
    def pair_ids(self) -> dict[str, int]:
        """{two ids as a str of two characters: the id they make}, for `encode_fast`."""
        return {chr(a) + chr(b): i for i, (a, b) in self.parents.items()}

    @property
    def unreachable(self) -> list[int]:
        """The ids of tokens that merging does not reach."""
        return [i for token, i in self.ranks.items() if len(token) > 1 and i not in self.parents]

    @cached_property
    def merges(self) -> list[tuple[int, int]]:
        """The merges as training gives them: merge k makes id 256 + k.

        Raises:
            ValueError: the vocabulary is not one: a token is out of reach, stands before its parts or has another id.
        """
        for i in range(256, len(self.tokens)):
            if max(self.parents.get(i, (i, i))) >= i:
                raise ValueError(
                    f"token={self.tokens[i]!r} with id {i}: it is no merge of two earlier tokens, so the vocabulary is "
                    f"no list of merges; use `parents`, or save it as a rank file"
                )
        return [self.parents[i] for i in range(256, len(self.tokens))]

    def truncate(self, size: int) -> "Vocabulary":
        """The first `size` tokens, without special tokens: what training gives when it stops there."""
        if not 256 <= size <= len(self.tokens):
            raise ValueError(f"size={size}: it must lie between 256 (the bytes) and {len(self.tokens)} (all tokens)")
        return Vocabulary(self.tokens[:size], self.pattern)


def tokens_of(merges: Sequence[tuple[int, int]], alphabet: bytes = BYTE_ORDER) -> list[bytes]:
    """The 256 bytes, then the bytes of the token that each merge makes.

    Raises:
        ValueError: a merge joins an id that does not exist before it, or `alphabet` is not the 256 bytes.
    """
    byte_to_id(alphabet)
    tokens = [bytes([b]) for b in alphabet]
    for k, (a, b) in enumerate(merges):
        if not (0 <= a < 256 + k and 0 <= b < 256 + k):
            raise ValueError(f"merges[{k}]={(a, b)}: only the ids 0..{255 + k} exist before it; is a merge missing?")
        tokens.append(tokens[a] + tokens[b])
    return tokens


def check_tokens(tokens: Sequence[bytes]) -> None:
    """Tokens are bytes, and each is there once."""
    first: dict[bytes, int] = {}
    for i, token in enumerate(tokens):
        if not isinstance(token, bytes):
            raise TypeError(f"tokens[{i}]={token!r:.40}: a token must be bytes, not {type(token).__name__}; encode it")
        if token and token in first:
            raise ValueError(f"tokens[{i}]={token!r}: it is there already, with id {first[token]}; remove one")
        first[token] = i


def check_special_tokens(special_tokens: Mapping[str, int], tokens: Sequence[bytes]) -> None:
    """Special tokens have ids that no ordinary token has, each its own. Every gap in `tokens` belongs to one."""
    owner: dict[int, str] = {}
    for name, i in special_tokens.items():
        if not isinstance(name, str) or type(i) is not int:
            raise TypeError(f"special_tokens={{{name!r}: {i!r}}}: give a str and an int")
        if not name:
            raise ValueError("special_tokens={'': ...}: an empty name matches everywhere; give it a name")
        if i < 0 or (i < len(tokens) and tokens[i]):
            raise ValueError(f"special_tokens={{{name!r}: {i}}}: an ordinary token has this id; take another")
        if i in owner:
            raise ValueError(f"special_tokens={{{name!r}: {i}}}: {owner[i]!r} has the same id; take another")
        owner[i] = name
    gaps = [i for i, token in enumerate(tokens) if not token and i not in owner]
    if gaps:
        raise ValueError(
            f"tokens[{gaps[0]}]: no token has this id; a line is missing, or give the special token that holds it"
        )


def check_bytes(tokens: Sequence[bytes], missing_bytes: bytes) -> None:
    """Every byte is a token or is named as missing, and its id fits into a byte."""
    ids = {token[0]: i for i, token in enumerate(tokens) if len(token) == 1}
    lacking = [b for b in range(256) if b not in ids and b not in missing_bytes]
    if lacking:
        raise ValueError(
            f"tokens: the byte {bytes(lacking[:1])!r} and {len(lacking) - 1} more are not there; all 256 bytes must be "
            f"tokens, or be named in missing_bytes"
        )
    high = [b for b, i in ids.items() if i > 255]
    if high:
        raise ValueError(f"tokens[{ids[high[0]]}]={bytes(high[:1])!r}: ids of single bytes must be below 256")
