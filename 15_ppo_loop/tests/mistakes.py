"""The classic mistakes of this project as running code, and the inputs on which they are recognised.

Each knob has its right setting first. Whatever differs from it is one mistake.
"""

import math

import torch
import torch.nn.functional as F
from grader import combine, error_of

TASKS = [
    "answer_logprobs",
    "bradley_terry_loss",
    "last_token_scores",
    "k3_estimator",
    "shaped_rewards",
    "gae",
    "whiten",
    "ppo_clip_loss",
    "value_loss",
    "adapt_kl_coef",
    "dpo_loss",
    "group_advantages",
]
GATE_SEEDS = 2
MULTIPLIED = "that MULTIPLIES by the mask: NaN at padding stays NaN"
CHOOSE = "NaN times 0 is NaN. Which function chooses, and does not multiply?"
REPLACED = "that replaces NaN and then MULTIPLIES by the mask: infinity at padding becomes NaN"
CHOOSE_ALWAYS = "Infinity times 0 is not a number. Which function chooses, and does not multiply?"
NAN, INF = float("nan"), float("inf")


# ---------------------------------------------------------------- inputs


def randn(seed, *shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def right_mask(lengths, N):
    """True at the first so many tokens of each row."""
    return torch.arange(N) < torch.tensor(lengths)[:, None]


def probabilities(seed, *shape, dtype=torch.float32):
    """Log-probabilities as they occur: negative, some near zero."""
    return F.logsigmoid(2 * randn(seed, *shape, dtype=torch.float64)).to(dtype)


def gradients(loss, **leaves):
    """The gradient of a number to each leaf; zeros where nothing gets back."""
    found = {}
    for name, leaf in leaves.items():
        gradient = None
        if torch.is_tensor(loss) and loss.requires_grad:
            gradient = torch.autograd.grad(loss.sum(), leaf, retain_graph=True, allow_unused=True)[0]
        words = f"the gradient of {name.replace('_', ' ')}"
        found[words] = torch.zeros_like(leaf) if gradient is None else gradient
    return found


def with_gradients(function, constants=(), **arguments):
    """The value and the gradients of a loss, with every float tensor a leaf."""
    leaves = {n: a.clone().requires_grad_() for n, a in arguments.items() if a.is_floating_point()}
    loss = function(*(leaves.get(n, a) for n, a in arguments.items()), *constants)
    value = loss.detach() if torch.is_tensor(loss) else loss
    return {"the loss": value, **gradients(loss, **leaves)}


def at_padding(x, mask, value):
    """The same numbers, and something else where the mask is false."""
    return torch.where(mask, x, torch.full_like(x, value))


def under(mask, x, how):
    """What is real of x: chosen, or multiplied by the mask in one of two ways."""
    if how not in (MULTIPLIED, REPLACED):
        return torch.where(mask, x, 0)
    return (torch.where(x.isnan(), 0, x) if how == REPLACED else x) * mask


def flows(function, arguments, index):
    """Does any result carry a gradient to this argument?"""
    arguments = [a.clone().requires_grad_() if i == index else a for i, a in enumerate(arguments)]
    found = function(*arguments)
    return any(x.requires_grad for x in (found if isinstance(found, (tuple, list)) else [found]))


def unchanged(function, *arguments):
    """Are tensors that are passed in the same afterwards?"""
    before = [a.clone() for a in arguments if torch.is_tensor(a)]
    function(*arguments)
    after = [a for a in arguments if torch.is_tensor(a)]
    return all(torch.equal(x, y) for x, y in zip(before, after, strict=True))


# ---------------------------------------------------------------- answer_logprobs

ALIGN = [
    "right",
    "that reads the logits AT each answer token, which guess the token after it",
    "that reads the logits TWO positions before each answer token",
    "of ALL tokens after the first, those of the prompt too",
    "that leaves out the answer's first token",
    "that looks up the token that was READ at a position, not the one that was guessed there",
]
TEMPERATURE = [
    "right",
    "that IGNORES the temperature",
    "that MULTIPLIES the logits by the temperature",
    "that divides the log-probabilities by the temperature, and not the logits",
]
QUANTITY = [
    "right",
    "that returns PROBABILITIES: the log is missing",
    "that returns the LOGITS of the tokens: they are not normalised",
    "whose softmax runs over the positions of the text, not over the vocabulary",
    "of the most likely token at each place, whatever was sampled",
    "SUMMED over the answer's tokens",
    "whose log of a softmax UNDERFLOWS to -inf for improbable tokens",
]
LOGPROB_GRAPH = ["kept", "that is DETACHED: no gradient gets back to the logits"]
LOGPROB_CHECK = ["ValueError", "that takes a prompt of no token", "that takes a text without an answer"]
LOGPROB_KNOBS = {
    "align": ALIGN,
    "temperature_": TEMPERATURE,
    "quantity": QUANTITY,
    "graph": LOGPROB_GRAPH,
    "check": LOGPROB_CHECK,
}
LOGPROB_HINTS = {
    ALIGN[1]: "The model reads token t and guesses token t + 1. At which position is the first answer token guessed?",
    ALIGN[2]: "Count on the workbook's example: prompt of two tokens. Which row of logits guesses the third token?",
    ALIGN[3]: "Nobody sampled the prompt. How many columns does the result have?",
    ALIGN[4]: "The first answer token is guessed by the last prompt token. Is it in your result?",
    ALIGN[5]: "At position t the model reads token t. Whose probability does it give?",
    TEMPERATURE[1]: "Sampling at 0.7 draws from another distribution than at 1. Which one do you describe?",
    TEMPERATURE[2]: "A low temperature makes the distribution sharper. Are your logits further apart, or closer?",
    TEMPERATURE[3]: "Do the probabilities of all tokens still sum to one after your division?",
    QUANTITY[1]: "What is the range of a log-probability?",
    QUANTITY[2]: "Add 5 to all logits of a position: may the result change?",
    QUANTITY[3]: "Which axis holds the alternatives of one guess?",
    QUANTITY[4]: "Whose probability is asked for: the best token's, or the sampled one's?",
    QUANTITY[5]: "PPO has one ratio for each token. What shape does it need?",
    QUANTITY[6]: "exp(-200) is zero in float32. Which function never leaves the log?",
    LOGPROB_GRAPH[1]: "The policy is trained through this function. Which call cuts it off?",
    LOGPROB_CHECK[1]: "With prompt_len = 0, what would guess the first token? The docstring promises an error.",
    LOGPROB_CHECK[2]: "With prompt_len = T there is no answer. The docstring promises an error.",
}


def wrong_logprobs(align, temperature_, quantity, graph, check):
    def answer_logprobs(logits, tokens, prompt_len, temperature=1.0):
        T = tokens.shape[1]
        taken = {LOGPROB_CHECK[1]: 0, LOGPROB_CHECK[2]: T}.get(check)
        if not 1 <= prompt_len < T and prompt_len != taken:
            raise ValueError("prompt_len")
        if prompt_len == taken:
            return logits.new_zeros(len(tokens), T - prompt_len)
        shift = {ALIGN[1]: 0, ALIGN[2]: -2}.get(align, -1)
        first = {ALIGN[3]: 1, ALIGN[4]: prompt_len + 1}.get(align, prompt_len)
        answer = tokens[:, first - 1 : -1] if align == ALIGN[5] else tokens[:, first:]
        rows = (torch.arange(first, T) + shift).clamp(min=0)
        if temperature_ == TEMPERATURE[2]:
            logits = logits * temperature
        elif temperature_ in (TEMPERATURE[0],):
            logits = logits / temperature
        if quantity == QUANTITY[3]:
            chosen_from = logits.log_softmax(1)[:, rows]
        elif quantity == QUANTITY[2]:
            chosen_from = logits[:, rows]
        elif quantity == QUANTITY[6]:
            chosen_from = logits[:, rows].softmax(-1).log()
        else:
            chosen_from = logits[:, rows].log_softmax(-1)
        if temperature_ == TEMPERATURE[3]:
            chosen_from = chosen_from / temperature
        if quantity == QUANTITY[4]:
            out = chosen_from.amax(-1)
        else:
            out = chosen_from.gather(-1, answer[..., None])[..., 0]
        out = out.exp() if quantity == QUANTITY[1] else out
        out = out.sum(1) if quantity == QUANTITY[5] else out
        return out.detach() if graph == LOGPROB_GRAPH[1] else out

    return answer_logprobs


def logits_and_tokens(seed, B, T, V, dtype=torch.float32):
    tokens = torch.randint(V, (B, T), generator=torch.Generator().manual_seed(seed))
    return 2 * randn(seed + 1, B, T, V, dtype=dtype), tokens


def a_batch_of_three(impl, seed):
    return {"the log-probabilities": impl.answer_logprobs(*logits_and_tokens(seed, 3, 7, 5), 3)}


def another_temperature(impl, seed):
    return {"the log-probabilities": impl.answer_logprobs(*logits_and_tokens(seed + 3, 2, 6, 4), 2, 0.7)}


def temperature_by_name(impl, seed):
    logits, tokens = logits_and_tokens(seed + 5, 2, 5, 3, torch.float64)
    return {"the log-probabilities": impl.answer_logprobs(logits, tokens, prompt_len=1, temperature=1.3)}


def an_answer_of_one_token(impl, seed):
    return {"the log-probabilities": impl.answer_logprobs(*logits_and_tokens(seed + 7, 5, 4, 3), 3)}


def improbable_tokens(impl, seed):
    logits, tokens = logits_and_tokens(seed + 9, 2, 5, 3)
    return {"the log-probabilities": impl.answer_logprobs(300 * logits, tokens, 2)}


def gradient_to_the_logits(impl, seed):
    logits, tokens = logits_and_tokens(seed + 11, 2, 5, 3)
    logits.requires_grad_()
    out = impl.answer_logprobs(logits, tokens, 2)
    return gradients(out * randn(seed + 12, *out.shape), logits=logits)


def the_two_token_prompt_of_the_workbook(impl, seed):
    logits = torch.log(torch.tensor([[[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.25, 0.25, 0.5], [0.8, 0.1, 0.1]]]))
    return {"the log-probabilities": impl.answer_logprobs(logits, torch.tensor([[0, 2, 1, 2]]), 2)}


def prompts_that_are_refused(impl, seed):
    args = logits_and_tokens(seed, 2, 5, 3)
    call, lengths = impl.answer_logprobs, (-1, 0, 1, 4, 5, 6)
    return {f"prompt_len={n} of 5 tokens": error_of(lambda n=n: call(*args, n)) for n in lengths}


# ---------------------------------------------------------------- bradley_terry_loss

ORDER = ["right", "with chosen and rejected SWAPPED"]
MARGIN = [
    "right",
    "with the margin's sign WRONG: it makes a pair easier",
    "that IGNORES the margin",
    "that MULTIPLIES by the margin",
    "with the margin OUTSIDE of the sigmoid",
    "that AVERAGES the margins: every pair has the same",
]
BT_FORM = [
    "right",
    "WITHOUT the log",
    "that is a hinge, which gives no gradient to pairs in the right order",
    "whose log of a sigmoid OVERFLOWS for pairs far in the wrong order",
    "of the log of the reward's ratio, not of a sigmoid of the difference",
    "in base 2",
    "that CLAMPS the difference: pairs far in the wrong order give no gradient",
]
BT_MEAN = ["mean", "that returns one number a PAIR", "that is a SUM over pairs"]
BT_GRAPH = ["kept", "through which no GRADIENT flows into the rejected rewards"]
BT_KNOBS = {"graph": BT_GRAPH, "order": ORDER, "margin_": MARGIN, "form": BT_FORM, "mean": BT_MEAN}
BT_HINTS = {
    ORDER[1]: "The loss must fall when the chosen answer's reward rises.",
    MARGIN[1]: "A margin of 2 asks that the chosen answer is better by 2. Is the loss larger or smaller then?",
    MARGIN[2]: "Change the margin: what moves?",
    MARGIN[3]: "With a margin of 0 the loss is the plain one. Is yours?",
    MARGIN[4]: "What is the gradient of a number that is added at the end?",
    MARGIN[5]: "Two pairs, margins 0 and 2: which of them needs the larger difference?",
    BT_FORM[1]: "The loss is the negative log of a probability. What is it at a difference of 0?",
    BT_FORM[2]: "Bradley and Terry give a probability. What is the loss of a pair that is right by far?",
    BT_FORM[3]: "What is the log of sigmoid(-200) in float32? Which function computes it without the detour?",
    BT_FORM[4]: "Rewards may be negative. Which function turns any difference into a probability?",
    BT_FORM[5]: "At a difference of 0 the loss is 0.693. Which log gives that?",
    BT_FORM[6]: "At a difference of -500 the loss is 500. Which function needs no clamp?",
    BT_GRAPH[1]: "A pair teaches two things: what is better, and what is worse. Which call cuts one of them off?",
    BT_MEAN[1]: "An optimizer needs one number.",
    BT_MEAN[2]: "Twice as many pairs must not double the learning rate.",
}


def wrong_bt(graph, order, margin_, form, mean):
    def bradley_terry_loss(chosen, rejected, margin=0.0):
        rejected = rejected.detach() if graph == BT_GRAPH[1] else rejected
        difference = rejected - chosen if order == ORDER[1] else chosen - rejected
        if margin_ == MARGIN[5]:
            margin = torch.as_tensor(margin).mean()
        if margin_ == MARGIN[3]:
            difference = difference * margin
        else:
            difference = difference - {MARGIN[1]: -1, MARGIN[2]: 0, MARGIN[4]: 0}.get(margin_, 1) * margin
        if form == BT_FORM[1]:
            loss = -torch.sigmoid(difference)
        elif form == BT_FORM[2]:
            loss = (-difference).clamp(min=0)
        elif form == BT_FORM[3]:
            loss = -torch.log(torch.sigmoid(difference))
        elif form == BT_FORM[4]:
            loss = -torch.log(chosen.abs() / (chosen.abs() + rejected.abs()))
        elif form == BT_FORM[6]:
            loss = -F.logsigmoid(difference.clamp(-50, 50))
        else:
            loss = -F.logsigmoid(difference)
        loss = loss / math.log(2) if form == BT_FORM[5] else loss
        loss = loss + margin if margin_ == MARGIN[4] else loss
        return {"mean": loss.mean, BT_MEAN[1]: lambda: loss, BT_MEAN[2]: loss.sum}[mean]()

    return bradley_terry_loss


def pairs_without_a_margin(impl, seed):
    return with_gradients(impl.bradley_terry_loss, chosen=randn(seed, 7), rejected=randn(seed + 1, 7))


def a_margin_for_each_pair(impl, seed):
    return with_gradients(
        impl.bradley_terry_loss,
        [randn(seed + 4, 5, dtype=torch.float64).abs() + 0.5],
        chosen=randn(seed + 2, 5, dtype=torch.float64),
        rejected=randn(seed + 3, 5, dtype=torch.float64),
    )


def one_margin_for_all_pairs(impl, seed):
    return with_gradients(impl.bradley_terry_loss, [1.7], chosen=randn(seed + 5, 4), rejected=randn(seed + 6, 4))


def pairs_far_in_the_wrong_order(impl, seed):
    return with_gradients(
        impl.bradley_terry_loss, chosen=torch.tensor([-300.0, 2.0, 1.5]), rejected=torch.tensor([200.0, -400.0, 1.0])
    )


def the_pair_of_the_workbook(impl, seed):
    return with_gradients(impl.bradley_terry_loss, chosen=torch.tensor([2.0, 0.5]), rejected=torch.tensor([1.0, 0.5]))


# ---------------------------------------------------------------- last_token_scores

WHICH = [
    "right",
    "that reads position -1, which is PADDING in shorter rows",
    "that reads the FIRST token, which has seen nothing",
    "that counts the real tokens: wrong where padding stands on the left",
    "that reads one position PAST the last real token",
    "that is the MEAN over the real tokens",
    "that is the SUM over the real tokens",
    "that is the LARGEST of the real tokens' scores",
    "that reads the last real token of the longest row in EVERY row",
    "that reads the last but one real token",
    "that takes a score of 0 for padding",
]
LAST_CHECK = ["ValueError", "that scores a row without a real token"]
LAST_OUT = [
    "right",
    "that is DETACHED: no gradient gets back to the scores",
    "that loses its axis where the batch has ONE row",
]
LAST_KNOBS = {"which": WHICH, "check": LAST_CHECK, "result": LAST_OUT}
LAST_HINTS = {
    WHICH[1]: "What stands at position -1 of a short answer in a batch with a long one?",
    WHICH[2]: "Attention is causal. Which token has read the whole answer?",
    WHICH[3]: "Row F F T T has two real tokens. At which position is the last one?",
    WHICH[4]: "Positions count from 0.",
    WHICH[5]: "A reward model is trained at one position. Which one has read everything?",
    WHICH[6]: "Should a longer answer have a higher reward because it is longer?",
    WHICH[7]: "Which position is meant, whatever the score there is?",
    WHICH[8]: "Rows end at different positions. How many indices do you need?",
    WHICH[9]: "The stop token is part of the answer. Is it real?",
    WHICH[10]: "A score may be 0. What says that a token is real?",
    LAST_CHECK[1]: "A row of padding alone has no last token. What does the docstring promise?",
    LAST_OUT[1]: "The reward model is trained through this number.",
    LAST_OUT[2]: "`squeeze` takes away every axis of length one. Which one did you mean?",
}


def wrong_last(which, check, result):
    def last_token_scores(scores, real):
        if check == "ValueError" and not real.any(1).all():
            raise ValueError("empty")
        T = real.shape[1]
        count = real.sum(1)
        last = (torch.arange(T) * real).amax(1)
        index = {
            WHICH[1]: torch.full_like(last, T - 1),
            WHICH[2]: torch.zeros_like(last),
            WHICH[3]: (count - 1).clamp(min=0),
            WHICH[4]: (last + 1).clamp(max=T - 1),
            WHICH[8]: last.max().expand_as(last),
            WHICH[9]: (last - 1).clamp(min=0),
            WHICH[10]: (torch.arange(T) * (scores * real != 0)).amax(1),
        }.get(which, last)
        out = scores.gather(1, index[:, None])[:, 0]
        if which in WHICH[5:7]:
            out = (scores * real).sum(1) / (count if which == WHICH[5] else 1)
        if which == WHICH[7]:
            out = scores.masked_fill(~real, -math.inf).amax(1)
        return {LAST_OUT[1]: out.detach, LAST_OUT[2]: out.squeeze}.get(result, lambda: out)()

    return last_token_scores


def rows_padded_on_the_right(impl, seed):
    return {"the scores": impl.last_token_scores(randn(seed, 5, 7), right_mask([7, 3, 1, 5, 6], 7))}


def rows_padded_on_the_left(impl, seed):
    return {"the scores": impl.last_token_scores(randn(seed + 1, 4, 5), right_mask([5, 2, 1, 3], 5).flip(1))}


def rows_padded_on_both_sides(impl, seed):
    real = torch.tensor([[False, True, True, False, False], [True, True, True, True, False]] * 2)
    return {"the scores": impl.last_token_scores(randn(seed + 2, 4, 5, dtype=torch.float64), real)}


def a_single_column(impl, seed):
    return {"the scores": impl.last_token_scores(randn(seed + 3, 4, 1), right_mask([1, 1, 1, 1], 1))}


def a_single_row(impl, seed):
    return {"the scores": impl.last_token_scores(randn(seed + 6, 1, 5), right_mask([3], 5))}


def a_score_of_zero(impl, seed):
    scores, real = randn(seed + 5, 3, 4), right_mask([4, 2, 3], 4)
    scores[1, 1] = scores[2, 2] = 0.0
    return {"the scores": impl.last_token_scores(scores, real)}


def gradient_to_the_scores(impl, seed):
    scores = randn(seed + 4, 3, 4).requires_grad_()
    out = impl.last_token_scores(scores, right_mask([4, 1, 2], 4))
    return gradients(out * torch.tensor([1.0, 2.0, 3.0]), scores=scores)


def a_row_of_padding_alone(impl, seed):
    call = impl.last_token_scores
    return {
        "a row of padding": error_of(lambda: call(randn(seed, 3, 4), right_mask([4, 0, 2], 4))),
        "rows with tokens": error_of(lambda: call(randn(seed, 3, 4), right_mask([4, 1, 2], 4))),
    }


def the_rows_of_the_workbook(impl, seed):
    scores = torch.tensor([[0.1, 0.2, 0.7, 9.0], [0.3, 0.4, 0.5, 0.6], [9.0, 9.0, 0.2, 0.8]])
    real = torch.tensor([[True, True, True, False], [True, True, True, True], [False, False, True, True]])
    return {"the scores": impl.last_token_scores(scores, real)}


# ---------------------------------------------------------------- k3_estimator

K3_FORM = [
    "right",
    "that is k1, the plain log ratio",
    "that is k1 with the wrong sign",
    "that is k2, half the squared log ratio",
    "with policy and reference SWAPPED in both places",
    "with the ratio UPSIDE DOWN in the exponential only",
    "that ADDS the log ratio instead of subtracting it",
    "that forgets the -1",
    "that is the absolute log ratio",
    "that weighs each token by the policy's probability, though the policy sampled it already",
    "whose log ratio is CLAMPED to ±10",
    "that takes the log of r after the exponential: an r of 0 gives infinity",
    "whose r is DETACHED: only the logarithm has a gradient",
    "whose log ratio is CLAMPED to ±20",
]
K3_SHAPE = ["right", "that is AVERAGED to one number", "that is SUMMED over the tokens of each answer"]
K3_GRAPH = ["kept", "that is DETACHED: no gradient gets back to the log-probabilities"]
K3_KNOBS = {"form": K3_FORM, "shape": K3_SHAPE, "graph": K3_GRAPH}
K3_HINTS = {
    K3_FORM[1]: "k3 is never negative. Is yours?",
    K3_FORM[2]: "k3 is never negative. Is yours?",
    K3_FORM[3]: "k2 is biased where the two are far apart. Which term has the mean zero that can be added to k1?",
    K3_FORM[4]: "The samples come from the policy. Whose probability stands above the fraction line of r?",
    K3_FORM[5]: "The same r stands in both terms. Is it policy / reference or reference / policy?",
    K3_FORM[6]: "At r = 2, r - 1 - log r is 0.307.",
    K3_FORM[7]: "Two equal policies have a KL of zero.",
    K3_FORM[8]: "The mean of the absolute value is no KL. Which term has the mean zero that can be added to k1?",
    K3_FORM[9]: "An average over samples of the policy weighs by its probability already.",
    K3_FORM[10]: "At log r = -200, k3 is 199. What is yours?",
    K3_FORM[11]: "exp(-200) is 0 in float32. You had the log of r before: is it needed again?",
    K3_FORM[12]: "The gradient of k3 to log pi is 1 - r. Which of the two terms gives the r?",
    K3_FORM[13]: "At log r = -200, k3 is 199. What is yours?",
    K3_SHAPE[1]: "Who masks the padding, if there is one number left?",
    K3_SHAPE[2]: "Who masks the padding, if each answer has one number left?",
    K3_GRAPH[1]: "GRPO differentiates this number.",
}


def wrong_k3(form, shape, graph):
    def k3_estimator(logprobs, ref_logprobs):
        log_r = ref_logprobs - logprobs
        out = {
            K3_FORM[0]: lambda: log_r.exp() - 1 - log_r,
            K3_FORM[1]: lambda: -log_r,
            K3_FORM[2]: lambda: log_r,
            K3_FORM[3]: lambda: log_r.square() / 2,
            K3_FORM[4]: lambda: (-log_r).exp() - 1 + log_r,
            K3_FORM[5]: lambda: (-log_r).exp() - 1 - log_r,
            K3_FORM[6]: lambda: log_r.exp() - 1 + log_r,
            K3_FORM[7]: lambda: log_r.exp() - log_r,
            K3_FORM[8]: lambda: log_r.abs(),
            K3_FORM[10]: lambda: log_r.clamp(-10, 10).exp() - 1 - log_r.clamp(-10, 10),
            K3_FORM[13]: lambda: log_r.clamp(-20, 20).exp() - 1 - log_r.clamp(-20, 20),
            K3_FORM[11]: lambda: log_r.exp() - 1 - log_r.exp().log(),
            K3_FORM[12]: lambda: log_r.exp().detach() - 1 - log_r,
            K3_FORM[9]: lambda: logprobs.exp() * (log_r.exp() - 1 - log_r),
        }[form]()
        out = {K3_SHAPE[0]: lambda: out, K3_SHAPE[1]: out.mean, K3_SHAPE[2]: lambda: out.sum(-1)}[shape]()
        return out.detach() if graph == K3_GRAPH[1] else out

    return k3_estimator


def two_policies_that_differ(impl, seed):
    return {"k3": impl.k3_estimator(probabilities(seed, 3, 5), probabilities(seed + 1, 3, 5))}


def equal_policies(impl, seed):
    p = probabilities(seed + 2, 2, 3, dtype=torch.float64)
    return {"k3": impl.k3_estimator(p, p.clone())}


def tokens_on_any_axes(impl, seed):
    cases = {"k3 on one axis": (7,), "k3 on three axes": (2, 3, 4)}
    return {n: impl.k3_estimator(probabilities(seed + 3, *s), probabilities(seed + 4, *s)) for n, s in cases.items()}


def policies_far_apart(impl, seed):
    small, large = ([[-0.5, -0.5, -1.0]], [[-200.5, -1.0, -1.5]]), ([[-16.0, -16.0, -1.0]], [[-1.0, -3.0, -1.5]])
    cases = {"k3 where r is tiny": small, "k3 where r is large": large}
    return {name: impl.k3_estimator(*map(torch.tensor, both)) for name, both in cases.items()}


def k3_and_its_gradient(impl, seed):
    p = probabilities(seed + 5, 2, 4, dtype=torch.float64).requires_grad_()
    return gradients(impl.k3_estimator(p, probabilities(seed + 6, 2, 4, dtype=torch.float64)), logprobs=p)


def the_tokens_of_the_workbook(impl, seed):
    p, q = (torch.log(torch.tensor(x)) for x in ([0.5, 0.25, 0.1], [0.5, 0.5, 0.05]))
    return {"k3": impl.k3_estimator(p, q)}


# ---------------------------------------------------------------- shaped_rewards

KL_TERM = [
    "right",
    "whose KL has the wrong SIGN: it pays for leaving the reference",
    "with k3 in place of the log ratio",
    "with the ABSOLUTE log ratio, so that tokens that became rarer are punished too",
    "without the reference: it punishes every likely token",
    "whose whole KL is charged at the LAST token",
    "that pays for KL at PADDING too",
    "that ignores beta",
    "whose KL is a MEAN over the answer's tokens",
    MULTIPLIED,
    REPLACED,
]
SCORE_AT = [
    "right",
    "whose score is at the last COLUMN, which is padding in shorter answers",
    "whose score is at the FIRST token",
    "whose score is at EVERY token",
    "whose score is shared out EVENLY over the tokens",
    "that forgets the score",
    "whose score REPLACES the KL of the last token",
    "whose score is multiplied by beta",
    "whose score is one token too early",
    "whose score is one token too late, on padding where there is any",
]
SHAPED_GRAPH = [
    "constant",
    "through which a GRADIENT flows: nothing is detached",
    "through which a GRADIENT flows into the policy",
    "through which a GRADIENT flows into the scores",
    "through which a GRADIENT flows into the reference",
]
SHAPED_CHECK = ["ValueError", "that takes an answer of no token"]
SHAPED_KNOBS = {"kl": KL_TERM, "at": SCORE_AT, "graph": SHAPED_GRAPH, "check": SHAPED_CHECK}
SHAPED_HINTS = {
    KL_TERM[1]: "A token that the policy likes more than the reference does: does it gain or lose?",
    KL_TERM[2]: "k3 is used where each token's number is differentiated. A sum of rewards needs an unbiased number.",
    KL_TERM[3]: "The mean over samples of the policy must be the KL. What happens to the negative terms?",
    KL_TERM[4]: "With policy and reference equal, what is the penalty?",
    KL_TERM[5]: "Each token has its own price. Why make the learner guess which one was dear?",
    KL_TERM[6]: "Nobody sampled the padding.",
    KL_TERM[7]: "Double beta: what changes?",
    MULTIPLIED: CHOOSE,
    REPLACED: CHOOSE_ALWAYS,
    KL_TERM[8]: "KL of an answer is the sum over its tokens.",
    SCORE_AT[1]: "Where does an answer of two tokens end, in a batch with one of seven?",
    SCORE_AT[2]: "The reward model speaks when the answer is complete.",
    SCORE_AT[3]: "How often is an answer of five tokens paid?",
    SCORE_AT[4]: "The reward model speaks once, when the answer is complete.",
    SCORE_AT[5]: "What is the answer paid for?",
    SCORE_AT[6]: "Does the last token pay no KL?",
    SCORE_AT[7]: "Set beta to 0: what is left?",
    SCORE_AT[8]: "Positions count from 0. Is the stop token paid?",
    SCORE_AT[9]: "Positions count from 0. Where does an answer of two tokens end?",
    SHAPED_GRAPH[1]: "Rewards are numbers. What must `requires_grad` be?",
    SHAPED_GRAPH[2]: "A reward is a number that the policy was given. What must `requires_grad` be?",
    SHAPED_GRAPH[3]: "The reward model is not trained by PPO. What must `requires_grad` be?",
    SHAPED_GRAPH[4]: "The reference is frozen. What must `requires_grad` be?",
    SHAPED_CHECK[1]: "Where would its score go? The docstring promises an error.",
}


def wrong_shaped(kl, at, graph, check):
    def shaped_rewards(scores, logprobs, ref_logprobs, mask, beta):
        if check == "ValueError" and not mask.any(1).all():
            raise ValueError("empty")
        if graph != SHAPED_GRAPH[1]:
            scores = scores if graph == SHAPED_GRAPH[3] else scores.detach()
            logprobs = logprobs if graph == SHAPED_GRAPH[2] else logprobs.detach()
            ref_logprobs = ref_logprobs if graph == SHAPED_GRAPH[4] else ref_logprobs.detach()
        log_ratio = logprobs - ref_logprobs
        penalty = {
            KL_TERM[1]: -log_ratio,
            KL_TERM[2]: (-log_ratio).exp() - 1 + log_ratio,
            KL_TERM[3]: log_ratio.abs(),
            KL_TERM[4]: logprobs,
        }.get(kl, log_ratio)
        count = mask.sum(1)
        last = (count - 1).clamp(min=0)
        rows, B = torch.arange(len(scores)), len(scores)
        if kl != KL_TERM[6]:
            penalty = under(mask, penalty, kl)
        if kl == KL_TERM[5]:
            whole = penalty.sum(1)
            penalty = torch.zeros_like(penalty).index_put((rows, last), whole)
        if kl == KL_TERM[8]:
            penalty = penalty / count[:, None]
        rewards = -(1.0 if kl == KL_TERM[7] else beta) * penalty
        where = {
            SCORE_AT[1]: torch.full((B,), mask.shape[1] - 1),
            SCORE_AT[2]: torch.zeros(B, dtype=torch.long),
            SCORE_AT[8]: (last - 1).clamp(min=0),
            SCORE_AT[9]: (last + 1).clamp(max=mask.shape[1] - 1),
        }.get(at, last)
        paid = torch.zeros_like(rewards).index_put((rows, where), scores)
        if at == SCORE_AT[3]:
            paid = scores[:, None] * mask
        elif at == SCORE_AT[4]:
            paid = scores[:, None] * mask / count[:, None]
        elif at == SCORE_AT[5]:
            paid = torch.zeros_like(rewards)
        elif at == SCORE_AT[6]:
            rewards = rewards.index_put((rows, last), torch.zeros(B, dtype=rewards.dtype))
        elif at == SCORE_AT[7]:
            paid = beta * paid
        return rewards + paid

    return shaped_rewards


def shaped_inputs(seed, lengths=(5, 2, 1, 4), N=5, dtype=torch.float32):
    B = len(lengths)
    mask = right_mask(lengths, N)
    scores, logprobs, ref = randn(seed, B), probabilities(seed + 1, B, N), probabilities(seed + 2, B, N)
    return scores.to(dtype), logprobs.to(dtype), ref.to(dtype), mask


def answers_of_different_lengths(impl, seed):
    return {"the rewards": impl.shaped_rewards(*shaped_inputs(seed), 0.3)}


def a_large_beta(impl, seed):
    return {"the rewards": impl.shaped_rewards(*shaped_inputs(seed + 3, (3, 7), 7, torch.float64), beta=2.5)}


def no_penalty(impl, seed):
    return {"the rewards": impl.shaped_rewards(*shaped_inputs(seed + 6), 0.0)}


def padding_that_is_not_a_number(impl, seed):
    scores, logprobs, ref, mask = shaped_inputs(seed + 9)
    logprobs, ref = at_padding(logprobs, mask, NAN), at_padding(ref, mask, NAN)
    return {"the rewards": impl.shaped_rewards(scores, logprobs, ref, mask, 0.2)}


def padding_that_is_infinite(impl, seed):
    scores, logprobs, ref, mask = shaped_inputs(seed + 11)
    return {"the rewards": impl.shaped_rewards(scores, at_padding(logprobs, mask, -INF), ref, mask, 0.2)}


def rewards_are_constants(impl, seed):
    arguments = [*shaped_inputs(seed + 12), 0.2]
    whole = {"the arguments are unchanged": unchanged(impl.shaped_rewards, *shaped_inputs(seed + 13), 0.2)}
    for i, name in enumerate(("scores", "log-probabilities", "reference")):
        whole[f"a gradient flows into the {name}"] = flows(impl.shaped_rewards, arguments, i)
    return whole


def an_answer_of_no_token(impl, seed):
    empty, whole = shaped_inputs(seed, (2, 0)), shaped_inputs(seed, (2, 1))
    cases = {"an answer of no token": empty, "answers with tokens": whole}
    return {name: error_of(lambda a=args: impl.shaped_rewards(*a, 0.1)) for name, args in cases.items()}


def the_two_answers_of_the_workbook(impl, seed):
    logprobs, ref = torch.tensor([[-1.0, -2.0, -1.0], [-0.5, -1.0, 0.0]]), torch.tensor([[-2.0, -2.0, -4.0]] * 2)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    return {"the rewards": impl.shaped_rewards(torch.tensor([5.0, 1.0]), logprobs, ref, mask, 0.1)}


# ---------------------------------------------------------------- gae

BOOTSTRAP = [
    "right",
    "that BOOTSTRAPS past the end: the value at padding counts for the last token",
    "that never looks at the next value",
    "whose done flag is INVERTED: only the last token sees a next value",
    "that looks at the value of the SAME token twice",
    "that lets the advantage run on from padding into the answer",
    "whose next value is the token's own, at the last token",
    "that walks over the padding as if it were part of the answer",
    MULTIPLIED,
    REPLACED,
]
DISCOUNT = [
    "right",
    "with gamma and lambda SWAPPED",
    "that forgets gamma before the next advantage",
    "that forgets lambda",
    "that forgets gamma before the next value",
    "that forgets gamma throughout",
]
RETURNS = [
    "right",
    "whose returns are the ADVANTAGES: the values are not added",
    "whose returns are the discounted sums of rewards, without values",
    "whose returns have the NEXT value added",
    "whose returns have the value SUBTRACTED",
    "whose returns come first",
    "whose returns at padding are not zero",
    "whose returns are MULTIPLIED by the mask: NaN at padding stays NaN",
]
GAE_ORDER = [
    "backwards",
    "that walks FORWARDS through the answer",
    "whose value is ADDED to delta, not subtracted",
    "that WHITENS the advantages, which is another function's work",
]
GAE_GRAPH = [
    "constant",
    "through which a GRADIENT flows: nothing is detached",
    "whose RETURNS carry a gradient: the values are added where gradients are kept",
    "through which a GRADIENT flows into the rewards",
]
GAE_DEFAULTS = [
    "right",
    "whose gamma is 0.99 where none is given",
    "whose lambda is 1 where none is given",
]
GAE_KNOBS = {
    "bootstrap": BOOTSTRAP,
    "discount": DISCOUNT,
    "returns_": RETURNS,
    "order": GAE_ORDER,
    "graph": GAE_GRAPH,
    "defaults": GAE_DEFAULTS,
}
GAE_HINTS = {
    BOOTSTRAP[1]: "The answer has ended. What can still be expected after its last token?",
    BOOTSTRAP[2]: "delta compares what was expected before a token with what is expected after it.",
    BOOTSTRAP[3]: "At which tokens does the answer go on: where the next position is real, or where it is padding?",
    BOOTSTRAP[4]: "V at t + 1 minus V at t: are they the same number?",
    BOOTSTRAP[5]: "What has the advantage at padding to be, before the answer's last token is reached?",
    BOOTSTRAP[6]: "After the last token there is no state. What is the value of nothing?",
    BOOTSTRAP[7]: "Put other numbers at padding: what moves?",
    MULTIPLIED: CHOOSE,
    REPLACED: CHOOSE_ALWAYS,
    DISCOUNT[1]: "Which of the two stands before the next value?",
    DISCOUNT[2]: "Which two numbers stand before the next advantage?",
    DISCOUNT[3]: "With lambda = 0 the advantage is delta alone. Is yours?",
    DISCOUNT[4]: "A reward that comes one token later is worth gamma of it. What about a value?",
    DISCOUNT[5]: "Set gamma to 0: what does a token see of the next?",
    RETURNS[1]: "The value model is trained towards the returns. An advantage is a difference from the value.",
    RETURNS[2]: "With lambda below 1 the return mixes rewards with values.",
    RETURNS[3]: "A_t is measured from V_t. What must be added to get back?",
    RETURNS[4]: "A_t = return_t - V_t.",
    RETURNS[5]: "In which order does the docstring name the two results?",
    RETURNS[6]: "Padding has no return.",
    RETURNS[7]: CHOOSE,
    GAE_ORDER[1]: "A_t needs A_{t+1}. Which token is known first?",
    GAE_ORDER[2]: "An advantage is what came out, minus what was expected.",
    GAE_ORDER[3]: "With lambda = 1 and no values the advantages are the sums of rewards. Are yours?",
    GAE_GRAPH[1]: "The value loss has its own path to the values. What is the target?",
    GAE_GRAPH[2]: "The value loss has its own path to the values. Is its target a constant?",
    GAE_GRAPH[3]: "Rewards are numbers that were measured. What must `requires_grad` be?",
    GAE_DEFAULTS[1]: "Which gamma does the signature of the task have?",
    GAE_DEFAULTS[2]: "Which lambda does the signature of the task have?",
}


def wrong_gae(bootstrap, discount, returns_, order, graph, defaults):
    usual = {GAE_DEFAULTS[1]: (0.99, 0.95), GAE_DEFAULTS[2]: (1.0, 1.0)}.get(defaults, (1.0, 0.95))

    def gae(rewards, values, mask, gamma=usual[0], lam=usual[1]):
        def real(x, kept):
            return under(kept, x, bootstrap)

        undetached = values
        if graph != GAE_GRAPH[1]:
            rewards = rewards if graph == GAE_GRAPH[3] else rewards.detach()
            values = values.detach()
        N = rewards.shape[1]
        before = gamma if discount not in DISCOUNT[4:] else 1.0
        trace = {DISCOUNT[2]: lam, DISCOUNT[3]: gamma, DISCOUNT[5]: lam}.get(discount, gamma * lam)
        before = lam if discount == DISCOUNT[1] else before
        zero = torch.zeros_like(rewards[:, 0])
        next_value, advantage, found, nexts = zero, zero, {}, {}
        sums, total = {}, zero
        steps = range(N) if order == GAE_ORDER[1] else reversed(range(N))
        for t in steps:
            v = values[:, t]
            inside = mask[:, t + 1] if t + 1 < N else torch.zeros_like(mask[:, 0])
            after = next_value
            if bootstrap == BOOTSTRAP[2]:
                after = zero
            elif bootstrap == BOOTSTRAP[3]:
                after = torch.where(inside, zero, values[:, min(t + 1, N - 1)])
            elif bootstrap == BOOTSTRAP[4]:
                after = v
            elif bootstrap == BOOTSTRAP[6]:
                after = torch.where(inside, next_value, v)
            delta = rewards[:, t] + before * after + (v if order == GAE_ORDER[2] else -v)
            raw = delta + trace * advantage
            advantage = raw if bootstrap in (BOOTSTRAP[5], BOOTSTRAP[7]) else real(raw, mask[:, t])
            next_value = v if bootstrap in (BOOTSTRAP[1], BOOTSTRAP[7]) else real(v, mask[:, t])
            total = torch.where(mask[:, t], rewards[:, t] + gamma * total, 0)
            found[t], nexts[t], sums[t] = real(advantage, mask[:, t]), after, total
        advantages = torch.stack([found[t] for t in range(N)], 1)
        returns = advantages + {
            RETURNS[1]: torch.zeros_like(values),
            RETURNS[3]: torch.stack([nexts[t] for t in range(N)], 1),
            RETURNS[4]: -values,
        }.get(returns_, values)
        if returns_ == RETURNS[2]:
            returns = torch.stack([sums[t] for t in range(N)], 1)
        if returns_ == RETURNS[7]:
            returns = returns * mask
        elif returns_ != RETURNS[6]:
            returns = real(returns, mask)
        if order == GAE_ORDER[3]:
            found = advantages[mask]
            advantages = torch.where(mask, (advantages - found.mean()) / (found.std() + 1e-8), 0)
        if graph == GAE_GRAPH[2]:
            returns = real(advantages + undetached, mask)
        return (returns, advantages) if returns_ == RETURNS[5] else (advantages, returns)

    return gae


def gae_inputs(seed, lengths=(5, 2, 1, 4), N=5, dtype=torch.float32):
    return (
        randn(seed, len(lengths), N, dtype=dtype),
        randn(seed + 1, len(lengths), N, dtype=dtype),
        right_mask(lengths, N),
    )


def named_gae(out):
    advantages, returns = out
    return {"the advantages": advantages, "the returns": returns}


def answers_of_many_lengths(impl, seed):
    return named_gae(impl.gae(*gae_inputs(seed), 0.9, 0.8))


def gamma_and_lambda_that_are_left_out(impl, seed):
    return named_gae(impl.gae(*gae_inputs(seed + 2, (3, 7, 6), 7, torch.float64)))


def by_keyword(impl, seed):
    return named_gae(impl.gae(*gae_inputs(seed + 4), lam=0.3, gamma=0.7))


def lambda_zero(impl, seed):
    return named_gae(impl.gae(*gae_inputs(seed + 6), 0.9, 0.0))


def answers_of_one_token(impl, seed):
    return named_gae(impl.gae(*gae_inputs(seed + 8, (1, 1, 1, 1), 1), 0.9, 0.8))


def values_at_padding_are_not_numbers(impl, seed):
    rewards, values, mask = gae_inputs(seed + 10)
    return named_gae(impl.gae(at_padding(rewards, mask, NAN), at_padding(values, mask, NAN), mask, 0.9, 0.8))


def values_at_padding_are_infinite(impl, seed):
    rewards, values, mask = gae_inputs(seed + 11)
    return named_gae(impl.gae(at_padding(rewards, mask, INF), at_padding(values, mask, -INF), mask, 0.9, 0.8))


def advantages_are_constants(impl, seed):
    arguments = [*gae_inputs(seed + 12), 0.9, 0.8]
    found = {"the arguments are unchanged": unchanged(impl.gae, *gae_inputs(seed + 13), 0.9, 0.8)}
    for i, name in enumerate(("rewards", "values")):
        for j, out in enumerate(("advantages", "returns")):
            words = f"a gradient flows from the {out} into the {name}"
            found[words] = flows(lambda *a, j=j: impl.gae(*a)[j], arguments, i)
    return found


def the_three_tokens_of_the_workbook(impl, seed):
    rewards, values = torch.tensor([[0.0, 0.0, 1.0, 7.0]]), torch.tensor([[0.5, 0.6, 0.8, 9.0]])
    return named_gae(impl.gae(rewards, values, torch.tensor([[True, True, True, False]]), 1.0, 0.5))


# ---------------------------------------------------------------- whiten

WHITEN_OVER = [
    "right",
    "whose mean and variance are taken BEFORE the mask: padding counts",
    "that whitens each ANSWER alone",
    "that whitens each POSITION alone",
    "whose mean is masked, and whose variance is not",
]
SHIFT = [
    "right",
    "that subtracts the mean though only the scale is meant",
    "that keeps the mean though a shift is meant",
    "that scales the mean too, where only the distance from it is meant",
]
SCALE = [
    "right",
    "that divides by N, not by N - 1",
    "that divides by the VARIANCE, not by the deviation",
    "that does not divide at all",
    "that multiplies by the deviation",
    "that adds 1e-8 to the DEVIATION, not to the variance",
]
WHITEN_PAD = [
    "right",
    "that leaves numbers at PADDING",
    MULTIPLIED,
    "that adds the mean at PADDING too, where it is kept",
    REPLACED,
]
WHITEN_CHECK = ["ValueError", "that takes a single token, whose variance is not a number"]
WHITEN_KNOBS = {
    "over": WHITEN_OVER,
    "shift": SHIFT,
    "scale": SCALE,
    "padding": WHITEN_PAD,
    "check": WHITEN_CHECK,
}
WHITEN_HINTS = {
    WHITEN_OVER[1]: "Make a batch with more padding: may the real tokens' numbers change?",
    WHITEN_OVER[2]: "An answer that is better than all others in every token: what is left of it after your whitening?",
    WHITEN_OVER[3]: "All real tokens of the batch share one mean.",
    WHITEN_OVER[4]: "Which numbers enter the variance?",
    SHIFT[1]: "A reward of 5 among rewards of 4 to 6 must stay a positive reward. What is its sign afterwards?",
    SHIFT[2]: "What is the mean of whitened numbers?",
    SHIFT[3]: "With shift_mean=False, what is the mean before and after?",
    SCALE[1]: "`torch.var` has a correction, and the task says which variance is meant.",
    SCALE[2]: "Double all numbers: does the result change?",
    SCALE[3]: "What is the variance of whitened numbers?",
    SCALE[4]: "Numbers that are far apart must come closer.",
    SCALE[5]: "Which numbers stand under the root in the formula?",
    MULTIPLIED: CHOOSE,
    REPLACED: CHOOSE_ALWAYS,
    WHITEN_PAD[3]: "Which comes last: adding the mean, or choosing 0 at padding?",
    WHITEN_PAD[1]: "What does the docstring promise at padding?",
    WHITEN_CHECK[1]: "One number has no variance. The docstring promises an error.",
}


def wrong_whiten(over, shift, scale, padding, check):
    def whiten(x, mask, shift_mean=True):
        if check == "ValueError" and mask.sum() < 2:
            raise ValueError("too few")
        if over in WHITEN_OVER[2:4]:
            axis = 1 if over == WHITEN_OVER[2] else 0
            count = mask.sum(axis, keepdim=True).clamp(min=1)
            mean = torch.where(mask, x, 0).sum(axis, keepdim=True) / count
            squares = torch.where(mask, x - mean, 0).square().sum(axis, keepdim=True)
            var, n = squares / (count - 1).clamp(min=1), count
        else:
            real = x if over == WHITEN_OVER[1] else x[mask]
            mean, n = real.mean(), real.numel()
            var = (x if over == WHITEN_OVER[4] else real).var()
        if scale == SCALE[1]:
            var = var * (n - 1) / n
        factor = {
            SCALE[2]: 1 / (var + 1e-8),
            SCALE[3]: torch.ones_like(var),
            SCALE[4]: (var + 1e-8).sqrt(),
            SCALE[5]: 1 / (var.sqrt() + 1e-8),
        }.get(scale, torch.rsqrt(var + 1e-8))
        out = (x - mean) * factor
        if shift == SHIFT[2] or not shift_mean and shift != SHIFT[1]:
            kept = mean * factor if shift == SHIFT[3] else mean
        else:
            kept = torch.zeros_like(mean)
        out = out + kept
        if padding in (MULTIPLIED, REPLACED):
            return under(mask, out, padding)
        return out if padding == WHITEN_PAD[1] else torch.where(mask, out, kept if padding == WHITEN_PAD[3] else 0)

    return whiten


def whiten_inputs(seed, dtype=torch.float32):
    return 3 * randn(seed, 4, 5, dtype=dtype) + 2, right_mask([5, 2, 3, 4], 5)


def numbers_with_padding(impl, seed):
    return {"the whitened numbers": impl.whiten(*whiten_inputs(seed))}


def only_the_scale(impl, seed):
    return {"the scaled numbers": impl.whiten(*whiten_inputs(seed + 1, torch.float64), shift_mean=False)}


def holes_in_the_mask(impl, seed):
    return {"the whitened numbers": impl.whiten(randn(seed + 2, 3, 4), randn(seed + 3, 3, 4) > -0.5)}


def padding_is_not_a_number(impl, seed):
    x, mask = whiten_inputs(seed + 4)
    return {"the whitened numbers": impl.whiten(at_padding(x, mask, NAN), mask, False)}


def padding_is_infinite(impl, seed):
    x, mask = whiten_inputs(seed + 7)
    return {"the whitened numbers": impl.whiten(at_padding(x, mask, INF), mask)}


def equal_numbers(impl, seed):
    return {"the whitened numbers": impl.whiten(torch.full((2, 3), 0.25), right_mask([3, 2], 3))}


def numbers_that_hardly_differ(impl, seed):
    x, mask = whiten_inputs(seed + 6, torch.float64)
    return {"the whitened numbers": impl.whiten(2e-4 * x, mask)}


def nothing_is_changed_in_place(impl, seed):
    cases = {"the arguments are unchanged": True, "they are, where the mean is kept": False}
    return {name: unchanged(impl.whiten, *whiten_inputs(seed + 5), shift) for name, shift in cases.items()}


def too_few_tokens(impl, seed):
    x = randn(seed, 2, 3)
    return {f"{n} real tokens": error_of(lambda n=n: impl.whiten(x, right_mask([n, 0], 3))) for n in (0, 1, 2)}


def the_numbers_of_the_workbook(impl, seed):
    x, mask = torch.tensor([[1.0, 3.0, 50.0], [2.0, 6.0, 70.0]]), torch.tensor([[True, True, False]] * 2)
    return {"whitened": impl.whiten(x, mask), "scaled": impl.whiten(x, mask, shift_mean=False)}


# ---------------------------------------------------------------- ppo_clip_loss

RATIO = [
    "right",
    "whose ratio is the new policy to ITSELF (old log-probabilities made anew after the step): always 1",
    "whose ratio is UPSIDE DOWN, old to new",
    "whose ratio is the log ratio: `exp` is missing",
    "whose ratio is that of the log-probabilities, new divided by old",
    "with the log-probability in place of the ratio, as in REINFORCE",
]
CLIP = [
    "right",
    "with min and max SWAPPED: the optimistic one of the two",
    "WITHOUT clipping",
    "with the clipped term ALONE",
    "that clips on the UPPER side only",
    "that clips on the LOWER side only",
    "that clips the log ratio to ±clip",
    "that clips the ratio to ±clip around zero",
    "that clips at 0.2, whatever is asked",
    "that clips the product of ratio and advantage",
    "that drops every token whose ratio is outside of the clip",
    "whose lower limit is 1 / (1 + clip)",
    "that clips the log ratio to log(1 ± clip), which does not exist for a clip above 1",
    "whose clip is 0.1 where none is given",
]
CLIP_SIGN = ["right", "with the sign of an objective: the optimizer would make it smaller"]
CONSTANTS = [
    "right",
    "with the advantage NOT DETACHED",
    "with the old log-probabilities NOT DETACHED",
]
CLIP_MEAN = [
    "right",
    "whose mean counts the PADDING",
    "that is a mean over each answer, then over answers",
    "that is a SUM over tokens",
    "that is a sum over tokens, averaged over answers",
    MULTIPLIED,
    REPLACED,
]
CLIP_KNOBS = {"ratio_": RATIO, "clip_": CLIP, "sign": CLIP_SIGN, "constants": CONSTANTS, "mean": CLIP_MEAN}
CLIP_HINTS = {
    RATIO[1]: "Old log-probabilities are kept from sampling. In the second epoch, is your ratio still 1 everywhere?",
    RATIO[2]: "A token that has become twice as likely has a ratio of 2.",
    RATIO[3]: "Two equal policies have a ratio of 1. What is yours?",
    RATIO[4]: "p / q is exp(log p - log q).",
    RATIO[5]: "The policy has moved since sampling. What corrects for that?",
    CLIP[1]: "The clipped term may only take away a gain. Which of the two losses is the pessimistic one?",
    CLIP[2]: "Ratio 5, advantage 1: how much is gained by going on?",
    CLIP[3]: "Ratio 5, advantage -1: the policy went the wrong way. Does your loss still pull it back?",
    CLIP[4]: "Ratio 0.1, advantage -1: how much is gained by going on?",
    CLIP[5]: "Ratio 5, advantage 1: how much is gained by going on?",
    CLIP[6]: "exp(0.2) is 1.22. Where does the paper clip?",
    CLIP[7]: "A policy that has not moved has a ratio of 1. Is 1 inside your interval?",
    CLIP[8]: "Change `clip`: what moves?",
    CLIP[9]: "Which of the two has a trust region around 1?",
    CLIP[10]: "Ratio 1.5, advantage -1: the policy went the wrong way. Who pulls it back?",
    CLIP[11]: "With a clip of 0.2 the lower limit is 0.8. Which is yours?",
    CLIP[12]: "With a clip of 3 only the upper limit is left. What is log(1 - 3)?",
    CLIP[13]: "Which clip does the signature of the task have?",
    CLIP_SIGN[1]: "Advantage 1, ratio above 1: must the loss be negative or positive?",
    CONSTANTS[1]: "The advantage was measured at sampling time. May the loss change it?",
    CONSTANTS[2]: "The old policy is past. May the loss change it?",
    CLIP_MEAN[1]: "Add a column of padding: does the loss change?",
    CLIP_MEAN[
        2
    ]: "The docstring says over what the mean is. A token of a short answer and one of a long one: equal weight?",
    CLIP_MEAN[3]: "Twice as many tokens must not double the learning rate.",
    MULTIPLIED: CHOOSE,
    REPLACED: CHOOSE_ALWAYS,
    CLIP_MEAN[4]: "The docstring says over what the mean is.",
}


def reduced(per_token, mask, mean, names):
    """The average that a mistake takes; `names` are padding, answers, sum, sum by answer."""
    if mean in (MULTIPLIED, REPLACED):
        return under(mask, per_token, mean).sum() / mask.sum()
    real = torch.where(mask, per_token, 0)
    if mean == names[1]:
        return real.mean()
    if mean == names[2]:
        return (real.sum(1) / mask.sum(1)).mean()
    if mean == names[3]:
        return real.sum()
    if len(names) > 4 and mean == names[4]:
        return real.sum(1).mean()
    return per_token[mask].mean()


def wrong_clip(ratio_, clip_, sign, constants, mean):
    def ppo_clip_loss(logprobs, old_logprobs, advantages, mask, clip=0.1 if clip_ == CLIP[13] else 0.2):
        if mean not in (MULTIPLIED, REPLACED):
            logprobs, old_logprobs, advantages = (torch.where(mask, x, 0) for x in (logprobs, old_logprobs, advantages))
        old = old_logprobs if constants == CONSTANTS[2] else old_logprobs.detach()
        advantages = advantages if constants == CONSTANTS[1] else advantages.detach()
        ratio = {
            RATIO[1]: lambda: (logprobs - logprobs.detach()).exp(),
            RATIO[2]: lambda: (old - logprobs).exp(),
            RATIO[3]: lambda: logprobs - old,
            RATIO[4]: lambda: logprobs / torch.where(mask, old, 1),
            RATIO[5]: lambda: logprobs,
        }.get(ratio_, lambda: (logprobs - old).exp())()
        if clip_ == CLIP[8]:
            clip = 0.2
        low, high = 1 / (1 + clip) if clip_ == CLIP[11] else 1 - clip, 1 + clip
        clipped = {
            CLIP[4]: lambda: ratio.clamp(max=high),
            CLIP[5]: lambda: ratio.clamp(min=low),
            CLIP[6]: lambda: (logprobs - old).clamp(-clip, clip).exp(),
            CLIP[7]: lambda: ratio.clamp(-clip, clip),
            CLIP[12]: lambda: (logprobs - old).clamp(math.log(low), math.log(high)).exp(),
        }.get(clip_, lambda: ratio.clamp(low, high))()
        plain, other = -advantages * ratio, -advantages * clipped
        if clip_ == CLIP[9]:
            other = (-advantages * ratio).clamp(low, high)
        per_token = {CLIP[1]: lambda: torch.min(plain, other), CLIP[2]: lambda: plain, CLIP[3]: lambda: other}.get(
            clip_, lambda: torch.max(plain, other)
        )()
        if clip_ == CLIP[10]:
            per_token = plain * ((ratio - 1).abs() <= clip)
        per_token = -per_token if sign == CLIP_SIGN[1] else per_token
        return reduced(per_token, mask, mean, CLIP_MEAN)

    return ppo_clip_loss


def clip_inputs(seed, lengths=(5, 2, 4), N=5, spread=0.5, dtype=torch.float32):
    B = len(lengths)
    old = probabilities(seed, B, N, dtype=dtype) - 1
    return {
        "logprobs": old + spread * randn(seed + 1, B, N, dtype=dtype),
        "old_logprobs": old,
        "advantages": randn(seed + 2, B, N, dtype=dtype),
        "mask": right_mask(lengths, N),
    }


def tokens_on_both_sides_of_the_clip(impl, seed):
    return with_gradients(impl.ppo_clip_loss, [0.2], **clip_inputs(seed))


def a_clip_that_is_left_out(impl, seed):
    return with_gradients(impl.ppo_clip_loss, **clip_inputs(seed + 18, (3, 7), 7))


def a_narrow_clip(impl, seed):
    return with_gradients(impl.ppo_clip_loss, [0.05], **clip_inputs(seed + 3, (3, 7), 7, 0.1, torch.float64))


def a_policy_that_has_not_moved(impl, seed):
    inputs = clip_inputs(seed + 6, spread=0.0)
    return with_gradients(impl.ppo_clip_loss, [0.2], **inputs)


def a_policy_that_has_moved_far(impl, seed):
    return with_gradients(impl.ppo_clip_loss, [0.4], **clip_inputs(seed + 9, spread=2.0))


def a_clip_above_one(impl, seed):
    return with_gradients(impl.ppo_clip_loss, [3.0], **clip_inputs(seed + 15, spread=2.0))


def padding_of_the_loss_is_not_a_number(impl, seed):
    inputs = clip_inputs(seed + 12)
    mask = inputs["mask"]
    inputs |= {name: at_padding(inputs[name], mask, NAN) for name in ("logprobs", "old_logprobs", "advantages")}
    found = with_gradients(impl.ppo_clip_loss, [0.2], **inputs)
    return {"the loss": found["the loss"], "the gradient": found["the gradient of logprobs"][mask]}


def padding_of_the_loss_is_infinite(impl, seed):
    inputs = clip_inputs(seed + 13)
    mask = inputs["mask"]
    inputs |= {n: at_padding(inputs[n], mask, x) for n, x in (("old_logprobs", -INF), ("advantages", INF))}
    found = with_gradients(impl.ppo_clip_loss, [0.2], **inputs)
    return {"the loss": found["the loss"], "the gradient": found["the gradient of logprobs"][mask]}


def the_four_tokens_of_the_workbook(impl, seed):
    ratio = torch.tensor([[1.5, 1.5, 0.5, 0.5]])
    advantages = torch.tensor([[1.0, -1.0, 1.0, -1.0]])
    mask = torch.ones(1, 4, dtype=torch.bool)
    old = torch.zeros(1, 4)
    return with_gradients(
        impl.ppo_clip_loss, [0.2], logprobs=ratio.log(), old_logprobs=old, advantages=advantages, mask=mask
    )


# ---------------------------------------------------------------- value_loss

VALUE_CLIP = [
    "right",
    "that is NOT clipped",
    "with the clipped error ALONE",
    "with min in place of max",
    "that clips the value itself to ±clip",
    "that clips at 0.2, whatever is asked",
    "that takes the larger of the two VALUES, not of the two errors",
    "that clips the ERROR, not the move",
    "that clips to a SHARE of the old value: old × (1 ± clip)",
    "whose clip is 0.1 where none is given",
]
VALUE_ERROR = [
    "right",
    "without the half",
    "of the ABSOLUTE error",
]
VALUE_TARGET = [
    "right",
    "with the returns NOT DETACHED",
    "with the old values NOT DETACHED",
    "measured from the OLD values: nothing is learned",
]
VALUE_MEAN = [
    "right",
    "whose mean counts the PADDING",
    "that is a mean over each answer, then over answers",
    "that is a SUM over tokens",
    MULTIPLIED,
    REPLACED,
]
VALUE_KNOBS = {"clip_": VALUE_CLIP, "error": VALUE_ERROR, "target": VALUE_TARGET, "mean": VALUE_MEAN}
VALUE_HINTS = {
    VALUE_CLIP[1]: "Change `clip`: what moves?",
    VALUE_CLIP[2]: "The value has moved far in the wrong direction. Does your loss still pull it back?",
    VALUE_CLIP[3]: "Clipping is pessimistic in the policy's loss. Which of the two errors is the pessimistic one here?",
    VALUE_CLIP[4]: "An old value of 5 that has moved to 5.1: what does your clip make of it?",
    VALUE_CLIP[5]: "Change `clip`: what moves?",
    VALUE_CLIP[6]: "A larger value is not a larger error.",
    VALUE_CLIP[7]: "A value that is off by 5 has no gradient after your clip. Which difference may be at most `clip`?",
    VALUE_CLIP[8]: "An old value of 0: how far may it move?",
    VALUE_CLIP[9]: "Which clip does the signature of the task have?",
    VALUE_ERROR[1]: "The derivative of half a square has no factor.",
    VALUE_ERROR[2]: "The mean is what minimises the squared error. What minimises the absolute one?",
    VALUE_TARGET[1]: "The returns were measured at sampling time. May the loss change them?",
    VALUE_TARGET[2]: "The old values were measured at sampling time. May the loss change them?",
    VALUE_TARGET[3]: "Which of the values has to come closer to the return?",
    VALUE_MEAN[1]: "Add a column of padding: does the loss change?",
    MULTIPLIED: CHOOSE,
    REPLACED: CHOOSE_ALWAYS,
    VALUE_MEAN[2]: "The docstring says over what the mean is.",
    VALUE_MEAN[3]: "Twice as many tokens must not double the learning rate.",
}


def wrong_value(clip_, error, target, mean):
    def value_loss(values, old_values, returns, mask, clip=0.1 if clip_ == VALUE_CLIP[9] else 0.2):
        if mean not in (MULTIPLIED, REPLACED):
            values, old_values, returns = (torch.where(mask, x, 0) for x in (values, old_values, returns))
        old = old_values if target == VALUE_TARGET[2] else old_values.detach()
        returns = returns if target == VALUE_TARGET[1] else returns.detach()
        values = old_values if target == VALUE_TARGET[3] else values
        clip = 0.2 if clip_ == VALUE_CLIP[5] else clip
        clipped = {
            VALUE_CLIP[4]: lambda: values.clamp(-clip, clip),
            VALUE_CLIP[8]: lambda: torch.max(torch.min(values, old * (1 + clip)), old * (1 - clip)),
        }.get(clip_, lambda: old + (values - old).clamp(-clip, clip))()

        def of(difference):
            return difference.abs() if error == VALUE_ERROR[2] else difference.square()

        plain, other = of(values - returns), of(clipped - returns)
        per_token = {
            VALUE_CLIP[1]: lambda: plain,
            VALUE_CLIP[2]: lambda: other,
            VALUE_CLIP[3]: lambda: torch.min(plain, other),
            VALUE_CLIP[6]: lambda: of(torch.max(values, clipped) - returns),
            VALUE_CLIP[7]: lambda: of((values - returns).clamp(-clip, clip)),
        }.get(clip_, lambda: torch.max(plain, other))()
        return (1.0 if error == VALUE_ERROR[1] else 0.5) * reduced(per_token, mask, mean, VALUE_MEAN)

    return value_loss


def value_inputs(seed, lengths=(5, 2, 4), N=5, dtype=torch.float32):
    B = len(lengths)
    old = randn(seed, B, N, dtype=dtype)
    return {
        "values": old + 0.5 * randn(seed + 1, B, N, dtype=dtype),
        "old_values": old,
        "returns": randn(seed + 2, B, N, dtype=dtype) + 0.5,
        "mask": right_mask(lengths, N),
    }


def values_that_moved(impl, seed):
    return with_gradients(impl.value_loss, [0.2], **value_inputs(seed))


def a_value_clip_that_is_left_out(impl, seed):
    return with_gradients(impl.value_loss, **value_inputs(seed + 12, (3, 7), 7))


def a_narrow_value_clip(impl, seed):
    return with_gradients(impl.value_loss, [0.05], **value_inputs(seed + 3, (3, 7), 7, torch.float64))


def a_wide_value_clip(impl, seed):
    return with_gradients(impl.value_loss, [1.5], **value_inputs(seed + 6))


def padding_of_the_values_is_not_a_number(impl, seed):
    inputs = value_inputs(seed + 9)
    mask = inputs["mask"]
    inputs |= {name: at_padding(inputs[name], mask, NAN) for name in ("values", "old_values", "returns")}
    found = with_gradients(impl.value_loss, [0.2], **inputs)
    return {"the loss": found["the loss"], "the gradient": found["the gradient of values"][mask]}


def padding_of_the_values_is_infinite(impl, seed):
    inputs = value_inputs(seed + 10)
    mask = inputs["mask"]
    inputs |= {n: at_padding(inputs[n], mask, x) for n, x in (("old_values", -INF), ("returns", INF))}
    found = with_gradients(impl.value_loss, [0.2], **inputs)
    return {"the loss": found["the loss"], "the gradient": found["the gradient of values"][mask]}


def the_three_values_of_the_workbook(impl, seed):
    values, old, returns = (
        torch.tensor([[1.0, 1.0, 1.0]]),
        torch.tensor([[0.5, 0.9, 0.5]]),
        torch.tensor([[2.0, 2.0, 0.0]]),
    )
    mask = torch.ones(1, 3, dtype=torch.bool)
    return with_gradients(impl.value_loss, [0.2], values=values, old_values=old, returns=returns, mask=mask)


# ---------------------------------------------------------------- adapt_kl_coef

DIRECTION = ["right", "that moves the WRONG way: a KL above the target makes beta smaller"]
ERROR = [
    "right",
    "whose error is not clipped",
    "whose error is ABSOLUTE, not a share of the target",
    "whose error is clipped on the upper side only",
    "whose error is clipped on the lower side only",
    "that looks at the sign of the error only",
    "that compares the target with the KL the other way up: 1 - target / KL",
    "that clips the product of error and samples / horizon, not the error",
]
ADAPT = [
    "right",
    "that ADDS to beta instead of multiplying",
    "that takes the whole error at once, without the horizon",
    "whose horizon is always 10,000",
    "that forgets the number of samples",
    "with samples and horizon the wrong way round",
    "in which a batch counts for one horizon at most",
    "whose horizon is 1,000 where none is given",
]
ADAPT_CHECK = ["ValueError", "that takes a target of 0 or less"]
ADAPT_KNOBS = {"direction": DIRECTION, "error_": ERROR, "adapt": ADAPT, "check": ADAPT_CHECK}
ADAPT_HINTS = {
    DIRECTION[1]: "The policy is too far away. Must the penalty rise or fall?",
    ERROR[1]: "A KL of a hundred times the target: how much may beta change in one batch?",
    ERROR[2]: "Twice the target is the same error, whatever the target is.",
    ERROR[3]: "A KL of 0: what is the error after clipping?",
    ERROR[4]: "A KL of ten times the target: what is the error after clipping?",
    ERROR[5]: "A KL one per cent above the target: how much does beta change?",
    ERROR[6]: "The error is KL / target - 1.",
    ERROR[7]: "The share of samples is small. Would your clip ever be reached?",
    ADAPT[1]: "Beta is a scale. Can your beta become negative?",
    ADAPT[2]: "How much may one batch of 64 samples say, if the horizon is 10,000?",
    ADAPT[3]: "Change `horizon`: what moves?",
    ADAPT[4]: "A batch of 640 samples says ten times as much as one of 64.",
    ADAPT[5]: "A batch is a small share of the horizon.",
    ADAPT[6]: "The formula has no limit for samples / horizon. Does yours?",
    ADAPT[7]: "Which horizon does the signature of the task have?",
    ADAPT_CHECK[1]: "Dividing by the target: the docstring promises an error.",
}


def wrong_adapt(direction, error_, adapt, check):
    def adapt_kl_coef(beta, kl, target, samples, horizon=1000 if adapt == ADAPT[7] else 10_000):
        if target <= 0 and check == "ValueError":
            raise ValueError("target")
        target = target or 1e-9
        raw = {ERROR[2]: kl - target, ERROR[6]: 1 - target / max(kl, 1e-9)}.get(error_, kl / target - 1)
        error = {
            ERROR[1]: raw,
            ERROR[3]: min(raw, 0.2),
            ERROR[4]: max(raw, -0.2),
            ERROR[5]: math.copysign(0.2, raw) if raw else 0.0,
        }.get(error_, min(max(raw, -0.2), 0.2))
        error = -error if direction == DIRECTION[1] else error
        horizon = 10_000 if adapt == ADAPT[3] else horizon
        share = min(samples / horizon, 1.0) if adapt == ADAPT[6] else samples / horizon
        share = {ADAPT[2]: 1.0, ADAPT[4]: 1 / horizon, ADAPT[5]: horizon / samples}.get(adapt, share)
        if error_ == ERROR[7]:
            error, share = min(max(raw * share, -0.2), 0.2), 1.0
        return beta + error * share if adapt == ADAPT[1] else beta * (1 + error * share)

    return adapt_kl_coef


def kl_around_the_target(impl, seed):
    kls = (0.0, 3.0, 5.4, 5.9, 6.0, 6.1, 6.7, 30.0)
    return {f"KL {kl}, target 6": impl.adapt_kl_coef(0.3, kl, 6.0, 640, 4000) for kl in kls}


def a_horizon_that_is_left_out(impl, seed):
    return {f"KL {kl}, target 3, 500 samples": impl.adapt_kl_coef(0.1, kl, 3.0, 500) for kl in (1.0, 2.7, 3.3, 8.0)}


def another_target(impl, seed):
    kls, call = (0.1, 0.45, 0.52, 0.58, 4.0), impl.adapt_kl_coef
    return {f"KL {kl}, target 0.5": call(0.07, kl, 0.5, 64, 5000) for kl in kls}


def another_horizon(impl, seed):
    call = impl.adapt_kl_coef
    return {f"{n} samples, horizon {h}": call(0.2, 2.2, 2.0, samples=n, horizon=h) for n, h in ((32, 100), (7, 3000))}


def batches_larger_than_the_horizon(impl, seed):
    call = impl.adapt_kl_coef
    return {f"KL {kl}, 300 samples, horizon 128": call(0.2, kl, 2.0, 300, 128) for kl in (0.5, 1.9, 2.2, 9.0)}


def targets_that_are_refused(impl, seed):
    call, targets = impl.adapt_kl_coef, (0.0, -1.0, 0.5)
    return {f"target {t}": error_of(lambda t=t: call(0.1, 1.0, t, 64, 5000)) for t in targets}


def the_batch_of_the_workbook(impl, seed):
    return {f"KL {kl}": impl.adapt_kl_coef(0.1, kl, 6.0, 1000, 10_000) for kl in (12.0, 6.6, 3.0)}


# ---------------------------------------------------------------- dpo_loss

DPO_SUM = [
    "right",
    "that takes the MEAN over the tokens, not the sum",
    "that includes the PROMPT tokens",
    "that masks the rejected answer with the chosen one's LENGTH",
    "that leaves out the answer's last token",
    MULTIPLIED,
    REPLACED,
]
DPO_REF = [
    "right",
    "whose reference gets GRADIENTS",
    "WITHOUT a reference",
    "that ADDS the reference's log-probabilities, or takes those of the other answer",
]
DPO_BETA = [
    "right",
    "with beta on the chosen side only",
    "with beta outside of the sigmoid",
    "that IGNORES beta",
    "that DIVIDES by beta",
    "with beta on the policy's log-probabilities only, not on the reference's",
    "whose beta is 0.5 where none is given",
]
DPO_PAIR = ["right", "with chosen and rejected SWAPPED", "that only pushes the chosen answer up"]
DPO_FORM = [
    "right",
    "whose log of a sigmoid OVERFLOWS for pairs far in the wrong order",
    "WITHOUT the log",
    "that is a SUM over pairs",
    "that returns one number a PAIR",
]
DPO_KNOBS = {"sum_": DPO_SUM, "reference": DPO_REF, "beta_": DPO_BETA, "pair": DPO_PAIR, "form": DPO_FORM}
DPO_HINTS = {
    DPO_SUM[1]: "The probability of an answer is the product over its tokens. What is its log?",
    DPO_SUM[2]: "Nobody chose the prompt. Where is the mask true?",
    DPO_SUM[3]: "The two answers differ in length. Which mask belongs to which?",
    DPO_SUM[4]: "The stop token is part of the answer.",
    MULTIPLIED: CHOOSE,
    REPLACED: CHOOSE_ALWAYS,
    DPO_REF[1]: "The reference is frozen: what must its gradient be?",
    DPO_REF[2]: "With the policy equal to the reference, the loss is log 2. Is yours?",
    DPO_REF[3]: "With the policy equal to the reference, the loss is log 2. Is yours?",
    DPO_BETA[1]: "beta is the scale of the implicit reward, and both answers have one.",
    DPO_BETA[2]: "Doubling beta must change which pairs count, not only the size of the loss.",
    DPO_BETA[3]: "Change beta: what moves?",
    DPO_BETA[4]: "r = beta log(policy / reference).",
    DPO_BETA[5]: "beta is the scale of a log ratio, which has a numerator and a denominator.",
    DPO_BETA[6]: "Which beta does the signature of the task have?",
    DPO_PAIR[1]: "The loss must fall when the chosen answer becomes more likely.",
    DPO_PAIR[2]: "What is the gradient to the rejected answer?",
    DPO_FORM[1]: "What is the log of sigmoid(-200) in float32? Which function computes it without the detour?",
    DPO_FORM[2]: "The loss is the negative log of a probability.",
    DPO_FORM[3]: "Twice as many pairs must not double the learning rate.",
    DPO_FORM[4]: "An optimizer needs one number.",
}


def wrong_dpo(sum_, reference, beta_, pair, form):
    usual = 0.5 if beta_ == DPO_BETA[6] else 0.1

    def dpo_loss(chosen, rejected, ref_chosen, ref_rejected, chosen_mask, rejected_mask, beta=usual):
        if sum_ == DPO_SUM[2]:
            chosen_mask, rejected_mask = (m.flip(1).cumsum(1).flip(1) > 0 for m in (chosen_mask, rejected_mask))
        if sum_ == DPO_SUM[3]:
            R = rejected_mask.shape[1]
            rejected_mask = F.pad(chosen_mask, (0, max(0, R - chosen_mask.shape[1])))[:, :R]
        if sum_ == DPO_SUM[4]:
            chosen_mask, rejected_mask = (m & (m.flip(1).cumsum(1).flip(1) > 1) for m in (chosen_mask, rejected_mask))
        if reference != DPO_REF[1]:
            ref_chosen, ref_rejected = ref_chosen.detach(), ref_rejected.detach()

        def total(logprobs, mask):
            out = under(mask, logprobs, sum_).sum(1)
            return out / mask.sum(1) if sum_ == DPO_SUM[1] else out

        share = 1 / beta if beta_ == DPO_BETA[5] else 1.0  # beta is multiplied to everything below
        sign = {DPO_REF[2]: 0, DPO_REF[3]: -1}.get(reference, 1)
        refs = [total(ref_chosen, chosen_mask), total(ref_rejected, rejected_mask)]
        good = total(chosen, chosen_mask) - sign * share * refs[0]
        bad = total(rejected, rejected_mask) - sign * share * refs[1]
        if pair == DPO_PAIR[1]:
            good, bad = bad, good
        elif pair == DPO_PAIR[2]:
            bad = bad.detach()
        inside = {DPO_BETA[1]: beta * good - bad, DPO_BETA[2]: good - bad, DPO_BETA[3]: good - bad}.get(
            beta_, (good - bad) / beta if beta_ == DPO_BETA[4] else beta * (good - bad)
        )
        if form == DPO_FORM[1]:
            loss = -torch.log(torch.sigmoid(inside))
        elif form == DPO_FORM[2]:
            loss = -torch.sigmoid(inside)
        else:
            loss = -F.logsigmoid(inside)
        loss = beta * loss if beta_ == DPO_BETA[2] else loss
        return {DPO_FORM[3]: loss.sum, DPO_FORM[4]: lambda: loss}.get(form, loss.mean)()

    return dpo_loss


def answer_mask(starts, ends, N):
    """True from start to end, end excluded: prompt tokens before, padding after."""
    positions = torch.arange(N)
    return (positions >= torch.tensor(starts)[:, None]) & (positions < torch.tensor(ends)[:, None])


def dpo_inputs(seed, dtype=torch.float32, apart=1.0):
    ref_chosen, ref_rejected = probabilities(seed, 3, 6, dtype=dtype), probabilities(seed + 1, 3, 8, dtype=dtype)
    return {
        "chosen": ref_chosen + apart * randn(seed + 2, 3, 6, dtype=dtype),
        "rejected": ref_rejected + apart * randn(seed + 3, 3, 8, dtype=dtype),
        "ref_chosen": ref_chosen,
        "ref_rejected": ref_rejected,
        "chosen_mask": answer_mask([1, 2, 2], [6, 4, 5], 6),
        "rejected_mask": answer_mask([1, 2, 2], [5, 8, 3], 8),
    }


def pairs_with_prompts_and_padding(impl, seed):
    return with_gradients(impl.dpo_loss, [0.3], **dpo_inputs(seed))


def a_beta_that_is_left_out(impl, seed):
    return with_gradients(impl.dpo_loss, **dpo_inputs(seed + 20))


def a_larger_beta(impl, seed):
    return with_gradients(impl.dpo_loss, [0.7], **dpo_inputs(seed + 4, torch.float64))


def a_policy_equal_to_the_reference(impl, seed):
    return with_gradients(impl.dpo_loss, [0.5], **dpo_inputs(seed + 8, apart=0.0))


def answers_far_in_the_wrong_order(impl, seed):
    inputs = dpo_inputs(seed + 12)
    inputs["rejected"] = inputs["rejected"] + 400
    return with_gradients(impl.dpo_loss, [1.0], **inputs)


def padding_of_the_pairs_is_not_a_number(impl, seed):
    inputs = dpo_inputs(seed + 16)
    for side in ("chosen", "rejected"):
        mask = inputs[f"{side}_mask"]
        inputs |= {name: at_padding(inputs[name], mask, NAN) for name in (side, f"ref_{side}")}
    return inside_of_the_masks(impl, inputs)


def padding_of_the_pairs_is_infinite(impl, seed):
    inputs = dpo_inputs(seed + 17)
    inputs |= {side: at_padding(inputs[side], inputs[f"{side}_mask"], -INF) for side in ("chosen", "rejected")}
    return inside_of_the_masks(impl, inputs)


def inside_of_the_masks(impl, inputs):
    """The loss, and the gradients of the answers' tokens."""
    found = with_gradients(impl.dpo_loss, [0.3], **inputs)
    return {
        "the loss": found["the loss"],
        "the gradient to the chosen answer": found["the gradient of chosen"][inputs["chosen_mask"]],
        "the gradient to the rejected answer": found["the gradient of rejected"][inputs["rejected_mask"]],
    }


def the_pair_of_answers_of_the_workbook(impl, seed):
    return with_gradients(
        impl.dpo_loss,
        [0.5],
        chosen=torch.tensor([[-3.0, -1.0, -1.0]]),
        rejected=torch.tensor([[-3.0, -2.0, 0.0]]),
        ref_chosen=torch.tensor([[-3.0, -2.0, -2.0]]),
        ref_rejected=torch.tensor([[-3.0, -1.0, 0.0]]),
        chosen_mask=torch.tensor([[False, True, True]]),
        rejected_mask=torch.tensor([[False, True, False]]),
    )


# ---------------------------------------------------------------- group_advantages

GROUPS = [
    "right",
    "whose mean is over the BATCH, not over the group",
    "whose deviation is over the BATCH, not over the group",
    "whose groups are every n-th answer, not neighbours",
    "that leaves the mean where it is",
    "that subtracts the group's BEST reward",
    "whose baseline is the mean of the OTHER answers, as in RLOO",
]
STD = [
    "right",
    "that gives NaN where all answers of a group are equal",
    "that divides by N, not by N - 1",
    "that never divides by the deviation",
    "that divides though scale_std is False",
    "that divides by the variance",
    "with a FLOOR of 1e-4 under the deviation, to which the formula adds 1e-4",
    "that adds 1e-8 to the deviation, not 1e-4",
    "that adds 1e-4 to the VARIANCE, under the root",
]
PER_TOKEN = [
    "right",
    "that divides an answer's advantage by its own LENGTH: tokens are unequal",
    "that puts numbers at PADDING",
    "that gives the advantage to the last token only",
    "that returns one number an ANSWER",
]
GROUP_CHECK = ["ValueError", "that takes groups of one answer", "that takes answers which do not fill whole groups"]
GROUP_KNOBS = {"groups_": GROUPS, "std": STD, "per_token": PER_TOKEN, "check": GROUP_CHECK}
GROUP_HINTS = {
    GROUPS[1]: "An easy prompt and a hard one in a batch: which of them would always look good?",
    GROUPS[2]: "The deviation of which answers?",
    GROUPS[3]: "`repeat_interleave` puts the answers to one prompt next to each other.",
    GROUPS[4]: "If all answers of a group are right, is any of them better than the others?",
    GROUPS[5]: "Should the best answer gain nothing?",
    GROUPS[6]: "That is RLOO, a good method. GRPO's mean is over the whole group.",
    STD[1]: "All answers right: the deviation is 0. What is 0 / 0?",
    STD[2]: "`torch.std` has a correction, and the task says which deviation is meant.",
    STD[3]: "Rewards of 0 and 100, or of 0 and 1: should the step be a hundred times larger?",
    STD[4]: "Dr. GRPO leaves something out.",
    STD[5]: "Double all rewards: does the result change?",
    STD[6]: "A deviation of 3e-4: by what does the formula divide?",
    STD[7]: "Rewards that differ by 1e-4 only: by what does the formula divide?",
    STD[8]: "Does 1e-4 stand under the root in the formula?",
    PER_TOKEN[1]: "A token of a long wrong answer: should it be punished less than one of a short wrong answer?",
    PER_TOKEN[2]: "What does the docstring promise at padding?",
    PER_TOKEN[3]: "Which of the answer's tokens made it right? Nobody knows, so all of them get the same.",
    PER_TOKEN[4]: "The loss has one ratio for each token. What shape does the docstring promise?",
    GROUP_CHECK[1]: "One answer has no group. The docstring promises an error.",
    GROUP_CHECK[2]: "Seven answers in groups of two: the docstring promises an error.",
}


def wrong_group(groups_, std, per_token, check):
    def group_advantages(rewards, mask, group_size, scale_std=True):
        n = len(rewards)
        if group_size < 2 and check != GROUP_CHECK[1] or n % max(group_size, 1) and check != GROUP_CHECK[2]:
            raise ValueError("group_size")
        if n % max(group_size, 1) or group_size < 1:
            return torch.zeros_like(mask, dtype=rewards.dtype)
        groups = rewards.view(group_size, -1).T if groups_ == GROUPS[3] else rewards.view(-1, group_size)
        mean = groups.mean(1, keepdim=True)
        baseline = {
            GROUPS[1]: lambda: rewards.mean(),
            GROUPS[4]: lambda: 0.0,
            GROUPS[5]: lambda: groups.amax(1, keepdim=True),
            GROUPS[6]: lambda: (groups.sum(1, keepdim=True) - groups) / (group_size - 1),
        }.get(groups_, lambda: mean)()
        out = groups - baseline
        deviation = groups.std(1, keepdim=True, correction=0 if std == STD[2] else min(1, group_size - 1))
        if groups_ == GROUPS[2]:
            deviation = rewards.std()
        if std == STD[5]:
            deviation = deviation.square()
        if std == STD[4] or scale_std and std != STD[3]:
            out = {
                STD[1]: lambda: out / deviation,
                STD[6]: lambda: out / deviation.clamp(min=1e-4),
                STD[7]: lambda: out / (deviation + 1e-8),
                STD[8]: lambda: out / (deviation.square() + 1e-4).sqrt(),
            }.get(std, lambda: out / (deviation + 1e-4))()
        flat = out.T.reshape(-1) if groups_ == GROUPS[3] else out.reshape(-1)
        if per_token == PER_TOKEN[4]:
            return flat
        if per_token == PER_TOKEN[1]:
            return flat[:, None] * mask / mask.sum(1, keepdim=True)
        if per_token == PER_TOKEN[2]:
            return flat[:, None].expand(n, mask.shape[1]).clone()
        if per_token == PER_TOKEN[3]:
            last = (torch.arange(mask.shape[1]) * mask).argmax(1)
            return torch.zeros(mask.shape, dtype=rewards.dtype).index_put((torch.arange(n), last), flat)
        return flat[:, None] * mask

    return group_advantages


def two_groups_of_three(impl, seed):
    return {"the advantages": impl.group_advantages(randn(seed, 6), right_mask([4, 1, 3, 2, 4, 3], 4), 3)}


def groups_of_two(impl, seed):
    rewards = 5 * randn(seed + 1, 6, dtype=torch.float64) + 3
    return {"the advantages": impl.group_advantages(rewards, right_mask([3, 1, 2, 2, 3, 1], 3), group_size=2)}


def without_the_deviation(impl, seed):
    rewards = 3 * randn(seed + 2, 8)
    return {"the advantages": impl.group_advantages(rewards, right_mask([2, 1] * 4, 2), 4, scale_std=False)}


def answers_of_a_single_token(impl, seed):
    return {"the advantages": impl.group_advantages(randn(seed + 4, 4), right_mask([1, 1, 1, 1], 1), 2)}


def a_group_of_equal_rewards(impl, seed):
    rewards = torch.tensor([1.0, 1.0, 1.0, 0.0, 1.0, 0.5])
    return {"the advantages": impl.group_advantages(rewards, right_mask([2, 1, 2, 2, 1, 2], 2), 3)}


def rewards_that_hardly_differ(impl, seed):
    rewards = 1e-4 * randn(seed + 3, 6)
    return {"the advantages": impl.group_advantages(rewards, right_mask([2, 1, 2, 2, 1, 2], 2), 3)}


def group_sizes_that_are_refused(impl, seed):
    rewards, mask = randn(seed, 6), right_mask([2] * 6, 2)
    call, sizes = impl.group_advantages, (-2, 0, 1, 2, 3, 4, 6, 7)
    return {f"groups of {n} of 6 answers": error_of(lambda n=n: call(rewards, mask, n)) for n in sizes}


def the_two_prompts_of_the_workbook(impl, seed):
    rewards, mask = torch.tensor([1.0, 0.0, 1.0, 1.0]), torch.tensor([[True, True], [True, False]] * 2)
    return {
        "scaled": impl.group_advantages(rewards, mask, 2),
        "not scaled": impl.group_advantages(rewards, mask, 2, False),
    }


# ---------------------------------------------------------------- all of them

PROBES = {
    "answer_logprobs": [
        a_batch_of_three,
        another_temperature,
        temperature_by_name,
        an_answer_of_one_token,
        improbable_tokens,
        gradient_to_the_logits,
        the_two_token_prompt_of_the_workbook,
        prompts_that_are_refused,
    ],
    "bradley_terry_loss": [
        pairs_without_a_margin,
        a_margin_for_each_pair,
        one_margin_for_all_pairs,
        pairs_far_in_the_wrong_order,
        the_pair_of_the_workbook,
    ],
    "last_token_scores": [
        rows_padded_on_the_right,
        rows_padded_on_the_left,
        gradient_to_the_scores,
        rows_padded_on_both_sides,
        a_single_column,
        a_single_row,
        a_score_of_zero,
        a_row_of_padding_alone,
        the_rows_of_the_workbook,
    ],
    "k3_estimator": [
        two_policies_that_differ,
        equal_policies,
        tokens_on_any_axes,
        policies_far_apart,
        k3_and_its_gradient,
        the_tokens_of_the_workbook,
    ],
    "shaped_rewards": [
        answers_of_different_lengths,
        a_large_beta,
        no_penalty,
        padding_that_is_not_a_number,
        padding_that_is_infinite,
        rewards_are_constants,
        an_answer_of_no_token,
        the_two_answers_of_the_workbook,
    ],
    "gae": [
        answers_of_many_lengths,
        gamma_and_lambda_that_are_left_out,
        by_keyword,
        lambda_zero,
        answers_of_one_token,
        values_at_padding_are_not_numbers,
        values_at_padding_are_infinite,
        advantages_are_constants,
        the_three_tokens_of_the_workbook,
    ],
    "whiten": [
        numbers_with_padding,
        only_the_scale,
        holes_in_the_mask,
        padding_is_not_a_number,
        padding_is_infinite,
        equal_numbers,
        numbers_that_hardly_differ,
        nothing_is_changed_in_place,
        too_few_tokens,
        the_numbers_of_the_workbook,
    ],
    "ppo_clip_loss": [
        tokens_on_both_sides_of_the_clip,
        a_clip_that_is_left_out,
        a_narrow_clip,
        a_policy_that_has_not_moved,
        a_policy_that_has_moved_far,
        a_clip_above_one,
        padding_of_the_loss_is_not_a_number,
        padding_of_the_loss_is_infinite,
        the_four_tokens_of_the_workbook,
    ],
    "value_loss": [
        values_that_moved,
        a_value_clip_that_is_left_out,
        a_narrow_value_clip,
        a_wide_value_clip,
        padding_of_the_values_is_not_a_number,
        padding_of_the_values_is_infinite,
        the_three_values_of_the_workbook,
    ],
    "adapt_kl_coef": [
        kl_around_the_target,
        another_target,
        another_horizon,
        a_horizon_that_is_left_out,
        batches_larger_than_the_horizon,
        targets_that_are_refused,
        the_batch_of_the_workbook,
    ],
    "dpo_loss": [
        pairs_with_prompts_and_padding,
        a_beta_that_is_left_out,
        a_larger_beta,
        a_policy_equal_to_the_reference,
        answers_far_in_the_wrong_order,
        padding_of_the_pairs_is_not_a_number,
        padding_of_the_pairs_is_infinite,
        the_pair_of_answers_of_the_workbook,
    ],
    "group_advantages": [
        two_groups_of_three,
        groups_of_two,
        without_the_deviation,
        answers_of_a_single_token,
        a_group_of_equal_rewards,
        rewards_that_hardly_differ,
        group_sizes_that_are_refused,
        the_two_prompts_of_the_workbook,
    ],
}

MADE = {
    "answer_logprobs": ("a log-probability", LOGPROB_KNOBS, wrong_logprobs, LOGPROB_HINTS),
    "bradley_terry_loss": ("a loss", BT_KNOBS, wrong_bt, BT_HINTS),
    "last_token_scores": ("a score", LAST_KNOBS, wrong_last, LAST_HINTS),
    "k3_estimator": ("an estimator", K3_KNOBS, wrong_k3, K3_HINTS),
    "shaped_rewards": ("a reward", SHAPED_KNOBS, wrong_shaped, SHAPED_HINTS),
    "gae": ("an advantage", GAE_KNOBS, wrong_gae, GAE_HINTS),
    "whiten": ("a whitening", WHITEN_KNOBS, wrong_whiten, WHITEN_HINTS),
    "ppo_clip_loss": ("a loss", CLIP_KNOBS, wrong_clip, CLIP_HINTS),
    "value_loss": ("a loss", VALUE_KNOBS, wrong_value, VALUE_HINTS),
    "adapt_kl_coef": ("a coefficient", ADAPT_KNOBS, wrong_adapt, ADAPT_HINTS),
    "dpo_loss": ("a loss", DPO_KNOBS, wrong_dpo, DPO_HINTS),
    "group_advantages": ("an advantage", GROUP_KNOBS, wrong_group, GROUP_HINTS),
}
PAIRS = {"bradley_terry_loss", "k3_estimator", "last_token_scores", "whiten"}  # combined two at a time
# settings that have no meaning together, or do the same as one of them
WITHOUT = [{BT_FORM[4], other} for other in (ORDER[1], *MARGIN[1:])]
WITHOUT += [{MARGIN[3], BT_FORM[6]}, {MARGIN[5], BT_FORM[2]}, {K3_FORM[12], K3_GRAPH[1]}, {WHITEN_PAD[3], SHIFT[1]}]
WITHOUT += [{MARGIN[3], BT_FORM[3]}, {SHIFT[3], SCALE[3]}, {WHITEN_OVER[4], SCALE[3]}]


def of(task):
    """Every known mistake of a task."""
    noun, knobs, build, hints = MADE[task]
    yield from combine(task, noun, knobs, build, hints, most=2 if task in PAIRS else 1, without=tuple(WITHOUT))
