"""Progress: one line that changes on a terminal, a line every few seconds where output is kept."""

import time

from rich.console import Console

SECONDS_BETWEEN_LINES = 3.0


class Progress:
    """`with Progress() as log: log("step 20 of 400")`."""

    def __init__(self, console: Console | None = None):
        self.console = console or Console()
        self.start = time.monotonic()
        self.last = -SECONDS_BETWEEN_LINES
        self.status = self.console.status("starting") if self.console.is_terminal else None

    def __call__(self, line: str) -> None:
        elapsed = time.monotonic() - self.start
        text = f"{elapsed:4.0f} s  {line}"
        if self.status:
            self.status.update(text.replace("[", r"\["))
        elif elapsed - self.last >= SECONDS_BETWEEN_LINES:
            self.last = elapsed
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def __enter__(self) -> "Progress":
        if self.status:
            self.status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.status:
            self.status.stop()
