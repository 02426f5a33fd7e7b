"""From counting to GPT, on short names. Read in this order:

engine.py          numbers that remember how they were made; picture.py draws them
ngram.py           counts, smoothed; ngram_fast.py the same in sorted arrays
names.py           the examples
mlp.py             a neural model of a fixed context
initialisation.py  how large the first weights are
batchnorm.py       forward and backward by hand
backprop.py        every gradient of the MLP by hand
wavenet.py         a tree over the context
climb.py           all rungs, and the GPT of ../model, at equal budgets
"""

from .batchnorm import BatchNorm, batchnorm_backward, batchnorm_forward
from .engine import Value, backward
from .mlp import MLPModel
from .names import Names
from .ngram import kneser_ney
from .ngram_fast import FastKneserNey
from .picture import drawn
from .wavenet import WaveNetModel

__all__ = ["BatchNorm", "FastKneserNey", "MLPModel", "Names", "Value", "WaveNetModel", "backward"]
__all__ += ["batchnorm_backward", "batchnorm_forward", "drawn", "kneser_ney"]
