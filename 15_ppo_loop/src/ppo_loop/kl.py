"""Three estimators of KL(policy || reference) from samples of the policy (Schulman 2020).

With r = reference / policy at a sampled token, the estimators are -log r, (log r)² / 2 and r - 1 - log r.
What estimates a number well need not give the right gradient when it is differentiated: see `kl_loss`.

Dimensions:
    V vocabulary
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, kl_divergence


def k1_estimator(logprobs: Float[Tensor, "..."], ref_logprobs: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Unbiased, and negative at many tokens: high variance."""
    return logprobs - ref_logprobs


def k2_estimator(logprobs: Float[Tensor, "..."], ref_logprobs: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Never negative, biased where the two are far apart."""
    return (logprobs - ref_logprobs).square() / 2


def k3_estimator(logprobs: Float[Tensor, "..."], ref_logprobs: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Never negative and unbiased: k1 plus r - 1, whose mean is zero."""
    log_ratio = ref_logprobs - logprobs
    return log_ratio.exp() - 1 - log_ratio


ESTIMATORS = {"k1": k1_estimator, "k2": k2_estimator, "k3": k3_estimator}


def kl_loss(name: str, logprobs: Float[Tensor, "..."], ref_logprobs: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """An estimator to be differentiated at tokens that the policy itself has sampled.

    The gradient of k1 is the score function, whose mean is zero: a penalty that does nothing. k2's is log(policy /
    reference) times the score function, which is the gradient of KL. k3's is (1 - reference / policy) times the score
    function: the gradient of the KL in the other direction, KL(reference || policy).

    Raises:
        ValueError: no such estimator.
    """
    if name not in ESTIMATORS:
        raise ValueError(f"name={name!r}: must be one of {', '.join(ESTIMATORS)}")
    return ESTIMATORS[name](logprobs, ref_logprobs.detach())


def estimator_table(policy: Distribution, reference: Distribution, samples: int, seed: int = 0) -> dict:
    """Schulman's table: bias and deviation of each estimator, in units of the true KL."""
    torch.manual_seed(seed)
    x = policy.sample((samples,))
    true = float(kl_divergence(policy, reference))
    table = {}
    for name, estimator in ESTIMATORS.items():
        values = estimator(policy.log_prob(x).double(), reference.log_prob(x).double())
        table[name] = {"bias": float(values.mean() / true - 1), "std": float(values.std() / true)}
    return table


def loss_gradients(logits: Float[Tensor, "V"], ref_logits: Float[Tensor, "V"]) -> dict[str, Float[Tensor, "V"]]:
    """The exact mean gradient of each estimator as a loss, and the true gradients, for one categorical token."""
    logits = logits.detach().requires_grad_()
    logprobs, ref = logits.log_softmax(-1), ref_logits.log_softmax(-1)
    weights = logprobs.detach().exp()  # the policy's own samples, all of them
    losses = {name: (weights * kl_loss(name, logprobs, ref)).sum() for name in ESTIMATORS}
    losses["KL(policy || reference)"] = (logprobs.exp() * (logprobs - ref)).sum()
    losses["KL(reference || policy)"] = (ref.exp() * (ref - logprobs)).sum()
    return {name: torch.autograd.grad(loss, logits, retain_graph=True)[0] for name, loss in losses.items()}
