"""A page that shows the tokens of a text: coloured, with their bytes and the two tokens each was merged from.

The page is one HTML file without any address in it. It opens from the disk, in light and dark. The samples are drawn
here. A script in the page encodes what is typed into it, with the same merges, at any vocabulary size.
"""

import html
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from ..pretokenize import GPT2
from ..tokenizer import Tokenizer
from ..vocabulary import Vocabulary
from .record import write_text

VISIBLE = {" ": "·", "\n": "↵", "\t": "→", "\r": "␍"}
TINTS = 5


def visible(token: bytes) -> str:
    """A token as a reader sees it: white space as a sign, bytes that are not UTF-8 alone in hexadecimal."""
    try:
        text = token.decode()
    except UnicodeDecodeError:
        return " ".join(f"{b:02x}" for b in token)
    return "".join(VISIBLE.get(c, c if c.isprintable() else f"U+{ord(c):04X}") for c in text)


def describe(vocabulary: Vocabulary, i: int) -> str:
    """One line about a token: its id, its bytes, the two tokens it was merged from."""
    token = vocabulary.token_bytes[i]
    line = f"id {i}  {visible(token)}  {token.hex(' ')}"
    if i in vocabulary.parents:
        a, b = vocabulary.parents[i]
        line += f"  = {a} {visible(vocabulary.tokens[a])} + {b} {visible(vocabulary.tokens[b])}"
    return line


def spans(tokenizer: Tokenizer, text: str) -> str:
    """The tokens of `text` as HTML spans, neighbours in different tints."""
    out = []
    for n, i in enumerate(tokenizer.encode_ordinary(text)):
        token = tokenizer.vocabulary.token_bytes[i]
        part = " part" if not is_text(token) else ""
        title = html.escape(describe(tokenizer.vocabulary, i))
        seen = html.escape(visible(token)) + "</span>" + "<br>" * token.count(b"\n")
        out.append(f'<span class="t t{n % TINTS}{part}" data-id="{i}" title="{title}">{seen}')
    return "".join(out)


def is_text(token: bytes) -> bool:
    """Whether a token's bytes are whole characters."""
    try:
        token.decode()
    except UnicodeDecodeError:
        return False
    return True


def sample(name: str, text: str, tokenizers: Mapping[str, Tokenizer]) -> str:
    """One text under each tokenizer, as a section."""
    rows = []
    for label, tokenizer in tokenizers.items():
        count, size = len(tokenizer.encode_ordinary(text)), len(text.encode())
        rows.append(
            f'<div class="row"><div class="label">{html.escape(label)}<br><b>{count}</b> tokens<br>'
            f'{size / count:.2f} bytes each</div><div class="tokens">{spans(tokenizer, text)}</div></div>'
        )
    return f"<section><h2>{html.escape(name)}</h2><blockquote>{html.escape(text)}</blockquote>{''.join(rows)}</section>"


def page(samples: Mapping[str, str], tokenizers: Mapping[str, Tokenizer], live: Vocabulary, title: str) -> str:
    """The whole page. `live` is the vocabulary that the page's own encoder uses.

    Raises:
        ValueError: a live vocabulary whose split is not GPT-2's, the only one that the page's script knows.
    """
    if live.pattern != GPT2:
        raise ValueError(f"live.pattern={live.pattern!r}: the page's script knows GPT2 only; train with pattern=GPT2")
    data = json.dumps(
        {"order": list(live.alphabet), "merges": [list(pair) for pair in live.merges], "samples": dict(samples)},
        ensure_ascii=True,
    ).replace("</", "<\\/")
    template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    body = "\n".join(sample(name, text, tokenizers) for name, text in samples.items())
    for place, value in (("TITLE", html.escape(title)), ("SAMPLES", body), ("DATA", data)):
        template = template.replace(f"<!--{place}-->", value)
    return template


def write_page(
    path: Path, samples: Mapping[str, str], tokenizers: Mapping[str, Tokenizer], live: Vocabulary, title: str
) -> Path:
    """Write the page, whole or not at all."""
    return write_text(path, page(samples, tokenizers, live, title))


def cells(tokenizer: Tokenizer, text: str) -> Sequence[tuple[str, int]]:
    """(what a reader sees, id) of each token of `text`, for a figure."""
    return [(visible(tokenizer.vocabulary.token_bytes[i]), i) for i in tokenizer.encode_ordinary(text)]
