"""A text coloured by how surprising each token was, beside how open the choice was: for a page, and for a terminal.

Dimensions:
    T   tokens of the text
"""

import html
from collections.abc import Sequence

from .entropy import by_token
from .sample import LanguageModel

MOST_BITS = 12.0  # colours end here: one in 4,096
STYLE = """<style>
.strip { line-height: 2.1; font: 15px/2.1 ui-monospace, monospace; overflow-wrap: anywhere; color: #1b1b1b; }
.strip span { border-radius: 3px; padding: 1px 0; border-bottom: 3px solid transparent; white-space: pre-wrap; }
.strip .plain { background: transparent; color: inherit; }
@media (prefers-color-scheme: dark) { .strip .plain { color: #ddd; } }
</style>"""


def measure(model: LanguageModel, ids: Sequence[int]) -> tuple[list[float], list[float]]:
    """(surprisal, entropy) in bits of every token but the first."""
    import torch

    tokens = torch.tensor(list(ids))
    with torch.no_grad():
        surprisals, entropies = by_token(model(tokens[None])[0], tokens)
    return surprisals.tolist(), entropies.tolist()


def colour(bits: int | float) -> tuple[int, int, int]:
    """White for 0 bits, orange for MOST_BITS or more. Dark text is readable on all of them."""
    share = min(max(bits / MOST_BITS, 0.0), 1.0)
    return tuple(round(255 + share * (end - 255)) for end in (240, 140, 30))


def strip_html(pieces: Sequence[str], surprisals: Sequence[float], entropies: Sequence[float]) -> str:
    """The text as HTML. The background is the surprisal, the line below the entropy; both are in the tooltip.

    Raises:
        ValueError: there is not one number for every piece but the first.
    """
    check_lengths(pieces, surprisals, entropies)
    parts = [f'<span class="plain">{html.escape(pieces[0])}</span>']
    for piece, surprisal, entropy in zip(pieces[1:], surprisals, entropies, strict=True):
        background, line = (f"rgb{colour(bits)}".replace(" ", "") for bits in (surprisal, entropy))
        style = f"background:{background};border-bottom-color:{line};color:#1b1b1b"
        title = f"surprisal {surprisal:.1f} bits, entropy {entropy:.1f} bits"
        parts.append(f'<span style="{style}" title="{title}">{html.escape(piece)}</span>')
    return f'{STYLE}<div class="strip">{"".join(parts)}</div>'


def strip_terminal(pieces: Sequence[str], surprisals: Sequence[float]) -> str:
    """The text for a terminal with 24-bit colours: the background is the surprisal.

    Raises:
        ValueError: there is not one number for every piece but the first.
    """
    check_lengths(pieces, surprisals, surprisals)
    parts = [pieces[0]]
    for piece, surprisal in zip(pieces[1:], surprisals, strict=True):
        red, green, blue = colour(surprisal)
        parts.append(f"\x1b[48;2;{red};{green};{blue}m\x1b[38;2;27;27;27m{piece}\x1b[0m")
    return "".join(parts)


def check_lengths(pieces: Sequence[str], surprisals: Sequence[float], entropies: Sequence[float]) -> None:
    """Raises ValueError unless every piece but the first has its numbers."""
    if not len(pieces) - 1 == len(surprisals) == len(entropies):
        raise ValueError(f"pieces={len(pieces)}: {len(surprisals)} surprisals, {len(entropies)} entropies; one fewer")
