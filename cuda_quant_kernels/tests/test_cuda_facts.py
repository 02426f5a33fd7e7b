"""What two kernels share that do the same thing wrong: the facts of a fault, by which it is told from others."""

import pytest
import torch

from cuda_quant_kernels.tasks import checks
from cuda_quant_kernels.tasks import source as sources


def fault(source, task, *arguments):
    with pytest.raises(checks.WrongKernel) as caught:
        sources.CudaSource(source, "my_kernels.cu").run(task, *arguments)
    return caught.value


def test_faults_are_told_apart_by_who_makes_them():
    kernel = """__global__ void unpack_int4(const uint8_t* packed, int8_t* out, int n) {
        if (threadIdx.x == %d) %s = packed[0];
    }"""
    made = [
        fault(kernel % how, "unpack_int4", torch.ones(64, dtype=torch.uint8), 128)
        for how in ((3, "out[n]"), (3, "out[n + 1]"), (5, "out[n]"))
    ]
    first, same, other = ((type(error), error.facts) for error in made)
    assert first == same != other


def test_elements_that_are_never_written_are_told_apart_by_which():
    kernel = """__global__ void unpack_int4(const uint8_t* packed, int8_t* out, int n) {
        for (int i = threadIdx.x; i < n; i += 128) if (%s) out[i] = 0;
    }"""
    bytes_ = torch.ones(64, dtype=torch.uint8)
    parts = "i < n / 2", "2 * i + 1 < n", "i < n / 4", "i >= n / 2"
    first, same, fewer, others = (fault(kernel % part, "unpack_int4", bytes_, 128).facts for part in parts)
    assert first == same and len({first, fewer, others}) == 3


def test_a_race_on_an_output_is_told_from_one_on_shared_memory():
    kernel = """__global__ void quantize_rows(const float* x, const float* absmax, int8_t* q, float* scale, int cols) {
        __shared__ float s;
        if (threadIdx.x == 0) scale[blockIdx.x] = s = absmax[blockIdx.x] / 127;
        for (int c = threadIdx.x; c < cols; c += 128) q[blockIdx.x * cols + c] = x[blockIdx.x * cols + c] / %s;
    }"""
    output, shared = (
        fault(kernel % s, "quantize_rows", torch.ones(2, 130), torch.ones(2)).facts for s in ("scale[blockIdx.x]", "s")
    )
    assert output == (*shared, "scale")
