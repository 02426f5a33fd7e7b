"""Probes of sampling."""

import torch

from serving_stack import SamplingParams


def logits_of(seed, rows, vocab=11):
    return 2 * torch.randn(rows, vocab, generator=torch.Generator().manual_seed(seed))


def sampled(impl, logits, params, seeds):
    """Tokens, log-probabilities, and each generator's next number: how many it has given shows there."""
    generators, before = [torch.Generator().manual_seed(s) for s in seeds], logits.clone()
    tokens, logprobs = impl.sample(logits, params, generators)
    after = torch.cat([torch.rand(1, generator=g, dtype=torch.float64) for g in generators])
    kept = bool(torch.equal(logits, before))
    return {"tokens": list(tokens), "they are a list": isinstance(tokens, list), "log-probabilities": logprobs,
            "the generators' next numbers": after, "the logits are as they were": kept}  # fmt: skip


def rows_with_parameters_of_their_own(impl, seed):
    params = [SamplingParams(t, p) for t, p in ((0.0, 1.0), (0.7, 1.0), (1.3, 0.8), (0.0, 0.5), (2.0, 0.9))]
    return sampled(impl, logits_of(seed, 5), params, [seed + 9, seed + 5, seed + 7, seed, seed + 1])


def many_draws_at_one_temperature(impl, seed):
    found = {}
    for t, p in ((1.0, 1.0), (0.4, 1.0), (1.0, 0.6), (2.0, 0.6), (0.5, 0.8)):
        logits = logits_of(seed, 1, 7).expand(40, 7)
        found[f"temperature {t}, top_p {p}"] = sampled(
            impl, logits, [SamplingParams(t, p)] * 40, range(seed, seed + 40)
        )
    return found


def a_random_neighbour_in_front(impl, seed):
    logits = logits_of(seed, 3)
    return sampled(impl, logits, [SamplingParams(1.8), SamplingParams(0.0), SamplingParams(0.6)], [seed, 1, 2])


def many_greedy_rows(impl, seed):
    return sampled(impl, 0.1 * logits_of(seed, 12), [SamplingParams(0.0)] * 12, range(12))


def the_same_request_in_another_row(impl, seed):
    logits = logits_of(seed, 4)
    found = {}
    for row in range(4):
        order = [(row + i) % 4 for i in range(4)]
        params = [SamplingParams(0.5 + 0.3 * i) for i in order]
        found[f"turned by {row}"] = sampled(impl, logits[order], params, [seed + i for i in order])
    return found


def a_nucleus_of_one_token(impl, seed):
    logits = logits_of(seed, 6)
    return sampled(impl, logits, [SamplingParams(1.0, 0.01)] * 6, range(6))


def equal_logits_and_a_sum_that_is_reached_exactly(impl, seed):
    logits = torch.zeros(30, 4)
    return sampled(impl, logits, [SamplingParams(1.0, 0.5)] * 30, range(seed, seed + 30))


def tokens_that_are_forbidden(impl, seed):
    logits = logits_of(seed, 12)
    logits[:, ::2] = -torch.inf
    return sampled(impl, logits, [SamplingParams(1.0 + 0.05 * i) for i in range(12)], range(seed, seed + 12))


def large_logits(impl, seed):
    return sampled(impl, 500 * logits_of(seed, 4), [SamplingParams(1.0), SamplingParams(0.0)] * 2, range(4))


def the_row_of_the_workbook(impl, seed):
    logits = torch.tensor([[0.5, 0.3, 0.2]]).log().expand(3, 3)
    return sampled(impl, logits, [SamplingParams(0.0), SamplingParams(1.0, 0.5), SamplingParams(1.0, 0.6)], [1, 2, 3])


PROBES = {
    "sample": [
        rows_with_parameters_of_their_own,
        many_draws_at_one_temperature,
        a_random_neighbour_in_front,
        many_greedy_rows,
        the_same_request_in_another_row,
        a_nucleus_of_one_token,
        equal_logits_and_a_sum_that_is_reached_exactly,
        tokens_that_are_forbidden,
        large_logits,
        the_row_of_the_workbook,
    ],
}
