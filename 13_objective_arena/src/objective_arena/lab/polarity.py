"""Sentence polarity: an encoder and a writer, from scratch and pre-trained, fine-tuned on few and on many labels."""

import argparse
from collections.abc import Callable

from torch import nn

from ..bert import Bert, BertConfig, Classifier, finetune, glue_metrics, predict, pretrain
from ..bert.finetune import Sentences, single
from ..gpt1 import WriterClassifier, finetune_writer, pretrain_writer
from ..model import Config, Transformer
from .cli import seeds_of
from .reviews import Reviews, load_reviews

Log = Callable[[str], None]
MAX_LEN, WIDTH = 40, 64
PRETRAINING = 1000  # steps
EPOCHS = {1000: 8, 4000: 3}  # by the number of labels
LR = 1e-3


def polarity(options: argparse.Namespace, log: Log) -> dict:
    """Accuracy, F1 and Matthews' correlation on 2,000 test sentences, one entry a seed.

    Raises:
        OSError: the reviews are not on this machine and cannot be downloaded.
    """
    reviews = load_reviews()
    seeds, steps = seeds_of(options, 1 if options.quick else 2), 10 if options.quick else PRETRAINING
    sizes = dict([(60, 1)]) if options.quick else EPOCHS
    found = {"seeds": seeds, "pretraining": steps, "vocabulary": reviews.vocab_size, "scores": {}, "last loss": {}}
    trained, tested = (500, 200) if options.quick else (len(reviews.train), len(reviews.test))
    train, test = single(reviews.train[:trained], MAX_LEN), single(reviews.test[:tested], MAX_LEN)
    for seed in seeds:
        encoders, writers, losses = starts(reviews, train, steps, seed, log)
        for name, loss in losses.items():
            found["last loss"].setdefault(name, []).append(loss)
        for size, epochs in sizes.items():
            part, labels = first(train, size), reviews.train_labels[:size]
            for name, model in contenders(encoders, writers, part, labels, epochs, seed):
                log(f"seed {seed}, {size} labels: {name}")
                row = found["scores"].setdefault(name, {}).setdefault(str(size), {})
                for metric, value in glue_metrics(predict(model, test), reviews.test_labels[:tested]).items():
                    row.setdefault(metric, []).append(value)
    return found


def first(sentences: Sentences, size: int) -> Sentences:
    return Sentences(*(x[:size] for x in (sentences.ids, sentences.attention_mask, sentences.token_types)))


def starts(reviews: Reviews, train: Sentences, steps: int, seed: int, log: Log) -> tuple[dict, dict, dict]:
    """Models from scratch and pre-trained on the training sentences, without their labels."""
    config = BertConfig(reviews.vocab_size, WIDTH, max_len=MAX_LEN)
    shape = Config(reviews.vocab_size, WIDTH, max_len=MAX_LEN)
    encoders = {"from scratch": Bert(config, seed), "pre-trained": Bert(config, seed)}
    writers = {"from scratch": Transformer(shape, seed), "pre-trained": Transformer(shape, seed)}
    read = pretrain(encoders["pre-trained"], train, steps, seed=seed, log=log)
    written = pretrain_writer(writers["pre-trained"], train, steps, seed=seed, log=log)
    ends = {name: sum(losses[-50:]) / len(losses[-50:]) for name, losses in (("masked", read), ("causal", written))}
    return encoders, writers, ends


def contenders(encoders: dict, writers: dict, part: Sentences, labels, epochs: int, seed: int):
    """(name, fine-tuned model) of every start."""
    for name, bert in encoders.items():
        yield f"encoder, {name}", finetune(Classifier(bert, seed=seed), part, labels, epochs, lr=LR, seed=seed)
    for name, writer in writers.items():
        yield f"writer, {name}", fine(writer, part, labels, epochs, 0.0, seed)
    yield "writer, pre-trained, auxiliary loss", fine(writers["pre-trained"], part, labels, epochs, 0.5, seed)


def fine(writer: Transformer, part: Sentences, labels, epochs: int, auxiliary: float, seed: int) -> nn.Module:
    return finetune_writer(WriterClassifier(writer, seed=seed), part, labels, epochs, auxiliary, lr=LR, seed=seed)
