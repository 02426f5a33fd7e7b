"""A small world that a small model can know: facts about countries, sums, and the words for them.

Read in this order:
    facts.py          countries, and sentences about them: what the base model reads
    instructions.py   the same facts as questions and answers, split by country; sums as tool calls
    tokens.py         words as tokens, with letters for the rest
"""

from .facts import COUNTRIES, HELD_OUT, Country, world_text
from .instructions import Pair, fact_pairs, tool_pairs
from .tokens import WordTokens, example, prompt_ids

__all__ = ["COUNTRIES", "HELD_OUT", "Country", "Pair", "WordTokens", "example", "fact_pairs", "prompt_ids"]
__all__ += ["tool_pairs", "world_text"]
