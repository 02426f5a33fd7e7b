"""Weights of a Hugging Face `BertForPreTraining` for our encoder."""

from collections.abc import Mapping

from torch import Tensor

from .encoder import Bert, BertConfig

NAMES = {
    "word.weight": "bert.embeddings.word_embeddings.weight",
    "position.weight": "bert.embeddings.position_embeddings.weight",
    "token_type.weight": "bert.embeddings.token_type_embeddings.weight",
    "norm": "bert.embeddings.LayerNorm",
    "pooler": "bert.pooler.dense",
    "transform": "cls.predictions.transform.dense",
    "transform_norm": "cls.predictions.transform.LayerNorm",
    "decoder_bias": "cls.predictions.bias",
    "next_sentence": "cls.seq_relationship",
}
LAYER = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "intermediate": "intermediate.dense",
    "down": "output.dense",
    "output_norm": "output.LayerNorm",
}


def from_huggingface(state: Mapping[str, Tensor], config: BertConfig) -> Bert:
    """The encoder with these weights.

    Raises:
        ValueError: a weight is missing or has another shape.
    """
    bert = Bert(config)
    copied = {}
    for name, ours in bert.state_dict().items():
        theirs = their_name(name)
        if theirs not in state or state[theirs].shape != ours.shape:
            raise ValueError(f"state: {theirs} with the shape {tuple(ours.shape)} is needed; check the config")
        copied[name] = state[theirs]
    bert.load_state_dict(copied)
    return bert


def their_name(name: str) -> str:
    """Hugging Face's name of one of our weights."""
    if name in NAMES:
        return NAMES[name]
    if name.startswith("layers."):
        _, number, part, kind = name.split(".")
        return f"bert.encoder.layer.{number}.{LAYER[part]}.{kind}"
    part, kind = name.rsplit(".", 1)
    return f"{NAMES[part]}.{kind}"
