"""Positional encodings by hand. Read in this order:

sinusoidal   the ladder of frequencies, and the table of sines and cosines that is added
learned      a table that is trained, and ends
rope         the rotation: one pair, the two layouts, whole queries and keys
attention    where the rotation stands in a model
property     what "relative" means, as a test
alibi        a penalty on distance; `relative` has T5's buckets
extend       stretching a rotary model beyond its length
decay        why scores fade with distance, in closed form
rotary       the rotation for speed
model, train, experiment, break_it, bench, animate   what is measured and drawn
"""

from .alibi import alibi_slopes
from .attention import rotary_attention
from .extend import interpolate
from .property import assert_relative
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
