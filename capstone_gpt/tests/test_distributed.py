"""Two processes under torchrun: gradients equal one process, and a killed rank changes nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = Path(__file__).parent / "ddp_worker.py"


def torchrun(*args, restarts=0):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
               f"--max-restarts={restarts}", str(WORKER), *map(str, args)]  # fmt: skip
    env = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=200)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What two processes leave behind that nobody kills: gradients beside those of one process, and a run's hash."""
    folder = tmp_path_factory.mktemp("whole")
    torchrun("whole", folder)
    return folder


@pytest.mark.timeout(240)
def test_ddp_and_fsdp_have_the_gradients_of_one_process(whole):
    found = json.loads((whole / "gradients.json").read_text())
    for name, run in found.items():
        assert run["gradient"] < 1e-15 and run["loss"] < 1e-6 and run["norm"] < 1e-12 and run["tied"], name
    assert found["fsdp"]["local"] < 0.6 * found["ddp"]["local"]  # each rank keeps about half of the weights


@pytest.mark.timeout(400)
def test_a_killed_rank_ends_with_the_hash_of_a_run_that_was_not_killed(whole, tmp_path):
    torchrun("killed", tmp_path, restarts=1)
    assert (tmp_path / "killed").exists() and not (whole / "killed").exists()
    assert (tmp_path / "hash").read_text() == (whole / "hash").read_text()
