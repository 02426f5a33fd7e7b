"""An automaton over bytes, and the pieces of JSON as automata."""

DIGITS = frozenset(b"0123456789")
HEX = frozenset(b"0123456789abcdefABCDEF")
PLAIN = frozenset(range(0x20, 0x80)) - frozenset(b'"\\') - {0x7F}
HIGH = frozenset(range(0x80, 0xC0))  # second and later bytes of a character
MOST_STATES = 50_000


class SchemaError(ValueError):
    """A schema that this server does not keep."""


class Automaton:
    """A nondeterministic automaton over bytes: `steps[state]` lists (bytes, next), `free[state]` moves without one."""

    def __init__(self):
        self.steps: list[list[tuple[frozenset[int], int]]] = []
        self.free: list[list[int]] = []

    def state(self) -> int:
        if len(self.steps) > MOST_STATES:
            raise SchemaError("this schema is too large")
        self.steps.append([])
        self.free.append([])
        return len(self.steps) - 1

    def read(self, start: int, allowed: frozenset[int]) -> int:
        """From `start`, one byte of these; returns the state after it."""
        end = self.state()
        self.steps[start].append((allowed, end))
        return end

    def text(self, start: int, content: str) -> int:
        """From `start`, exactly this text."""
        for byte in content.encode():
            start = self.read(start, frozenset([byte]))
        return start

    def closure(self, states) -> frozenset[int]:
        """These states and all that are reached without a byte."""
        found, todo = set(states), list(states)
        while todo:
            new = [s for s in self.free[todo.pop()] if s not in found]
            found.update(new)
            todo += new
        return frozenset(found)

    def after(self, states: frozenset[int], byte: int) -> frozenset[int]:
        """The states after one byte, none where it is not allowed."""
        return self.closure({end for s in states for allowed, end in self.steps[s] if byte in allowed})

    def string(self, start: int) -> int:
        """From `start`, any JSON string: valid UTF-8, no control characters."""
        inside, end = self.state(), self.state()
        self.free[self.text(start, '"')].append(inside)
        self.steps[inside] += [(PLAIN, inside), (frozenset(b'"'), end)]
        escape = self.text(inside, "\\")
        self.steps[escape].append((frozenset(b'"\\/bfnrt'), inside))
        unicode = self.read(self.text(escape, "u"), HEX)
        self.steps[self.read(self.read(unicode, HEX), HEX)].append((HEX, inside))
        ranges = ((range(0xC2, 0xE0), [HIGH]), (range(0xE1, 0xED), [HIGH] * 2), (range(0xEE, 0xF0), [HIGH] * 2),
                  (range(0xF1, 0xF4), [HIGH] * 3), ([0xE0], [frozenset(range(0xA0, 0xC0)), HIGH]),
                  ([0xED], [frozenset(range(0x80, 0xA0)), HIGH]),
                  ([0xF0], [frozenset(range(0x90, 0xC0)), HIGH, HIGH]),
                  ([0xF4], [frozenset(range(0x80, 0x90)), HIGH, HIGH]))  # fmt: skip
        for first, rest in ranges:
            at = self.read(inside, frozenset(first))
            for allowed in rest:
                at = self.read(at, allowed)
            self.free[at].append(inside)
        return end

    def number(self, start: int, whole: bool) -> int:
        """From `start`, a JSON number of at most 15 digits before the point and 15 after it."""
        end, signed = self.state(), self.text(start, "-")
        self.free[start].append(signed)
        zero = self.text(signed, "0")
        self.free[zero].append(end)
        at = self.read(signed, DIGITS - {ord("0")})
        for _ in range(14):
            self.free[at].append(end)
            at = self.read(at, DIGITS)
        self.free[at].append(end)
        if whole:
            return end
        last, at = self.state(), self.text(end, ".")
        self.free[end].append(last)
        for _ in range(15):
            at = self.read(at, DIGITS)
            self.free[at].append(last)
        return last
