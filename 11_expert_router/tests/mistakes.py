"""The classic mistakes of this project as running code, and the inputs on which they are recognised.

Each knob has its right setting first. Whatever differs from it is one mistake.
"""

import math

import torch
import torch.nn.functional as F
from grader import combine, error_of

TASKS = [
    "top_k_gate",
    "combine_weights",
    "load_balancing_loss",
    "z_loss",
    "update_bias",
    "drop_overflow",
    "grouped_dispatch",
    "upcycle",
]
GIVEN = ["expert_load"]
GATE_SEEDS = 2
NO_CHECK = "that does not raise the promised ValueError"


def generator(seed):
    return torch.Generator().manual_seed(seed)


def randn(seed, *shape, dtype=torch.float32):
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64).to(dtype)


def choices(seed, *shape, experts):
    """Random distinct experts of each token: shape is (..., K)."""
    *tokens, k = shape
    return torch.rand((*tokens, experts), generator=generator(seed)).argsort(-1)[..., :k].contiguous()


def back(output, *arguments):
    """The gradients of the sum of squares; None where none gets back."""
    if not output.requires_grad:
        return [None] * len(arguments)
    return list(torch.autograd.grad(output.square().sum(), arguments, allow_unused=True))


# ---------------------------------------------------------------- top_k_gate

CHOICE = [
    "right",
    "that takes the k experts with the LOWEST scores",
    "whose experts are in the order of their numbers, not the best first",
    "that takes the k best TOKENS of each expert",
    "that ignores the bias",
    "that SUBTRACTS the bias",
    "that adds the bias to the PROBABILITIES, and not to the scores",
    "that chooses by size alone, whatever the sign of a score",
    "that takes one expert too few",
    "that adds the bias to the SIGMOID of the scores (as in DeepSeek's code), and not to the scores",
]
NOISE = [
    "right",
    "that adds noise at EVALUATION too",
    "that never adds noise",
    "whose noise decides the choice, and is not in the scores",
    "whose noise is in the scores, and does not decide the choice",
    "that MULTIPLIES the scores by the noise",
    "that adds noise at evaluation, and none in training",
]
SCORES = [
    "right",
    "whose scores hold the BIAS, so that it gets into the weights",
    "that returns probabilities where scores are asked for",
    "that returns the scores of the chosen experts alone",
    "whose scores are DETACHED: no gradient gets back to the router",
]
GATE_CHECK = ["right", NO_CHECK]
GATE_HINTS = {
    CHOICE[1]: "Which experts does a high logit stand for?",
    CHOICE[2]: "Which of the k experts is the first choice of a token?",
    CHOICE[3]: "Who chooses here, the token or the expert? Along which axis do the experts lie?",
    CHOICE[4]: "What happens to the choice when one expert's bias is large?",
    CHOICE[5]: "An expert with a positive bias: is it wanted more or less?",
    CHOICE[6]: "A probability is from 0 to 1. How far apart can two experts be then? How large may a bias be?",
    CHOICE[7]: "Is a score of -3 better than a score of 1?",
    CHOICE[8]: "How many experts does each token get?",
    CHOICE[9]: "A sigmoid is from 0 to 1. How far apart can two experts be then? How large may a bias be?",
    NOISE[1]: "Two runs of an evaluation: may they route a token differently?",
    NOISE[2]: "What is noise for, and when is it given?",
    NOISE[3]: "Training must know how likely the choice was. Which scores made it?",
    NOISE[4]: "What would noise be good for if the choice stayed the same?",
    NOISE[5]: "What is the noisy score of an expert whose logit is 0?",
    NOISE[6]: "In which of the two modes is noise wanted?",
    SCORES[1]: "The bias balances the load. May it change how much an expert counts?",
    SCORES[2]: "What does the next function do first with the scores?",
    SCORES[3]: "How many scores does a token have: E or k?",
    SCORES[4]: "What is trained through the scores?",
    GATE_CHECK[1]: "No expert, or more experts than there are: what does the docstring promise?",
}


def wrong_gate(choice, noise, scores, check):
    def top_k_gate(logits, k, bias=None, noise_=None, training=False):
        E = logits.shape[-1]
        if not 1 <= k <= E:
            raise (ValueError if check == "right" else RuntimeError)("k")
        use = {NOISE[1]: True, NOISE[2]: False, NOISE[6]: not training}.get(noise, training)
        noisy = logits
        if use and noise_ is not None:
            noisy = logits * noise_ if noise == NOISE[5] else logits + noise_
        out, wanted = noisy, noisy
        if noise == NOISE[3]:
            out = logits + 0
        if noise == NOISE[4]:
            wanted = logits
        if bias is not None:
            if scores == SCORES[1]:
                out = out + bias
            if choice == CHOICE[5]:
                wanted = wanted - bias
            elif choice == CHOICE[6]:
                wanted = wanted.softmax(-1) + bias
            elif choice == CHOICE[9]:
                wanted = wanted.sigmoid() + bias
            elif choice != CHOICE[4]:
                wanted = wanted + bias
        if choice == CHOICE[7]:
            wanted = wanted.abs()
        if choice == CHOICE[3]:
            indices = wanted.argsort(-2, descending=True)[..., :k]
        else:
            indices = wanted.argsort(-1, descending=choice != CHOICE[1])[..., : k - (choice == CHOICE[8])]
        if choice == CHOICE[2]:
            indices = indices.sort(-1).values
        if scores == SCORES[2]:
            out = out.softmax(-1)
        if scores == SCORES[3]:
            out = out.gather(-1, indices)
        return out.detach() if scores == SCORES[4] else out, indices

    return lambda logits, k, bias=None, noise=None, training=False: top_k_gate(logits, k, bias, noise, training)


def gate_of(out):
    return {"the scores": out[0], "the experts": out[1]}


def eleven_tokens_and_seven_experts(impl, seed):
    return gate_of(impl.top_k_gate(randn(seed, 11, 7), 3))


def texts_of_a_batch(impl, seed):
    return gate_of(impl.top_k_gate(randn(seed + 1, 3, 5, 4), 2))


def a_bias_that_changes_the_choice(impl, seed):
    return gate_of(impl.top_k_gate(randn(seed + 2, 11, 5), 2, 2 * randn(seed + 3, 5)))


def a_bias_below_one(impl, seed):
    return gate_of(impl.top_k_gate(randn(seed + 20, 31, 7), 3, bias=0.3 * randn(seed + 21, 7)))


def noise_in_training(impl, seed):
    return gate_of(impl.top_k_gate(randn(seed + 4, 11, 5), 2, noise=2 * randn(seed + 5, 11, 5), training=True))


def noise_at_evaluation(impl, seed):
    return gate_of(impl.top_k_gate(randn(seed + 4, 11, 5), 2, noise=2 * randn(seed + 5, 11, 5)))


def bias_and_noise_in_training(impl, seed):
    logits, noise = randn(seed + 6, 2, 7, 5), 2 * randn(seed + 7, 2, 7, 5)
    return gate_of(impl.top_k_gate(logits, 3, 2 * randn(seed + 8, 5), noise, True))


def training_without_noise(impl, seed):
    return gate_of(impl.top_k_gate(randn(seed + 9, 7, 3), 2, training=True))


def every_expert_of_float64(impl, seed):
    return gate_of(impl.top_k_gate(randn(seed + 10, 5, 3, dtype=torch.float64), 3))


def one_expert_a_token(impl, seed):
    return gate_of(impl.top_k_gate(randn(seed + 11, 13, 5), 1))


def the_gradient_of_the_scores(impl, seed):
    logits = randn(seed + 12, 7, 5).requires_grad_()
    scores, _ = impl.top_k_gate(logits, 2, randn(seed, 5), randn(seed + 1, 7, 5), True)
    return {"the gradient": back(scores, logits)[0]}


def numbers_of_experts_that_are_refused(impl, seed):
    logits = randn(seed, 4, 5)
    found = {f"k={k} of 5": error_of(lambda k=k: impl.top_k_gate(logits, k)) for k in (0, -1, 6, 5, 1)}
    texts = randn(seed, 2, 7, 3)
    return found | {f"k={k} of 3": error_of(lambda k=k: impl.top_k_gate(texts, k)) for k in (4, 3)}


def the_token_of_the_workbook(impl, seed):
    logits = torch.tensor([[1.0, 3.0, 2.0]])
    alone, biased = impl.top_k_gate(logits, 2), impl.top_k_gate(logits, 2, torch.tensor([5.0, 0.0, 0.0]))
    return {"without a bias": gate_of(alone), "with a bias": gate_of(biased)}


# ---------------------------------------------------------------- combine_weights

WEIGHT = [
    "right",
    "whose softmax runs over the chosen scores ALONE, so that weights always sum to one",
    "with its softmax over the TOKENS",
    "without a softmax: the scores themselves",
    "made with a sigmoid for each expert",
    "whose softmax OVERFLOWS at large scores: nothing is subtracted before `exp`",
    "that looks for the k largest probabilities itself, and ignores the indices",
    "that returns a weight for EVERY expert",
    "that returns log-probabilities",
    "of float32, whatever the scores are",
]
NORMALIZE = [
    "right",
    "that never normalizes",
    "that divides by k, where the sum is asked for",
    "that divides by the LARGEST weight of a token",
    "that divides by the sum over the TOKENS",
    "that divides by the root of the sum of squares",
    "that takes a second SOFTMAX of the weights to normalize them",
    "that is 0 / 0 where all chosen scores are far below the largest",
]
WEIGHT_GRAPH = ["right", "that is DETACHED: no gradient gets back to the router"]
WEIGHT_CHECK = ["right", NO_CHECK]
WEIGHT_HINTS = {
    WEIGHT[1]: "With k = 1, what is a softmax of one number? What is its gradient?",
    WEIGHT[2]: "Between whom does a token choose?",
    WEIGHT[3]: "May a weight be negative?",
    WEIGHT[4]: "What do the probabilities of all experts sum to?",
    WEIGHT[5]: "What is exp(1000)? Which number may be subtracted from all scores of a token?",
    WEIGHT[6]: "A bias may have chosen an expert that is not among the most probable ones.",
    WEIGHT[7]: "What is the shape of the result: how many experts does a token go to?",
    WEIGHT[8]: "What do two weights of a token have to sum to, at most?",
    WEIGHT[9]: "The scores are float64. What is promised of the weights?",
    NORMALIZE[1]: "What do a token's weights sum to when `normalize` is True?",
    NORMALIZE[2]: "What do a token's weights sum to now?",
    NORMALIZE[3]: "What do a token's weights sum to now?",
    NORMALIZE[4]: "Whose weights must sum to one?",
    NORMALIZE[5]: "What do a token's weights sum to now?",
    NORMALIZE[7]: "What is exp(-2000)? Which softmax looks at the chosen scores alone?",
    NORMALIZE[6]: "Divide. What does a softmax make of the weights 0.8 and 0.1?",
    WEIGHT_GRAPH[1]: "How does the router learn which expert was good?",
    WEIGHT_CHECK[1]: "One expert and `normalize`: what does the docstring promise?",
}


def wrong_weights(weight, normalize, graph, check):
    def combine_weights(scores, indices, normalize_=False):
        k = indices.shape[-1]
        if normalize_ and k == 1 and check == "right":
            raise ValueError("k")
        if weight == WEIGHT[1] or (normalize_ and weight == normalize == "right"):
            out = scores.gather(-1, indices).softmax(-1)
        else:
            p = {
                WEIGHT[2]: lambda: scores.softmax(-2),
                WEIGHT[3]: lambda: scores + 0,
                WEIGHT[4]: lambda: scores.sigmoid(),
                WEIGHT[5]: lambda: scores.exp() / scores.exp().sum(-1, keepdim=True),
                WEIGHT[8]: lambda: scores.log_softmax(-1),
                WEIGHT[9]: lambda: scores.float().softmax(-1),
            }.get(weight, lambda: scores.softmax(-1))()
            if weight == WEIGHT[6]:
                out = p.topk(k, -1).values
            elif weight == WEIGHT[7]:
                out = torch.zeros_like(p).scatter(-1, indices, p.gather(-1, indices))
            else:
                out = p.gather(-1, indices)
        if normalize_:
            divisor = {
                NORMALIZE[1]: lambda: 1,
                NORMALIZE[2]: lambda: k,
                NORMALIZE[3]: lambda: out.amax(-1, keepdim=True),
                NORMALIZE[4]: lambda: out.sum(-2, keepdim=True),
                NORMALIZE[5]: lambda: out.square().sum(-1, keepdim=True).sqrt(),
            }.get(normalize, lambda: out.sum(-1, keepdim=True))()
            out = out.softmax(-1) if normalize == NORMALIZE[6] else out / divisor
        return out.detach() if graph == WEIGHT_GRAPH[1] else out

    return lambda scores, indices, normalize=False: combine_weights(scores, indices, normalize)


def weights_of(impl, seed, *shape, k, normalize=False, dtype=torch.float32):
    scores = randn(seed, *shape, dtype=dtype)
    return impl.combine_weights(scores, choices(seed + 1, *shape[:-1], k, experts=shape[-1]), normalize)


def two_experts_of_seven(impl, seed):
    return weights_of(impl, seed, 11, 7, k=2)


def normalized_weights(impl, seed):
    return weights_of(impl, seed + 2, 11, 7, k=3, normalize=True)


def a_batch_of_texts(impl, seed):
    return {
        "as they are": weights_of(impl, seed + 4, 3, 5, 4, k=2),
        "normalized": weights_of(impl, seed + 5, 3, 5, 4, k=3, normalize=True),
    }


def one_expert(impl, seed):
    return weights_of(impl, seed + 6, 13, 5, k=1)


def every_expert(impl, seed):
    return weights_of(impl, seed + 7, 5, 3, k=3, dtype=torch.float64)


def scores_in_the_thousands(impl, seed):
    scores, indices = 1_000 * randn(seed + 8, 7, 5, dtype=torch.float64), choices(seed, 7, 2, experts=5)
    top = scores.topk(2).indices
    return {
        "as they are": impl.combine_weights(scores, indices),
        "the two largest, normalized": impl.combine_weights(scores, top, True),
    }


def chosen_scores_far_below_the_largest(impl, seed):
    scores = torch.tensor([[[3000.0, 1000.0, 1001.0], [0.0, 2.0, -500.0]]])
    return impl.combine_weights(scores, torch.tensor([[[1, 2], [0, 1]]]), True)


def the_gradient_of_the_weights(impl, seed):
    scores, found = randn(seed + 9, 7, 5).requires_grad_(), {}
    for k in (1, 2):
        weights = impl.combine_weights(scores, choices(seed, 7, k, experts=5), k == 2)
        found[f"k={k}, {'normalized' if k == 2 else 'as it is'}"] = back(weights, scores)[0]
    return found


def one_normalized_expert(impl, seed):
    scores = randn(seed, 4, 5)
    found = {f"k={k}": error_of(lambda k=k: weights_and(impl, scores, choices(seed, 4, k, experts=5))) for k in (1, 2)}
    shapes = {"one token in each of 3 texts, k=2": (3, 1, 2), "2 tokens in each text, k=1": (3, 2, 1)}
    for name, shape in shapes.items():
        texts, indices = randn(seed, *shape[:2], 5), choices(seed, *shape, experts=5)
        found[name] = error_of(lambda t=texts, i=indices: weights_and(impl, t, i))
    return found


def weights_and(impl, scores, indices):
    return impl.combine_weights(scores, indices, normalize=True)


def the_logarithms_of_the_workbook(impl, seed):
    scores, indices = torch.tensor([[0.0, math.log(6), math.log(3)]]), torch.tensor([[1, 2]])
    both = [impl.combine_weights(scores, indices, normalize) for normalize in (False, True)]
    return {"as they are": both[0], "normalized": both[1]}


# ---------------------------------------------------------------- load_balancing_loss

SHARE = [
    "right",
    "that counts FIRST choices alone, by the largest score",
    "whose fᵢ is the mean probability too: nothing is counted",
    "whose fractions of tokens sum to k, so that perfect balance is k (as in Mixtral's code)",
    "whose counts are not divided by anything",
    "whose counts are weighted by the probabilities, so that a gradient gets into them",
]
PROBABILITY = [
    "right",
    "of the scores, without a softmax",
    "of probabilities that are DETACHED: no gradient",
    "with its softmax over the TOKENS",
    "whose Pᵢ counts chosen experts' probabilities alone",
    "with the mean over the EXPERTS: each token's mean is 1/E",
    "whose Pᵢ is the softmax of the MEAN scores, and not the mean of the softmax",
]
LOSS_SCALE = [
    "right",
    "that is not multiplied by the number of experts",
    "that is multiplied by k instead of E",
    "whose products are summed under a root",
    "that takes the largest expert that OCCURS for the last one, and so counts too few experts",
]
LOSS_GROUP = ["right", "that is computed for each text, and then averaged"]
LOSS_MASK = [
    "right",
    "that counts PADDING",
    "that leaves padding out of the counts, and not out of the probabilities",
    "that leaves padding out of the probabilities, and not out of the counts",
    "whose sums leave padding out, and whose divisor counts it",
    "that divides one of its two factors, counts or probabilities, by ALL tokens, padding too",
]
LOSS_CHECK = ["right", NO_CHECK]
LOSS_HINTS = {
    SHARE[1]: "A token's second expert works too. Who counts it?",
    SHARE[2]: "Which of the two factors is a count of what really happened?",
    SHARE[3]: "Two experts a token, and all equally busy: what is the sum of the shares?",
    SHARE[4]: "Twice as many tokens with the same balance: may the loss change?",
    SHARE[5]: "A count has no gradient. Which of the two factors has one?",
    PROBABILITY[1]: "Pᵢ is a probability. What do the Pᵢ sum to?",
    PROBABILITY[2]: "Which way does the loss push the router? Ask for the gradient of the scores.",
    PROBABILITY[3]: "Over whom do the probabilities of one token sum to 1?",
    PROBABILITY[4]: "The router can lower the probability of an expert that this token did not choose, too.",
    PROBABILITY[5]: "Pᵢ is one number for each expert. Over what is the mean?",
    PROBABILITY[6]: "What comes first for each token: its probabilities, or the mean over all tokens?",
    LOSS_SCALE[1]: "Perfect balance: every fᵢ and Pᵢ is 1/E. What is Σ fᵢ Pᵢ?",
    LOSS_SCALE[2]: "Perfect balance: every fᵢ and Pᵢ is 1/E. Which factor makes the sum 1?",
    LOSS_SCALE[4]: "Nobody chooses the last expert. How many experts are there? Which tensor knows?",
    LOSS_SCALE[3]: "Read equation 4 again: is there a root?",
    LOSS_GROUP[1]: "Two texts may have different favourites. Is their sum unbalanced?",
    LOSS_MASK[1]: "A row of padding goes to some expert. Does it work for it?",
    LOSS_MASK[2]: "Two factors, one mask.",
    LOSS_MASK[3]: "Two factors, one mask.",
    LOSS_MASK[4]: "A mean over real tokens is divided by how many?",
    LOSS_MASK[5]: "A mean over real tokens is divided by how many?",
    LOSS_CHECK[1]: "A mask without a real token: what does the docstring promise?",
}


def wrong_loss(share, probability, scale, group, mask, check):
    def one(scores, indices, mask_):
        E, k, dtype = scores.shape[-1], indices.shape[-1], scores.dtype
        scores, indices = scores.reshape(-1, E), indices.reshape(-1, k)
        real = torch.ones(len(scores), dtype=torch.bool) if mask_ is None else mask_.reshape(-1)
        in_f = torch.ones_like(real) if mask in (LOSS_MASK[1], LOSS_MASK[3]) else real
        in_p = torch.ones_like(real) if mask in (LOSS_MASK[1], LOSS_MASK[2]) else real
        p = {
            PROBABILITY[1]: lambda: scores,
            PROBABILITY[2]: lambda: scores.detach().softmax(-1),
            PROBABILITY[3]: lambda: _spread(scores, in_p),
        }.get(probability, lambda: scores.softmax(-1))()
        hot = F.one_hot(indices, E).sum(1).to(dtype)  # N E
        n_f, n_p = in_f.sum(), in_p.sum()
        if mask == LOSS_MASK[4]:
            n_f = n_p = torch.tensor(len(real))
        if mask == LOSS_MASK[5]:
            n_p = torch.tensor(len(real))
        if probability == PROBABILITY[4]:
            P = (p * hot)[in_p].sum(0) / n_p
        elif probability == PROBABILITY[6]:
            P = (scores[in_p].sum(0) / n_p).softmax(-1)
        elif probability == PROBABILITY[5]:
            P = p[in_p].mean(-1).mean() + 0 * p.sum(0)
        else:
            P = p[in_p].sum(0) / n_p
        if share == SHARE[1]:
            f = F.one_hot(scores.argmax(-1), E).to(dtype)[in_f].sum(0) / n_f
        elif share == SHARE[2]:
            f = scores.softmax(-1)[in_f].sum(0) / n_f
        elif share == SHARE[5]:
            f = (hot * scores.softmax(-1))[in_f].sum(0) / n_f
        else:
            f = hot[in_f].sum(0) / {SHARE[3]: n_f, SHARE[4]: 1}.get(share, n_f * k)
        total = (f * P).sum()
        return {LOSS_SCALE[1]: total, LOSS_SCALE[2]: k * total, LOSS_SCALE[3]: E * total.abs().sqrt()}.get(
            scale, (int(indices[in_f].max()) + 1 if scale == LOSS_SCALE[4] else E) * total
        )

    def load_balancing_loss(scores, indices, mask_=None):
        if mask_ is not None and not mask_.any() and check == "right":
            raise ValueError("mask")
        if group == LOSS_GROUP[1] and scores.ndim == 3:
            masks = [None] * len(scores) if mask_ is None else mask_
            return torch.stack([one(s, i, m) for s, i, m in zip(scores, indices, masks, strict=True)]).mean()
        return one(scores, indices, mask_)

    return lambda scores, indices, mask=None: load_balancing_loss(scores, indices, mask)


def _spread(scores, real):
    out = torch.zeros_like(scores)
    return out.index_put((real.nonzero()[:, 0],), scores[real].softmax(0))


def loss_of(impl, seed, *shape, k, mask=None, dtype=torch.float32):
    scores = (1.5 * randn(seed, *shape, dtype=dtype)).requires_grad_()
    loss = impl.load_balancing_loss(scores, choices(seed + 1, *shape[:-1], k, experts=shape[-1]), mask)
    return {"the loss": loss, "the gradient of the scores": back(loss, scores)[0]}


def padding(seed, *shape):
    """A mask with both kinds in every row."""
    mask = torch.rand(shape, generator=generator(seed + 50)) < 0.6
    mask[..., 0], mask[..., 1] = True, False
    return mask


def seven_experts_two_a_token(impl, seed):
    return loss_of(impl, seed, 13, 7, k=2)


def one_expert_for_each_token(impl, seed):
    return loss_of(impl, seed + 2, 11, 5, k=1)


def several_texts(impl, seed):
    return loss_of(impl, seed + 4, 2, 7, 5, k=3)


def several_texts_with_padding(impl, seed):
    return loss_of(impl, seed + 6, 3, 7, 5, k=2, mask=padding(seed, 3, 7))


def one_row_with_padding(impl, seed):
    return loss_of(impl, seed + 8, 11, 3, k=2, mask=padding(seed + 1, 11))


def an_expert_that_nobody_chooses(impl, seed):
    scores = randn(seed + 10, 7, 6).requires_grad_()
    loss = impl.load_balancing_loss(scores, choices(seed, 7, 2, experts=5))
    return {"the loss": loss, "the gradient of the scores": back(loss, scores)[0]}


def in_float64(impl, seed):
    return loss_of(impl, seed + 12, 9, 4, k=2, dtype=torch.float64)


def a_mask_that_hides_everything(impl, seed):
    scores, indices = randn(seed, 2, 3, 4), choices(seed, 2, 3, 2, experts=4)
    masks = {
        "no real token": torch.zeros(2, 3, dtype=torch.bool),
        "one": torch.eye(2, 3).bool() & (torch.arange(3) < 1),
    }
    return {name: error_of(lambda m=m: impl.load_balancing_loss(scores, indices, m)) for name, m in masks.items()}


def the_three_tokens_of_the_workbook(impl, seed):
    scores = torch.tensor([[3.0, 1.0], [3.0, 1.0], [1.0, 1.0]]).log()
    return {
        "all to expert 0": impl.load_balancing_loss(scores, torch.tensor([[0], [0], [0]])),
        "two and one": impl.load_balancing_loss(scores, torch.tensor([[0], [0], [1]])),
        "evenly, k=2": impl.load_balancing_loss(scores, torch.tensor([[0, 1]] * 3)),
        "one real token": impl.load_balancing_loss(
            scores, torch.tensor([[0], [0], [1]]), torch.tensor([False, False, True])
        ),
    }


# ---------------------------------------------------------------- z_loss

Z = [
    "right",
    "of the squared LOGITS, and not of their logsumexp",
    "that does not square the logsumexp",
    "that is the square of the mean, and not the mean of the squares",
    "that SUMS over the tokens",
    "of the largest logit instead of the logsumexp",
    "that OVERFLOWS at large logits: log of a sum of `exp`",
    "with its logsumexp over the TOKENS",
    "of squared log-probabilities",
    "that is divided by the number of experts too",
    "that takes the mean exponential, and not their sum",
    "that is the root of the mean of the squares",
]
Z_MASK = [
    "right",
    "that counts PADDING",
    "that sets padding to zero, and divides by all tokens",
    "that sets the logits of padding to zero, and counts their logsumexp",
]
Z_CHECK = ["right", NO_CHECK]
Z_HINTS = {
    Z[1]: "Which one number stands for all logits of a token in the softmax's denominator?",
    Z[2]: "A logsumexp of -5: may the loss reward it?",
    Z[3]: "One token at +3 and one at -3: is that small?",
    Z[4]: "Twice as many tokens of the same kind: may the loss change?",
    Z[5]: "Is the largest logit all that the softmax divides by?",
    Z[6]: "What is exp(1000)?",
    Z[7]: "Each token has a softmax of its own. Along which axis?",
    Z[8]: "A softmax does not change when 100 is added to all logits. Must this loss?",
    Z[9]: "Read the equation: over what is the mean?",
    Z[10]: "Two logits of zero: what is log(e⁰ + e⁰)?",
    Z[11]: "Read the equation: is there a root?",
    Z_MASK[1]: "Does a row of padding have a softmax that somebody uses?",
    Z_MASK[2]: "A mean over real tokens is divided by how many?",
    Z_MASK[3]: "What is the logsumexp of E zeros?",
    Z_CHECK[1]: "A mask without a real token: what does the docstring promise?",
}


def wrong_z(z, mask, check):
    def z_loss(logits, mask_=None):
        if mask_ is not None and not mask_.any() and check == "right":
            raise ValueError("mask")
        if mask_ is not None and mask == Z_MASK[3]:
            logits = logits * mask_[..., None]
        value = {
            Z[1]: lambda: logits.square().mean(-1).sqrt(),
            Z[5]: lambda: logits.amax(-1),
            Z[6]: lambda: logits.exp().sum(-1).log(),
            Z[7]: lambda: logits.logsumexp(-2).square().mean(-1, keepdim=True).sqrt().expand(logits.shape[:-1]),
            Z[8]: lambda: logits.log_softmax(-1).square().mean(-1).sqrt(),
            Z[10]: lambda: logits.logsumexp(-1) - math.log(logits.shape[-1]),
        }.get(z, lambda: logits.logsumexp(-1))()
        keep = mask_ is not None and mask in ("right", Z_MASK[2])
        kept = value[mask_] if keep else value.flatten()
        total = logits.shape[:-1].numel() if mask == Z_MASK[2] else len(kept)
        squares = kept if z == Z[2] else kept.square()
        if z == Z[3]:
            return (kept.sum() / total).square()
        if z == Z[4]:
            return squares.sum()
        mean = squares.sum() / total
        return {Z[9]: mean / logits.shape[-1], Z[11]: mean.sqrt()}.get(z, mean)

    return lambda logits, mask=None: z_loss(logits, mask)


def z_of(impl, seed, *shape, mask=None, dtype=torch.float32, scale=1.0):
    logits = (scale * randn(seed, *shape, dtype=dtype)).requires_grad_()
    loss = impl.z_loss(logits, mask) if mask is not None else impl.z_loss(logits)
    return {"the loss": loss, "the gradient of the logits": back(loss, logits)[0]}


def eleven_tokens(impl, seed):
    return z_of(impl, seed, 11, 5)


def a_batch(impl, seed):
    return z_of(impl, seed + 1, 3, 5, 7, scale=3.0)


def a_batch_with_padding(impl, seed):
    return z_of(impl, seed + 2, 3, 7, 5, mask=padding(seed, 3, 7))


def negative_logits(impl, seed):
    logits = (randn(seed + 3, 7, 3, dtype=torch.float64) - 4).requires_grad_()
    loss = impl.z_loss(logits)
    return {"the loss": loss, "the gradient of the logits": back(loss, logits)[0]}


def logits_in_the_thousands(impl, seed):
    return z_of(impl, seed + 4, 5, 3, scale=1_000.0)


def a_mask_without_a_real_token(impl, seed):
    masks = {"no real token": torch.zeros(4, dtype=torch.bool), "one": torch.arange(4) < 1}
    return {name: error_of(lambda m=m: impl.z_loss(randn(seed, 4, 3), m)) for name, m in masks.items()}


def the_zeros_of_the_workbook(impl, seed):
    logits = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    return {"both": impl.z_loss(logits), "the first": impl.z_loss(logits, torch.tensor([True, False]))}


# ---------------------------------------------------------------- update_bias

STEP = [
    "right",
    "of the WRONG SIGN: who has too much gets more",
    "whose step is proportional to the missing tokens, and not of size `rate`",
    "whose step is the missing SHARE times the rate",
    "that compares with the largest load, and not with the mean",
    "that compares with the median, and not with the mean",
    "that lowers an expert with exactly the mean load",
    "that raises an expert with exactly the mean load",
    "that ignores the rate",
    "that raises idle experts, and never lowers busy ones",
    "that lowers busy experts, and never raises idle ones",
    "that returns the step alone, without the old bias",
    "that compares with 1/E, as if the load were shares",
    "that shifts the biases so that their mean is zero",
    "that compares with the mean ROUNDED to a whole number",
    "whose step is the difference from the mean, divided by the LARGEST difference",
]
BIAS_TYPE = [
    "right",
    "of float32, whatever the bias is",
    "that writes into the old bias",
    "that compares loads in float32, where large whole numbers are ROUNDED",
    "that compares loads in the dtype of the bias, where large whole numbers are ROUNDED",
]
STEP_HINTS = {
    STEP[1]: "An expert has too many tokens. Should its bias make it more wanted?",
    STEP[2]: "How large is a step in algorithm 1? Does it depend on how much is missing?",
    STEP[3]: "How large is a step in algorithm 1? Does it depend on how much is missing?",
    STEP[4]: "What is the load of every expert at perfect balance?",
    STEP[5]: "Loads 0, 0, 9: what is an equal share?",
    STEP[6]: "An expert has exactly its share. Which way should it move?",
    STEP[7]: "An expert has exactly its share. Which way should it move?",
    STEP[8]: "Is `rate` used?",
    STEP[9]: "What should happen to an expert that is too busy?",
    STEP[10]: "What should happen to an expert that is idle?",
    STEP[11]: "Where is what was learned in the steps before?",
    STEP[12]: "Are the numbers of `load` counts or shares?",
    STEP[13]: "Only the step is promised. What would the bias of an expert at its mean do?",
    STEP[15]: "How large is a step in algorithm 1? Does it depend on how much is missing?",
    STEP[14]: "Loads 5, 5, 5, 6: who has less than an equal share?",
    BIAS_TYPE[1]: "The bias is float64. What is promised of the result?",
    BIAS_TYPE[3]: "Which whole number comes after 16,777,216 in float32?",
    BIAS_TYPE[4]: "Which whole number comes after 2048 in float16, and after 16,777,216 in float32?",
    BIAS_TYPE[2]: "Does the caller still have the bias of before?",
}


def wrong_bias(step, kind):
    def update_bias(bias, load, rate):
        x = load.to({BIAS_TYPE[3]: torch.float32, BIAS_TYPE[4]: bias.dtype}.get(kind, torch.float64))
        mean = x.mean()
        sign = (mean - x).sign()
        move = {
            STEP[1]: lambda: -rate * sign,
            STEP[2]: lambda: rate * (mean - x),
            STEP[3]: lambda: rate * (mean - x) / x.sum(),
            STEP[4]: lambda: rate * (x.max() - x).sign(),
            STEP[5]: lambda: rate * (x.median() - x).sign(),
            STEP[6]: lambda: rate * torch.where(sign == 0, -1.0, sign),
            STEP[7]: lambda: rate * torch.where(sign == 0, 1.0, sign),
            STEP[8]: lambda: sign,
            STEP[9]: lambda: rate * sign.clamp(min=0),
            STEP[10]: lambda: rate * sign.clamp(max=0),
            STEP[12]: lambda: rate * (1 / len(x) - x).sign(),
            STEP[15]: lambda: rate * (mean - x) / (mean - x).abs().max().clamp(min=1e-9),
            STEP[14]: lambda: rate * (mean.round() - x).sign(),
        }.get(step, lambda: rate * sign)()
        if step == STEP[11]:
            return move.to(bias.dtype)
        out = bias + move.to(bias.dtype)
        if step == STEP[13]:
            out = out - out.mean()
        if kind == BIAS_TYPE[1]:
            return out.float()
        return bias.copy_(out) if kind == BIAS_TYPE[2] else out

    return update_bias


def loads(seed, experts):
    return torch.randint(0, 40, (experts,), generator=generator(seed))


def seven_loads(impl, seed):
    return impl.update_bias(randn(seed, 7), loads(seed, 7), 0.07)


def five_loads_and_a_bias_of_float64(impl, seed):
    return impl.update_bias(randn(seed + 1, 5, dtype=torch.float64), loads(seed + 1, 5), 1e-3)


def loads_with_some_at_the_mean(impl, seed):
    return impl.update_bias(randn(seed + 2, 6), torch.tensor([7, 2, 7, 12, 7, 7]), 0.5)


def a_mean_that_is_no_whole_number(impl, seed):
    return impl.update_bias(randn(seed + 6, 5), torch.tensor([4, 9, 1, 4, 3]), 0.5)


def loads_of_millions(impl, seed):
    return impl.update_bias(randn(seed + 7, 3), torch.tensor([2**25 + 1, 2**25 - 1, 2**25]), 0.5)


def a_bias_of_float16(impl, seed):
    return impl.update_bias(randn(seed + 8, 3, dtype=torch.float16), torch.tensor([4097, 4095, 4096]), 0.5)


def one_expert_that_has_everything(impl, seed):
    return impl.update_bias(randn(seed + 3, 4), torch.tensor([0, 0, 11, 0]), 0.25)


def a_perfect_balance(impl, seed):
    return impl.update_bias(randn(seed + 4, 3), torch.tensor([8, 8, 8]), 0.25)


def an_old_bias_that_stays_as_it_was(impl, seed):
    bias = randn(seed + 5, 5)
    before = bias.clone()
    new = impl.update_bias(bias, loads(seed, 5), 0.5)
    return {"the new bias": new + 0, "the old bias": bias - before}


def the_loads_of_the_workbook(impl, seed):
    return impl.update_bias(torch.zeros(3), torch.tensor([6, 2, 4]), 0.1)


# ---------------------------------------------------------------- drop_overflow

CAPACITY = [
    "right",
    "whose capacity is rounded DOWN",
    "whose capacity is rounded to the nearest",
    "whose capacity forgets the factor k",
    "whose capacity ignores the capacity factor",
    "whose capacity forgets to divide by the number of experts",
    "that lets in one token TOO MANY",
    "that lets in one token TOO FEW",
    "whose capacity is counted from the busiest group's load",
    "whose capacity is never below FOUR (as in DeepSpeed's code)",
    "whose capacity takes the largest expert that OCCURS for the last one, and so counts too few experts",
    "whose equal share is rounded DOWN before the factor",
]
QUEUE = [
    "right",
    "that serves token by token: a second choice before the next token's first",
    "that keeps the LAST in line",
    "that gives each choice a queue of its own",
    "that serves second choices before first ones",
    "that sorts by expert and cuts the end of the list: the limit holds for all experts together",
    "that counts places in bfloat16, where whole numbers above 256 are ROUNDED",
]
GROUP = [
    "right",
    "with ONE queue for all groups, and the capacity of one",
    "with ONE queue for all groups, and the capacity of all",
]
DROPPED = [
    "right",
    "that is True for what is DROPPED",
    "that drops ALL choices of a token when one does not fit",
    "that drops a token's LATER choices, too, once one does not fit",
]
CAPACITY_CHECK = ["right", NO_CHECK]
CAPACITY_HINTS = {
    CAPACITY[1]: "Five tokens, two experts, factor 1: can both experts take all tokens if each takes two?",
    CAPACITY[2]: "Read the brackets of the equation: which way do they round?",
    CAPACITY[3]: "How many assignments does a group of N tokens have?",
    CAPACITY[4]: "Is `capacity_factor` used?",
    CAPACITY[5]: "What is an equal share of N · k assignments?",
    CAPACITY[6]: "Is the first in line number 0 or number 1 in your comparison?",
    CAPACITY[7]: "Is the first in line number 0 or number 1 in your comparison?",
    CAPACITY[8]: "The capacity is known before anything is routed. From which numbers?",
    CAPACITY[10]: "Nobody wants the last expert. How many experts are there?",
    CAPACITY[11]: "Five tokens, two experts, factor 2: how many does each expert take?",
    CAPACITY[9]: "Read the equation: is there a least capacity?",
    QUEUE[1]: "Token 1's first choice and token 0's second choice want the last place. Who gets it?",
    QUEUE[2]: "Who comes first in a causal order, the early token or the late one?",
    QUEUE[3]: "How many tokens does one expert get in all?",
    QUEUE[4]: "Token 1's first choice and token 0's second choice want the last place. Who gets it?",
    QUEUE[6]: "Which whole number comes after 256 in bfloat16?",
    QUEUE[5]: "Each expert has a limit of its own.",
    GROUP[1]: "May the first text of a batch take the places of the second?",
    GROUP[2]: "May the first text of a batch take the places of the second?",
    DROPPED[1]: "The name is `kept` where the result is used.",
    DROPPED[3]: "A token whose first choice is full: may it still go to its second?",
    DROPPED[2]: "A token whose second choice is full: may it still go to its first?",
    CAPACITY_CHECK[1]: "A factor of 0, or below: what does the docstring promise?",
}


def wrong_drop(capacity, queue, group, dropped, check):
    def drop_overflow(indices, num_experts, capacity_factor):
        if capacity_factor <= 0 and check == "right":
            raise ValueError("capacity_factor")
        G, N, K = indices.shape
        amount = capacity_factor * N * K / num_experts
        if capacity == CAPACITY[3]:
            amount /= K
        if capacity == CAPACITY[4]:
            amount /= capacity_factor
        if capacity == CAPACITY[5]:
            amount *= num_experts
        if capacity == CAPACITY[10]:
            amount *= num_experts / (int(indices.max()) + 1)
        if capacity == CAPACITY[11]:
            amount = capacity_factor * (N * K // num_experts)
        most = {CAPACITY[1]: math.floor, CAPACITY[2]: round}.get(capacity, math.ceil)(amount)
        most += {CAPACITY[6]: 1, CAPACITY[7]: -1}.get(capacity, 0)
        if capacity == CAPACITY[8]:
            busiest = max(int(torch.bincount(row.flatten(), minlength=num_experts).max()) for row in indices)
            most = math.ceil(capacity_factor * busiest / 2)
        if capacity == CAPACITY[9]:
            most = max(4, most)
        if group == GROUP[2]:
            most = math.ceil(amount * G)
        kept = torch.zeros_like(indices, dtype=torch.bool)
        used = [0] * num_experts
        for g in range(G):
            if group == "right":
                used = [0] * num_experts
            line = [(n, j) for j in range(K) for n in range(N)]
            if queue == QUEUE[1]:
                line = [(n, j) for n in range(N) for j in range(K)]
            if queue == QUEUE[2]:
                line = [(n, j) for j in range(K) for n in reversed(range(N))]
            if queue == QUEUE[4]:
                line = [(n, j) for j in reversed(range(K)) for n in range(N)]
            if queue == QUEUE[5]:
                line.sort(key=lambda p: int(indices[g, p[0], p[1]]))
                for n, j in line[: most * num_experts]:
                    kept[g, n, j] = True
                continue
            last = -1
            for n, j in line:
                if queue == QUEUE[3] and j != last:
                    used, last = [0] * num_experts, j
                e = int(indices[g, n, j])
                kept[g, n, j] = used[e] < most
                used[e] += 1
        if queue == QUEUE[6]:
            hot = F.one_hot(indices.transpose(1, 2).flatten(1), num_experts).bfloat16()
            kept = ((hot.cumsum(1) * hot).sum(-1) <= most).view(G, K, N).transpose(1, 2)
        if dropped == DROPPED[3]:
            kept = kept.int().cumprod(-1).bool()
        if dropped == DROPPED[2]:
            kept = kept.all(-1, keepdim=True).expand(G, N, K).clone()
        return ~kept if dropped == DROPPED[1] else kept

    return drop_overflow


def uneven(seed, *shape, experts):
    """Choices with favourites: low experts are wanted more."""
    *tokens, k = shape
    wanted = torch.rand((*tokens, experts), generator=generator(seed)) - 0.25 * torch.arange(experts)
    return wanted.argsort(-1, descending=True)[..., :k].contiguous()


def kept_of(impl, seed, G, N, K, E, factor):
    return impl.drop_overflow(uneven(seed, G, N, K, experts=E), E, factor)


def two_groups_of_thirteen_tokens(impl, seed):
    return kept_of(impl, seed, 2, 13, 2, 5, 1.25)


def one_group_and_one_choice(impl, seed):
    return kept_of(impl, seed + 1, 1, 17, 1, 3, 1.0)


def three_choices_and_little_room(impl, seed):
    return kept_of(impl, seed + 2, 3, 7, 3, 5, 0.5)


def a_share_that_is_a_whole_number(impl, seed):
    return kept_of(impl, seed + 3, 2, 12, 2, 4, 1.0)


def room_for_everybody(impl, seed):
    return kept_of(impl, seed + 4, 2, 5, 2, 3, 3.0)


def more_groups_than_tokens(impl, seed):
    return kept_of(impl, seed + 5, 5, 3, 2, 4, 0.75)


def room_for_one_token(impl, seed):
    return kept_of(impl, seed + 6, 2, 11, 2, 7, 0.25)


def experts_that_nobody_wants(impl, seed):
    return impl.drop_overflow(torch.tensor([[[0, 1], [0, 1], [1, 0]]]), 5, 1.0)


def a_long_queue(impl, seed):
    return impl.drop_overflow(torch.zeros(1, 5000, 1, dtype=torch.long), 2, 1.0)


def capacity_factors_that_are_refused(impl, seed):
    indices = uneven(seed, 2, 3, 2, experts=4)
    return {f"{x:g}": error_of(lambda x=x: impl.drop_overflow(indices, 4, x)) for x in (0.0, -1.0, 0.1)}


def the_hot_expert_of_the_workbook(impl, seed):
    indices = torch.tensor([[[0, 1], [0, 1], [0, 1]], [[1, 0], [2, 1], [1, 2]]])
    return impl.drop_overflow(indices, 3, 1.0)


# ---------------------------------------------------------------- grouped_dispatch

GATE = [
    "right",
    "whose outputs are NOT MULTIPLIED by the weights: the router gets no gradient",
    "whose weights are DETACHED: the router gets no gradient",
    "whose weights stay in the old order while the rows are sorted",
    "that takes a token's FIRST weight for all of its experts",
    "that multiplies the expert's INPUT by the weight, and not its output",
    "whose expert's input is DETACHED",
    "that divides a token's weights by their sum",
    "that divides the weights of a token's KEPT experts by their sum",
]
ADDED = [
    "right",
    "that WRITES a token's outputs over each other: the last expert stays (no accumulate)",
    "that gives tokens without an expert ZERO, and not their residual",
    "that forgets the residual",
    "whose rows stay in the order of the EXPERTS",
    "that writes into the residual that it was given",
    "that adds the residual once for EACH expert",
    "that adds x, and not the residual",
]
KEPT = [
    "right",
    "that adds DROPPED assignments too",
    "that drops a token whole when one of its choices is dropped",
    "that computes dropped assignments, and gives them the weight zero",
    "that leaves out kept assignments whose weight is ZERO OR NEGATIVE",
]
BLOCKS = [
    "right",
    "whose blocks begin ONE ROW late: each expert's first row goes to the expert before",
    "that numbers the experts by the blocks that it finds, so that an idle expert shifts all after it",
    "that stops at the first expert without tokens",
    "that calls experts without tokens, too",
    "that calls an expert once for each TOKEN",
    "that calls EVERY expert on all tokens",
]
SHARED = [
    "right",
    "that ignores the shared expert",
    "whose shared expert takes the place of a token's LAST choice",
    "that adds the shared expert only to tokens with an expert of their own",
    "that weights the shared expert by what the token's weights leave of 1",
    "that gives the shared expert the residual, and not x",
    "whose shared expert's input is DETACHED: no gradient gets back to x through it",
]
DISPATCH_HINTS = {
    GATE[1]: "Through which product does the loss reach the router?",
    GATE[2]: "Through which product does the loss reach the router?",
    GATE[3]: "After the sort, which token does row 0 belong to? Which weight does it need?",
    GATE[4]: "A token's second expert: how much does it count?",
    GATE[5]: "Is the expert linear? What is its output for half of the input?",
    GATE[6]: "Who needs the gradient of x?",
    GATE[7]: "The weights are given. By what does the equation divide them?",
    GATE[8]: "One of a token's two experts is full. Does the equation say that the other counts more?",
    ADDED[1]: "A token with two experts appears twice among the rows. What does `out[tokens] = ...` do then?",
    ADDED[2]: "What should leave the block for a token that no expert took?",
    ADDED[3]: "What is there before the experts add something?",
    ADDED[4]: "Row 0 of the sorted rows belongs to which token?",
    ADDED[5]: "Does the caller still have the residual of before?",
    ADDED[6]: "The residual is what all outputs are added to. How often?",
    ADDED[7]: "x is the normalised input of the experts. What is the stream?",
    KEPT[1]: "What does `kept` say about this assignment?",
    KEPT[2]: "A token whose second choice is full: may it still use its first?",
    KEPT[4]: "Which tensor says what is computed: `kept`, or the weights?",
    KEPT[3]: "The numbers are right. Which rows did the experts compute for nothing?",
    BLOCKS[1]: "Three rows for expert 0 and two for expert 1: where does the second block begin?",
    BLOCKS[2]: "Expert 1 has no tokens. Who gets the second block?",
    BLOCKS[3]: "Expert 1 has no tokens. What about expert 2?",
    BLOCKS[4]: "Which experts does the docstring say are called?",
    BLOCKS[5]: "One large product or many small ones? See what the docstring says about the calls.",
    BLOCKS[6]: "How many rows does an expert need to see?",
    SHARED[1]: "Is `shared` used?",
    SHARED[2]: "The shared expert is outside of the top k. How many experts of its own does a token keep?",
    SHARED[3]: "A dropped token: does the shared expert see it?",
    SHARED[4]: "Which weight does the docstring give it?",
    SHARED[6]: "Who needs the gradient of x?",
    SHARED[5]: "What do all experts read: the stream, or its normalised copy?",
}


def wrong_dispatch(gate, added, kept, blocks, shared):
    def grouped_dispatch(residual, x, indices, weights, kept_, experts, shared_=None):
        (N, K), E = indices.shape, 64
        use = kept_.clone()
        if kept == KEPT[1]:
            use = torch.ones_like(use)
        if kept == KEPT[2]:
            use = use.all(1, keepdim=True).expand(N, K)
        if kept == KEPT[3]:
            weights, use = weights * use, torch.ones_like(use)
        if kept == KEPT[4]:
            use = use & (weights > 0)
        if shared == SHARED[2] and shared_ is not None:
            use = use.clone()
            use[:, -1] = False
        if gate == GATE[7]:
            weights = weights / weights.sum(1, keepdim=True)
        if gate == GATE[8]:
            weights = weights / (weights * use).sum(1, keepdim=True).clamp_min(1e-9)
        slots = use.flatten().nonzero()[:, 0]
        chosen = indices.flatten()[slots]
        order = chosen.argsort(stable=True)
        unsorted, slots = slots, slots[order]
        tokens = slots // K
        gates = weights.flatten()[unsorted if gate == GATE[3] else slots]
        if gate == GATE[4]:
            gates = weights[tokens, 0]
        if gate == GATE[1]:
            gates = torch.ones_like(gates)
        if gate == GATE[2]:
            gates = gates.detach()
        sizes = chosen.bincount().tolist()
        if blocks == BLOCKS[4]:
            sizes = chosen.bincount(minlength=7).tolist()
        owners = [e for e, size in enumerate(sizes) for _ in range(size)]
        if blocks == BLOCKS[1]:
            owners = owners[1:] + owners[-1:]
        if blocks == BLOCKS[2]:
            names = sorted(set(owners))
            owners = [names.index(e) for e in owners]
        if blocks == BLOCKS[3] and 0 in sizes:
            owners = [e for e in owners if e < sizes.index(0)]
            tokens, gates = tokens[: len(owners)], gates[: len(owners)]
        outputs = x.new_zeros(len(tokens), x.shape[1])
        source = x.detach() if gate == GATE[6] else x
        for e in range(E):
            rows = torch.tensor([i for i, owner in enumerate(owners) if owner == e], dtype=torch.long)
            if not len(rows) and not (blocks == BLOCKS[4] and e < 7):
                continue
            inputs = source[tokens[rows]]
            if gate == GATE[5]:
                inputs = inputs * gates[rows, None]
            if blocks == BLOCKS[5]:
                made = torch.cat([experts(row[None], e) for row in inputs])
            elif blocks == BLOCKS[6]:
                made = experts(source, e)[tokens[rows]]
            else:
                made = experts(inputs, e)
            outputs = outputs.index_copy(0, rows, made)
        scaled = outputs if gate == GATE[5] else outputs * gates[:, None]
        has_expert = torch.zeros(N, 1).index_fill(0, tokens, 1.0) if len(tokens) else torch.zeros(N, 1)
        base = residual
        if added == ADDED[2]:
            base = residual * has_expert
        if added == ADDED[3]:
            base = torch.zeros_like(residual)
        if added == ADDED[7]:
            base = x
        if shared_ is not None and shared != SHARED[1]:
            extra = shared_({SHARED[5]: residual, SHARED[6]: x.detach()}.get(shared, x))
            if shared == SHARED[3]:
                extra = extra * has_expert
            if shared == SHARED[4]:
                extra = extra * (1 - weights.sum(1, keepdim=True))
            base = base + extra
        if added == ADDED[1]:
            base = base + 0
            for i, token in enumerate(tokens.tolist()):
                base = base.index_copy(0, tokens[i : i + 1], (residual[token] + scaled[i])[None])
            return base
        if added == ADDED[4]:
            full = torch.cat([scaled, x.new_zeros(max(0, N - len(scaled)), x.shape[1])])[:N]
            return base + full
        if added == ADDED[6]:
            scaled = scaled + residual[tokens]
        if added == ADDED[5]:
            with torch.no_grad():
                residual += 0 if residual.requires_grad else (base - residual).index_add(0, tokens, scaled)
            return base.index_add(0, tokens, scaled) if residual.requires_grad else residual
        return base.index_add(0, tokens, scaled)

    return lambda residual, x, indices, weights, kept, experts, shared=None: grouped_dispatch(
        residual, x, indices, weights, kept, experts, shared
    )


class Recorded:
    """Experts that are no linear maps, and remember how many rows each call had."""

    def __init__(self, seed, experts, width, dtype=torch.float32):
        self.weights, self.calls = randn(seed, experts, width, width, dtype=dtype), []

    def __call__(self, rows, expert):
        self.calls.append((expert, len(rows)))
        return (rows @ self.weights[expert]).tanh() + 1.0 + expert

    def __repr__(self):
        return f"<{len(self.weights)} experts>"


def always_on(x):
    """A shared expert."""
    return x.cos() + 2


def dispatched(impl, seed, N, K, E, D, share=0.7, shared=None, indices=None, dtype=torch.float32, gradients=False):
    leaves = [randn(seed + i, N, D, dtype=dtype) for i in (1, 2)] + [randn(seed + 3, N, K, dtype=dtype).abs() + 0.1]
    residual, x, weights = (leaf.requires_grad_(gradients) for leaf in leaves)
    indices = choices(seed, N, K, experts=E) if indices is None else indices
    kept = torch.rand((N, K), generator=generator(seed + 4)) < share
    experts = Recorded(seed + 5, E, D, dtype)
    more = {} if shared is None else {"shared": shared}
    out = impl.grouped_dispatch(residual, x, indices, weights, kept, experts, **more)
    found = {"the output": out, "calls (expert, rows)": sorted(experts.calls)}
    if gradients:
        names = ("the gradient of the residual", "the gradient of x", "the gradient of the weights")
        found |= dict(zip(names, back(out, residual, x, weights), strict=True))
    return found


def two_experts_a_token(impl, seed):
    return dispatched(impl, seed, 11, 2, 5, 3)


def tokens_that_all_have_their_places(impl, seed):
    return dispatched(impl, seed + 10, 13, 3, 5, 2, share=2.0)


def experts_without_tokens(impl, seed):
    indices = torch.tensor([0, 2, 6])[choices(seed, 7, 2, experts=3)]
    return dispatched(impl, seed + 20, 7, 2, 7, 3, share=2.0, indices=indices)


def tokens_that_are_all_dropped(impl, seed):
    return dispatched(impl, seed + 30, 5, 2, 3, 4, share=-1.0)


def a_shared_expert(impl, seed):
    return dispatched(impl, seed + 40, 11, 2, 5, 3, share=0.5, shared=always_on)


def one_choice_in_float64(impl, seed):
    return dispatched(impl, seed + 50, 7, 1, 3, 5, dtype=torch.float64)


def gradients_of_everything(impl, seed):
    return dispatched(impl, seed + 60, 7, 2, 5, 3, gradients=True)


def gradients_with_a_shared_expert(impl, seed):
    return dispatched(impl, seed + 80, 7, 2, 5, 3, shared=always_on, gradients=True)


def weights_of_zero_and_below(impl, seed):
    x, weights = randn(seed + 90, 2, 3), torch.tensor([[0.0, 1.0], [-1.0, 0.5]])
    experts, kept = Recorded(seed, 4, 3), torch.ones(2, 2, dtype=torch.bool)
    out = impl.grouped_dispatch(x, x, torch.tensor([[3, 1], [1, 2]]), weights, kept, experts)
    return {"the output": out, "calls (expert, rows)": sorted(experts.calls)}


def a_residual_that_stays_as_it_was(impl, seed):
    residual, x = randn(seed + 70, 5, 3), randn(seed + 71, 5, 3)
    before, kept = residual.clone(), torch.ones(5, 2, dtype=torch.bool)
    out = impl.grouped_dispatch(
        residual, x, choices(seed, 5, 2, experts=4), randn(seed, 5, 2).abs(), kept, Recorded(seed, 4, 3)
    )
    return {"the output": out + 0, "the change of the residual": residual - before}


def the_two_tokens_of_the_workbook(impl, seed):
    def experts(rows, e):
        return (e + 1) * 10 * rows

    residual, x = torch.tensor([[100.0], [200.0]]), torch.tensor([[1.0], [2.0]])
    indices, weights = torch.tensor([[1, 0], [1, 2]]), torch.tensor([[0.75, 0.25], [0.5, 0.5]])
    return impl.grouped_dispatch(residual, x, indices, weights, torch.tensor([[True, True], [False, False]]), experts)


# ---------------------------------------------------------------- upcycle

COPY = [
    "right",
    "whose experts share ONE memory (`expand`), so that they can never differ",
    "whose first expert IS the dense layer: training it changes the old model",
    "without an axis for the experts: the rows are repeated",
    "whose weights are divided by the number of experts",
    "whose other experts are zero",
    "whose experts get small random differences",
    "with gate and up EXCHANGED",
    "whose gradient goes back to the dense layer",
    "that returns `down` first",
    "whose matrices are TRANSPOSED",
    "of float32, whatever the dense layer is",
    "with one expert too many",
]
COPY_CHECK = ["right", NO_CHECK]
COPY_HINTS = {
    COPY[1]: "Write into expert 0. What does expert 1 hold now?",
    COPY[2]: "Write into expert 0. What does the dense layer hold now?",
    COPY[3]: "How many axes do the stacked weights have?",
    COPY[4]: "A token's weights sum to 1. What do equal experts give together, each in full?",
    COPY[5]: "What does a token get that goes to expert 1?",
    COPY[6]: "The loss at step 0 must be the old one. Who makes the experts different later?",
    COPY[7]: "Which half of the rows goes through silu?",
    COPY[8]: "Two models: should training one move the other?",
    COPY[9]: "In which order does the docstring return them?",
    COPY[10]: "What is the shape of one expert's matrix?",
    COPY[11]: "The dense layer is float64. What is promised of the experts?",
    COPY[12]: "How many experts are asked for?",
    COPY_CHECK[1]: "No expert at all: what does the docstring promise?",
}


def wrong_copy(copy, check):
    def upcycle(gate_up, down, num_experts):
        if num_experts < 1:
            raise (ValueError if check == "right" else RuntimeError)("num_experts")

        def copies(w):
            if copy != COPY[8]:
                w = w.detach()
            stacked = w[None].repeat(num_experts + (copy == COPY[12]), 1, 1)
            if copy == COPY[1]:
                return w.clone()[None].expand(num_experts, -1, -1)
            if copy == COPY[3]:
                return w.repeat(num_experts, 1)
            if copy == COPY[4]:
                return stacked / num_experts
            if copy == COPY[5]:
                stacked[1:] = 0
            if copy == COPY[6]:
                stacked = stacked + 0.01 * torch.randn(stacked.shape, dtype=w.dtype)
            if copy == COPY[10]:
                return stacked.mT.contiguous()
            return stacked.float() if copy == COPY[11] else stacked

        if copy == COPY[7]:
            gate_up = torch.cat(gate_up.chunk(2)[::-1])
        first, second = copies(gate_up), copies(down)
        if copy == COPY[2]:
            return tied(first, gate_up), tied(second, down)
        return (second, first) if copy == COPY[9] else (first, second)

    return upcycle


def tied(stacked, dense):
    """Stacked weights of which the first is the dense layer's memory."""
    if len(stacked) == 1:
        return dense.detach()[None]
    whole = stacked.clone()
    dense.data = whole[0]
    return whole


def stacked_of(impl, seed, F2, D, E, dtype=torch.float32):
    out = impl.upcycle(randn(seed, F2, D, dtype=dtype), randn(seed + 1, D, F2 // 2, dtype=dtype), E)
    return {"gate_up": out[0], "down": out[1]}


def three_experts(impl, seed):
    return stacked_of(impl, seed, 10, 3, 3)


def a_square_layer_of_float64(impl, seed):
    return stacked_of(impl, seed + 2, 8, 4, 2, torch.float64)


def a_single_expert(impl, seed):
    return stacked_of(impl, seed + 4, 6, 7, 1)


def one_expert_that_is_changed(impl, seed):
    dense = randn(seed + 6, 6, 5), randn(seed + 7, 5, 3)
    before = [w.clone() for w in dense]
    found = {}
    for name, stacked in zip(("gate_up", "down"), impl.upcycle(*dense, 3), strict=True):
        with torch.no_grad():
            stacked[0] += 1
        found[f"{name} of the other experts"] = stacked[1:] + 0
        found[f"{name} of the changed expert"] = stacked[0] + 0
    for name, w, old in zip(("gate_up", "down"), dense, before, strict=True):
        found[f"change of the dense {name}"] = w - old
    return found


def a_single_expert_that_is_changed(impl, seed):
    dense = randn(seed + 8, 6, 5), randn(seed + 9, 5, 3)
    before = [w.clone() for w in dense]
    for stacked in impl.upcycle(*dense, 1):
        with torch.no_grad():
            stacked += 1
    return {name: w - old for name, w, old in zip(("gate_up", "down"), dense, before, strict=True)}


def a_dense_layer_that_is_trained(impl, seed):
    dense = [nn_parameter(seed, 6, 5), nn_parameter(seed + 1, 5, 3)]
    return {
        name: {"the experts": stacked.detach() + 0, "a gradient goes back": stacked.requires_grad}
        for name, stacked in zip(("gate_up", "down"), impl.upcycle(*dense, 2), strict=True)
    }


def nn_parameter(seed, *shape):
    return torch.nn.Parameter(randn(seed, *shape))


def numbers_that_are_refused(impl, seed):
    weights = randn(seed, 6, 5), randn(seed, 5, 3)
    return {str(n): error_of(lambda n=n: impl.upcycle(*weights, n)) for n in (0, -1, 1)}


def the_layer_of_the_workbook(impl, seed):
    out = impl.upcycle(torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0]]), 2)
    return {"gate_up": out[0], "down": out[1]}


# ---------------------------------------------------------------- all of them

PROBES = {
    "top_k_gate": [
        eleven_tokens_and_seven_experts,
        texts_of_a_batch,
        a_bias_that_changes_the_choice,
        a_bias_below_one,
        noise_in_training,
        noise_at_evaluation,
        bias_and_noise_in_training,
        training_without_noise,
        every_expert_of_float64,
        one_expert_a_token,
        the_gradient_of_the_scores,
        numbers_of_experts_that_are_refused,
        the_token_of_the_workbook,
    ],
    "combine_weights": [
        two_experts_of_seven,
        normalized_weights,
        a_batch_of_texts,
        one_expert,
        every_expert,
        scores_in_the_thousands,
        chosen_scores_far_below_the_largest,
        the_gradient_of_the_weights,
        one_normalized_expert,
        the_logarithms_of_the_workbook,
    ],
    "load_balancing_loss": [
        seven_experts_two_a_token,
        one_expert_for_each_token,
        several_texts,
        several_texts_with_padding,
        one_row_with_padding,
        an_expert_that_nobody_chooses,
        in_float64,
        a_mask_that_hides_everything,
        the_three_tokens_of_the_workbook,
    ],
    "z_loss": [
        eleven_tokens,
        a_batch,
        a_batch_with_padding,
        negative_logits,
        logits_in_the_thousands,
        a_mask_without_a_real_token,
        the_zeros_of_the_workbook,
    ],
    "update_bias": [
        seven_loads,
        five_loads_and_a_bias_of_float64,
        loads_with_some_at_the_mean,
        a_mean_that_is_no_whole_number,
        loads_of_millions,
        a_bias_of_float16,
        one_expert_that_has_everything,
        a_perfect_balance,
        an_old_bias_that_stays_as_it_was,
        the_loads_of_the_workbook,
    ],
    "drop_overflow": [
        two_groups_of_thirteen_tokens,
        one_group_and_one_choice,
        three_choices_and_little_room,
        a_share_that_is_a_whole_number,
        room_for_everybody,
        more_groups_than_tokens,
        room_for_one_token,
        experts_that_nobody_wants,
        a_long_queue,
        capacity_factors_that_are_refused,
        the_hot_expert_of_the_workbook,
    ],
    "grouped_dispatch": [
        two_experts_a_token,
        tokens_that_all_have_their_places,
        experts_without_tokens,
        tokens_that_are_all_dropped,
        a_shared_expert,
        one_choice_in_float64,
        gradients_of_everything,
        gradients_with_a_shared_expert,
        weights_of_zero_and_below,
        a_residual_that_stays_as_it_was,
        the_two_tokens_of_the_workbook,
    ],
    "upcycle": [
        three_experts,
        a_square_layer_of_float64,
        a_single_expert,
        one_expert_that_is_changed,
        a_single_expert_that_is_changed,
        a_dense_layer_that_is_trained,
        numbers_that_are_refused,
        the_layer_of_the_workbook,
    ],
}

GATE_KNOBS = {"choice": CHOICE, "noise": NOISE, "scores": SCORES, "check": GATE_CHECK}
WEIGHT_KNOBS = {"weight": WEIGHT, "normalize": NORMALIZE, "graph": WEIGHT_GRAPH, "check": WEIGHT_CHECK}
LOSS_KNOBS = {
    "share": SHARE,
    "probability": PROBABILITY,
    "scale": LOSS_SCALE,
    "group": LOSS_GROUP,
    "mask": LOSS_MASK,
    "check": LOSS_CHECK,
}
Z_KNOBS = {"z": Z, "mask": Z_MASK, "check": Z_CHECK}
STEP_KNOBS = {"step": STEP, "kind": BIAS_TYPE}
DROP_KNOBS = {
    "capacity": CAPACITY,
    "queue": QUEUE,
    "group": GROUP,
    "dropped": DROPPED,
    "check": CAPACITY_CHECK,
}
DISPATCH_KNOBS = {"gate": GATE, "added": ADDED, "kept": KEPT, "blocks": BLOCKS, "shared": SHARED}
COPY_KNOBS = {"copy": COPY, "check": COPY_CHECK}


def of(task):
    """Every known mistake of a task."""
    made = {
        "top_k_gate": lambda: combine(task, "a gate", GATE_KNOBS, wrong_gate, GATE_HINTS, most=1),
        "combine_weights": lambda: combine(task, "a weight", WEIGHT_KNOBS, wrong_weights, WEIGHT_HINTS, most=1),
        "load_balancing_loss": lambda: combine(task, "a loss", LOSS_KNOBS, wrong_loss, LOSS_HINTS, most=1),
        "z_loss": lambda: combine(task, "a loss", Z_KNOBS, wrong_z, Z_HINTS, most=1),
        "update_bias": lambda: combine(task, "a bias", STEP_KNOBS, wrong_bias, STEP_HINTS, most=1),
        "drop_overflow": lambda: combine(task, "a limit", DROP_KNOBS, wrong_drop, CAPACITY_HINTS, most=1),
        "grouped_dispatch": lambda: combine(task, "a dispatch", DISPATCH_KNOBS, wrong_dispatch, DISPATCH_HINTS, most=1),
        "upcycle": lambda: combine(task, "a copy", COPY_KNOBS, wrong_copy, COPY_HINTS, most=1),
    }
    yield from made[task]()
