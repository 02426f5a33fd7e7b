"""The budgets of memory traffic leave room for a right kernel in every shape, narrow ones too."""

import pytest
import torch

from cuda_quant_kernels.tasks import calls
from cuda_quant_kernels.tasks import source as sources


@pytest.mark.parametrize("m, n, k", [(2, 3, 1100), (64, 2, 64), (31, 3, 61), (200, 1, 7), (1, 200, 7), (65, 33, 5)])
@pytest.mark.parametrize("task", ["coalesced_gemm", "tiled_gemm"])
def test_a_right_product_keeps_its_budget_in_every_shape(task, m, n, k):
    a, b = (torch.ones(shape, dtype=torch.int8) for shape in ((m, k), (k, n)))
    report = sources.CudaSource.read(sources.FOLDER / f"{task}.cu").trace(task, a, b)
    assert report.total() < 0.75 * calls.CALLS[task](a, b).budget


@pytest.mark.parametrize("rows, cols", [(200, 7), (200, 1), (3, 1009), (40, 32)])
@pytest.mark.parametrize("task", ["row_absmax", "quantize_rows"])
def test_a_right_kernel_for_rows_keeps_its_budget_in_every_shape(task, rows, cols):
    arguments = (torch.ones(rows, cols), torch.ones(rows))[: 1 + (task == "quantize_rows")]
    report = sources.CudaSource.read(sources.FOLDER / f"{task}.cu").trace(task, *arguments)
    assert report.total() < 0.75 * calls.CALLS[task](*arguments).budget
