"""One layer of a real model through the kernels: what a massive activation does to each scheme."""

import importlib.util

import pytest
import torch

from cuda_quant_kernels.lab import cli, real_layer
from cuda_quant_kernels.lab.fetch import SMOLLM2, is_local


def with_an_outlier():
    x, w = torch.randn(9, 256), torch.randn(17, 256)
    x[0, 3] = 3000.0
    return x, w


def errors(scheme):
    x, w = with_an_outlier()
    return real_layer.relative_error(real_layer.SCHEMES[scheme](x, w)[1:], (x @ w.T)[1:])


def test_a_scale_for_the_tensor_loses_all_tokens_but_one():
    assert errors("W8A8, both per tensor") > 0.9
    assert errors("W8A8, both per row") < 0.02


def test_outlier_columns_in_floating_point_save_the_massive_token():
    x, w = with_an_outlier()
    in_int8, in_fp32 = (real_layer.SCHEMES[name](x, w)[0] for name in list(real_layer.SCHEMES)[3:5])
    exact = x[0] @ w.T
    assert real_layer.relative_error(in_fp32, exact) < 0.1 * real_layer.relative_error(in_int8, exact)


def test_four_bits_err_more_than_eight():
    assert 0.05 < errors("W4A16, groups of 128") < 0.2


@pytest.mark.real
@pytest.mark.timeout(600)
@pytest.mark.skipif(not is_local(SMOLLM2), reason="SmolLM2 is not on this machine: nox -s models")
@pytest.mark.skipif(not importlib.util.find_spec("gguf"), reason="needs the extra: pip install -e '.[real]'")
def test_the_layer_of_the_real_model_has_one_massive_token():
    found = real_layer.real_layer(cli.options(quick=True), lambda line: None)
    assert found["massive_tokens"] == 1 and found["largest"]["massive"] > 2000 and found["largest"]["others"] < 10
    rows = {row["scheme"]: row["others"] for row in found["rows"]}
    assert rows["W8A8, both per tensor"] > 0.99 > 0.05 > rows["W8A8, both per row"]
