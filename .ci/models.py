"""Fetch the real model once for all projects: what `nox -s models` does."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent.parent / ".template"))

from lab import fetch  # noqa: E402


def show(text: str, seen: list[str] = []) -> None:  # noqa: B006
    """The same line anew on a terminal, each line once elsewhere."""
    if sys.stdout.isatty():
        print(f"\r{text:60}", end="", flush=True)
    elif text not in seen:
        seen.append(text)
        print(text, flush=True)


if __name__ == "__main__":
    try:
        path = fetch.model("smollm2", log=show)
    except (OSError, ValueError) as error:
        sys.exit(f"stopped: {error}")
    show(f"SmolLM2 is here: {path}")
    if sys.stdout.isatty():
        print()
