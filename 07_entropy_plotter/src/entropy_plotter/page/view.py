"""The next token before and after the rules: as numbers, and as bars in HTML.

Dimensions:
    T   tokens of the prompt        V   vocabulary
"""

import html
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..entropy import entropy
from ..sample import LanguageModel
from ..warpers import SamplingParams, warp

SHOWN = 16
STYLE = """<style>
.bars { font: 14px/1.5 system-ui, sans-serif; color: #1b1b1b; }
.bars table { width: 100%; border-collapse: collapse; border: 0 !important; }
.bars td, .bars tr { padding: 1px 4px !important; border: 0 !important; }
.bars td.token { font-family: ui-monospace, monospace; width: 30%; white-space: pre; overflow: hidden; max-width: 7em; }
.bars td.number { width: 12%; text-align: right; font-variant-numeric: tabular-nums; }
.bars .before, .bars .after { height: 7px; border-radius: 2px; margin: 1px 0; }
.bars .before { background: #8a8a8a; }
.bars .after { background: #0072b2; }
.bars tr.cut td.token { text-decoration: line-through; opacity: .6; }
@media (prefers-color-scheme: dark) { .bars { color: #ddd; } .bars .after { background: #56b4e9; } }
.dark .bars { color: #ddd; } .dark .bars .after { background: #56b4e9; }
</style>"""


class NextToken(NamedTuple):
    """The distribution after a prompt, before and after the rules; and both entropies, in bits."""

    before: Float[Tensor, "V"]
    after: Float[Tensor, "V"]
    entropies: tuple[float, float]


@torch.no_grad()
def next_token(model: LanguageModel, ids: Sequence[int], params: SamplingParams) -> NextToken:
    """What the model would say next.

    Raises:
        ValueError: there is no token.
    """
    if not ids:
        raise ValueError("prompt='': type at least one character")
    tokens = torch.tensor([list(ids)])
    logits = model(tokens)[:, -1].double()
    warped = warp(logits, tokens, params)
    both = [x[0].softmax(dim=-1) for x in (logits, warped)]
    return NextToken(*both, (float(entropy(logits)[0]), float(entropy(warped)[0])))


def bars(found: NextToken, name: Callable[[int], str]) -> str:
    """A table of the likeliest tokens: grey before, blue after; cut tokens are struck out."""
    order = found.before.argsort(descending=True)[:SHOWN].tolist()
    most = float(torch.maximum(found.before, found.after).max())
    rows = []
    for i in order:
        before, after = float(found.before[i]), float(found.after[i])
        widths = [
            f'<div class="{c}" style="width:{100 * p / most:.1f}%"></div>'
            for c, p in (("before", before), ("after", after))
        ]
        token = html.escape(name(i).replace("\n", "¶")) or "·"
        rows.append(
            f'<tr class="{"kept" if after > 0 else "cut"}"><td class="token">{token}</td>'
            f'<td class="number">{before:.3f}</td><td class="number" data-after="{after:.10f}">{after:.3f}</td>'
            f"<td>{''.join(widths)}</td></tr>"
        )
    kept = int((found.after > 0).sum())
    total = float(found.after.sum())
    rest = float(total - found.after[order].sum())
    entropies = [f"{h:.2f}" for h in found.entropies]
    return (
        f'{STYLE}<div class="bars" data-kept="{kept}" data-sum="{total:.9f}" data-rest="{rest:.10f}">'
        f"<p>Entropy <b>{entropies[0]}</b> bits before, <b>{entropies[1]}</b> after. <b>{kept:,}</b> of "
        f"{len(found.after):,} tokens are left; {rest:.1%} of the mass is on tokens not shown.</p>"
        f"<table><tr><td>token</td><td class='number'>before</td><td class='number'>after</td><td></td></tr>"
        f"{''.join(rows)}</table></div>"
    )
