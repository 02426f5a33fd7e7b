"""From counting to GPT, on short names. Read in this order:

engine.py      numbers that remember how they were made
ngram.py       counts, smoothed
batchnorm.py   forward and backward by hand
"""

from .batchnorm import BatchNorm, batchnorm_backward, batchnorm_forward
from .engine import Value, backward
from .ngram import kneser_ney

__all__ = ["BatchNorm", "Value", "backward", "batchnorm_backward", "batchnorm_forward", "kneser_ney"]
