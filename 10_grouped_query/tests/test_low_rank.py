"""Keys and values of rank r: numpy's SVD is the oracle, and rank r of r changes nothing."""

import numpy as np
import pytest
import torch
from grouped_query import Config, Decoder
from grouped_query.latent import joint_factors, low_rank
from mistakes import randn

MODEL = Decoder(Config(31, 24, 2, 6, 2, 20)).requires_grad_(False)


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_oracle_no_matrix_of_this_rank_is_nearer(rank):
    k, v = randn(0, 4, 7, dtype=torch.float64), randn(1, 4, 7, dtype=torch.float64)
    down, up = joint_factors(k, v, rank)
    assert down.shape == (rank, 7) and up.shape == (8, rank)
    left = np.linalg.svd(torch.cat((k, v)).numpy(), compute_uv=False)[rank:]
    distance = (up @ down - torch.cat((k, v))).norm()
    assert float(distance) == pytest.approx(float(np.sqrt((left**2).sum())), abs=1e-12)  # Eckart and Young


def test_the_full_rank_changes_nothing():
    tokens = torch.arange(9)[None]
    torch.testing.assert_close(low_rank(MODEL, 16)(tokens), MODEL(tokens), rtol=1e-4, atol=1e-5)


def test_a_smaller_rank_is_further_away():
    tokens = torch.arange(9)[None]
    with torch.no_grad():
        errors = [float((low_rank(MODEL, rank)(tokens) - MODEL(tokens)).abs().mean()) for rank in (12, 6, 1)]
    assert errors == sorted(errors) and errors[0] > 1e-3


def test_keys_and_values_share_their_latent():
    attn = low_rank(MODEL, 5).blocks[0].attn
    assert attn.k_proj.down is attn.v_proj.down


@pytest.mark.parametrize("rank", [0, 17])
def test_bad_input_a_rank(rank):
    with pytest.raises(ValueError, match=f"rank={rank}: must be between 1 and 16"):
        low_rank(MODEL, rank)
