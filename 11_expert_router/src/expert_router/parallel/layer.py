"""A mixture whose experts are spread over processes. Every process has its own tokens and the whole router.

    1  sort the assignments by expert, so also by process
    2  tell each process how many rows will come, then send them            (all-to-all)
    3  run the experts that live here on the rows that arrived
    4  send the outputs back the way they came                              (all-to-all)
    5  weight them and add them where they belong

Dimensions:
    N  tokens of this process    K  experts of a token    D  d_model    P  processes    E  experts in all, E/P here
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..experts import Experts
from .exchange import Exchange


class ExpertParallel(nn.Module):
    """The experts of one process, cut from the whole mixture's weights.

    Raises:
        ValueError: the experts cannot be shared out equally.
    """

    def __init__(self, experts: Experts, exchange: Exchange):
        super().__init__()
        num_experts, world = len(experts), exchange.world
        if num_experts % world:
            raise ValueError(f"num_experts={num_experts}: must be a multiple of the processes, {world}")
        self.num_experts, self.here, self.exchange = num_experts, num_experts // world, exchange
        mine = slice(exchange.rank * self.here, (exchange.rank + 1) * self.here)
        width = experts.down_proj.shape[2]
        self.experts = Experts(self.here, experts.down_proj.shape[1], width)
        self.experts.gate_up_proj = nn.Parameter(experts.gate_up_proj[mine].detach().clone())
        self.experts.down_proj = nn.Parameter(experts.down_proj[mine].detach().clone())

    def forward(
        self, x: Float[Tensor, "N D"], indices: Int[Tensor, "N K"], weights: Float[Tensor, "N K"]
    ) -> Float[Tensor, "N D"]:
        """The weighted outputs of the experts, wherever they live."""
        order = indices.flatten().argsort(stable=True)  # N·K
        tokens = order // indices.shape[1]
        to_expert = indices.flatten().bincount(minlength=self.num_experts)
        from_expert = self.exchange.counts(to_expert)  # P · E/P: from each process, for each expert here
        send = to_expert.view(-1, self.here).sum(1).tolist()
        receive = from_expert.view(-1, self.here).sum(1).tolist()
        arrived = self.exchange.rows(x[tokens], send, receive)
        computed = self.compute(arrived, from_expert)
        outputs = self.exchange.rows(computed, receive, send)
        scaled = outputs * weights.flatten()[order, None]
        return torch.zeros_like(x).index_add(0, tokens, scaled)

    def compute(self, rows: Float[Tensor, "R D"], from_expert: Int[Tensor, "E"]) -> Float[Tensor, "R D"]:
        """The local experts on rows that arrived sorted by sender, then by expert. The order stays."""
        expert_of = torch.arange(self.here, device=rows.device).repeat(self.exchange.world)  # of each block of rows
        owner = expert_of.repeat_interleave(from_expert)  # R
        order = owner.argsort(stable=True)
        outputs = [rows[:0]]
        for expert, block in enumerate(rows[order].split(owner.bincount(minlength=self.here).tolist())):
            outputs.append(self.experts(block, expert))
        return torch.empty_like(rows).index_copy(0, order, torch.cat(outputs))
