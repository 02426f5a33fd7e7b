"""Several processes: the same step on every rank, gradients averaged (DDP) or weights split as well (FSDP).

Started by `torchrun --standalone --nproc-per-node 2`. After a rank is killed, torchrun starts all of them again, and
each resumes from the checkpoint.
"""

import contextlib
import os
from collections.abc import Callable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from .train_step import IGNORE


def start(backend: str = "gloo") -> tuple[int, int]:
    """(rank, world size). A restart gets keys of its own in the store.

    Without that prefix, ranks that torchrun has restarted find the addresses of the killed ones in the store and wait
    for them.
    """
    store, rank, world_size = next(iter(dist.rendezvous("env://")))
    restart = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    dist.init_process_group(backend, store=dist.PrefixStore(f"restart {restart}", store), rank=rank,
                            world_size=world_size)  # fmt: skip
    return rank, world_size


def finish() -> None:
    """Wait for the others, so that the rank with the store does not leave first."""
    dist.barrier()
    dist.destroy_process_group()


def data_parallel(model: nn.Module) -> DistributedDataParallel:
    """Whole weights on every rank; gradients are averaged while the backward pass runs."""
    return DistributedDataParallel(model)


def fully_sharded(model: nn.Module) -> nn.Module:
    """Each rank keeps its part of every weight (FSDP2); a block's weights are gathered while the block runs."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    for block in model.blocks:
        fully_shard(block, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def synchronised(model: nn.Module, last: bool) -> contextlib.AbstractContextManager:
    """Gradients travel with the last micro-batch only."""
    if isinstance(model, DistributedDataParallel):
        return contextlib.nullcontext() if last else model.no_sync()
    if hasattr(model, "set_requires_gradient_sync"):
        model.set_requires_gradient_sync(last)
    return contextlib.nullcontext()


def distributed_step(
    model: nn.Module,
    loss_sum: Callable[[nn.Module, Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    micro_batches: Sequence[tuple[Tensor, Tensor]],
    max_norm: float | int = float("inf"),
) -> tuple[float, float]:
    """`train_step` over all ranks: (loss, norm) of the mean over the targets of all micro-batches of all ranks.

    Gradients are averaged over ranks, so each rank's share is multiplied by the world size.
    """
    targets = torch.tensor(float(sum(int((y != IGNORE).sum()) for _, y in micro_batches)))
    dist.all_reduce(targets)
    optimizer.zero_grad()
    loss = torch.zeros(())
    for i, (x, y) in enumerate(micro_batches):
        with synchronised(model, i == len(micro_batches) - 1):
            share = loss_sum(model, x, y) / targets
            (share * dist.get_world_size()).backward()
            loss += share.detach().float()
    dist.all_reduce(loss)
    norm = clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], max_norm)
    norm = norm.full_tensor() if hasattr(norm, "full_tensor") else norm  # FSDP gives a sharded tensor
    optimizer.step()
    return float(loss), float(norm)


def states_of_all_ranks(state: Tensor) -> list[Tensor]:
    """One tensor of each rank (its random state, say), in the order of the ranks, on every rank."""
    found = [torch.empty_like(state) for _ in range(dist.get_world_size())]
    dist.all_gather(found, state)
    return found
