"""The model as an ONNX graph with the cache as inputs and outputs.

The engine keeps keys and values in a pool and looks them up by block tables. A graph has no pool: what a step must
remember comes in as a tensor and goes out one step longer. The graph is traced from the same `Llama.forward`; only
`attend` is another.

Dimensions:
    B   requests, all equally long       G   key/value heads       L   layers
    T   new tokens of each request       D   width of a head       P   tokens in the cache, 0 at the beginning
    V   vocabulary                       S   all tokens, P + T
"""

import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..engine.model import Llama

INPUTS, OUTPUTS = ["tokens", "past_keys", "past_values"], ["logits", "keys", "values"]
AXES = ({0: "batch", 1: "new"}, {1: "batch", 3: "past"}, {1: "batch", 3: "past"})
Cache = tuple[np.ndarray, np.ndarray]  # keys and values, each L B G P D


class CachedLlama(nn.Module):
    """A Llama in the form of a graph: nothing is kept between two calls."""

    def __init__(self, model: Llama):
        super().__init__()
        self.model = model

    def forward(
        self, tokens: Int[Tensor, "B T"], past_keys: Float[Tensor, "L B G P D"], past_values: Float[Tensor, "L B G P D"]
    ) -> tuple[Float[Tensor, "B T V"], Float[Tensor, "L B G S D"], Float[Tensor, "L B G S D"]]:
        """The logits of the new tokens, and keys and values of all S = P + T tokens."""
        B, T = tokens.shape
        P = past_keys.shape[3]
        mask = torch.ones(T, P + T, dtype=torch.bool).tril(P)  # T S
        new_keys, new_values = [], []

        def attend(layer, q, k, v):
            q, k, v = (x.unflatten(0, (B, T)).transpose(1, 2) for x in (q, k, v))  # B heads T D
            new_keys.append(torch.cat([past_keys[layer], k], 2))
            new_values.append(torch.cat([past_values[layer], v], 2))
            groups = q.shape[1] // k.shape[1]
            keys, values = (x[-1].repeat_interleave(groups, 1) for x in (new_keys, new_values))
            return F.scaled_dot_product_attention(q, keys, values, mask).transpose(1, 2).flatten(0, 1)

        positions = (P + torch.arange(T)).repeat(B)
        logits = self.model.forward(tokens.flatten(), positions, attend, torch.arange(B * T))
        return logits.view(B, T, -1), torch.stack(new_keys), torch.stack(new_values)


def export_onnx(model: Llama, path: Path | str, dynamic: bool = True) -> Path:
    """Write the model as one ONNX file. `dynamic=False` fixes the axes to those of the example.

    The example's sizes are 2, 5 and 3: the exporter takes a size of 0 or 1 for a constant.

    Raises:
        ValueError: a part of the model has no form in ONNX, as the products of the layout "packed".
    """
    c, path = model.config, Path(path)
    past = torch.zeros(c.layers, 2, c.kv_heads, 3, c.head_dim)
    example = (torch.zeros(2, 5, dtype=torch.long), past, past.clone())
    shapes = tuple(dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for axes in AXES) if dynamic else None
    tmp = path.with_name(f".{path.name}.tmp")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec.` is deprecated", FutureWarning)
            torch.onnx.export(CachedLlama(model).eval(), example, tmp, input_names=INPUTS, output_names=OUTPUTS,
                              dynamic_shapes=shapes, dynamo=True, external_data=False, verbose=False)  # fmt: skip
        tmp.replace(path)
    except torch.onnx.OnnxExporterError as error:
        raise ValueError(f"the model has no form in ONNX: {_reason(error)}; use the layout 'plain'") from error
    finally:
        tmp.unlink(missing_ok=True)
    return path


def _reason(error: BaseException) -> str:
    """The first line of the innermost error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().partition("\n")[0]


class OnnxRunner:
    """A graph in onnxruntime, with one thread by default."""

    def __init__(self, path: Path | str, threads: int = 1):
        import onnxruntime  # here: the engine does not need it

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        shape = self.session.get_inputs()[1].shape  # L batch G past D
        self.layers, self.kv_heads, self.head_dim = shape[0], shape[2], shape[4]

    def empty(self, batch: int) -> Cache:
        """The cache of `batch` requests before their first token."""
        nothing = np.zeros((self.layers, batch, self.kv_heads, 0, self.head_dim), np.float32)
        return nothing, nothing

    def step(self, tokens: np.ndarray, cache: Cache) -> tuple[np.ndarray, Cache]:
        """The logits of the new tokens (B T V), and the longer cache. Raises ValueError for sizes the graph refuses."""
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

        try:
            logits, *grown = self.session.run(OUTPUTS, dict(zip(INPUTS, (tokens, *cache), strict=True)))
        except (Fail, InvalidArgument, RuntimeException) as error:
            raise ValueError(f"tokens of shape {tokens.shape}: the graph was exported for others: {error}") from error
        return logits, tuple(grown)

    def greedy(self, prompt: list[int], count: int) -> list[int]:
        """The likeliest `count` tokens after a prompt."""
        cache, output = self.empty(1), []
        tokens = np.array([prompt], np.int64)
        while len(output) < count:
            logits, cache = self.step(tokens, cache)
            output.append(int(logits[0, -1].argmax()))
            tokens = np.array([output[-1:]], np.int64)
        return output
