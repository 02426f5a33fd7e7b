"""nvcc, where there is one: three architectures without a spill, and tensor-core instructions in the machine code."""

import re
from collections import Counter

import pytest

from cuda_quant_kernels.build import build, nvcc, resource_usage, sass
from cuda_quant_kernels.launch import KERNELS, SOURCES

needs_nvcc = pytest.mark.skipif(
    nvcc() is None, reason="no nvcc here: pip install 'cuda-toolkit[nvcc,cudart,crt,nvvm,cccl]==13.0.*'"
)
ARCHS = ["sm_80", "sm_90a", "sm_100"]
pytest_plugins = ["ahead"]
AHEAD = [([KERNELS / source], "gpu", ARCHS) for source in SOURCES]


def built(source):
    return build(KERNELS / source, "gpu", arch=ARCHS)


@needs_nvcc
@pytest.mark.timeout(300)
@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("source", SOURCES)
def test_no_kernel_spills(source, arch):
    usage = [r for r in resource_usage(built(source)) if r.arch == arch]
    assert usage, "ptxas reported no kernel"
    assert [r for r in usage if r.spill_bytes or r.stack_bytes] == []
    assert all(r.registers <= 255 for r in usage)


def functions(source, arch):
    """The machine code of each kernel of a source, or a skip where there is no disassembler."""
    if (text := sass(built(source), arch)) is None:
        pytest.skip("no cuobjdump here: it comes with the CUDA toolkit, and with triton")
    return {part.split("\n")[0].strip(): part for part in text.split("Function : ")[1:]}


def instructions(source, arch):
    """{kernel: how often each instruction occurs}"""
    pattern = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]*)", re.MULTILINE)
    return {name: Counter(pattern.findall(code)) for name, code in functions(source, arch).items()}


@needs_nvcc
@pytest.mark.parametrize(
    "arch, source, kernel, instruction",
    [
        ("sm_80", "gemm_w8a8_tensor.cu", "gemm_mma", "IMMA"),
        ("sm_90a", "gemm_w8a8_tensor.cu", "gemm_mma", "IMMA"),
        ("sm_90a", "gemm_w8a8_tensor.cu", "gemm_wgmma", "IGMMA"),
        ("sm_80", "gemm_w8a8_tensor.cu", "gemm_mma", "LDGSTS"),
        ("sm_80", "gemm_w8a8_tensor.cu", "gemm_mma", "LDSM"),
        ("sm_90a", "gemm_w8a8.cu", "gemm_dp4a", "IDP"),
        ("sm_80", "gemm_w4a16.cu", "gemm_skinny", "HMMA"),
        ("sm_90a", "gemm_w4a16.cu", "gemm_skinny", "HMMA"),
    ],
)
def test_the_instruction_that_was_meant_is_there(arch, source, kernel, instruction):
    found = {name: count for name, count in instructions(source, arch).items() if kernel in name}
    assert found, f"no {kernel} in the machine code"
    assert all(count[instruction] for count in found.values()), found


@needs_nvcc
def test_the_products_of_a_tile_are_issued_together_and_waited_for_a_tile_later():
    """ptxas puts a wait behind every single product (C7514) where anything else touches the accumulators."""
    assert "serialized" not in built("gemm_w8a8_tensor.cu").with_suffix(".log").read_text()
    wgmma = next(code for name, code in functions("gemm_w8a8_tensor.cu", "sm_90a").items() if "gemm_wgmma" in name)
    order = re.findall(r"IGMMA|WARPGROUP\.DEPBAR\.LE gsb0, 0x\d|LDGSTS", wgmma)
    calls = [what for i, what in enumerate(order) if what != "LDGSTS" or order[i - 1] != what]
    copies, tile = ["LDGSTS"], ["IGMMA"] * 4
    one_more, none = ([f"WARPGROUP.DEPBAR.LE gsb0, 0x{n}"] for n in (1, 0))
    assert calls == copies + tile + copies + tile + copies + one_more + none


@needs_nvcc
def test_the_next_weights_are_asked_for_before_these_are_multiplied():
    skinny = next(code for name, code in functions("gemm_w4a16.cu", "sm_90a").items() if "skinnyILi1" in name)
    before_the_first_product = skinny.split("HMMA")[0]
    assert len(re.findall(r"LDG\.E\.EF\.128", before_the_first_product)) == 8, (
        "four rows of this group, and of the next"
    )


@needs_nvcc
def test_the_wide_versions_move_sixteen_bytes_an_access():
    wide = next(code for name, code in functions("vector_add.cu", "sm_90a").items() if "add_vectorized" in name)
    assert len(re.findall(r"LDG\.E\.128", wide)) == 2 and len(re.findall(r"STG\.E\.128", wide)) == 1
