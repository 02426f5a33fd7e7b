"""Search: the likeliest text instead of a draw.

Read in this order:
    beam.py          beam search with a length penalty; exact when the beam is wide enough
    diverse.py       groups of beams that avoid each other's tokens
    contrastive.py   greedy, but away from what has been said
"""

from .beam import Beam, beam_search
from .contrastive import contrastive_search
from .diverse import diverse_beam_search

__all__ = ["Beam", "beam_search", "contrastive_search", "diverse_beam_search"]
