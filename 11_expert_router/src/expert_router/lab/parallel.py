"""The two-process run, started through `torchrun`, and the plan that its times calibrate."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from statistics import median

from ..parallel import Machine, bytes_sent, fit_machine, plan, step_seconds

TOKENS, EXPERTS, K, D_MODEL, FFN = 512, 8, 2, 256, 512
LAYERS = {  # a few wide experts, and many narrow ones; as many tokens on each device
    "Mixtral's width": {"tokens": 4096, "k": 2, "d_model": 4096, "ffn": 14336, "num_experts": 64},
    "DeepSeek-V3's": {"tokens": 4096, "k": 8, "d_model": 7168, "ffn": 2048, "num_experts": 256},
}
DEVICES = (8, 64)
THIS = "this machine"
H100 = Machine(latency=1e-5, bandwidth=450e9, flops=400e12)
H100_OVER_NETWORK = Machine(latency=2e-5, bandwidth=50e9, flops=400e12)


def launch(processes: int, arguments: list[str], seconds: float | int = 200) -> dict:
    """Run the worker in so many processes with gloo, and read the line that it prints.

    Raises:
        ValueError: it failed; the message has the end of its output.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command += ["-m", "expert_router.parallel.worker", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    if sys.platform == "linux":
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all processes are here, whatever the machine's name is
    run = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=environment)
    lines = [line for line in run.stdout.splitlines() if line.startswith("{")]
    if run.returncode or not lines:
        raise ValueError(f"torchrun ended with code {run.returncode}: {' '.join(run.stderr.split())[-500:]}")
    return json.loads(lines[-1])


def parallel(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Correctness, bytes, and times of two processes; then the calibrated model beside them, and the plans."""
    log("two processes")
    few = ["--repeats", "2", "--rows", "16", "256"]
    found = launch(2, ["--seed", str(options.seed), *(few if options.quick else [])])
    worst = max(max(process["differences"].values()) for process in found["processes"])
    if worst > 1e-9:
        raise ValueError(f"difference={worst}: two processes must equal one before they are timed")
    return {"difference": worst, "processes": 2, "bytes": bytes_of(found), **calibrated(found)}


def bytes_of(found: dict) -> dict:
    """Measured bytes of both processes, all four exchanges, beside the rows that had to travel and the formula."""
    counted = [process["bytes"] for process in found["processes"]]
    o = found["options"]
    return {
        "measured": sum(c["forward"] + c["backward"] for c in counted),
        "rows that travel": 2 * sum(c["rows away"] for c in counted),
        "formula": 2 * 4 * bytes_sent(o["tokens"], o["k"], o["d_model"], 8, 2),
    }


def calibrated(found: dict) -> dict:
    """The machine that the run shows, the step that the model then predicts, and plans for more devices."""
    o = found["options"]
    compute = median(found["compute"])
    flops = 18 * found["compute rows"] * o["d_model"] * o["ffn"] / compute
    sizes, seconds = ([e[key] for e in found["exchange"]] for key in ("bytes", "seconds"))
    machine = fit_machine(sizes, seconds, flops, 2)
    predicted = step_seconds(machine, o["tokens"], o["k"], o["d_model"], o["ffn"], 4, 2)
    machines = {THIS: machine, "H100, NVLink": H100, "H100, network": H100_OVER_NETWORK}
    return {
        "exchange": found["exchange"],
        "machine": vars(machine),
        "step": found["step"],
        "predicted": predicted,
        "plans": [row for name, m in machines.items() for row in planned(name, m)],
    }


def planned(name: str, machine: Machine) -> list[dict]:
    """A machine's plans for both layers and all numbers of devices; float32 here, 16 bits on GPUs."""
    element, rows = 4 if name == THIS else 2, []
    for layer, sizes in LAYERS.items():
        for devices in DEVICES:
            made = plan(machine, devices, **sizes, element=element)
            rows.append({"machine": name, "layer": layer, **vars(made), "communication": made.communication})
    return rows
