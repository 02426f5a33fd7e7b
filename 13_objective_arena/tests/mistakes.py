"""The classic mistakes of this project as running code, and the inputs on which they are recognised.

Each knob has its right setting first. Whatever differs from it is one mistake.
"""

import math

import torch
import torch.nn.functional as F
from grader import combine, error_of

TASKS = [
    "shift_labels",
    "causal_labels",
    "mask_tokens",
    "prefix_attention_mask",
    "random_partition",
    "span_corruption",
    "fill_in_the_middle",
    "cross_entropy",
    "smoothed_cross_entropy",
    "info_nce",
    "sentence_pair",
]
GATE_SEEDS = 2


def generator(seed):
    return torch.Generator().manual_seed(seed)


def randn(seed, *shape, dtype=torch.float32):
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64).to(dtype)


def ints(seed, high, *shape, low=0, dtype=torch.int64):
    return torch.randint(low, high, shape, generator=generator(seed), dtype=dtype)


# ---------------------------------------------------------------- shift_labels

SHIFT = [
    "right",
    "that are NOT shifted: each position is asked for the token that it reads",
    "shifted TWICE: each position is asked for the token after the next",
    "shifted the WRONG WAY: each position is asked for the token before it",
    "in which token 0 is LEFT OUT, as if it were padding",
]
TAIL = [
    "right",
    "whose last column WRAPS ROUND to the first token",
    "whose last column REPEATS the last token",
    "whose last column is 0, whatever `ignore_index` is",
    "whose last column is -100, whatever `ignore_index` is",
    "that are one position SHORTER than the ids",
]
SHIFT_HINTS = {
    SHIFT[1]: "A model that sees token t can copy it. What will its loss be?",
    SHIFT[2]: "Which token is the label of position 0?",
    SHIFT[3]: "At position 3 the model has read tokens 0 to 3. Which one does it not know yet?",
    SHIFT[4]: "0 may be the id of a real token. Is anything padded in this task?",
    TAIL[1]: "Does the first token of a text follow its last one?",
    TAIL[2]: "What does position T - 1 predict, and is it in the batch?",
    TAIL[3]: "0 is the id of a token. Which argument says what is left out of the loss?",
    TAIL[4]: "-100 is the default. What if the caller chooses another number?",
    TAIL[5]: "Logits have T positions. How many do labels have?",
}


def wrong_shift(shift, tail):
    def shift_labels(ids, ignore_index=-100):
        if shift == SHIFT[1]:
            return ids.clone()
        end = {TAIL[3]: 0, TAIL[4]: -100}.get(tail, ignore_index)
        n = {SHIFT[2]: 2, SHIFT[3]: -1}.get(shift, 1)
        labels = ids.roll(-n, 1)
        if shift == SHIFT[4]:
            labels = labels.masked_fill(labels == 0, ignore_index)
        T = ids.shape[1]
        edge = slice(max(T - n, 0), None) if n > 0 else slice(0, 1)
        if tail == TAIL[5]:
            return labels[:, : T - n] if n > 0 else labels[:, 1:]
        if tail == TAIL[2]:
            labels[:, edge] = ids[:, -1:] if n > 0 else ids[:, :1]
        elif tail != TAIL[1]:
            labels[:, edge] = end
        return labels

    return shift_labels


def three_texts_of_seven_tokens(impl, seed):
    return impl.shift_labels(ints(seed, 50, 3, 7, low=1))


def another_ignore_index(impl, seed):
    return impl.shift_labels(ints(seed + 1, 50, 2, 5, low=1), -7)


def texts_of_one_token(impl, seed):
    return impl.shift_labels(ints(seed + 2, 50, 3, 1, low=1))


def ids_of_32_bits(impl, seed):
    return impl.shift_labels(ints(seed + 3, 50, 2, 4, low=1, dtype=torch.int32), ignore_index=-1)


def tokens_of_any_id(impl, seed):
    ids = torch.tensor([[0, 5, 0, 0, 8], [3, 3, 7, 1, 3]])
    return {"token 0": impl.shift_labels(ids), "a token with the ignored id": impl.shift_labels(ids, 3)}


def the_shift_of_the_workbook(impl, seed):
    return impl.shift_labels(torch.tensor([[7, 3, 9, 4]]))


# ---------------------------------------------------------------- causal_labels

PAD = [
    "right",
    "with the loss ON PADDING: the attention mask is ignored",
    "in which the last token of a text is asked for PADDING",
    "in which padding on the left is asked for the FIRST token of the text",
    "with the attention mask INVERTED",
    "in which the position before the last token is left out too",
    "that find padding by its ID: a token with the same id is left out too",
]
CAUSAL_SHIFT = ["right", "that are NOT shifted", "shifted TWICE", "shifted the WRONG WAY"]
CAUSAL_IGNORE = ["right", "with -100 for what is left out, whatever `ignore_index` is", "with 0 for what is left out"]
CAUSAL_HINTS = {
    PAD[1]: "Which positions hold tokens of the text?",
    PAD[2]: "The last token of a short text: what stands behind it?",
    PAD[3]: "With padding on the left, what does the position before the first token read?",
    PAD[4]: "`attention_mask` is True where there is a token.",
    PAD[5]: "A text of 4 tokens has how many pairs of neighbours?",
    PAD[6]: "The id of padding may be the id of a real token. Which argument tells the two apart?",
    CAUSAL_SHIFT[1]: "Call your first task. What is the label of position 0?",
    CAUSAL_SHIFT[2]: "Is the shift in your first task, here, or in both?",
    CAUSAL_SHIFT[3]: "At position 3 the model has read tokens 0 to 3. Which one does it not know yet?",
    CAUSAL_IGNORE[1]: "-100 is the default. What if the caller chooses another number?",
    CAUSAL_IGNORE[2]: "0 is the id of a token. Which argument says what is left out of the loss?",
}


def wrong_causal(pad, shift, ignore):
    def causal_labels(ids, attention_mask, ignore_index=-100):
        out = {CAUSAL_IGNORE[1]: -100, CAUSAL_IGNORE[2]: 0}.get(ignore, ignore_index)
        n = {CAUSAL_SHIFT[1]: 0, CAUSAL_SHIFT[2]: 2, CAUSAL_SHIFT[3]: -1}.get(shift, 1)
        if pad == PAD[6]:
            attention_mask = ~torch.isin(ids, ids[~attention_mask])
        labels, other = ids.roll(-n, 1), attention_mask.roll(-n, 1)
        if n > 0:
            other[:, max(ids.shape[1] - n, 0) :] = False
        elif n < 0:
            other[:, 0] = False
        counts = attention_mask & other
        if pad == PAD[1]:
            counts = torch.ones_like(counts)
            if n > 0:
                counts[:, max(ids.shape[1] - n, 0) :] = False
            elif n < 0:
                counts[:, 0] = False
        elif pad == PAD[2]:
            counts = attention_mask.clone()
            counts[:, -1] = False
        elif pad == PAD[3]:
            counts = other
        elif pad == PAD[4]:
            counts = ~counts
        elif pad == PAD[5]:
            later = counts.roll(-1, 1)
            later[:, -1] = False
            counts = counts & later
        return labels.masked_fill(~counts, out)

    return causal_labels


def rows_of(lengths, T, left=False):
    mask = torch.arange(T) < torch.tensor(lengths)[:, None]
    return mask.flip(1) if left else mask


def padding_on_the_right(impl, seed):
    return impl.causal_labels(ints(seed, 50, 3, 7, low=1), rows_of([7, 4, 2], 7))


def padding_on_the_left(impl, seed):
    return impl.causal_labels(ints(seed + 1, 50, 3, 7, low=1), rows_of([5, 7, 3], 7, left=True))


def padding_that_is_a_token_elsewhere(impl, seed):
    return impl.causal_labels(ints(seed + 2, 3, 2, 6), rows_of([6, 4], 6), -1)


def texts_with_a_gap(impl, seed):
    mask = torch.tensor([[True, True, False, True, True, True]])
    return impl.causal_labels(ints(seed + 3, 50, 1, 6, low=1), mask, ignore_index=-5)


def a_text_of_one_token_and_one_of_none(impl, seed):
    return impl.causal_labels(ints(seed + 4, 50, 2, 4, low=1), rows_of([1, 0], 4))


def padded_ids_of_32_bits(impl, seed):
    return impl.causal_labels(ints(seed + 5, 50, 2, 5, low=1, dtype=torch.int32), rows_of([5, 3], 5), -1)


def the_padding_of_the_workbook(impl, seed):
    ids = torch.tensor([[7, 3, 9, 4], [5, 8, 0, 0]])
    return impl.causal_labels(ids, torch.tensor([[True] * 4, [True, True, False, False]]))


# ---------------------------------------------------------------- mask_tokens

SELECT = [
    "right",
    "that hides SPECIAL tokens too",
    "that hides the tokens whose number is ABOVE the probability",
    "that hides 15 %, whatever `probability` is",
]
LABELS = [
    "right",
    "that asks for ALL tokens, hidden or not",
    "that does not ask for the 10 % that STAY as they are",
    "that asks only for what became [MASK]",
    "whose labels are the CORRUPTED tokens",
    "with 0 and not -100 where nothing is asked",
]
SPLIT = [
    "right",
    "that makes [MASK] of ALL selected tokens",
    "whose random share is 10 % of the REST (2 % in all)",
    "whose random and kept shares are exchanged",
    "that decides with the number that SELECTED the token",
    "without random tokens: 20 % stay as they are",
]
RANDOM = [
    "right",
    "that draws random tokens among ALL ids, special ones included",
    "that never draws the last ordinary id",
    "that chooses the random token with the number that decides",
    "that takes the special ids to be the FIRST of the vocabulary when it draws a random token",
]
MASKED_CHECK = ["ValueError", "that does not refuse a probability outside of 0 to 1"]
MASKED_HINTS = {
    SELECT[1]: "Can a model learn anything from guessing [CLS]?",
    SELECT[2]: "With probability 0.15, how many of a thousand uniform numbers select their token?",
    SELECT[3]: "What does the caller ask for?",
    LABELS[1]: "Copying a visible token is easy. What does it do to the mean of the loss?",
    LABELS[2]: "Why are 10 % kept at all, if nothing is asked there?",
    LABELS[3]: "Selected is what is asked for. Which tokens are selected?",
    LABELS[4]: "What should the model say where it reads [MASK]?",
    LABELS[5]: "0 is the id of a token. Which number does PyTorch leave out?",
    SPLIT[1]: "What will a fine-tuned model never read?",
    SPLIT[2]: "A uniform number between 0.8 and 0.9: what becomes of its token? And of 0.85?",
    SPLIT[3]: "Which comes first after 0.8: a random token, or nothing?",
    SPLIT[4]: "A selected token's first number is below 0.15. How often is it above 0.8?",
    SPLIT[5]: "What becomes of a token whose number is 0.85?",
    RANDOM[1]: "May a text have [SEP] in the middle of a sentence?",
    RANDOM[2]: "The numbers lie in [0, 1). By what are they multiplied, so that each id has its turn?",
    RANDOM[3]: "Among the numbers between 0.8 and 0.9, which ids can come out?",
    RANDOM[4]: "Special ids may stand anywhere. Which list of ids does the number choose from?",
    MASKED_CHECK[1]: "What is a probability of 1.5?",
}


def wrong_mask(select, labels, split, random, check):
    def mask_tokens(ids, special_ids, mask_id, vocab_size, uniforms, probability=0.15):
        if check == "ValueError" and not 0 <= probability <= 1:
            raise ValueError("probability")
        ids, (first, decide, choose) = ids.long(), uniforms
        p = 0.15 if select == SELECT[3] else probability
        selected = first >= p if select == SELECT[2] else first < p
        if select != SELECT[1]:
            selected = selected & ~torch.isin(ids, special_ids)
        if split == SPLIT[4]:
            decide = first
        every = torch.arange(vocab_size)
        pool = every if random == RANDOM[1] else every[~torch.isin(every, special_ids)]
        size = len(pool) - 1 if random == RANDOM[2] else len(pool)
        drawn = pool[((decide if random == RANDOM[3] else choose) * size).long()]
        if random == RANDOM[4]:
            drawn = len(special_ids) + (choose * size).long()
        low, high = {SPLIT[1]: (2, 2), SPLIT[2]: (0.8, 0.82), SPLIT[3]: (0.9, 2), SPLIT[5]: (2, 2)}.get(
            split, (0.8, 0.9)
        )
        to_mask = selected & (decide < (2 if split == SPLIT[1] else 0.8))
        to_random = selected & (decide >= low) & (decide < high)
        inputs = torch.where(to_mask, mask_id, torch.where(to_random, drawn, ids))
        asked = {
            LABELS[1]: torch.ones_like(selected),
            LABELS[2]: to_mask | to_random,
            LABELS[3]: to_mask,
        }.get(labels, selected)
        source = inputs if labels == LABELS[4] else ids
        return inputs, torch.where(asked, source, 0 if labels == LABELS[5] else -100)

    return mask_tokens


def masked_parts(impl, *args, **kwargs):
    inputs, labels = impl.mask_tokens(*args, **kwargs)
    return {"the inputs": inputs, "the labels": labels}


SPECIAL = torch.tensor([0, 3, 11])


def thirteen_words(seed, *shape):
    return ints(seed, 13, *shape)


def many_tokens_of_which_half_is_hidden(impl, seed):
    uniforms = torch.rand(3, 5, 61, generator=generator(seed))
    return masked_parts(impl, thirteen_words(seed, 5, 61), SPECIAL, 3, 13, uniforms, 0.5)


def the_usual_fifteen_percent(impl, seed):
    uniforms = torch.rand(3, 2, 97, generator=generator(seed + 1))
    return masked_parts(impl, thirteen_words(seed + 1, 2, 97), SPECIAL, 3, 13, uniforms)


def a_vocabulary_whose_first_ids_are_special(impl, seed):
    uniforms = torch.rand(3, 2, 83, generator=generator(seed + 2))
    return masked_parts(impl, ints(seed, 29, 2, 83, low=3), torch.tensor([2, 0, 1]), 2, 29, uniforms, probability=0.9)


def numbers_on_the_borders(impl, seed):
    """0.8 as a float32 and 0.9 as a float64: on both, float32, float64 and Python's numbers agree what is below."""
    ids, select = torch.tensor([[4, 5, 6, 7]]), [[0.0, 0.25, 0.5, 0.1]]
    cases = {
        "the ends": (torch.float32, [[0.0, 0.8, 0.79, 0.89]], [[0.0, 0.999999, 0.5, 0.0]]),
        "whole numbers": (torch.float32, [[0.81, 0.8, 0.79, 0.89]], [[0.5, 0.5, 0.5, 0.25]]),
        "nine tenths": (torch.float64, [[0.9, 0.95, 0.9, 0.1]], [[0.5, 0.5, 0.5, 0.5]]),
    }
    found = {}
    for name, (dtype, decide, choose) in cases.items():
        uniforms = torch.tensor([select, decide, choose], dtype=dtype)
        found[name] = masked_parts(impl, ids, SPECIAL, 3, 13, uniforms, 0.5)
    return found


def a_vocabulary_in_which_0_is_ordinary(impl, seed):
    uniforms = torch.rand(3, 2, 71, generator=generator(seed + 5))
    return masked_parts(impl, ints(seed + 5, 7, 2, 71), torch.tensor([6, 2]), 2, 7, uniforms, 0.8)


def all_and_none(impl, seed):
    uniforms = torch.rand(3, 2, 31, generator=generator(seed + 3))
    ids = thirteen_words(seed + 3, 2, 31)
    return {f"probability {p}": masked_parts(impl, ids, SPECIAL, 3, 13, uniforms, p) for p in (0.0, 1.0)}


def masked_ids_of_32_bits(impl, seed):
    uniforms = torch.rand(3, 2, 31, generator=generator(seed + 4))
    return masked_parts(impl, thirteen_words(seed + 4, 2, 31).int(), SPECIAL, 3, 13, uniforms, 0.5)


def probabilities_that_are_refused(impl, seed):
    args = (torch.tensor([[4, 5]]), SPECIAL, 3, 13, torch.full((3, 1, 2), 0.5))
    return {f"probability {p}": error_of(lambda p=p: impl.mask_tokens(*args, p)) for p in (-0.01, 1.01, 2.0, 0.3)}


def the_five_tokens_of_the_workbook(impl, seed):
    uniforms = torch.tensor([[[0.1, 0.1, 0.9, 0.1, 0.1]], [[0.5, 0.5, 0.5, 0.85, 0.95]], [[0.0, 0.0, 0.0, 0.5, 0.0]]])
    return masked_parts(impl, torch.tensor([[0, 5, 6, 7, 8]]), torch.tensor([0, 1]), 1, 9, uniforms)


# ---------------------------------------------------------------- prefix_attention_mask

MASK = [
    "right",
    "whose prefix is CAUSAL",
    "in which every token looks at every token",
    "in which the prefix looks AHEAD, at all of the text",
    "without the causal part: all look at the prefix alone",
    "that hides a token of the rest from itself",
    "that is INVERTED: True where a query may not look",
]
EDGE = ["right", "whose prefix is one token too LONG", "whose prefix is one token too SHORT"]
BATCH = [
    "right",
    "in which the FIRST text's prefix serves every text",
    "with rows and columns exchanged",
    "in which the LONGEST prefix serves every text",
]
PREFIX_CHECK = [
    "ValueError",
    "that does not refuse a prefix longer than the text",
    "that does not refuse a negative prefix",
    "that checks the prefix of the FIRST text alone",
]
PREFIX_HINTS = {
    MASK[1]: "May the first token of a prefix look at the second?",
    MASK[2]: "Which tokens must be written? May they be looked at before?",
    MASK[3]: "A token of the prefix that reads the rest: what does the rest still have to guess?",
    MASK[4]: "May the last token look at the one before it?",
    MASK[5]: "Position t predicts token t + 1. May it read token t?",
    MASK[6]: "PyTorch's attention takes True for which keys?",
    EDGE[1]: "A prefix of 2: which positions belong to it, counted from 0?",
    EDGE[2]: "A prefix of 2: which positions belong to it, counted from 0?",
    BATCH[1]: "Each text has a prefix of its own. Which axis counts the texts?",
    BATCH[3]: "Each text has a prefix of its own. Which axis counts the texts?",
    BATCH[2]: "Rows are queries. Which of the two axes is the key that is looked at?",
    PREFIX_CHECK[1]: "A text of 5 tokens with a prefix of 6: what does the docstring promise?",
    PREFIX_CHECK[2]: "A prefix of -1: what does the docstring promise?",
    PREFIX_CHECK[3]: "Each text has a prefix of its own. Which of them may be wrong?",
}


def wrong_prefix(mask, edge, batch, check):
    def prefix_attention_mask(prefix_lengths, T):
        looked_at = prefix_lengths[:1] if check == PREFIX_CHECK[3] else prefix_lengths
        if check != PREFIX_CHECK[2] and (looked_at < 0).any():
            raise ValueError("prefix")
        if check != PREFIX_CHECK[1] and (looked_at > T).any():
            raise ValueError("prefix")
        n = prefix_lengths + {EDGE[1]: 1, EDGE[2]: -1}.get(edge, 0)
        if batch == BATCH[1]:
            n = n[:1].expand_as(n)
        elif batch == BATCH[3]:
            n = n.max().expand_as(n)
        inside = torch.arange(T) < n[:, None]
        causal = torch.ones(T, T, dtype=torch.bool).tril()
        B = len(n)
        out = causal | inside[:, None, :]
        if mask == MASK[1]:
            out = causal.expand(B, T, T).clone()
        elif mask == MASK[2]:
            out = torch.ones(B, T, T, dtype=torch.bool)
        elif mask == MASK[3]:
            out = causal | inside[:, :, None]
        elif mask == MASK[4]:
            out = inside[:, None, :].expand(B, T, T).clone()
        elif mask == MASK[5]:
            out = causal.tril(-1) | inside[:, None, :]
        elif mask == MASK[6]:
            out = ~out
        return out.mT if batch == BATCH[2] else out

    return prefix_attention_mask


def three_texts_with_prefixes_of_their_own(impl, seed):
    return impl.prefix_attention_mask(torch.tensor([2, 5, 3]), 7)


def prefixes_of_nothing_and_of_everything(impl, seed):
    return impl.prefix_attention_mask(torch.tensor([0, 5, 1, 4]), 5)


def random_prefixes(impl, seed):
    return impl.prefix_attention_mask(ints(seed, 12, 5), 11)


def prefixes_that_are_refused(impl, seed):
    cases = {
        "the second longer than the text": [2, 6],
        "the first longer than the text": [6, 2],
        "the first negative": [-1, 2],
        "the second negative": [2, -1],
        "as long as the text": [5, 0],
    }
    return {name: error_of(lambda n=n: impl.prefix_attention_mask(torch.tensor(n), 5)) for name, n in cases.items()}


def the_four_tokens_of_the_workbook(impl, seed):
    return impl.prefix_attention_mask(torch.tensor([2]), 4)


# ---------------------------------------------------------------- random_partition

CUTS = [
    "right",
    "whose lengths do NOT SUM: the last part is forgotten",
    "whose lengths do NOT SUM: the first part is forgotten",
    "with one part too MANY",
    "that cuts the gaps with the LARGEST numbers",
    "that cuts BEFORE the gap's item",
    "whose cuts are not sorted",
    "with one part too FEW",
    "of parts as equal as possible, without chance",
]
PARTITION_CHECK = [
    "ValueError",
    "that does not refuse more parts than items",
    "that does not refuse zero parts",
]
PARTITION_HINTS = {
    CUTS[1]: "Two cuts make three parts. Where does the last one end?",
    CUTS[2]: "Two cuts make three parts. Where does the first one begin?",
    CUTS[3]: "How many cuts does a loaf in three pieces have?",
    CUTS[4]: "Which gaps are cut: those with small numbers, or with large ones?",
    CUTS[5]: "Gap 0 lies behind item 0. How long is a first part that ends there?",
    CUTS[6]: "The smallest number may belong to a late gap. In which order do parts lie?",
    CUTS[7]: "How many cuts does a loaf in three pieces have?",
    CUTS[8]: "What are the numbers for?",
    PARTITION_CHECK[1]: "Three items in four parts: one would be empty. What does the docstring promise?",
    PARTITION_CHECK[2]: "Three items in no part: what does the docstring promise?",
}


def wrong_partition(cuts, check):
    def random_partition(total, parts, uniforms):
        if check != PARTITION_CHECK[1] and parts > total:
            raise ValueError("parts")
        if check != PARTITION_CHECK[2] and parts < 1:
            raise ValueError("parts")
        if cuts == CUTS[8]:
            return torch.full((parts,), total // parts) + (torch.arange(parts) < total % parts)
        wanted = parts - 1 + {CUTS[3]: 1, CUTS[7]: -1}.get(cuts, 0)
        order = uniforms.argsort(descending=cuts == CUTS[4])[: max(wanted, 0)]
        at = order if cuts == CUTS[6] else order.sort().values
        at = at + (0 if cuts == CUTS[5] else 1)
        edges = torch.cat([torch.tensor([0]), at, torch.tensor([total])])
        lengths = edges.diff()
        return lengths[:-1] if cuts == CUTS[1] else lengths[1:] if cuts == CUTS[2] else lengths

    return random_partition


def seventeen_items_in_five_parts(impl, seed):
    return impl.random_partition(17, 5, torch.rand(16, generator=generator(seed)))


def twenty_three_items_in_eleven_parts(impl, seed):
    uniforms = torch.rand(22, generator=generator(seed + 1), dtype=torch.float64)
    return impl.random_partition(23, 11, uniforms)


def one_part_and_parts_of_one(impl, seed):
    uniforms = torch.rand(6, generator=generator(seed + 2))
    parts = {"one part": impl.random_partition(7, 1, uniforms), "seven parts": impl.random_partition(7, 7, uniforms)}
    return parts | {"one item": impl.random_partition(1, 1, torch.rand(0))}


def parts_that_are_refused(impl, seed):
    uniforms = torch.rand(2, generator=generator(seed))
    return {f"3 items in {n} parts": error_of(lambda n=n: impl.random_partition(3, n, uniforms)) for n in (4, 0, -1, 3)}


def the_six_items_of_the_workbook(impl, seed):
    return impl.random_partition(6, 3, torch.tensor([0.9, 0.2, 0.7, 0.1, 0.8]))


# ---------------------------------------------------------------- span_corruption

SENTINEL = [
    "right",
    "whose sentinels ASCEND",
    "that uses ONE sentinel for all spans",
    "that puts a sentinel for EACH hidden token into the inputs",
    "without sentinels in the TARGETS",
    "without sentinels in the INPUTS: what is hidden is cut out without a trace",
    "whose sentinels stand BEHIND their span in the targets",
    "that closes the targets with one more sentinel",
]
SPANS = [
    "right",
    "that MERGES spans which touch",
    "that takes the END of a span as a part of it",
    "that hides the text BEHIND the last span too",
]
EOS = ["both", "without end-of-text in the TARGETS", "without end-of-text in the INPUTS", "without end-of-text at all"]
SPAN_CHECK = [
    "ValueError",
    "that does not refuse OVERLAPPING spans",
    "that does not refuse EMPTY spans",
    "that does not refuse spans that LEAVE the text",
]
SPAN_HINTS = {
    SENTINEL[1]: "In T5 the first sentinel is the highest id of the vocabulary. Which is the second?",
    SENTINEL[2]: "Two spans are hidden. How does the model say which one it fills?",
    SENTINEL[3]: "Does the input tell how long a hidden span is?",
    SENTINEL[4]: "How does the reader of the targets know where a span belongs?",
    SENTINEL[5]: "How does the model know that something is missing?",
    SENTINEL[6]: "The model writes from left to right. Must it say which span it fills first, or last?",
    SENTINEL[7]: "How many sentinels are in the inputs, and how many in the targets?",
    SPANS[1]: "Two spans are asked for. How many sentinels must there be?",
    SPANS[2]: "[2, 4) has how many tokens?",
    SPANS[3]: "What stands in the inputs behind the last sentinel?",
    EOS[1]: "How does the model learn to stop writing?",
    EOS[2]: "Both outputs end in the same way.",
    EOS[3]: "How does the model learn to stop writing?",
    SPAN_CHECK[1]: "[1, 4) and [3, 5) share a token. Whose is it?",
    SPAN_CHECK[2]: "[2, 2) hides nothing. What does the docstring promise?",
    SPAN_CHECK[3]: "A slice beyond the end is cut without a word. What does the docstring promise?",
}


def checked(spans, T, check):
    done = 0
    for start, end in spans:
        if start < done and check != SPAN_CHECK[1] and not (start < 0 and check == SPAN_CHECK[3]):
            raise ValueError("overlap")
        if end <= start and check != SPAN_CHECK[2]:
            raise ValueError("empty")
        if end > T and check != SPAN_CHECK[3]:
            raise ValueError("outside")
        done = end


def wrong_spans(sentinel, spans, eos, check):
    def span_corruption(ids, spans_, sentinel_id, eos_id):
        pairs, T, text = spans_.tolist(), len(ids), ids.tolist()
        checked(pairs, T, check)
        if spans == SPANS[1]:
            merged = []
            for start, end in pairs:
                if merged and merged[-1][1] == start:
                    merged[-1][1] = end
                else:
                    merged.append([start, end])
            pairs = merged
        if spans == SPANS[2]:
            pairs = [(s, e + 1) for s, e in pairs]
        inputs, targets, done = [], [], 0
        for i, (start, end) in enumerate(pairs):
            name = sentinel_id + {SENTINEL[1]: i, SENTINEL[2]: 0}.get(sentinel, -i)
            inputs += text[done:start]
            if sentinel != SENTINEL[5]:
                inputs += [name] * (end - start if sentinel == SENTINEL[3] else 1)
            before, behind = [name], []
            if sentinel == SENTINEL[4]:
                before = []
            elif sentinel == SENTINEL[6]:
                before, behind = [], [name]
            targets += before + text[start:end] + behind
            done = end
        if sentinel == SENTINEL[7]:
            targets.append(sentinel_id - len(pairs))
        if spans != SPANS[3]:
            inputs += text[done:]
        inputs += [] if eos in (EOS[2], EOS[3]) else [eos_id]
        targets += [] if eos in (EOS[1], EOS[3]) else [eos_id]
        return ids.new_tensor(inputs), ids.new_tensor(targets)

    return span_corruption


def corrupted(impl, *args):
    inputs, targets = impl.span_corruption(*args)
    return {"the inputs": inputs, "the targets": targets}


def span_table(*spans):
    return torch.tensor(spans, dtype=torch.int64).reshape(-1, 2)


def three_spans_inside_a_text(impl, seed):
    return corrupted(impl, ints(seed, 50, 17, low=2), span_table([1, 4], [6, 7], [11, 15]), 99, 1)


def spans_that_touch(impl, seed):
    return corrupted(impl, ints(seed + 1, 50, 13, low=2), span_table([2, 4], [4, 7], [9, 10]), 77, 0)


def spans_at_both_ends(impl, seed):
    return corrupted(impl, ints(seed + 2, 50, 11, low=2), span_table([0, 2], [8, 11]), 99, 1)


def no_span_and_the_whole_text(impl, seed):
    ids = ints(seed + 3, 50, 5, low=2)
    return {
        "no span": corrupted(impl, ids, span_table(), 99, 1),
        "all": corrupted(impl, ids, span_table([0, 5]), 99, 1),
    }


def span_ids_of_32_bits(impl, seed):
    return corrupted(impl, ints(seed + 4, 50, 7, low=2, dtype=torch.int32), span_table([1, 2], [4, 6]), 99, 1)


def texts_with_token_0_and_with_the_id_of_eos(impl, seed):
    return corrupted(impl, torch.tensor([0, 1, 0, 7, 1, 5]), span_table([1, 3], [4, 5]), 99, 1)


def spans_that_are_refused(impl, seed):
    ids = ints(seed, 50, 7, low=2)
    cases = {
        "overlapping": ([1, 4], [3, 5]),
        "descending": ([4, 6], [1, 2]),
        "empty": ([2, 2],),
        "reversed": ([4, 2],),
        "beyond the end": ([5, 8],),
        "before the start": ([-2, 1],),
        "right": ([0, 7],),
    }
    return {
        name: error_of(lambda c=case: impl.span_corruption(ids, span_table(*c), 99, 1)) for name, case in cases.items()
    }


def the_sentence_of_the_workbook(impl, seed):
    return corrupted(impl, torch.tensor([10, 11, 12, 13, 14, 15, 16]), span_table([2, 4], [5, 6]), 99, 1)


# ---------------------------------------------------------------- fill_in_the_middle

PIECES = [
    "right",
    "with the parts in the order of the TEXT",
    "with the suffix BEFORE the prefix in the order psm",
    "that LOSES the suffix",
    "that takes the END of the middle as a part of it",
    "with prefix and middle exchanged",
]
MARKS = [
    "right",
    "without <EOT>: the model does not learn to stop",
    "with <SUF> and <MID> exchanged",
    "without any mark",
]
ORDER = [
    "right",
    "that makes psm of spm too",
    "whose spm is <SUF> suffix <PRE> prefix <MID> middle",
    "whose spm has <MID> between prefix and middle",
    "that makes spm of psm too",
]
MIDDLE_CHECK = [
    "ValueError",
    "that takes any other order for spm",
    "that does not refuse a middle that ends before it starts",
    "that does not refuse a middle beyond the text",
    "that does not refuse a middle that starts before the text",
    'that takes "PSM" for "psm"',
]
MIDDLE_HINTS = {
    PIECES[1]: "Which part must be written last?",
    PIECES[2]: "psm: prefix, suffix, middle.",
    PIECES[3]: "Which tokens of the text are in your output?",
    PIECES[4]: "[2, 4) has how many tokens?",
    PIECES[5]: "Which part lies between start and end?",
    MARKS[1]: "How does the model say that the middle is complete?",
    MARKS[2]: "`marks` are <PRE>, <SUF>, <MID>, <EOT>, in this order.",
    MARKS[3]: "How does the model know where the suffix begins?",
    ORDER[1]: "The argument `order` has two values.",
    ORDER[2]: "There are two forms of spm in the paper. Which one stands in the task?",
    ORDER[3]: "In spm, prefix and middle are one piece of text. What stands before it?",
    ORDER[4]: "The argument `order` has two values. Which one is the default?",
    MIDDLE_CHECK[1]: "What does the docstring promise for order='mps'?",
    MIDDLE_CHECK[2]: "start=4, end=2: what does the docstring promise?",
    MIDDLE_CHECK[3]: "A slice beyond the end is cut without a word. What does the docstring promise?",
    MIDDLE_CHECK[4]: "start=-2 counts from the end in Python. What does the docstring promise?",
    MIDDLE_CHECK[5]: 'Two orders have a meaning, "psm" and "spm". Is "PSM" one of them?',
}


def wrong_middle(parts, marks, order, check):
    def fill_in_the_middle(ids, start, end, marks_, order_="psm"):
        order_ = order_.lower() if check == MIDDLE_CHECK[5] else order_
        if order_ not in ("psm", "spm") and check != MIDDLE_CHECK[1]:
            raise ValueError("order")
        if start > end and check != MIDDLE_CHECK[2]:
            raise ValueError("start")
        if end > len(ids) and check != MIDDLE_CHECK[3]:
            raise ValueError("end")
        if start < 0 and check != MIDDLE_CHECK[4]:
            raise ValueError("start")
        text = ids.tolist()
        end_ = end + 1 if parts == PIECES[4] else end
        prefix, middle, suffix = text[:start], text[start:end_], text[end_:]
        if parts == PIECES[3]:
            suffix = []
        if parts == PIECES[5]:
            prefix, middle = middle, prefix
        pre, suf, mid, eot = ([m] for m in marks_.tolist())
        if marks == MARKS[1]:
            eot = []
        elif marks == MARKS[2]:
            suf, mid = mid, suf
        elif marks == MARKS[3]:
            pre = suf = mid = eot = []
        psm = pre + prefix + suf + suffix + mid + middle + eot
        spm = pre + suf + suffix + mid + prefix + middle + eot
        if parts == PIECES[1]:
            psm = spm = pre + prefix + mid + middle + suf + suffix + eot
        if parts == PIECES[2]:
            psm = suf + suffix + pre + prefix + mid + middle + eot
        if order == ORDER[1]:
            spm = psm
        elif order == ORDER[2]:
            spm = suf + suffix + pre + prefix + mid + middle + eot
        elif order == ORDER[3]:
            spm = pre + suf + suffix + prefix + mid + middle + eot
        elif order == ORDER[4]:
            psm = spm
        return ids.new_tensor(psm if order_ == "psm" else spm)

    return lambda ids, start, end, marks, order="psm": fill_in_the_middle(ids, start, end, marks, order)


FOUR_MARKS = torch.tensor([90, 93, 91, 97])


def a_middle_in_psm_and_spm(impl, seed):
    ids = ints(seed, 50, 11)
    both = {order: impl.fill_in_the_middle(ids, 3, 8, FOUR_MARKS, order) for order in ("psm", "spm")}
    return both | {"the default": impl.fill_in_the_middle(ids, 2, 7, FOUR_MARKS)}


def parts_that_are_empty(impl, seed):
    ids, out = ints(seed + 1, 50, 5), {}
    for order in ("psm", "spm"):
        out |= {
            f"{order}, no prefix": impl.fill_in_the_middle(ids, 0, 2, FOUR_MARKS, order),
            f"{order}, no middle": impl.fill_in_the_middle(ids, 3, 3, FOUR_MARKS, order),
            f"{order}, no suffix": impl.fill_in_the_middle(ids, 2, 5, FOUR_MARKS, order=order),
        }
    return out


def middle_ids_of_32_bits(impl, seed):
    ids = ints(seed + 2, 50, 6, dtype=torch.int32)
    psm = {"marks of 32 bits": impl.fill_in_the_middle(ids, 1, 4, FOUR_MARKS.int())}
    return psm | {f"marks of 64 bits, {o}": impl.fill_in_the_middle(ids, 1, 4, FOUR_MARKS, o) for o in ("psm", "spm")}


def middles_that_are_refused(impl, seed):
    ids = ints(seed, 50, 7)
    cases = {
        "the end first": (4, 2),
        "beyond the text": (3, 8),
        "before the text": (-2, 3),
        "all of it": (0, 7),
        "just before": (-1, 4),
    }
    found = {n: error_of(lambda c=c: impl.fill_in_the_middle(ids, *c, FOUR_MARKS)) for n, c in cases.items()}
    orders = ("mps", "PSM", "SPM", "")
    return found | {
        f"order {o!r}": error_of(lambda o=o: impl.fill_in_the_middle(ids, 1, 2, FOUR_MARKS, o)) for o in orders
    }


def the_middle_of_the_workbook(impl, seed):
    ids, marks = torch.tensor([10, 11, 12, 13, 14, 15]), torch.tensor([1, 2, 3, 4])
    return {order: impl.fill_in_the_middle(ids, 2, 4, marks, order) for order in ("psm", "spm")}


# ---------------------------------------------------------------- cross_entropy

MEAN = [
    "right",
    "that is a SUM and no mean",
    "that divides by ALL positions, also those that do not count",
    "that averages over the VOCABULARY too",
]
IGNORE = [
    "right",
    "that ignores the label 0",
    "that ignores -100, whatever `ignore_index` is",
    "that ignores every NEGATIVE label, and no other",
]
LOGS = [
    "right",
    "whose `exp` OVERFLOWS: the largest score is not subtracted",
    "with the sign forgotten",
    "in bits: the logarithm has base 2",
    "of the probabilities themselves: the logarithm is forgotten",
    "without normalising: minus the score of the label",
]
LOSS_CHECK = ["ValueError", "that raises no error where no label counts"]
LOSS_HINTS = {
    MEAN[1]: "Twice as many positions of the same kind: what should the loss do?",
    MEAN[2]: "Two texts, one of them padded: whose loss should not be made smaller by padding?",
    MEAN[3]: "How many numbers are averaged: one a position, or V?",
    IGNORE[1]: "0 is the id of a token. Which argument says what is left out?",
    IGNORE[2]: "-100 is the default. What if the caller chooses another number?",
    IGNORE[3]: "`ignore_index` may be the id of the padding token.",
    LOGS[1]: "What is exp(1000)? Which number may be subtracted from all scores of a position?",
    LOGS[2]: "Is the logarithm of a probability positive?",
    LOGS[3]: "Which base has PyTorch's logarithm?",
    LOGS[4]: "A loss of 0 belongs to which probability?",
    LOGS[5]: "Add 1 to every score: may the loss change?",
    LOSS_CHECK[1]: "The mean of nothing: what does the docstring promise?",
}


def wrong_loss(mean, ignore, logs, check):
    def cross_entropy(logits, labels, ignore_index=-100):
        skipped = {IGNORE[1]: 0, IGNORE[2]: -100}.get(ignore, ignore_index)
        counts = labels >= 0 if ignore == IGNORE[3] else labels != skipped
        if not counts.any():
            if check == "ValueError":
                raise ValueError("nothing counts")
            return logits.sum() * math.nan
        kept, wanted = logits[counts], labels[counts]
        if logs == LOGS[1]:
            log_p = (kept.exp() / kept.exp().sum(-1, keepdim=True)).log()
        elif logs == LOGS[5]:
            log_p = kept
        else:
            log_p = kept.log_softmax(-1)
            if logs == LOGS[4]:
                log_p = log_p.exp()
        if logs == LOGS[3]:
            log_p = log_p / math.log(2)
        losses = log_p.gather(1, wanted[:, None]) * (1 if logs == LOGS[2] else -1)
        if mean == MEAN[1]:
            return losses.sum()
        size = {MEAN[2]: len(labels), MEAN[3]: len(losses) * logits.shape[1]}.get(mean, len(losses))
        return losses.sum() / size

    return cross_entropy


def loss_and_gradient(function, logits, *args, **kwargs):
    leaf = logits.clone().requires_grad_()
    loss = function(leaf, *args, **kwargs)
    grad = torch.autograd.grad(loss, leaf)[0] if loss.requires_grad else None
    return {"the loss": loss, "the gradient": grad}


def some_labels(seed, V, N, ignore=-100):
    labels = ints(seed, V, N)
    labels[1::3] = ignore
    return labels


def eleven_positions_some_left_out(impl, seed):
    return loss_and_gradient(impl.cross_entropy, randn(seed, 11, 7), some_labels(seed, 7, 11))


def padding_of_another_number(impl, seed):
    labels = some_labels(seed + 1, 5, 9, 4)
    labels[0] = 0
    return loss_and_gradient(impl.cross_entropy, randn(seed + 1, 9, 5), labels, 4)


def a_negative_number_of_its_own(impl, seed):
    return loss_and_gradient(impl.cross_entropy, randn(seed + 2, 8, 5), some_labels(seed, 5, 8, -1), ignore_index=-1)


def a_number_beyond_the_vocabulary(impl, seed):
    return loss_and_gradient(impl.cross_entropy, randn(seed + 6, 7, 5), some_labels(seed, 5, 7, 9), 9)


def far_apart(seed, N, V):
    """Scores in the thousands, 1,000 apart in a row: each form of the softmax rounds to the same 0 and 1."""
    rows = torch.stack([torch.randperm(V, generator=generator(seed + n)) + n for n in range(N)])
    return 1_000.0 * (rows - V // 2 - N // 2)


def scores_in_the_thousands(impl, seed):
    return loss_and_gradient(impl.cross_entropy, far_apart(seed + 3, 5, 7), ints(seed, 7, 5))


def scores_far_below_zero(impl, seed):
    return loss_and_gradient(impl.cross_entropy, randn(seed + 4, 5, 7, dtype=torch.float64) - 2_000, ints(seed, 7, 5))


def scores_of_float64(impl, seed):
    return loss_and_gradient(impl.cross_entropy, randn(seed + 5, 3, 4, dtype=torch.float64), ints(seed, 4, 3))


def labels_of_which_none_counts(impl, seed):
    logits = randn(seed, 3, 4)
    cases = {"none counts": torch.full((3,), -100), "one counts": torch.tensor([-100, 2, -100])}
    return {name: error_of(lambda x=labels: impl.cross_entropy(logits, x)) for name, labels in cases.items()}


def the_two_positions_of_the_workbook(impl, seed):
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0], [5.0, 1.0]])
    return impl.cross_entropy(logits, torch.tensor([0, 1, -100]))


# ---------------------------------------------------------------- smoothed_cross_entropy

TARGET = [
    "right",
    "that divides by V - 1: the label gets no share",
    "that ADDS the even part without taking it from the label",
    "that SUMS the even part over the vocabulary",
    "that IGNORES `smoothing`",
    "with the two weights EXCHANGED",
    "whose even part is the mean of PROBABILITIES",
    "whose label gets no share of ε: the target does not sum to 1",
]
EVEN = [
    "right",
    "whose even part counts the positions that are LEFT OUT",
    "whose even part is divided by all positions",
    "that leaves out -100, whatever `ignore_index` is",
]
SMOOTH_CHECK = ["ValueError", "that does not refuse smoothing outside of 0 to 1"]
SMOOTH_HINTS = {
    TARGET[1]: "With ε = 1, is the label a token like any other?",
    TARGET[2]: "The target's probabilities: what is their sum?",
    TARGET[3]: "ε is shared by V tokens. How large is one share?",
    TARGET[4]: "Compare smoothing 0 with smoothing 0.5.",
    TARGET[5]: "With ε = 0, which of the two parts is left?",
    TARGET[6]: "Cross-entropy against an even target: the mean of what?",
    TARGET[7]: "1 - ε on the label, and ε / V on each of the others: what is the sum?",
    EVEN[1]: "Padding has no label. Has it a target?",
    EVEN[2]: "By how many positions is the first part divided?",
    EVEN[3]: "-100 is the default. What if the caller chooses another number?",
    SMOOTH_CHECK[1]: "What is a target with smoothing 1.5?",
}


def wrong_smoothing(target, even, check):
    def smoothed_cross_entropy(logits, labels, smoothing=0.1, ignore_index=-100):
        if check == "ValueError" and not 0 <= smoothing <= 1:
            raise ValueError("smoothing")
        if even == EVEN[3]:
            ignore_index = -100
        counts = labels != ignore_index
        if not counts.any():
            raise ValueError("nothing counts")
        hard = F.cross_entropy(logits[counts], labels[counts])
        log_p, V = logits[counts].log_softmax(-1), logits.shape[1]
        shared = -log_p.mean(-1)
        if target == TARGET[1]:
            shared = (shared * V + log_p.gather(1, labels[counts][:, None])[:, 0]) / (V - 1)
        elif target == TARGET[3]:
            shared = shared * V
        elif target == TARGET[6]:
            shared = log_p.exp().mean(-1)
        elif target == TARGET[7]:
            shared = shared + log_p.gather(1, labels[counts][:, None])[:, 0] / V
        if even == EVEN[1]:
            part = -logits.log_softmax(-1).mean()
        else:
            part = shared.sum() / len(labels) if even == EVEN[2] else shared.mean()
        if target == TARGET[4]:
            return hard
        if target == TARGET[2]:
            return hard + smoothing * part
        if target == TARGET[5]:
            return smoothing * hard + (1 - smoothing) * part
        return (1 - smoothing) * hard + smoothing * part

    return smoothed_cross_entropy


def smoothing_of_three_tenths(impl, seed):
    return loss_and_gradient(impl.smoothed_cross_entropy, randn(seed, 11, 7), some_labels(seed, 7, 11), 0.3)


def the_default_smoothing(impl, seed):
    return loss_and_gradient(impl.smoothed_cross_entropy, randn(seed + 1, 7, 5), some_labels(seed, 5, 7))


def smoothing_with_another_ignore_index(impl, seed):
    args = randn(seed + 2, 9, 5), some_labels(seed, 5, 9, 3), 0.2
    return loss_and_gradient(impl.smoothed_cross_entropy, *args, ignore_index=3)


def smoothing_with_a_number_beyond_the_vocabulary(impl, seed):
    return loss_and_gradient(impl.smoothed_cross_entropy, randn(seed + 6, 7, 5), some_labels(seed, 5, 7, 9), 0.2, 9)


def no_smoothing_and_nothing_else(impl, seed):
    logits, labels = randn(seed + 3, 6, 5), some_labels(seed, 5, 6)
    return {f"smoothing {s}": impl.smoothed_cross_entropy(logits, labels, s) for s in (0.0, 1.0)}


def smoothed_scores_in_the_thousands(impl, seed):
    args = far_apart(seed + 4, 5, 7), ints(seed, 7, 5)
    return loss_and_gradient(impl.smoothed_cross_entropy, *args, smoothing=0.25)


def smoothed_scores_of_float64(impl, seed):
    logits = randn(seed + 5, 3, 4, dtype=torch.float64)
    return loss_and_gradient(impl.smoothed_cross_entropy, logits, ints(seed, 4, 3))


def smoothing_that_is_refused(impl, seed):
    logits, labels = randn(seed, 3, 4), ints(seed, 4, 3)
    values = (-0.01, 1.01, 2.0, 0.5)
    found = {f"smoothing {s}": error_of(lambda s=s: impl.smoothed_cross_entropy(logits, labels, s)) for s in values}
    nothing = torch.full((3,), -100)
    return found | {"no label counts": error_of(lambda: impl.smoothed_cross_entropy(logits, nothing))}


def the_smoothing_of_the_workbook(impl, seed):
    logits = torch.tensor([[math.log(3.0), 0.0]])
    return impl.smoothed_cross_entropy(logits, torch.tensor([0]), 0.2)


# ---------------------------------------------------------------- info_nce

TEMPERATURE = [
    "right",
    "WITHOUT temperature",
    "that MULTIPLIES by the temperature",
    "whose temperature is 0.1, whatever is asked",
]
COSINE = [
    "right",
    "of plain dot products: the views are not normalised",
    "that normalises over the BATCH and not over a view",
    "that divides by the SQUARED length",
]
NEGATIVES = [
    "right",
    "with ITSELF as a negative",
    "in which the similarity with itself counts as 0",
    "in which a[i] chooses among the b alone, and no b chooses",
    "in which a chooses among the b and b among the a, but neither among its own kind",
    "whose partner is the NEIGHBOUR and not the other view",
    "that SUMS over the views",
    "in which only the a choose",
]
NCE_CHECK = [
    "ValueError",
    "that does not refuse a negative temperature",
    "that does not refuse a temperature of 0",
]
NCE_HINTS = {
    TEMPERATURE[1]: "Cosines lie between -1 and 1. How sure can a softmax of them be?",
    TEMPERATURE[2]: "A low temperature makes the choice sharper. Do scores grow or shrink?",
    TEMPERATURE[3]: "0.1 is the default. What if the caller chooses another number?",
    COSINE[1]: "What happens to the loss if all views become twice as long?",
    COSINE[2]: "Which numbers belong to one view: a row or a column?",
    COSINE[3]: "What is the length of the vector (3, 4)?",
    NEGATIVES[1]: "Which view is most similar to a view? May it be chosen?",
    NEGATIVES[2]: "What is exp(0)? What must the score of a forbidden choice be?",
    NEGATIVES[3]: "How many views choose, and among how many others?",
    NEGATIVES[4]: "2B - 1 others: which of them do you leave out?",
    NEGATIVES[5]: "a[i] and b[i] are views of the same thing. In a list of all a and then all b, where is the partner?",
    NEGATIVES[6]: "Twice as many things of the same kind: what should the loss do?",
    NEGATIVES[7]: "All 2B views choose. What do the b do?",
    NCE_CHECK[1]: "What does a temperature of -1 do to the best partner?",
    NCE_CHECK[2]: "What does the docstring promise for a temperature of 0?",
}


def wrong_nce(temperature, cosine, negatives, check):
    def info_nce(a, b, temperature_=0.1):
        refused = {NCE_CHECK[1]: temperature_ == 0, NCE_CHECK[2]: temperature_ < 0}.get(check, temperature_ <= 0)
        if refused:
            raise ValueError("temperature")
        B, views = len(a), torch.cat([a, b])
        if cosine == COSINE[2]:
            views = views / views.norm(dim=0, keepdim=True)
        elif cosine != COSINE[1]:
            views = views / views.norm(dim=-1, keepdim=True) ** (2 if cosine == COSINE[3] else 1)
        scores = views @ views.T
        if temperature == TEMPERATURE[0]:
            scores = scores * (1 / temperature_ if temperature_ else math.inf)
        elif temperature == TEMPERATURE[2]:
            scores = scores * temperature_
        elif temperature == TEMPERATURE[3]:
            scores = scores / 0.1
        place = torch.arange(2 * B)
        partner = place ^ 1 if negatives == NEGATIVES[5] else place.roll(B)
        itself = torch.eye(2 * B, dtype=torch.bool)
        if negatives in (NEGATIVES[3], NEGATIVES[4]):
            scores, back, diagonal = scores[:B, B:], scores[B:, :B], torch.arange(B)
            loss = F.cross_entropy(scores, diagonal)
            return loss if negatives == NEGATIVES[3] else (loss + F.cross_entropy(back, diagonal)) / 2
        if negatives != NEGATIVES[1]:
            scores = scores.masked_fill(itself, 0.0 if negatives == NEGATIVES[2] else -math.inf)
        if negatives == NEGATIVES[7]:
            scores, partner = scores[:B], partner[:B]
        return F.cross_entropy(scores, partner, reduction="sum" if negatives == NEGATIVES[6] else "mean")

    return lambda a, b, temperature=0.1: info_nce(a, b, temperature)


def nce_and_gradients(impl, a, b, *args, **kwargs):
    a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
    loss = impl.info_nce(a, b, *args, **kwargs)
    grads = torch.autograd.grad(loss, (a, b), allow_unused=True) if loss.requires_grad else (None, None)
    return {"the loss": loss, "the gradient of a": grads[0], "the gradient of b": grads[1]}


def five_things_with_two_views(impl, seed):
    return nce_and_gradients(impl, 3 * randn(seed, 5, 7), 2 * randn(seed + 1, 5, 7), 0.7)


def views_that_are_alike(impl, seed):
    a = randn(seed + 2, 4, 5)
    return nce_and_gradients(impl, a, a + 0.3 * randn(seed + 3, 4, 5))


def a_low_temperature_of_float64(impl, seed):
    views = [randn(seed + i, 3, 4, dtype=torch.float64) for i in (4, 5)]
    return nce_and_gradients(impl, *views, temperature=0.01)


def a_high_temperature(impl, seed):
    return nce_and_gradients(impl, *(randn(seed + i, 3, 4, dtype=torch.float64) for i in (8, 9)), 50.0)


def views_shorter_than_one(impl, seed):
    return nce_and_gradients(impl, *(0.05 * randn(seed + i, 4, 3, dtype=torch.float64) for i in (10, 11)), 0.5)


def one_thing_alone(impl, seed):
    return impl.info_nce(randn(seed + 6, 1, 3), randn(seed + 7, 1, 3))


def temperatures_that_are_refused(impl, seed):
    a, b = randn(seed, 2, 3), randn(seed + 1, 2, 3)
    return {f"temperature {t}": error_of(lambda t=t: impl.info_nce(a, b, t)) for t in (0.0, -1.0, 0.5)}


def the_two_things_of_the_workbook(impl, seed):
    return impl.info_nce(torch.tensor([[2.0, 0.0], [0.0, 3.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]]), 1.0)


# ---------------------------------------------------------------- sentence_pair

PAIR_LABEL = ["right", "with the labels EXCHANGED"]
OTHER = [
    "right",
    "whose random sentence may come from the SAME document",
    "whose random pair is the next sentence the other way ROUND",
    "whose random sentence always comes from the same document",
    "whose random sentence is the FIRST of its document",
    "that leaves out documents which are LIKE the own one",
]
NEXT = ["right", "in which b is the sentence BEFORE a", "in which b is a itself", "that gives a random b every time"]
DECIDE = [
    "right",
    "that takes the next sentence from 0.5 ON",
    "that chooses the document with the number that decided",
    "that chooses the sentence with the number that chose the document",
    "that multiplies by one LESS than there are: the last document and the last sentence never come",
]
PAIR_CHECK = [
    "ValueError",
    "that does not refuse the last sentence of a document",
    "that does not refuse a single document",
]
PAIR_HINTS = {
    PAIR_LABEL[1]: "Hugging Face's BERT and the docstring agree: which label has a sentence that follows?",
    OTHER[1]: "The other sentence should be easy to tell by its topic. From which documents may it come?",
    OTHER[2]: "Sentences in the wrong order are ALBERT's task. Where does BERT take b from?",
    OTHER[3]: "From which document may the random sentence not come?",
    OTHER[4]: "What is the third number for?",
    OTHER[5]: "Two documents may hold the same sentences. What makes them two?",
    NEXT[1]: "Does the sentence before a follow a?",
    NEXT[2]: "Which sentence follows sentence i?",
    NEXT[3]: "What does the first number decide?",
    DECIDE[1]: "Below 0.5: which of the two?",
    DECIDE[2]: "A number that is 0.5 or more chooses the second half of the documents only.",
    DECIDE[3]: "There are three numbers. Which one chooses the sentence?",
    DECIDE[4]: "The numbers lie in [0, 1). By what are they multiplied, so that each has its turn?",
    PAIR_CHECK[1]: "Index -1, or one too large: what does the docstring promise for the last sentence?",
    PAIR_CHECK[2]: "There is no other document. What does the docstring promise?",
}


def wrong_pair(label, other, next_, decide, check):
    def sentence_pair(documents, document, sentence, uniforms):
        own = documents[document]
        if sentence + 1 >= len(own) and check != PAIR_CHECK[1]:
            raise ValueError("no next sentence")
        if len(documents) < 2 and check != PAIR_CHECK[2]:
            raise ValueError("one document")
        first, second, third = uniforms
        yes, no = (1, 0) if label == PAIR_LABEL[1] else (0, 1)
        is_next = first >= 0.5 if decide == DECIDE[1] else first < 0.5
        if is_next and next_ != NEXT[3]:
            at = sentence + {NEXT[1]: -1, NEXT[2]: 0}.get(next_, 1)
            return own[sentence], own[at % len(own)], yes
        if other == OTHER[2]:
            return own[(sentence + 1) % len(own)], own[sentence], no
        pool = [d for i, d in enumerate(documents) if i != document or other == OTHER[1]]
        if other == OTHER[5]:
            pool = [d for d in pool if d != own]
        if other == OTHER[3] or not pool:
            pool = [own]
        less = decide == DECIDE[4]
        chosen = pool[int((first if decide == DECIDE[2] else second) * (len(pool) - less))]
        third = second if decide == DECIDE[3] else third
        return own[sentence], chosen[0 if other == OTHER[4] else int(third * (len(chosen) - less))], no

    return sentence_pair


def some_documents(seed):
    rows = ints(seed, 900, 4, 7, 3).tolist()
    return [document[:n] for document, n in zip(rows, (3, 7, 2, 5), strict=True)]


def the_next_sentence(impl, seed):
    documents = some_documents(seed)
    return [impl.sentence_pair(documents, d, s, [0.3, 0.7, 0.7]) for d, s in ((0, 1), (1, 0), (1, 5), (2, 0), (3, 2))]


def random_sentences(impl, seed):
    documents, uniforms = some_documents(seed + 1), torch.rand(12, 3, generator=generator(seed), dtype=torch.float64)
    uniforms[:, 0] = 0.5 + uniforms[:, 0] / 2
    places = [(0, 1), (1, 2), (2, 0), (3, 3)] * 3
    return [impl.sentence_pair(documents, *p, u) for p, u in zip(places, uniforms.tolist(), strict=True)]


def numbers_at_the_border(impl, seed):
    documents, most = some_documents(seed + 2), 1 - 2**-53
    cases = ([0.5, 0.0, 0.0], [most, most, most], [0.0, 0.0, 0.0], [0.49, 0.9, 0.9])
    return [impl.sentence_pair(documents, 1, 1, case) for case in cases]


def numbers_that_give_a_whole_number(impl, seed):
    rows = ints(seed + 4, 900, 3, 4, 3).tolist()
    documents = [rows[0], rows[1][:2], rows[2]]
    cases = [(document, u) for document in (0, 1) for u in ([0.6, 0.5, 0.5], [0.6, 0.5, 0.75], [0.6, 0.0, 0.25])]
    return [impl.sentence_pair(documents, document, 0, u) for document, u in cases]


def sentences_and_documents_that_are_alike(impl, seed):
    documents = [[[5], [5], [6]], [[5], [5], [6]], [[7], [8]]]
    return {
        "the next of two like sentences": impl.sentence_pair(documents, 0, 1, [0.2, 0.9, 0.9]),
        "a document like the own one": impl.sentence_pair(documents, 0, 0, [0.7, 0.1, 0.9]),
        "the last document": impl.sentence_pair(documents, 1, 0, [0.7, 0.6, 0.4]),
    }


def two_documents(impl, seed):
    documents = some_documents(seed + 3)[:2]
    return [impl.sentence_pair(documents, 0, 0, [0.9, 0.4, 0.99]), impl.sentence_pair(documents, 1, 0, [0.9, 0.4, 0.5])]


def pairs_that_are_refused(impl, seed):
    documents = some_documents(seed)
    cases = {
        "the last sentence": (documents, 0, 2),
        "one document": (documents[1:2], 0, 0),
        "the last but one": (documents, 0, 1),
    }
    found = {}
    for name, case in cases.items():
        for when, first in (("next", 0.1), ("random", 0.9)):
            found[f"{name}, {when}"] = error_of(lambda c=case, f=first: impl.sentence_pair(*c, [f, 0.5, 0.5]))
    return found


def the_documents_of_the_workbook(impl, seed):
    documents = [[[1], [2], [3]], [[4], [5]], [[6], [7], [8], [9]]]
    return [impl.sentence_pair(documents, 0, 1, u) for u in ([0.2, 0.9, 0.6], [0.7, 0.9, 0.6])]


# ---------------------------------------------------------------- all of them

PROBES = {
    "shift_labels": [
        three_texts_of_seven_tokens,
        another_ignore_index,
        texts_of_one_token,
        ids_of_32_bits,
        tokens_of_any_id,
        the_shift_of_the_workbook,
    ],
    "causal_labels": [
        padding_on_the_right,
        padding_on_the_left,
        padding_that_is_a_token_elsewhere,
        texts_with_a_gap,
        a_text_of_one_token_and_one_of_none,
        padded_ids_of_32_bits,
        the_padding_of_the_workbook,
    ],
    "mask_tokens": [
        many_tokens_of_which_half_is_hidden,
        the_usual_fifteen_percent,
        a_vocabulary_whose_first_ids_are_special,
        a_vocabulary_in_which_0_is_ordinary,
        numbers_on_the_borders,
        all_and_none,
        masked_ids_of_32_bits,
        probabilities_that_are_refused,
        the_five_tokens_of_the_workbook,
    ],
    "prefix_attention_mask": [
        three_texts_with_prefixes_of_their_own,
        prefixes_of_nothing_and_of_everything,
        random_prefixes,
        prefixes_that_are_refused,
        the_four_tokens_of_the_workbook,
    ],
    "random_partition": [
        seventeen_items_in_five_parts,
        twenty_three_items_in_eleven_parts,
        one_part_and_parts_of_one,
        parts_that_are_refused,
        the_six_items_of_the_workbook,
    ],
    "span_corruption": [
        three_spans_inside_a_text,
        spans_that_touch,
        spans_at_both_ends,
        no_span_and_the_whole_text,
        span_ids_of_32_bits,
        texts_with_token_0_and_with_the_id_of_eos,
        spans_that_are_refused,
        the_sentence_of_the_workbook,
    ],
    "fill_in_the_middle": [
        a_middle_in_psm_and_spm,
        parts_that_are_empty,
        middle_ids_of_32_bits,
        middles_that_are_refused,
        the_middle_of_the_workbook,
    ],
    "cross_entropy": [
        eleven_positions_some_left_out,
        padding_of_another_number,
        a_negative_number_of_its_own,
        a_number_beyond_the_vocabulary,
        scores_in_the_thousands,
        scores_far_below_zero,
        scores_of_float64,
        labels_of_which_none_counts,
        the_two_positions_of_the_workbook,
    ],
    "smoothed_cross_entropy": [
        smoothing_of_three_tenths,
        the_default_smoothing,
        smoothing_with_another_ignore_index,
        smoothing_with_a_number_beyond_the_vocabulary,
        no_smoothing_and_nothing_else,
        smoothed_scores_in_the_thousands,
        smoothed_scores_of_float64,
        smoothing_that_is_refused,
        the_smoothing_of_the_workbook,
    ],
    "info_nce": [
        five_things_with_two_views,
        views_that_are_alike,
        a_low_temperature_of_float64,
        a_high_temperature,
        views_shorter_than_one,
        one_thing_alone,
        temperatures_that_are_refused,
        the_two_things_of_the_workbook,
    ],
    "sentence_pair": [
        the_next_sentence,
        random_sentences,
        numbers_at_the_border,
        numbers_that_give_a_whole_number,
        sentences_and_documents_that_are_alike,
        two_documents,
        pairs_that_are_refused,
        the_documents_of_the_workbook,
    ],
}


def of(task):
    """Every known mistake of a task."""
    kinds = {
        "shift_labels": ("labels", {"shift": SHIFT, "tail": TAIL}, wrong_shift, SHIFT_HINTS),
        "causal_labels": (
            "labels",
            {"pad": PAD, "shift": CAUSAL_SHIFT, "ignore": CAUSAL_IGNORE},
            wrong_causal,
            CAUSAL_HINTS,
        ),
        "mask_tokens": (
            "a masking",
            {"select": SELECT, "labels": LABELS, "split": SPLIT, "random": RANDOM, "check": MASKED_CHECK},
            wrong_mask,
            MASKED_HINTS,
        ),
        "prefix_attention_mask": (
            "a mask",
            {"mask": MASK, "edge": EDGE, "batch": BATCH, "check": PREFIX_CHECK},
            wrong_prefix,
            PREFIX_HINTS,
        ),
        "random_partition": ("a partition", {"cuts": CUTS, "check": PARTITION_CHECK}, wrong_partition, PARTITION_HINTS),
        "span_corruption": (
            "a corruption",
            {"sentinel": SENTINEL, "spans": SPANS, "eos": EOS, "check": SPAN_CHECK},
            wrong_spans,
            SPAN_HINTS,
        ),
        "fill_in_the_middle": (
            "a text",
            {"parts": PIECES, "marks": MARKS, "order": ORDER, "check": MIDDLE_CHECK},
            wrong_middle,
            MIDDLE_HINTS,
        ),
        "cross_entropy": (
            "a loss",
            {"mean": MEAN, "ignore": IGNORE, "logs": LOGS, "check": LOSS_CHECK},
            wrong_loss,
            LOSS_HINTS,
        ),
        "smoothed_cross_entropy": (
            "a loss",
            {"target": TARGET, "even": EVEN, "check": SMOOTH_CHECK},
            wrong_smoothing,
            SMOOTH_HINTS,
        ),
        "info_nce": (
            "a loss",
            {"temperature": TEMPERATURE, "cosine": COSINE, "negatives": NEGATIVES, "check": NCE_CHECK},
            wrong_nce,
            NCE_HINTS,
        ),
        "sentence_pair": (
            "a pair",
            {"label": PAIR_LABEL, "other": OTHER, "next_": NEXT, "decide": DECIDE, "check": PAIR_CHECK},
            wrong_pair,
            PAIR_HINTS,
        ),
    }
    noun, knobs, build, hints = kinds[task]
    checks = knobs.get("check", [])[1:]  # a missing check is a mistake of its own
    apart = [(check, other) for name in knobs if name != "check" for check in checks for other in knobs[name][1:]]
    yield from combine(task, noun, knobs, build, hints, without=(*WITHOUT.get(task, ()), *apart))


# Pairs that are one mistake, or make each other invisible.
WITHOUT = {
    "shift_labels": [(SHIFT[1], tail) for tail in TAIL[1:]],
    "causal_labels": [(PAD[3], CAUSAL_SHIFT[1])],
    "mask_tokens": [
        *((split, random) for split in (SPLIT[1], SPLIT[5]) for random in RANDOM[1:]),
        *((SPLIT[1], labels) for labels in LABELS[2:4]),
        (SPLIT[5], LABELS[3]),
        (SPLIT[4], SELECT[3]),
    ],
    "prefix_attention_mask": [
        *((mask, other) for mask in MASK[1:3] for other in (*EDGE[1:], *BATCH[1:])),
        (EDGE[2], BATCH[1]),
    ],
    "fill_in_the_middle": [
        *((PIECES[1], order) for order in (ORDER[1], ORDER[4])),
        *((PIECES[2], other) for other in (ORDER[2], ORDER[4], MARKS[3])),
        *((MARKS[3], order) for order in ORDER[2:4]),
    ],
    "smoothed_cross_entropy": [
        *((TARGET[4], even) for even in EVEN[1:3]),
        *((target, EVEN[1]) for target in (TARGET[1], TARGET[3], *TARGET[6:])),
    ],
    "sentence_pair": [
        (NEXT[3], DECIDE[1]),
        *((OTHER[2], decide) for decide in DECIDE[2:]),
        (OTHER[3], DECIDE[2]),
        (OTHER[4], DECIDE[3]),
        *((OTHER[5], decide) for decide in DECIDE[1:]),
    ],
}
