"""BERT: masked tokens and sentence pairs, then fine-tuning.

Read in this order: pairs.py, encoder.py, finetune.py, metrics.py; huggingface.py copies weights for the tests.
"""

from .encoder import Bert, BertConfig, pretraining_loss
from .finetune import Classifier, finetune, predict, pretrain
from .huggingface import from_huggingface
from .metrics import glue_metrics
from .pairs import pack, sentence_pair

__all__ = ["Bert", "BertConfig", "Classifier", "finetune", "from_huggingface", "glue_metrics", "pack", "predict"]
__all__ += ["pretrain", "pretraining_loss", "sentence_pair"]
