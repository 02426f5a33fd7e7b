"""Positional encodings by hand. Read in this order:

sinusoidal         the frequencies, and the table of sines and cosines that is added to the embeddings
learned            a trained table, which has an end
rope               the rotation: one pair, the two layouts, whole queries and keys
attention          where the rotation belongs in a model
relative_property  what "relative" means, written as a test
alibi              a penalty on distance, added to the scores
t5_bias            a learned bias for each bucket of distances
extend             how to read texts longer than those in training
decay              why scores fade with distance, in closed form
rope_fast          the same rotation with less memory traffic

`lab` trains, measures and draws. The chapter does not use it.
"""

from .alibi import alibi_slopes
from .attention import rotary_attention
from .extend import interpolate
from .relative_property import assert_relative
from .rope import apply_rope, rotate
from .sinusoidal import frequencies, sinusoidal_table

__all__ = [
    "alibi_slopes",
    "apply_rope",
    "assert_relative",
    "frequencies",
    "interpolate",
    "rotary_attention",
    "rotate",
    "sinusoidal_table",
]
