"""Tokens into text that can be sent.

Three things are held back: bytes of a character that is not complete, text that could be the beginning of a stop
string, and everything from a stop string on. What has been sent cannot be taken back.
"""

import codecs
from collections.abc import Sequence


class StreamDetokenizer:
    """The text of one answer, piece by piece.

    `stopped` becomes True when a stop string is complete. The text is the same however it is cut into tokens.
    """

    def __init__(self, token_bytes: Sequence[bytes], stop: Sequence[str] = ()):
        self.token_bytes = token_bytes
        self.stop = stop
        self.stopped = False
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""

    def push(self, token: int) -> str:
        """The text that can be sent after this token, often "". Nothing is sent after a stop string.

        The stop string that is complete first ends the text; of two that end together, the longer one.
        """
        if self.stopped:
            return ""
        self._held += self._decoder.decode(self.token_bytes[token])
        return self._take(final=False)

    def finish(self) -> str:
        """What was held back, when no token will follow. Bytes of an incomplete character become U+FFFD."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(b"", final=True)
        return self._take(final=True)

    def _take(self, final: bool) -> str:
        """The part of the held text that can go, which stays held no longer."""
        ends = [(self._held.find(s) + len(s), -len(s)) for s in self.stop if s in self._held]
        if ends:
            end, minus_length = min(ends)
            self.stopped = True
            return self._held[: end + minus_length]
        keep = 0 if final else max((begun(self._held, s) for s in self.stop), default=0)
        sent, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return sent


def begun(text: str, stop: str) -> int:
    """How many characters at the end of the text are the beginning of the stop string."""
    return max(n for n in range(len(stop)) if text.endswith(stop[:n]))
