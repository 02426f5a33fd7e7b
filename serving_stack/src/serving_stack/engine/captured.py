"""A decoding step as one CUDA graph: the GPU gets the whole list of kernels at once, and need not wait for Python.

A graph repeats the same kernels on the same memory. So a step has a fixed number of rows, and tables of one, two, four,
eight, ... blocks, with a graph each. Rows that nobody uses write into a block of their own.

Dimensions:
    B   rows of a step    J   blocks of a table    V   vocabulary
"""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..memory.paged_attention_padded import PaddedRows
from .model import GPT2, Llama
from .request import Request
from .runner import ModelRunner

Step = Callable[[Tensor], Tensor]


class CapturedRunner(ModelRunner):
    """A ModelRunner that captures the steps in which each request misses one token, and at most `rows` do.

    On a CPU the same function is called, uncaptured.
    """

    def __init__(self, model: Llama | GPT2, num_blocks: int, block_size: int = 16, rows: int = 8):
        super().__init__(model, num_blocks + 1, block_size, "padded")
        self.rows, self.spare = rows, num_blocks
        self.steps: dict[int, Step] = {}  # by J

    def logits(self, plan: list[tuple[Request, int]]) -> Tensor:
        """One row of logits for each request whose last token is computed in this step, until the next step."""
        if len(plan) > self.rows or any(request.num_missing > 1 for request, _ in plan):
            return super().logits(plan)
        columns = 1 << (max(len(request.table) for request, _ in plan) - 1).bit_length()
        lines = [[r.tokens[-1], r.num_computed, *r.table, *[self.spare] * (columns - len(r.table))] for r, _ in plan]
        lines += [[0, 0, *[self.spare] * columns]] * (self.rows - len(plan))
        inputs = torch.tensor(lines)
        if columns not in self.steps:
            self.steps[columns] = captured(self._step, inputs.to(self.device))
        return self.steps[columns](inputs)[: len(plan)]

    def _step(self, inputs: Int[Tensor, "B columns"]) -> Float[Tensor, "B V"]:
        """Logits of rows that hold a token, its position, and a table of J blocks."""
        tokens, positions, tables = inputs[:, 0], inputs[:, 1], inputs[:, 2:]
        S = self.pool.block_size
        blocks = tables.gather(1, (positions // S)[:, None])[:, 0]
        attend = PaddedRows(tables, positions + 1, S).attend
        write_and_attend = partial(self._write_and_attend, attend, blocks, positions % S)
        return self.model.forward(tokens, positions, write_and_attend, torch.arange(self.rows, device=self.device))


def captured(step: Step, inputs: Tensor) -> Step:
    """The step as a graph that is replayed; its output is overwritten by the next replay. `inputs` are those to come.

    The step is run on `inputs` first, because libraries make their workspaces then; what it writes must not depend on
    how often it runs.
    """
    if not inputs.is_cuda:
        return lambda new: step(new.to(inputs.device))
    own, beside = inputs.clone(), torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            step(own)
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits = step(own)

    def replay(inputs: Tensor) -> Tensor:
        own.copy_(inputs)
        graph.replay()
        return logits

    return replay
