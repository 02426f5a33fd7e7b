"""A page that shows the tokens of a text: coloured, with their bytes and what each was merged from.

One HTML file without any address in it: it opens from the disk, in light and dark. The samples are drawn here; a small
script in the page encodes what is typed into it, with the same merges, at any vocabulary size up to the one it holds.
"""
import html
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from .files import write
from .pretokenize import GPT2
from .tokenizer import Tokenizer
from .vocabulary import Vocabulary

VISIBLE = {" ": "·", "\n": "↵", "\t": "→", "\r": "␍"}
TINTS = 5


def visible(token: bytes) -> str:
    """A token as it can be seen: white space by a sign, bytes that are no text of their own in hexadecimal."""
    try:
        text = token.decode()
    except UnicodeDecodeError:
        return " ".join(f"{b:02x}" for b in token)
    return "".join(VISIBLE.get(c, c if c.isprintable() else f"U+{ord(c):04X}") for c in text)


def describe(vocabulary: Vocabulary, i: int) -> str:
    """One line about a token: its id, its bytes, the two tokens it was merged from."""
    token = vocabulary.bytes_of[i]
    line = f"id {i}  {visible(token)}  {token.hex(' ')}"
    if 256 <= i < len(vocabulary.tokens):
        a, b = vocabulary.merges[i - 256]
        line += f"  = {a} {visible(vocabulary.tokens[a])} + {b} {visible(vocabulary.tokens[b])}"
    return line


def spans(tokenizer: Tokenizer, text: str) -> str:
    """The tokens of `text` as HTML spans, neighbours in different tints."""
    out = []
    for n, i in enumerate(tokenizer.encode_ordinary(text)):
        token = tokenizer.vocabulary.bytes_of[i]
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
        rows.append(f'<div class="row"><div class="label">{html.escape(label)}<br><b>{count}</b> tokens<br>'
                    f'{size / count:.2f} bytes each</div><div class="tokens">{spans(tokenizer, text)}</div></div>')
    return f"<section><h2>{html.escape(name)}</h2><blockquote>{html.escape(text)}</blockquote>{''.join(rows)}</section>"


def page(samples: Mapping[str, str], tokenizers: Mapping[str, Tokenizer], live: Vocabulary, title: str) -> str:
    """The whole page. `live` is the vocabulary that the page's own encoder uses.

    Raises:
        ValueError: a live vocabulary whose split is not GPT-2's, the only one that the page's script knows.
    """
    if live.pattern != GPT2:
        raise ValueError("live: the page's script splits as GPT-2 does, so its vocabulary must have been trained so")
    data = json.dumps({"order": list(live.alphabet), "merges": [list(pair) for pair in live.merges],
                       "samples": dict(samples)}, ensure_ascii=True).replace("</", "<\\/")
    template = files("byte_pair_smith").joinpath("page.html").read_text(encoding="utf-8")
    body = "\n".join(sample(name, text, tokenizers) for name, text in samples.items())
    for mark, value in (("TITLE", html.escape(title)), ("SAMPLES", body), ("DATA", data)):
        template = template.replace(f"<!--{mark}-->", value)
    return template


def write_page(path: Path, samples: Mapping[str, str], tokenizers: Mapping[str, Tokenizer], live: Vocabulary,
               title: str) -> Path:
    """Write the page, beside and renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, page(samples, tokenizers, live, title))
    return path


def cells(tokenizer: Tokenizer, text: str) -> Sequence[tuple[str, int]]:
    """(what is seen, id) of each token of `text`, for a figure."""
    return [(visible(tokenizer.vocabulary.bytes_of[i]), i) for i in tokenizer.encode_ordinary(text)]
