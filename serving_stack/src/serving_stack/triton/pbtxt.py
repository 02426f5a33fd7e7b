"""Text protobufs, the language of config.pbtxt, read by hand.

    name: "x"          a scalar field       input [ { … }, { … } ]     a repeated message
    direct { }         a message            dims: [ 1, -1 ]            a repeated scalar
    # a comment, to the end of the line

Every field becomes a list, because any field may come twice.
"""

import re
from collections.abc import Iterator

TOKEN = re.compile(r'\s+|#[^\n]*|"((?:[^"\\\n]|\\.)*)"|([\w.+-]+)|([{}\[\]:,;])')
Message = dict[str, list]


def parse_pbtxt(text: str) -> Message:
    """{field: [values]}. Values are texts, numbers, names of an enum, booleans, or messages.

    Raises:
        ValueError: the text is no text protobuf; the message names the line.
    """
    reader = Reader(list(_tokens(text)))
    message = reader.message(end="")
    return message


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """(kind, content, line): kind is "text", "word" or "sign"."""
    at, line = 0, 1
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise ValueError(f"line {line}: {text[at : at + 20]!r} begins no token")
        for kind, content in zip(("text", "word", "sign"), found.groups(), strict=True):
            if content is not None:
                yield kind, content, line
        line += found[0].count("\n")
        at = found.end()
    yield "sign", "", line


class Reader:
    """Reads tokens forward."""

    def __init__(self, tokens: list[tuple[str, str, int]]):
        self.tokens, self.at = tokens, 0

    def take(self, *signs: str) -> bool:
        """Step over one of these signs, if it stands here."""
        kind, content, _ = self.tokens[self.at]
        if kind != "sign" or content not in signs or not content:
            return False
        self.at += 1
        return True

    def message(self, end: str) -> Message:
        """Fields up to the sign `end` ("" is the end of the file)."""
        fields: Message = {}
        while self.tokens[self.at][:2] != ("sign", end):
            kind, name, line = self.tokens[self.at]
            if kind != "word":
                raise ValueError(f"line {line}: {name!r} where a field's name is expected")
            self.at += 1
            self.take(":")
            values = self.several() if self.take("[") else [self.value()]
            fields.setdefault(name, []).extend(values)
            self.take(",", ";")
        self.at += 1
        return fields

    def several(self) -> list:
        """Values up to the closing bracket."""
        values = []
        while not self.take("]"):
            values.append(self.value())
            if not self.take(",") and self.tokens[self.at][:2] != ("sign", "]"):
                raise ValueError(f"line {self.tokens[self.at][2]}: a list needs a comma or its closing bracket here")
        return values

    def value(self) -> str | int | float | bool | Message:
        """One value."""
        if self.take("{"):
            return self.message("}")
        kind, content, line = self.tokens[self.at]
        if kind == "sign":
            raise ValueError(f"line {line}: {content or 'the end'!r} where a value is expected")
        self.at += 1
        return content if kind == "text" else _scalar(content)


def _scalar(word: str) -> str | int | float | bool:
    """true, 3, 0.5, or the name of an enum."""
    if word in ("true", "false"):
        return word == "true"
    for number in (int, float):
        try:
            return number(word)
        except ValueError:
            continue
    return word
