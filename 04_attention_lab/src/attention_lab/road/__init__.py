"""How we got here: recurrent networks, their gradients through time, and the attention that was added to them.

Read in this order:
    cells.py            one step of an RNN, an LSTM, a GRU
    bptt.py             back-propagation through time, written out
    arrangements.py     many-to-one, one-to-many, many-to-many, bidirectional
    scores.py           additive and multiplicative attention
    seq2seq.py          an encoder-decoder, its bottleneck, and attention that opens it
    language_model.py   a character model of each kind
"""

from .arrangements import Bidirectional, many_to_many, many_to_one, one_to_many
from .bptt import Recurrent, backward_through_time
from .cells import CELLS, Weights, gru_step, lstm_step, parameter_count, rnn_step, zero_state
from .language_model import KINDS, LanguageModel, width_for
from .scores import AdditiveScore, MultiplicativeScore
from .seq2seq import Seq2Seq

__all__ = [
    "CELLS",
    "KINDS",
    "AdditiveScore",
    "Bidirectional",
    "LanguageModel",
    "MultiplicativeScore",
    "Recurrent",
    "Seq2Seq",
    "Weights",
    "backward_through_time",
    "gru_step",
    "lstm_step",
    "many_to_many",
    "many_to_one",
    "one_to_many",
    "parameter_count",
    "rnn_step",
    "width_for",
    "zero_state",
]
