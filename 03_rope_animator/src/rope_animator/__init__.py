from .alibi import alibi_slopes
from .attention import rotary_attention
from .extend import interpolate
from .property import assert_relative
from .rope import apply_rope, rotate
from .sinusoidal import frequencies, sinusoidal_table
