"""GPT-1: a pre-trained writer becomes a classifier, with an auxiliary language-modelling loss."""

from .finetune import WriterClassifier, finetune_writer, language_model_loss, pretrain_writer

__all__ = ["WriterClassifier", "finetune_writer", "language_model_loss", "pretrain_writer"]
