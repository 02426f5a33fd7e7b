"""Side quest: how weights are stored for decoding. Read layouts, then model, then autotune."""

from .autotune import EXACT, fastest, lay_out_fastest
from .layouts import LAYOUTS
from .model import lay_out, weight_bytes, why_absent

__all__ = ["EXACT", "LAYOUTS", "fastest", "lay_out", "lay_out_fastest", "weight_bytes", "why_absent"]
