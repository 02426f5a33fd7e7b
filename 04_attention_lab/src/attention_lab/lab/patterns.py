"""A small transformer, trained for seconds: what its heads look at, and what the loss is without each of them."""

import torch

from ..transformer import Transformer
from .packing import packed
from .training import Corpus, corpus, loss_of, train, validation

SEQ_LEN, WIDTH, LAYERS, HEADS = 64, 64, 2, 4
SENTENCE = "the value of the name is the same as the value of the object"


def trained_model(text: str, seed: int, steps: int) -> tuple[Transformer, Corpus]:
    """The model of the headline and of the page."""
    data = corpus(text)
    torch.manual_seed(seed)
    model = Transformer(len(data.characters), SEQ_LEN, WIDTH, LAYERS, HEADS)
    train(model, data, SEQ_LEN, steps, 5e-3, seed)
    return model.eval().requires_grad_(False), data


def patterns(text: str, seeds: list[int], steps: int, log) -> dict:
    """Loss with all heads and without each, and the weights of the first seed's heads on a sentence."""
    content = {"loss": [], "removed": {}, "layers": {str(layer): [] for layer in range(LAYERS)}, "sentence": SENTENCE}
    heads = [(layer, head) for layer in range(LAYERS) for head in range(HEADS)]
    content["removed"] = {f"{layer}.{head}": [] for layer, head in heads}
    for seed in seeds:
        log(f"a small transformer, seed {seed}")
        model, data = trained_model(text, seed, steps)
        tokens = validation(data, SEQ_LEN)
        content["loss"].append(without(model, tokens, ()))
        for layer, head in heads:
            content["removed"][f"{layer}.{head}"].append(without(model, tokens, ((layer, head),)))
        for layer in range(LAYERS):
            content["layers"][str(layer)].append(without(model, tokens, tuple((layer, h) for h in range(HEADS))))
        if seed == seeds[0]:
            known = [c for c in SENTENCE if c in data.characters]
            ids = torch.tensor([[data.characters.index(c) for c in known]])
            weights = model.look(ids)[1][:, 0]  # L H T T
            content["characters"] = known
            content["weights"] = [[packed(rows) for rows in layer] for layer in weights]
            previous = weights.diagonal(offset=-1, dim1=-2, dim2=-1).mean(-1)  # L H
            content["previous"] = [[float(p) for p in row] for row in previous]
    return content


def without(model: Transformer, tokens: torch.Tensor, removed: tuple[tuple[int, int], ...]) -> float:
    """The validation loss without these heads."""
    with torch.no_grad():
        return float(loss_of(lambda x: model.look(x, removed=removed)[0], tokens))
