# ruff: noqa: E501  the keys are as long as they are
"""Mutants that no promised behaviour can tell from the reference, each with its reason.

`nox -s mutate-15` prints the key of each mutant that survives.
"""

SAME_AXIS = "this axis is the same one counted from the end"
SAME_SHAPE = "only a shape is read, and this tensor has the same"
ONE_COLUMN = "the axis has one entry"
COPIED = "the result is a new tensor already"
OVERWRITTEN = "every entry is written before it is read"
A_SQUARE = "the difference is squared"
SAME_LENGTH = "both have one entry an answer"

EQUIVALENT = {
    "answer_logprobs": {
        "tokens -> logits, in: if not 1 <= prompt_len < tokens.shape[1]:": SAME_SHAPE,
        "1 -> -1, in: if not 1 <= prompt_len < tokens.shape[1]: (2)": SAME_AXIS,
        "prompt_len - 1:-1 -> prompt_len - 1:, in: logits = logits[:, prompt_len - 1:-1] / temperature": (
            "gather reads no further than its index"
        ),
        "return logits.log_softmax(-1).gather(-1, answer[..., None])[..., 0] -> return _copied(logits.log_softmax(-1)"
        ".gather(-1, answer[..., None])[..., 0]), in: def answer_logprobs(logits, tokens, prompt_len, temperature=1.0):": (
            COPIED
        ),
        "0 -> -1, in: return logits.log_softmax(-1).gather(-1, answer[..., None])[..., 0]": ONE_COLUMN,
    },
    "last_token_scores": {
        "1 -> -1, in: if not real.any(1).all():": SAME_AXIS,
        "real -> scores, in: last = (torch.arange(real.shape[1]) * real).argmax(1)": SAME_SHAPE,
        "1 -> -1, in: last = (torch.arange(real.shape[1]) * real).argmax(1)": SAME_AXIS,
        "1 -> -1, in: last = (torch.arange(real.shape[1]) * real).argmax(1) (2)": SAME_AXIS,
        "return scores.gather(1, last[:, None])[:, 0] -> return _copied(scores.gather(1, last[:, None])[:, 0]), in: "
        "def last_token_scores(scores, real):": COPIED,
        "1 -> -1, in: return scores.gather(1, last[:, None])[:, 0]": SAME_AXIS,
        "0 -> -1, in: return scores.gather(1, last[:, None])[:, 0]": ONE_COLUMN,
    },
    "shaped_rewards": {
        "shaped_rewards: if not mask.any(1).all(): raise -> at the end": "no argument is changed before it",
        "1 -> -1, in: if not mask.any(1).all():": SAME_AXIS,
        "1 -> -1, in: last = mask.sum(1) - 1": SAME_AXIS,
        "scores -> last, in: rewards[torch.arange(len(scores)), last] += scores": SAME_LENGTH,
        "scores -> logprobs, in: rewards[torch.arange(len(scores)), last] += scores": SAME_LENGTH,
        "scores -> mask, in: rewards[torch.arange(len(scores)), last] += scores": SAME_LENGTH,
        "scores -> ref_logprobs, in: rewards[torch.arange(len(scores)), last] += scores": SAME_LENGTH,
        "scores -> rewards, in: rewards[torch.arange(len(scores)), last] += scores": SAME_LENGTH,
        "return rewards -> return _copied(rewards), in: @torch.no_grad()": COPIED,
    },
    "gae": {
        "torch.zeros_like(rewards) -> torch.ones_like(rewards), in: advantages = torch.zeros_like(rewards)": OVERWRITTEN,
        "rewards -> values, in: advantages = torch.zeros_like(rewards)": SAME_SHAPE,
        "rewards -> advantages, in: next_value = next_advantage = torch.zeros_like(rewards[:, 0])": SAME_SHAPE,
        "rewards -> mask, in: next_value = next_advantage = torch.zeros_like(rewards[:, 0])": (
            "a zero of another dtype is added and multiplied, which leaves the dtype of the rewards"
        ),
        "rewards -> values, in: next_value = next_advantage = torch.zeros_like(rewards[:, 0])": SAME_SHAPE,
        "0 -> -1, in: next_value = next_advantage = torch.zeros_like(rewards[:, 0])": SAME_SHAPE,
        "rewards -> advantages, in: for t in reversed(range(rewards.shape[1])):": SAME_SHAPE,
        "rewards -> mask, in: for t in reversed(range(rewards.shape[1])):": SAME_SHAPE,
        "rewards -> values, in: for t in reversed(range(rewards.shape[1])):": SAME_SHAPE,
        "1 -> -1, in: for t in reversed(range(rewards.shape[1])):": SAME_AXIS,
    },
    "value_loss": {
        "values -> returns, in: clipped = old + (values - old).clamp(-clip, clip)": (
            "the larger error is the plain one, or the edge is the same: the clipped return never changes the maximum"
        ),
        "values - returns -> returns - values, in: return 0.5 * torch.max((values - returns).square(), (clipped - retu...": (
            A_SQUARE
        ),
        "clipped - returns -> returns - clipped, in: return 0.5 * torch.max((values - returns).square(), (clipped - retu...": (
            A_SQUARE
        ),
    },
    "dpo_loss": {
        "1 -> -1, in: return torch.where(mask, logprobs - ref_logprobs.detach(), 0).sum(1)": SAME_AXIS,
    },
    "group_advantages": {
        "rewards -> mask, in: if group_size < 2 or len(rewards) % group_size:": SAME_LENGTH,
        "1 -> -1, in: advantages = groups - groups.mean(1, keepdim=True)": SAME_AXIS,
        "groups -> advantages, in: advantages = advantages / (groups.std(1, keepdim=True) + 0.0001)": (
            "a deviation does not change with the mean"
        ),
        "1 -> -1, in: advantages = advantages / (groups.std(1, keepdim=True) + 0.0001)": SAME_AXIS,
    },
}
