"""Two processes equal one. The same script for CPUs and GPUs:

    torchrun --nproc-per-node 2 -m expert_router.parallel.worker                    gloo, on CPUs
    torchrun --nproc-per-node 8 -m expert_router.parallel.worker --backend nccl     NCCL, one GPU a process

Each process has its own tokens. All of them together are compared with one process that has everything: outputs,
gradients of x, of the weights and of the experts. Then exchanges of several sizes and a training step are timed. The
first process prints one line of JSON.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from statistics import median

import torch
import torch.distributed as dist
from torch import Tensor

from ..dispatch import loop_over_experts
from ..experts import Experts
from ..router import combine_weights, top_k_gate
from .exchange import Exchange
from .layer import ExpertParallel


def inputs(options: argparse.Namespace, world: int, dtype: torch.dtype) -> tuple[Experts, Tensor, Tensor, Tensor]:
    """The whole problem, the same in every process: experts, x, indices, weights."""
    generator = torch.Generator().manual_seed(options.seed)
    experts = Experts(options.experts, options.d_model, options.ffn)
    for weight in experts.parameters():
        weight.data = torch.randn(weight.shape, generator=generator, dtype=dtype) * weight.shape[-1] ** -0.5
    x = torch.randn(world * options.tokens, options.d_model, generator=generator, dtype=dtype)
    logits = torch.randn(len(x), options.experts, generator=generator, dtype=dtype)
    scores, indices = top_k_gate(logits, options.k)
    return experts, x, indices, combine_weights(scores, indices, options.k > 1)


def compare(options: argparse.Namespace, exchange: Exchange, device: torch.device) -> dict:
    """The largest differences from one process, in float64, and the bytes beside the formula's."""
    experts, x, indices, weights = inputs(options, exchange.world, torch.float64)
    experts, x, indices, weights = (part.to(device) for part in (experts, x, indices, weights))
    x.requires_grad_(), weights.requires_grad_()
    upstream = torch.cos(torch.arange(x.numel(), device=device, dtype=x.dtype)).view_as(x)
    whole = loop_over_experts(x, indices, weights, experts)
    wanted = torch.autograd.grad((whole * upstream).sum(), [x, weights, *experts.parameters()])

    mine = slice(exchange.rank * options.tokens, (exchange.rank + 1) * options.tokens)
    layer = ExpertParallel(experts, exchange)
    own_x, own_weights = (part[mine].detach().requires_grad_() for part in (x, weights))
    out = layer(own_x, indices[mine], own_weights)
    forward_bytes = exchange.bytes_sent
    leaves = [own_x, own_weights, *layer.parameters()]
    got = torch.autograd.grad((out * upstream[mine]).sum(), leaves)
    here = slice(exchange.rank * layer.here, (exchange.rank + 1) * layer.here)
    parts = [wanted[0][mine], wanted[1][mine], wanted[2][here], wanted[3][here]]
    differences = [(a - b).detach().abs().max().item() for a, b in zip([out, *got], [whole[mine], *parts], strict=True)]
    away = (indices[mine] // layer.here != exchange.rank).sum().item()  # assignments whose expert lives elsewhere
    names = ("outputs", "gradient of x", "gradient of the weights", "gradient of gate_up_proj", "gradient of down_proj")
    counted = {"forward": forward_bytes, "backward": exchange.bytes_sent - forward_bytes}
    counted["rows away"] = 2 * away * options.d_model * x.element_size()  # there and back
    return {"differences": dict(zip(names, differences, strict=True)), "bytes": counted}


def seconds_of(call: Callable[[], object], repeats: int, device: torch.device) -> list[float]:
    """Seconds of a call, with all processes starting together."""
    times = []
    for _ in range(repeats + 2):
        dist.barrier()
        start = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return times[2:]


def timings(options: argparse.Namespace, exchange: Exchange, device: torch.device) -> dict:
    """Exchanges of several sizes, the experts alone, and a whole training step; float32."""
    found = {"exchange": []}
    for rows in options.rows:
        block = torch.zeros(rows, options.d_model, device=device)
        share = [rows // exchange.world] * exchange.world
        before = exchange.bytes_sent
        times = seconds_of(lambda b=block, s=share: exchange.rows(b, s, s), options.repeats, device)
        sent = (exchange.bytes_sent - before) // (options.repeats + 2)
        found["exchange"].append({"bytes": sent, "seconds": median(times)})
    experts, x, indices, weights = inputs(options, exchange.world, torch.float32)
    layer = ExpertParallel(experts, exchange).to(device)
    mine = slice(exchange.rank * options.tokens, (exchange.rank + 1) * options.tokens)
    x, indices, weights = (part[mine].to(device) for part in (x, indices, weights))
    x.requires_grad_()

    def step():
        layer(x, indices, weights).square().sum().backward()

    evenly = torch.full((layer.here * exchange.world,), options.tokens * options.k // options.experts, device=device)
    rows = torch.randn(int(evenly.sum()), options.d_model, device=device, requires_grad=True)

    def compute():
        layer.compute(rows, evenly).square().sum().backward()

    found["step"] = seconds_of(step, options.repeats, device)
    found["compute"] = seconds_of(compute, options.repeats, device)
    found["compute rows"] = len(rows)
    return found


def arguments() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--backend", choices=("gloo", "nccl"), default="gloo")
    sizes = {"tokens": 512, "experts": 8, "k": 2, "d-model": 256, "ffn": 512, "repeats": 20, "seed": 0}
    for name, value in sizes.items():
        made.add_argument(f"--{name}", type=int, default=value)
    made.add_argument("--rows", type=int, nargs="+", default=[16, 256, 1024, 4096, 16384])
    return made


def main() -> None:
    """One process of the run; `torchrun` starts all of them."""
    options = arguments().parse_args()
    torch.set_num_threads(1)
    if options.backend == "nccl":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    else:
        device = torch.device("cpu")
    dist.init_process_group(options.backend)
    exchange = Exchange()
    found = {"world": exchange.world, "options": vars(options)} | compare(options, exchange, device)
    everyone = [None] * exchange.world
    dist.all_gather_object(everyone, {name: found[name] for name in ("differences", "bytes")})
    found |= {"processes": everyone, **timings(options, exchange, device)}
    if exchange.rank == 0:
        print(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
