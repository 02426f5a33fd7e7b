"""What each rank of a distributed test runs: `gradients` compares with one process, `survive` may be killed."""

import json
import os
import signal
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from capstone_gpt import GPT, GPTConfig, Sampler
from capstone_gpt.training import Checkpoint, state_hash, token_loss, train_step
from capstone_gpt.training.distributed import (
    data_parallel,
    distributed_step,
    finish,
    fully_sharded,
    start,
    states_of_all_ranks,
)

CONFIG = GPTConfig(vocab_size=31, context_length=9, n_layer=2, n_head=2, n_embd=12)


def model():
    torch.manual_seed(0)
    return GPT(CONFIG).double()


def batches(n=12):
    tokens = torch.randint(31, (n, 10), generator=torch.Generator().manual_seed(1))
    x, y = tokens[:, :-1], tokens[:, 1:].clone()
    y[0, :7] = -100  # ranks have unequal numbers of targets
    return x, y


def gradients(folder, rank):
    x, y = batches()
    found = {}
    one = model()
    sgd = torch.optim.SGD(one.parameters(), lr=0.0)
    want_loss, want_norm = train_step(lambda a, b: token_loss(one, a, b), sgd, [(x, y)], 1e9)
    want = {n: p.grad for n, p in one.named_parameters()}
    mine = [
        (x[rank * 6 : rank * 6 + 4], y[rank * 6 : rank * 6 + 4]),
        (x[rank * 6 + 4 : rank * 6 + 6], y[rank * 6 + 4 : rank * 6 + 6]),
    ]
    for name, wrap in (("ddp", data_parallel), ("fsdp", fully_sharded)):
        inner = model()
        wrapped = wrap(inner)
        optimizer = torch.optim.SGD(wrapped.parameters(), lr=0.0)
        loss, norm = distributed_step(wrapped, token_loss, optimizer, mine, 1e9)
        off = 0.0
        for n, p in inner.named_parameters():
            grad = p.grad.full_tensor() if hasattr(p.grad, "full_tensor") else p.grad
            off = max(off, float((grad - want[n]).abs().max()))
        local = sum((p.to_local() if hasattr(p, "to_local") else p).numel() for p in inner.parameters())
        found[name] = {"gradient": off, "loss": abs(loss - want_loss), "norm": abs(norm - want_norm), "local": local,
                       "tied": inner.lm_head.weight is inner.wte.weight}  # fmt: skip
    if rank == 0:
        (folder / "gradients.json").write_text(json.dumps(found))


def survive(folder, rank, world, kill):
    inner = model()
    torch.manual_seed(100 + rank)  # each rank draws its own
    wrapped, sampler = data_parallel(inner), Sampler(12, 2, 0, rank, world)
    optimizer = torch.optim.AdamW(wrapped.parameters(), lr=1e-2)
    parts = {"model": inner, "optimizer": optimizer, "sampler": sampler}
    checkpoint, ranks, step = Checkpoint(folder / "c.pt"), folder / "ranks.pt", 0
    if checkpoint.path.exists():
        step = checkpoint.load(parts)
        torch.set_rng_state(torch.load(ranks)[rank])
    x, y = batches()
    while step < 9:
        i = next(sampler)
        noisy = torch.where(torch.rand(2, 9) < 0.2, -100, y[i])
        distributed_step(wrapped, token_loss, optimizer, [(x[i], noisy)], 1.0)
        step += 1
        if step % 3 == 0:
            states = states_of_all_ranks(torch.get_rng_state())
            if rank == 0:
                torch.save(states, folder / "ranks.new")
                os.replace(folder / "ranks.new", ranks)
                checkpoint.save(step, parts)
            dist.barrier()
        mark = folder / "killed"
        if kill and rank == 1 and step == 5 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    if rank == 0:
        (folder / "hash").write_text(state_hash(inner, optimizer))


if __name__ == "__main__":
    torch.set_num_threads(1)
    kill, where = sys.argv[1] == "killed", Path(sys.argv[2])
    place = start()
    if not kill:
        gradients(where, place[0])
    survive(where, *place, kill)
    finish()
