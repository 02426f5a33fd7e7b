"""What test_triton.py runs in a process of its own: Triton reads TRITON_INTERPRET when it is imported."""

import sys

import torch

from cuda_quant_kernels import int4, oracle


def interpreted() -> None:
    from cuda_quant_kernels.triton_kernels.quantize_rows import quantize_rows
    from cuda_quant_kernels.triton_kernels.w4a16 import linear_w4a16
    from cuda_quant_kernels.triton_kernels.w8a8 import linear_w8a8

    for dtype in (torch.float32, torch.bfloat16):
        x = torch.randn(7, 1009).to(dtype)
        x[0, 0], x[3] = 300.0, 0.0
        q, scale = quantize_rows(x)
        want_q, want_scale = oracle.quantize(x, torch.int8, "row")
        assert torch.equal(scale, want_scale) and torch.equal(q, want_q), "quantize_rows"
    for m, n, k in ((37, 53, 48), (64, 33, 128)):
        a, w = (torch.randint(-128, 128, shape, dtype=torch.int8) for shape in ((m, k), (n, k)))
        sa, sw = torch.rand(m), torch.rand(n)
        got = linear_w8a8(a, w, sa, sw, block=(32, 32, 32))
        assert torch.equal(got, oracle.linear_w8a8(a, w, sa, sw)), "w8a8"
    for m, n, k in ((1, 70, 256), (16, 33, 384)):
        x = torch.randn(m, k).half()
        packed, scale = int4.quantize_int4(torch.randn(n, k))
        got, want = linear_w4a16(x, packed, scale).double(), oracle.linear_w4a16(x, packed, scale)
        assert (got - want).norm() / want.norm() < 2**-11, "w4a16: more than the rounding to fp16"


def compiled() -> None:
    from cuda_quant_kernels.triton_kernels.compiled import instructions, machine_code

    for name, capability, wanted in (
        ("w8a8", 80, "IMMA"),
        ("w8a8", 90, "IGMMA"),
        ("w4a16", 90, "HMMA"),
        ("quantize_rows", 90, "STG"),
    ):
        found = instructions(machine_code(name, capability))
        assert found[wanted], f"{name} for sm_{capability} has no {wanted}: {dict(found)}"
        assert not found["LDL"] and not found["STL"], f"{name} for sm_{capability} spills"


def on_a_gpu() -> None:
    from cuda_quant_kernels.triton_kernels.quantize_rows import quantize_rows
    from cuda_quant_kernels.triton_kernels.w4a16 import linear_w4a16
    from cuda_quant_kernels.triton_kernels.w8a8 import linear_w8a8

    x = torch.randn(7, 1009).bfloat16()
    q, scale = quantize_rows(x.cuda())
    want_q, want_scale = oracle.quantize(x, torch.int8, "row")
    assert torch.equal(scale.cpu(), want_scale) and torch.equal(q.cpu(), want_q), "quantize_rows"
    a, w = (torch.randint(-128, 128, shape, dtype=torch.int8) for shape in ((257, 336), (513, 336)))
    sa, sw = torch.rand(257), torch.rand(513)
    got = linear_w8a8(a.cuda(), w.cuda(), sa.cuda(), sw.cuda())
    assert torch.equal(got.cpu(), oracle.linear_w8a8(a, w, sa, sw)), "w8a8"
    x = torch.randn(5, 384).half()
    packed, scale = int4.quantize_int4(torch.randn(70, 384))
    got = linear_w4a16(x.cuda(), packed.cuda(), scale.cuda()).cpu().double()
    want = oracle.linear_w4a16(x, packed, scale)
    assert (got - want).norm() / want.norm() < 2**-11, "w4a16: more than the rounding to fp16"


if __name__ == "__main__":
    torch.manual_seed(0)
    {"interpreted": interpreted, "compiled": compiled, "gpu": on_a_gpu}[sys.argv[1]]()
