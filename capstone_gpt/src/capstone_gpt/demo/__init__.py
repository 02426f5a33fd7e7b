"""A page on which every rung of the ladder, and the trained GPT, go on with your text.

speakers.py     models that give the next character of a running text, trained in seconds
page.py         the page: choose a model, a prompt, how to sample; see what it expected
"""

from .speakers import RUNGS, Speaker, from_run, speaker

__all__ = ["RUNGS", "Speaker", "from_run", "speaker"]
