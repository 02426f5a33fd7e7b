"""auto-gptq's GPTQ, bit for bit. It needs old versions of its dependencies: `nox -s peers-12-autogptq`.

Only the modules that hold the algorithm are imported: the package's own `__init__` wants a GPU's libraries. Its grid is
"full" (sixteen codes), a block is a group, and its Hessian is a running mean times two, which is used here as it is.
"""

import importlib
import importlib.util
import sys
import types
import warnings

import pytest
import torch
from int8_quant.gptq import gptq_blocks
from mistakes import randn
from torch import nn

HAS_IT = importlib.util.find_spec("auto_gptq") is not None
pytestmark = [
    pytest.mark.autogptq,
    pytest.mark.skipif(not HAS_IT, reason="auto-gptq is not installed here: nox -s peers-12-autogptq"),
]
GROUP = 32


@pytest.fixture(scope="module")
def theirs():
    """auto-gptq's class GPTQ and its QuantLinear for CPUs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("transformers")  # before auto_gptq is replaced: it asks whether that is installed
    root = importlib.util.find_spec("auto_gptq").submodule_search_locations[0]
    for part in ("", "/utils", "/nn_modules", "/nn_modules/qlinear", "/quantization"):
        name = "auto_gptq" + part.replace("/", ".")
        module = types.ModuleType(name)
        module.__path__ = [root + part]
        sys.modules[name] = module
    torch.cuda.synchronize = lambda *args, **kwargs: None  # it is called without asking for a GPU
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from auto_gptq.nn_modules.qlinear.qlinear_cuda_old import QuantLinear
        from auto_gptq.quantization.gptq import GPTQ
    return GPTQ, QuantLinear


def quantized(theirs, seed, act_order=False):
    """Their layer, scales, zero points and groups, and the weight and Hessian that went in."""
    torch.manual_seed(seed)
    linear = nn.Linear(128, 64)
    weight = linear.weight.detach().clone()
    mix = torch.eye(128) + 0.3 * randn(seed, 128, 128)
    gptq = theirs[0](linear)
    gptq.quantizer.configure(4, perchannel=True, sym=True, mse=False)
    for i in range(8):
        gptq.add_batch((randn(seed + i + 1, 32, 128) @ mix)[None], None)
    hessian = gptq.H.clone()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scale, zero, groups = gptq.fasterquant(percdamp=0.01, group_size=GROUP, blocksize=GROUP, actorder=act_order)
    return linear, scale, zero, groups, weight, hessian


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_oracle_every_code_and_scale_is_theirs(theirs, seed):
    linear, scale, zero, _, weight, hessian = quantized(theirs, seed)
    ours = gptq_blocks(weight, hessian, 4, GROUP, GROUP, grid="full")
    assert zero.unique().tolist() == [8]
    assert torch.equal(ours.scales, scale)
    assert torch.equal(ours.dequantize(), linear.weight.detach())


def test_oracle_act_order(theirs):
    """With act-order the groups are those of the sorted columns; float32 rounding may move single codes."""
    linear, scale, _, groups, weight, hessian = quantized(theirs, 3, act_order=True)
    ours = gptq_blocks(weight, hessian, 4, GROUP, GROUP, act_order=True, grid="full")
    assert torch.equal(ours.groups, groups.long())
    different = (ours.dequantize() - linear.weight.detach()).abs() > 1e-4
    assert different.float().mean() < 0.01
    torch.testing.assert_close(ours.scales, scale, rtol=0.1, atol=1e-3)


def test_oracle_packed_nibbles(theirs):
    """Eight codes in an int32 along the inputs; codes are stored with eight added, zero points with one taken off."""
    linear, scale, zero, groups, weight, hessian = quantized(theirs, 0)
    ours = gptq_blocks(weight, hessian, 4, GROUP, GROUP, grid="full")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer = theirs[1](4, GROUP, 128, 64, True, use_cuda_fp16=False, weight_dtype=torch.float32)
        layer.pack(linear, scale, zero, groups)
    words = layer.qweight.to(torch.int64) & 0xFFFFFFFF
    codes = torch.stack([(words >> (4 * k)) & 15 for k in range(8)], 1).reshape(128, 64).T
    assert torch.equal(codes - 8, ours.codes.long())
    assert int(layer.qzeros[0, 0]) & 0xFFFFFFFF == 0x77777777
