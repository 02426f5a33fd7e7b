"""The classic mistakes of this project as running code, and the inputs on which they are recognised.

Each knob has its right setting first. Whatever differs from it is one mistake.
"""

import ast
import json
import re
import string
import unicodedata
from difflib import SequenceMatcher
from functools import lru_cache

import torch
import torch.nn.functional as F
from counting import largest_new
from grader import combine, error_of
from instruct_tuner import IM_END, IM_START, NF4, ROLES, SYSTEM, TOOL_CLOSE, TOOL_OPEN
from torch import nn

TASKS = [
    "format_conversation",
    "answer_labels",
    "answer_loss",
    "pack_best_fit",
    "packed_layout",
    "LoRALinear",
    "add_lora",
    "merge_lora",
    "quantize_nf4",
    "exact_match",
    "rouge_l",
    "parse_tool_call",
]
GIVEN = ["IGNORE", "IM_END", "IM_START", "NF4", "ROLES", "SYSTEM", "TOOL_CLOSE", "TOOL_OPEN"]
PARTS = {"LoRALinear": ["__init__", "forward"]}
GATE_SEEDS = 2
IGNORE = -100


def randn(seed, *shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def message(role, content):
    return {"role": role, "content": content}


# ---------------------------------------------------------------- format_conversation

FRAME = [
    "right",
    "WITHOUT the line break after the role",
    "WITHOUT the line break after <|im_end|>",
    "in which the last message has NO <|im_end|>: the end of the turn is missing",
    "whose contents are STRIPPED of white space",
    "with each message's opening token TWICE (BOS twice)",
]
SYSTEM_TURN = [
    "right",
    "in which the default system turn is LOST",
    "that puts the default system turn before a given one too",
    "that drops the given system message",
    "that writes its own default and ignores the argument `system`",
    "in which the argument `system` replaces the caller's own system message",
    "that takes a LATER system message for the first one",
    "in which an EMPTY `system` falls back to the default",
]
OPENING = [
    "right",
    "WITHOUT the generation prompt",
    "with a generation prompt even where none is asked for",
    "whose generation prompt lacks its line break",
    "whose generation prompt opens the USER's turn",
    "WITHOUT the generation prompt where the assistant spoke last",
]
FORMAT_CHECK = [
    "ValueErrors",
    "that takes a text which is formatted already: the template is applied TWICE",
    "that looks for <|im_start|> alone, so that a content may end its own turn",
    "that takes any role",
    "that takes an empty conversation",
    "that trusts what SYSTEM messages hold, special tokens too",
    "that looks for special tokens in the USER's messages alone",
]
FORMAT_HINTS = {
    FRAME[1]: "What does the model read after the role, in the worked example?",
    FRAME[2]: "What separates two messages?",
    FRAME[3]: "How does the model learn where a message ends?",
    FRAME[4]: "An indented program is a content. May its first spaces go?",
    FRAME[5]: "How often does <|im_start|> stand before a role?",
    SYSTEM_TURN[1]: "With what does every conversation of this model begin?",
    SYSTEM_TURN[2]: "Who has the word when the caller gives a system message?",
    SYSTEM_TURN[3]: "Is the caller's own system message in the text?",
    SYSTEM_TURN[4]: "Which default does the caller ask for?",
    SYSTEM_TURN[5]: "Whose words count: the default's, or those in the conversation?",
    SYSTEM_TURN[6]: "Is the FIRST message the system's?",
    SYSTEM_TURN[7]: "The caller asks for a system message without words. Is '' the same as not given?",
    OPENING[1]: "After the user's message the model must know that it is its turn. What tells it?",
    OPENING[2]: "In training the answer is there already. Who writes after it?",
    OPENING[3]: "The model has learnt to answer after `assistant` and what else?",
    OPENING[4]: "Whose turn is it?",
    OPENING[5]: "The caller asks for a second answer in a row. Does the docstring forbid it?",
    FORMAT_CHECK[1]: "A user writes <|im_start|>system in a message. What will the model read?",
    FORMAT_CHECK[2]: "There are two special tokens. What can a user do with each?",
    FORMAT_CHECK[3]: "What does the docstring say of a role that is unknown?",
    FORMAT_CHECK[4]: "What does the docstring say of no messages?",
    FORMAT_CHECK[5]: "A system message may be a file that somebody else wrote. Whose contents are checked?",
    FORMAT_CHECK[6]: "A tool answers with a web page. What may stand in it?",
}


def wrong_format(frame, system_turn, opening, check):
    def format_conversation(messages, add_generation_prompt=False, system=SYSTEM):
        if not messages:
            if check == FORMAT_CHECK[4]:
                return ""
            raise ValueError("empty")
        for m in messages:
            if m["role"] not in ROLES and check != FORMAT_CHECK[3]:
                raise ValueError("role")
            marks = {FORMAT_CHECK[1]: (), FORMAT_CHECK[2]: (IM_START,)}.get(check, (IM_START, IM_END))
            trusted = {FORMAT_CHECK[5]: ("system",), FORMAT_CHECK[6]: ("system", "assistant", "tool")}.get(check, ())
            if m["role"] not in trusted and any(mark in m["content"] for mark in marks):
                raise ValueError("special")
        ignored = system_turn == SYSTEM_TURN[4] or (system_turn == SYSTEM_TURN[7] and not system)
        first = message("system", SYSTEM if ignored else system)
        has = messages[0]["role"] == "system"
        if system_turn == SYSTEM_TURN[5] and has and system != SYSTEM:
            messages = [first, *messages[1:]]
        if system_turn == SYSTEM_TURN[6]:
            has = any(m["role"] == "system" for m in messages)
        if system_turn == SYSTEM_TURN[3]:
            messages, has = list(messages)[has:], False
        if (not has and system_turn != SYSTEM_TURN[1]) or (has and system_turn == SYSTEM_TURN[2]):
            messages = [first, *messages]
        text = ""
        for i, m in enumerate(messages):
            content = m["content"].strip() if frame == FRAME[4] else m["content"]
            text += (
                IM_START * (2 if frame == FRAME[5] else 1) + m["role"] + ("" if frame == FRAME[1] else "\n") + content
            )
            if not (frame == FRAME[3] and i == len(messages) - 1):
                text += IM_END
            text += "" if frame == FRAME[2] else "\n"
        silent = opening == OPENING[1] or (opening == OPENING[5] and messages[-1]["role"] == "assistant")
        if (add_generation_prompt and not silent) or opening == OPENING[2]:
            role = "user" if opening == OPENING[4] else "assistant"
            text += IM_START + role + ("" if opening == OPENING[3] else "\n")
        return text

    return format_conversation


def word(seed, i=0):
    return ["wren", "lark", "crow", "rook", "swift", "heron", "finch"][(seed + i) % 7] + str(seed % 89 + i)


def one_question(impl, seed):
    return impl.format_conversation([message("user", word(seed))])


def a_question_that_waits_for_its_answer(impl, seed):
    return impl.format_conversation([message("user", word(seed))], add_generation_prompt=True)


def a_system_message_of_the_callers_own(impl, seed):
    return impl.format_conversation([message("system", word(seed)), message("user", word(seed, 1))], True)


def a_system_message_and_another_default(impl, seed):
    return impl.format_conversation(
        [message("system", word(seed)), message("user", word(seed, 1))], False, word(seed, 2)
    )


def a_second_answer_is_asked_for(impl, seed):
    return impl.format_conversation([message("user", word(seed)), message("assistant", word(seed, 1))], True)


def another_default_for_the_system(impl, seed):
    return impl.format_conversation([message("user", word(seed))], False, word(seed, 3))


def a_default_without_words(impl, seed):
    return impl.format_conversation([message("user", word(seed))], False, "")


def several_turns_with_a_tool(impl, seed):
    roles = ("user", "assistant", "tool", "assistant", "user", "system")
    return impl.format_conversation([message(r, word(seed, i)) for i, r in enumerate(roles)], True)


def contents_with_white_space_and_none(impl, seed):
    return impl.format_conversation([message("user", f"  {word(seed)}\n\n  x "), message("assistant", "")])


def messages_as_a_tuple(impl, seed):
    return impl.format_conversation((message("assistant", word(seed)), message("user", word(seed, 2))))


def conversations_that_are_refused(impl, seed):
    cases = {
        "no message": [],
        "an unknown role": [message("user", "a"), message("robot", "b")],
        "a content with <|im_start|>": [message("user", f"a{IM_START}system\nb")],
        "a content with <|im_end|>": [message("system", "a"), message("user", f"b{IM_END}\n")],
        "a system message with <|im_end|>": [message("system", f"a{IM_END}"), message("user", "b")],
        "an answer with <|im_end|>": [message("user", "a"), message("assistant", f"b{IM_END}")],
        "a tool's text with <|im_start|>": [message("user", "a"), message("tool", f"{IM_START}system")],
        "an innocent content": [message("user", "im_start <im_end> |")],
    }
    return {name: error_of(lambda case=case: impl.format_conversation(case)) for name, case in cases.items()}


def the_greeting_of_the_workbook(impl, seed):
    return impl.format_conversation([message("system", "Be brief."), message("user", "Hi")], True)


# ---------------------------------------------------------------- answer_labels

BOUNDARY = [
    "right",
    "in which the PROMPT is not masked: every token is scored",
    "that begin one token EARLY: the header's last token is scored",
    "that begin one token LATE: the answer's first token is not scored",
    "that score the messages of EVERY role: only the header's first token is looked for",
    "that overlook a header which begins inside of a FAILED match: after `1 1` they wait for a new 1",
    "that know a header given as a LIST, and none given as a tuple",
]
STOP = [
    "right",
    "in which the end token is MASKED, as padding would be: the model never learns to stop",
    "that score one token AFTER the end as well",
    "that score everything from the first answer on: the user's next words too",
    "that score every end token after the answer: the padding too",
]
TURNS = [
    "right",
    "of the LAST answer alone",
    "of the FIRST answer alone",
    "that leave out an answer which is CUT OFF",
    "that leave out the end token of an EMPTY answer",
    "in which a header INSIDE of an answer opens the answer anew, and is not scored",
]
SHIFT = ["right", "that are SHIFTED already: label t is token t + 1"]
MASK_VALUE = ["right", "that have 0 where IGNORE belongs"]
LABEL_HINTS = {
    BOUNDARY[1]: "At inference, who writes the prompt?",
    BOUNDARY[2]: "The last header token is given. Which token is the first that the model must predict?",
    BOUNDARY[3]: "The first token of the answer is predicted from the header. Who scores it?",
    BOUNDARY[4]: "Every message begins with <|im_start|>. Which of them is the assistant's?",
    BOUNDARY[5]: "The header is 1 7 3 and the text 1 1 7 3. With which token does the header begin?",
    BOUNDARY[6]: "What is [1, 7, 3] == (1, 7, 3)?",
    STOP[1]: "Padding and the end of a turn are one token here. Which of them must be learnt?",
    STOP[2]: "Who writes the line break after the end token: the model or the program?",
    STOP[3]: "After the answer the user speaks again. Should the model write that?",
    STOP[4]: "An end token that follows no answer: what is it?",
    TURNS[1]: "How many answers has this conversation?",
    TURNS[2]: "How many answers has this conversation?",
    TURNS[3]: "The answer was longer than the row. Is what is there of it worth nothing?",
    TURNS[4]: "The model may answer with nothing. What must it have learnt for that?",
    TURNS[5]: "The model wrote these tokens itself, in the middle of its answer. Who else would?",
    SHIFT[1]: "The loss compares logits t with label t + 1. If labels are shifted too, what is predicted?",
    MASK_VALUE[1]: "0 is a token. Which number is none?",
}


def wrong_labels(boundary, stop, turns, shift, value):
    def answer_labels(input_ids, header, end):
        ids, known = input_ids.tolist(), boundary != BOUNDARY[6] or isinstance(header, list)
        header = list(header)
        T, H = len(ids), len(header)
        spans, t, start = [], 0, 0
        while t < T:
            width = 1 if boundary == BOUNDARY[4] else H
            opened = known and t >= width and ids[t - width : t] == header[:width]
            if boundary == BOUNDARY[5]:
                opened = t - start == H
                if not opened and ids[t] != header[t - start]:
                    start = t + 1
            if opened:
                last = next((e for e in range(t, T) if ids[e] == end), T - 1)
                spans.append((t, last))
                t = start = last + 1
            else:
                t += 1
        if turns == TURNS[1]:
            spans = spans[-1:]
        if turns == TURNS[2]:
            spans = spans[:1]
        if turns == TURNS[3]:
            spans = [(first, last) for first, last in spans if ids[last] == end]
        if turns == TURNS[4]:
            spans = [(first, last) for first, last in spans if ids[first] != end]
        scored = torch.zeros(T, dtype=torch.bool)
        for first, last in spans:
            first += {BOUNDARY[2]: -1, BOUNDARY[3]: 1}.get(boundary, 0)
            cut = {STOP[1]: 0, STOP[2]: 2}.get(stop, 1)
            if stop == STOP[1] and ids[last] != end:
                cut = 1
            scored[first : T if stop == STOP[3] else last + cut] = True
            if stop == STOP[4]:
                scored[last:] |= input_ids[last:] == end
            if turns == TURNS[5]:
                for t in range(first, last - H + 1):
                    scored[t : t + H] &= ids[t : t + H] != header
        if boundary == BOUNDARY[1]:
            scored[:] = True
            if stop == STOP[1]:
                scored &= input_ids != end
        labels = input_ids.clone()
        labels[~scored] = IGNORE
        if shift == SHIFT[1]:
            labels = torch.cat([labels[1:], labels.new_tensor([IGNORE])])
        if value == MASK_VALUE[1]:
            labels[labels == IGNORE] = 0
        return labels

    return answer_labels


def ids_of(seed, *lengths, header=(1, 7, 3), end=2):
    """A system message, then questions and answers of these lengths in turn, after (1, 5, 3) or the header."""
    g = torch.Generator().manual_seed(seed)
    made = [1, 4, 3, 11, end, 3]
    for i, n in enumerate(lengths):
        made += [*((1, 5, 3) if i % 2 == 0 else header), *torch.randint(20, 90, (n,), generator=g).tolist(), end, 3]
    return torch.tensor(made)


def one_answer(impl, seed):
    return impl.answer_labels(ids_of(seed, 4, 3), [1, 7, 3], 2)


def three_answers(impl, seed):
    return impl.answer_labels(ids_of(seed, 2, 3, 1, 5, 3, 2), [1, 7, 3], 2)


def an_answer_that_is_cut_off(impl, seed):
    return impl.answer_labels(ids_of(seed, 2, 2, 3, 5)[:-4], [1, 7, 3], 2)


def padding_with_the_end_token(impl, seed):
    return impl.answer_labels(torch.cat([ids_of(seed, 3, 2), torch.tensor([2, 2, 2, 2])]), (1, 7, 3), 2)


def no_answer_at_all(impl, seed):
    return impl.answer_labels(ids_of(seed, 3), [1, 7, 3], 2)


def a_text_that_is_shorter_than_its_header(impl, seed):
    return impl.answer_labels(torch.tensor([7, 3]), [1, 7, 3], 2)


def a_header_whose_first_token_stands_twice(impl, seed):
    ids = ids_of(seed, 2, 3).tolist()
    at = len(ids) - 8  # the header of the answer
    return {
        "1 before 1 7 3": impl.answer_labels(torch.tensor([*ids[:at], 1, *ids[at:]]), [1, 7, 3], 2),
        "1 7 before 1 7 3": impl.answer_labels(torch.tensor([*ids[:at], 1, 7, *ids[at:]]), [1, 7, 3], 2),
        "1 1 1 3 with the header 1 1 3": impl.answer_labels(torch.tensor([1, 1, 1, 3, ids[7], 2]), [1, 1, 3], 2),
    }


def an_answer_of_nothing_but_its_end(impl, seed):
    return impl.answer_labels(ids_of(seed, 3, 2, 2, 0, 1, 3), [1, 7, 3], 2)


def a_header_of_one_token_and_another_end(impl, seed):
    ids = ids_of(seed, 3, 4, 2, 3, header=(8,), end=6)
    return {
        "labels": impl.answer_labels(ids, [8], 6),
        "labels of a text that begins with the header": impl.answer_labels(
            torch.tensor([8, 30 + seed % 7, 31, 6, 9]), [8], 6
        ),
    }


def a_header_in_the_middle_of_an_answer(impl, seed):
    g = torch.randint(20, 90, (3,), generator=torch.Generator().manual_seed(seed)).tolist()
    return impl.answer_labels(torch.tensor([1, 7, 3, *g, 1, 7, 3, *g, 2, 3, 2, g[0]]), [1, 7, 3], 2)


def the_line_of_the_workbook(impl, seed):
    return impl.answer_labels(torch.tensor([1, 5, 3, 40, 2, 3, 1, 7, 3, 41, 42, 2, 3]), [1, 7, 3], 2)


# ---------------------------------------------------------------- answer_loss

ALIGN = [
    "right",
    "in which logits t are compared with label t: the shift is MISSING",
    "that shifts TWICE: logits t are compared with label t + 2",
    "that shifts the other way: logits t + 1 are compared with label t",
    "that joins the rows BEFORE it shifts: a row's last logits meet the first label of the next",
]
AVERAGE = [
    "right",
    "that is the mean of the ROWS' means, not of the tokens",
    "that is the SUM over the tokens, not their mean",
    "divided by ALL tokens, the masked ones too",
    "whose count has the first tokens' labels in it, which nothing predicts",
]
SCORED = ["right", "that does not score token 0, as if it were padding"]
COUNT = ["right", "that ignores `count`", "divided by the number of tokens AND by `count`"]
LOSS_CHECK = [
    "ValueError",
    "that is NaN where no token is scored",
    "that is 0 where no token is scored",
    "that asks for a scored token only where no `count` is given",
    "that is content with a label on the FIRST token alone",
]
PRECISION = [
    "right",
    "that takes the logarithm of a SOFTMAX, which may be 0",
    "that is float32 whatever the logits are",
]
LOSS_HINTS = {
    ALIGN[1]: "Position t has read token t. What is left to predict there?",
    ALIGN[2]: "Who shifts: the labels, or the loss?",
    ALIGN[3]: "Logits t are made from tokens up to t. Which token comes next?",
    ALIGN[4]: "What comes after the last token of a row?",
    AVERAGE[1]: "One answer has 2 tokens and another 200. How much does a token of each weigh?",
    AVERAGE[2]: "Does the learning rate depend on how long the answers are?",
    AVERAGE[3]: "A longer prompt would make the loss smaller. Should it?",
    AVERAGE[4]: "Which labels have logits before them in their row?",
    SCORED[1]: "Which number marks a token that is not scored? Is 0 one?",
    COUNT[1]: "Two micro-batches have 3 and 7 tokens. By what are both divided?",
    COUNT[2]: "`count` is there INSTEAD of the number of tokens here.",
    LOSS_CHECK[1]: "What is zero divided by zero, and what does the docstring promise?",
    LOSS_CHECK[3]: "A micro-batch without an answer: does the docstring make an exception for `count`?",
    LOSS_CHECK[4]: "The label of the first token is predicted by nobody. What is left to score?",
    PRECISION[1]: "With logits of 0 and 200, what is the softmax of the first in float32? And its logarithm?",
    PRECISION[2]: "In which dtype are the logits, and in which is the loss promised?",
    LOSS_CHECK[2]: "A loss of 0 says that all is learnt. What does the docstring promise?",
}


def wrong_loss(align, average, scored, count_, check, precision):
    def answer_loss(logits, labels, count=None):
        T = labels.shape[1]
        pairs = {
            ALIGN[1]: (logits, labels),
            ALIGN[2]: (logits[:, : T - 2], labels[:, 2:]),
            ALIGN[3]: (logits[:, 1:], labels[:, :-1]),
            ALIGN[4]: (logits.flatten(0, 1)[None, :-1], labels.flatten()[None, 1:]),
        }.get(align, (logits[:, :-1], labels[:, 1:]))
        x, y = pairs
        known = y != IGNORE
        if scored == SCORED[1]:
            known = known & (y != 0)
        counted = (labels != IGNORE).any() if average == AVERAGE[4] else known.any()
        content = {LOSS_CHECK[3]: count is not None, LOSS_CHECK[4]: bool((labels != IGNORE).any())}
        if not counted and not content.get(check):
            if check in LOSS_CHECK[1:3]:
                return logits.sum() * (float("nan") if check == LOSS_CHECK[1] else 0.0)
            raise ValueError("none")
        if precision == PRECISION[2]:
            x = x.float()
        each = F.cross_entropy(x[known], y[known], reduction="none")
        if precision == PRECISION[1]:
            each = -x[known].softmax(-1).gather(1, y[known][:, None])[:, 0].log()
        total, number = each.sum(), int(known.sum())
        if average == AVERAGE[1]:
            grid = torch.zeros(known.shape, dtype=each.dtype).masked_scatter(known, each)
            rows = known.any(1)
            total = (grid.sum(1)[rows] / known.sum(1)[rows]).mean() * number
        if average == AVERAGE[2]:
            return total
        if average == AVERAGE[3]:
            number = y.numel()
        if average == AVERAGE[4]:
            number = int((labels != IGNORE).sum())
        if count is None or count_ == COUNT[1]:
            return total / number
        return total / count / (number if count_ == COUNT[2] else 1)

    return answer_loss


def labelled(seed, *rows, V=11):
    """Logits, and labels that score these columns of each row."""
    logits = 2 * randn(seed, len(rows), 7, V)
    ids = torch.randint(0, V, (len(rows), 7), generator=torch.Generator().manual_seed(seed))
    labels = torch.full_like(ids, IGNORE)
    for i, columns in enumerate(rows):
        labels[i, list(columns)] = ids[i, list(columns)]
    return logits, labels


def answers_of_unequal_lengths(impl, seed):
    return impl.answer_loss(*labelled(seed, (4,), (2, 3, 4, 5, 6), (5, 6)))


def a_row_without_an_answer(impl, seed):
    return impl.answer_loss(*labelled(seed + 1, (), (3, 4, 5)))


def a_label_on_the_first_token(impl, seed):
    return impl.answer_loss(*labelled(seed + 2, (0, 1, 2, 3), (0, 6)))


def token_0_is_a_token(impl, seed):
    logits, labels = labelled(seed + 3, (2, 3, 4, 5), (3, 6))
    labels[0, 3] = labels[1, 6] = 0
    return impl.answer_loss(logits, labels)


def a_count_of_all_micro_batches(impl, seed):
    return impl.answer_loss(*labelled(seed + 4, (3, 4), (2, 5, 6)), 13)


def logits_of_float64(impl, seed):
    logits, labels = labelled(seed + 5, (2, 4), (6,), (1, 2, 3), V=5)
    return impl.answer_loss(logits.double(), labels)


def logits_of_some_hundreds(impl, seed):
    logits, labels = labelled(seed + 8, (2, 4, 5), (3, 6))
    return impl.answer_loss(300 * logits, labels)


def the_gradient_of_the_logits(impl, seed):
    logits, labels = labelled(seed + 6, (4, 5), (3,), V=3)
    logits.requires_grad_()
    loss = impl.answer_loss(logits, labels)
    return {"gradient": torch.autograd.grad(loss, logits)[0] if loss.requires_grad else None}


def a_batch_without_an_answer(impl, seed):
    return impl.answer_loss(*labelled(seed + 7, (), ()))


def losses_that_are_refused(impl, seed):
    logits, labels = labelled(seed, (), ())
    only_first = labels.clone()
    only_first[1, 0] = 3
    return {
        "no label": error_of(lambda: impl.answer_loss(logits, labels)),
        "a label on the first token alone": error_of(lambda: impl.answer_loss(logits, only_first)),
        "no label, and a count": error_of(lambda: impl.answer_loss(logits, labels, 5)),
        "rows of one token": error_of(lambda: impl.answer_loss(logits[:, :1], only_first[:, :1])),
    }


def the_coin_of_the_workbook(impl, seed):
    labels = torch.tensor([[IGNORE, 1, 0]])
    return impl.answer_loss(torch.log(torch.tensor([[[0.5, 0.5], [0.25, 0.75], [0.9, 0.1]]])), labels)


# ---------------------------------------------------------------- pack_best_fit

FIT = [
    "right",
    "by FIRST fit: each sequence goes into the first row that has room",
    "by WORST fit: each sequence goes where it leaves the most room",
    "by NEXT fit: only the newest row is looked at",
]
ORDER = ["right", "of the sequences AS GIVEN, not longest first", "of the SHORTEST sequences first"]
FULL = [
    "right",
    "in which rows may be one token OVER capacity",
    "in which no row is ever filled to its last token",
]
TIES = [
    "right",
    "that takes the LATER of two equally long sequences first",
    "that takes the NEWER of two rows with equal room",
]
LONG = [
    "ValueError",
    "that LEAVES OUT a sequence which is longer than a row",
    "that gives a sequence which is longer than a row a row of its own",
]
KEPT = [
    "right",
    "that LOSES the last row",
    "that returns lengths instead of indices",
    "that returns the FULL rows first",
    "that puts a row aside when it is FULL, so that it comes first",
    "that returns the rows SORTED",
    "whose rows hold their indices SORTED",
]
PACK_HINTS = {
    FIT[1]: "Of all rows with room, which one is left fullest?",
    FIT[2]: "Large rooms are precious: what fits there fits nowhere else.",
    FIT[3]: "Short sequences come last. May they fill the first rows?",
    ORDER[1]: "Sand goes in after the stones.",
    ORDER[2]: "Sand goes in after the stones.",
    FULL[1]: "Add up the lengths of each row. Is the sum ever above the capacity?",
    FULL[2]: "Lengths 3 and 2 in a row of 5: do they fit?",
    TIES[
        1
    ]: "Which of two equal lengths comes first? `sorted` with reverse=True keeps their order; sorted()[::-1] does not.",
    TIES[2]: "Which of two equal rooms? The docstring says it.",
    LONG[1]: "A sequence that is silently lost is training data that nobody misses.",
    LONG[2]: "What will the tensor of that row look like?",
    KEPT[1]: "Count the indices: are all there?",
    KEPT[3]: "In which order were the rows opened?",
    KEPT[4]: "A row that is full early may have been opened late. In which order are rows returned?",
    KEPT[5]: "In which order were the rows opened?",
    KEPT[6]: "Which sequence of a row went in first?",
    KEPT[2]: "The caller must find the sequences again.",
}


def wrong_pack(fit, order, full, ties, long, kept):
    def pack_best_fit(lengths, capacity):
        rows, room, filled = [], [], []
        newer = -1 if ties == TIES[2] else 1
        slack = {FULL[1]: 1, FULL[2]: -1}.get(full, 0)
        sign = -1 if ties == TIES[1] else 1
        key = {ORDER[1]: lambda i: sign * i, ORDER[2]: lambda i: (lengths[i], sign * i)}.get(
            order, lambda i: (-lengths[i], sign * i)
        )
        for i in sorted(range(len(lengths)), key=key):
            n = lengths[i]
            if n > capacity:
                if long == LONG[1]:
                    continue
                if long != LONG[2]:
                    raise ValueError("long")
            fits = [r for r in range(len(rows)) if room[r] + slack >= n]
            if fit == FIT[3]:
                fits = [r for r in fits if r == len(rows) - 1]
            by = {FIT[1]: lambda r: newer * r, FIT[2]: lambda r: (-room[r], newer * r)}.get(
                fit, lambda r: (room[r], newer * r)
            )
            if fits:
                best = min(fits, key=by)
            else:
                best = len(rows)
                rows.append([])
                room.append(capacity)
            rows[best].append(i)
            room[best] -= n
            if room[best] == 0:
                filled.append(best)
        if kept == KEPT[1]:
            rows = rows[:-1]
        if kept == KEPT[3]:
            rows = [rows[r] for r in sorted(range(len(rows)), key=lambda r: room[r] > 0)]
        if kept == KEPT[4]:
            rows = [rows[r] for r in filled + [r for r in range(len(rows)) if r not in filled]]
        if kept == KEPT[5]:
            rows = sorted(rows)
        if kept == KEPT[6]:
            rows = [sorted(row) for row in rows]
        return [[lengths[i] for i in r] for r in rows] if kept == KEPT[2] else rows

    return pack_best_fit


def lengths_of(seed, count, most):
    return torch.randint(1, most + 1, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


def many_short_sequences(impl, seed):
    return impl.pack_best_fit(lengths_of(seed, 60, 17), 23)


def many_sequences_of_equal_lengths(impl, seed):
    return impl.pack_best_fit(lengths_of(seed + 1, 40, 4), 7)


def sequences_as_long_as_a_row(impl, seed):
    return impl.pack_best_fit([5, 2, 5, 3, 1, 4, *lengths_of(seed + 2, 11, 5)], 5)


def long_sequences(impl, seed):
    return impl.pack_best_fit(lengths_of(seed + 3, 31, 97), 101)


def none_and_one(impl, seed):
    return {"none": impl.pack_best_fit([], 5), "one": impl.pack_best_fit((3,), 5)}


def sequences_longer_than_a_row(impl, seed):
    cases = {"one of 8 in rows of 7": ([2, 8, 3], 7), "the shortest": ([1], 0), "none": ([7, 7], 7)}
    return {name: error_of(lambda case=case: impl.pack_best_fit(*case)) for name, case in cases.items()}


def one_sequence_longer_than_a_row(impl, seed):
    return impl.pack_best_fit([2, 8, 3 + seed % 2], 7)


def the_four_sequences_of_the_workbook(impl, seed):
    return impl.pack_best_fit([4, 7, 1, 5], 10)


# ---------------------------------------------------------------- packed_layout

POSITIONS = ["right", "whose positions do NOT restart with each sequence", "whose positions begin at 1"]
SEES = [
    "right",
    "WITHOUT the block-diagonal mask: a sequence sees the ones before it",
    "in which a sequence sees its own FUTURE",
    "in which a token does not see ITSELF",
    "whose mask is transposed: axis 0 counts the keys",
]
PADDING = [
    "right",
    "in which padding sees NOTHING: its softmax is over no key at all",
    "in which all padding is one sequence",
    "in which padding belongs to the last sequence",
    "in which a padding token sees the PADDING before it",
    "whose padding has POSITIONS that go on counting",
]
LAYOUT_CHECK = [
    "ValueError",
    "that cuts off what does not fit",
    "that refuses a row which is exactly FULL",
]
NUMBERS = ["right", "that numbers the sequences in a BYTE: number 256 is number 0 again"]
LAYOUT_HINTS = {
    POSITIONS[1]: "Alone, a sequence would begin at position 0. Where does it begin here?",
    POSITIONS[2]: "Which position has the first token of a text?",
    SEES[1]: "Change a token of the first sequence: do the logits of the second move?",
    SEES[2]: "Which keys may the first token see?",
    SEES[3]: "What does the first token of a sequence see, if not itself?",
    SEES[4]: "attention_mask[q, k]: which of the two is later?",
    PADDING[1]: "What is the softmax of a row of −∞?",
    PADDING[2]: "The docstring says what a padding token sees, and its position.",
    PADDING[4]: "The docstring says what a padding token sees.",
    PADDING[5]: "The workbook says which position a padding token has.",
    PADDING[3]: "Where does the last sequence end?",
    LAYOUT_CHECK[1]: "What does the docstring promise for sequences that do not fit?",
    LAYOUT_CHECK[2]: "4 and 3 in a row of 7: do they fit?",
    NUMBERS[1]: "How many sequences can uint8 tell apart?",
}


def wrong_layout(positions, sees, padding, check, numbers):
    def packed_layout(lengths, capacity):
        if sum(lengths) + (check == LAYOUT_CHECK[2]) > capacity and check != LAYOUT_CHECK[1]:
            raise ValueError("full")
        position_ids = torch.zeros(capacity, dtype=torch.long)
        mask = torch.zeros(capacity, capacity, dtype=torch.bool)
        rest = capacity - sum(lengths)
        parts = list(lengths)
        if padding in (PADDING[2], PADDING[4]) and rest > 0:
            parts.append(rest)
        elif padding == PADDING[3] and parts and rest > 0:
            parts[-1] += rest
        elif padding != PADDING[1]:
            parts += [1] * rest
        start = 0
        for n in parts:
            n = min(n, capacity - start)
            block = torch.ones(n, n, dtype=torch.bool)
            if sees == SEES[3]:
                block = block.tril(-1)
            elif sees == SEES[4]:
                block = block.triu()
            elif sees != SEES[2]:
                block = block.tril()
            mask[start : start + n, start : start + n] = block
            position_ids[start : start + n] = torch.arange(n)
            start += n
        if padding in PADDING[4:]:
            position_ids[sum(lengths) :] = torch.arange(max(rest, 0)) * (padding == PADDING[5])
        if numbers == NUMBERS[1]:
            counted = torch.arange(len(parts)).repeat_interleave(torch.tensor(parts)).to(torch.uint8)
            mask |= (counted[:, None] == counted).tril()
        if sees == SEES[1]:
            mask[: sum(lengths), : sum(lengths)] = torch.ones(sum(lengths), sum(lengths), dtype=torch.bool).tril()
        if positions == POSITIONS[1]:
            position_ids[: sum(lengths)] = torch.arange(min(sum(lengths), capacity))
        if positions == POSITIONS[2]:
            position_ids += 1
        return position_ids, mask

    return packed_layout


def layout(impl, *arguments):
    positions, mask = impl.packed_layout(*arguments)
    return {"position_ids": positions, "attention_mask": mask}


def three_sequences_and_padding(impl, seed):
    return layout(impl, [3 + seed % 3, 2, 4], 13)


def a_row_that_is_full(impl, seed):
    return layout(impl, (4, 1, 2 + seed % 2), 7 + seed % 2)


def one_sequence_alone(impl, seed):
    return layout(impl, [5], 5)


def padding_after_one_token(impl, seed):
    return layout(impl, [1], 4)


def three_hundred_sequences(impl, seed):
    lengths = [1 + (seed + i) % 2 for i in range(300)]
    positions, mask = impl.packed_layout(lengths, 450)
    return {"position_ids": positions, "how many keys each query sees": mask.sum(1)}


def a_row_of_padding_alone(impl, seed):
    return layout(impl, [], 3)


def rows_that_are_too_full(impl, seed):
    return {
        "6 tokens in 5": error_of(lambda: impl.packed_layout([4, 2], 5)),
        "5 tokens in 5": error_of(lambda: impl.packed_layout([3, 2], 5)),
    }


def the_row_of_the_workbook(impl, seed):
    return layout(impl, [2, 1], 4)


# ---------------------------------------------------------------- LoRALinear

SCALE = [
    "right",
    "WITHOUT the scale α/r",
    "scaled by r/α: the fraction is INVERTED",
    "scaled by α alone",
    "scaled by α/√r",
    "scaled by α // r, a whole number",
]
INIT = [
    "right",
    "whose A and B are BOTH ZERO: no gradient ever gets in",
    "whose A and B are BOTH RANDOM: it does not begin as the base",
    "whose B is random and whose A is zero",
    "whose A has entries that are too LARGE: some are above 1/√in",
]
FROZEN = ["right", "that TRAINS the base's weight too", "that trains the base's bias too"]
DROPOUT = [
    "right",
    "whose dropout works in EVALUATION too",
    "that drops the BASE's input too",
    "that ignores its dropout",
    "whose dropout comes after A, not before it",
    "whose dropout takes the same features from EVERY token",
]
PATHS = [
    "right",
    "that LOSES the base's bias",
    "that leaves out the base's path",
    "that makes the whole matrix W + B A at each call",
    "whose A is (in, r) and whose B is (r, out)",
]
KIND = ["right", "whose A and B are always float32"]
LORA_HINTS = {
    SCALE[1]: "With α = 6 and r = 3, by what is B A x multiplied?",
    SCALE[2]: "When r doubles, should the path count twice or half?",
    SCALE[3]: "When r doubles, should the path count twice as much?",
    SCALE[4]: "This is rank-stabilised LoRA. The task asks for the paper's scale.",
    SCALE[5]: "With α = 8 and r = 3, by what is B A x multiplied?",
    INIT[1]: "The gradient of B is made from A x, and that of A from B. What are both at first?",
    INIT[2]: "What should the tuned model say before its first step?",
    INIT[3]: "Both orders begin as the base. Which one does the docstring promise?",
    INIT[4]: "How many numbers does one entry of A x add up?",
    FROZEN[1]: "Which parameters get an optimizer state?",
    FROZEN[2]: "A linear layer has two parameters.",
    DROPOUT[1]: "Which attribute of a module says whether it trains?",
    DROPOUT[2]: "The base is frozen. What would noise in its path do?",
    DROPOUT[3]: "With dropout 1 in training, what is left of the adapter?",
    DROPOUT[4]: "Is it x that is dropped, or A x?",
    DROPOUT[5]: "Two tokens in one batch: is the same feature dropped from both?",
    PATHS[1]: "Does the base layer do more than multiply by its weight?",
    PATHS[2]: "y = W x + ... What is the first term?",
    PATHS[3]: "out · in numbers are written for each batch. Which two narrow products do the same?",
    PATHS[4]: "The docstring gives both shapes.",
    KIND[1]: "In what dtype is the base's weight?",
}


def wrong_lora(scale, init, frozen, dropout, paths, kind):
    class LoRALinear(nn.Module):
        def __init__(self, base, r, alpha, dropout=0.0):
            super().__init__()
            self.base, self.p, self.r, self.alpha = base, dropout, r, alpha
            base.weight.requires_grad_(frozen == FROZEN[1])
            if base.bias is not None:
                base.bias.requires_grad_(frozen == FROZEN[2])
            dtype = torch.float32 if kind == KIND[1] else base.weight.dtype
            n_in, n_out = base.in_features, base.out_features
            bound = (r if init == INIT[4] else n_in) ** -0.5
            A = torch.empty(r, n_in, dtype=dtype).uniform_(-bound, bound)
            B = torch.zeros(n_out, r, dtype=dtype)
            if init in (INIT[1], INIT[3]):
                A = torch.zeros_like(A)
            if init in (INIT[2], INIT[3]):
                B = torch.empty_like(B).uniform_(-bound, bound)
            swap = paths == PATHS[4]
            self.A, self.B = nn.Parameter(A.T.clone() if swap else A), nn.Parameter(B.T.clone() if swap else B)

        def forward(self, x):
            s = dict(
                zip(
                    SCALE,
                    (
                        self.alpha / self.r,
                        1,
                        self.r / self.alpha,
                        self.alpha,
                        self.alpha / self.r**0.5,
                        self.alpha // self.r,
                    ),
                    strict=True,
                )
            )[scale]
            A, B = (self.A.T, self.B.T) if paths == PATHS[4] else (self.A, self.B)
            on = self.training or dropout == DROPOUT[1]
            p = 0.0 if dropout == DROPOUT[3] else self.p
            if paths == PATHS[3]:
                return (
                    F.linear(x, self.base.weight + s * B @ A, self.base.bias)
                    if not (on and p)
                    else (self.base(x) + s * F.linear(F.dropout(x, p, True), B @ A))
                )
            if dropout == DROPOUT[4]:
                path = F.dropout(x @ A.T, p, on) @ B.T
            else:
                shared = torch.ones(x.shape[-1], dtype=x.dtype)
                dropped = x * F.dropout(shared, p, on) if dropout == DROPOUT[5] else F.dropout(x, p, on)
                path = dropped @ A.T @ B.T
            base = dropped if dropout == DROPOUT[2] else x
            out = F.linear(base, self.base.weight) if paths == PATHS[1] else self.base(base)
            return s * path + (0 if paths == PATHS[2] else out)

    return LoRALinear


def linear(seed, n_in, n_out, bias=True, dtype=torch.float32):
    made = nn.Linear(n_in, n_out, bias=bias, dtype=dtype)
    with torch.no_grad():
        made.weight.copy_(randn(seed, n_out, n_in) / n_in**0.5)
        if bias:
            made.bias.copy_(randn(seed + 1, n_out))
    return made


def lora_layer(impl, seed, n_in, n_out, r, alpha, fill=True, **more):
    layer = impl.LoRALinear(linear(seed, n_in, n_out, dtype=more.pop("dtype", torch.float32)), r, alpha, **more)
    if fill:
        with torch.no_grad():
            layer.A.copy_(randn(seed + 2, r, n_in))
            layer.B.copy_(randn(seed + 3, n_out, r))
    return layer


def a_layer_with_learnt_adapters(impl, seed):
    return lora_layer(impl, seed, 7, 5, 3, 4.5)(randn(seed + 4, 2, 3, 7)).detach()


def a_layer_of_rank_one_of_float64(impl, seed):
    out = lora_layer(impl, seed + 5, 3, 11, 1, 2.0, fill=False, dtype=torch.float64)
    return {"dtypes of A and B": f"{out.A.dtype} {out.B.dtype}"}


def a_new_layer(impl, seed):
    layer, x = lora_layer(impl, seed + 6, 64, 5, 3, 7, fill=False), randn(seed, 4, 64)
    A, bound = layer.A.detach().abs(), 1 / 8
    return {
        "the output": layer(x).detach(),
        "shapes of A and B": [tuple(layer.A.shape), tuple(layer.B.shape)],
        "A fills ±1/√in and no more": [
            bool(A.max() <= bound),
            bool(A.max() > 0.9 * bound),
            bool(A.mean() > 0.3 * bound),
        ],
        "the mean of A is near zero": bool(layer.A.mean().abs() < 0.4 * bound),
        "the largest of B": float(layer.B.detach().abs().max()),
    }


def what_is_trained(impl, seed):
    layer = lora_layer(impl, seed + 7, 5, 3, 2, 3.0)
    return {"parameters with a gradient": sorted(n for n, p in layer.named_parameters() if p.requires_grad)}


def the_gradients(impl, seed):
    layer, x = lora_layer(impl, seed + 8, 5, 3, 2, 3.0), randn(seed, 4, 5).requires_grad_()
    found = torch.autograd.grad(layer(x).square().sum(), [x, layer.A, layer.B])
    return dict(zip(("of x", "of A", "of B"), found, strict=True))


def dropout_of_everything(impl, seed):
    layer, x = lora_layer(impl, seed + 9, 5, 3, 2, 3.0, dropout=1.0), randn(seed, 4, 5)
    return {"in training": layer.train()(x).detach(), "in evaluation": layer.eval()(x).detach()}


def dropout_of_half(impl, seed):
    layer = impl.LoRALinear(linear(0, 6, 1), 1, 1.0, dropout=0.5)
    with torch.no_grad():
        layer.A.fill_(1.0)
        layer.B.fill_(1.0)
        layer.base.weight.zero_()
        layer.base.bias.zero_()
        out = layer.train()((2.0 ** torch.arange(6)).expand(200, 6))
    return {
        "each input is dropped by itself": len(out.unique()) > 8,
        "the others count twice": float(out.max()) > 64,
        "the mean is kept": 45 < float(out.mean()) < 80,
    }


def the_largest_matrix_that_is_made(impl, seed):
    layer, x = lora_layer(impl, seed + 10, 40, 40, 2, 3.0), randn(seed, 3, 40)
    with torch.no_grad():
        made = largest_new(lambda x, *weights: layer(x), x, *layer.parameters())
    return {"no matrix of the size of W": made < 40 * 40}


def a_base_without_bias(impl, seed):
    layer = impl.LoRALinear(linear(seed, 4, 3, bias=False), 2, 5.0)
    with torch.no_grad():
        layer.A.copy_(randn(seed + 2, 2, 4))
        layer.B.copy_(randn(seed + 3, 3, 2))
        return layer(randn(seed + 1, 4))


def the_layer_of_the_workbook(impl, seed):
    layer = impl.LoRALinear(nn.Linear(2, 2, bias=False), 1, 2.0)
    with torch.no_grad():
        layer.base.weight.copy_(torch.eye(2))
        layer.A.copy_(torch.tensor([[1.0, 1.0]]))
        layer.B.copy_(torch.tensor([[1.0], [0.0]]))
        return layer(torch.tensor([3.0, 4.0]))


# ---------------------------------------------------------------- add_lora

CHOICE = [
    "right",
    "with adapters on EVERY linear layer, the head too",
    "that looks for the target anywhere in a layer's name",
    "that adapts the first layer of each name alone",
    "that compares the FULL name, so that only layers at the top are found",
    "that takes ANY part of a full name for a layer's own name",
]
REST = [
    "right",
    "that leaves the rest of the model TRAINABLE",
    "that freezes the adapters too",
    "that freezes LAYERS, and no parameter that stands alone",
]
NAMES_GIVEN = [
    "right",
    "that returns the layers' own names, not the full ones",
    "that returns nothing",
    "that returns the names in the order of the TARGETS",
]
TARGET_CHECK = [
    "ValueError",
    "that says nothing of a target which no layer has",
    "that takes a target which is the name of a module, and of no linear layer",
]
ADD_HINTS = {
    CHOICE[1]: "The head maps to the vocabulary. Was it among the targets?",
    CHOICE[2]: "Is `q_proj_out` a layer of the name `q_proj`?",
    CHOICE[3]: "How many layers have this name?",
    CHOICE[4]: "`blocks.0.q_proj`: what is the layer's own name?",
    CHOICE[5]: "Is `blocks.0.q_proj` a layer of the name `blocks`?",
    REST[1]: "What is the optimizer given: all parameters that require a gradient. Norms and embeddings are some.",
    REST[2]: "What is left to train? In which order do you freeze and add?",
    REST[3]: "A model may have an nn.Parameter of its own. What lists every parameter?",
    NAMES_GIVEN[3]: "In which order do the layers stand in the model?",
    NAMES_GIVEN[1]: "Which of the layers named q_proj is meant?",
    NAMES_GIVEN[2]: "What does the docstring say is returned?",
    TARGET_CHECK[1]: "A spelling mistake in a target: when will the caller notice?",
    TARGET_CHECK[2]: "A norm or a block has no matrix to adapt. What does the docstring say of such a target?",
}


def wrong_add(choice, rest, given, check):
    make = wrong_lora(*(k[0] for k in (SCALE, INIT, FROZEN, DROPOUT, PATHS, KIND)))

    def add_lora(model, targets, r, alpha):
        if rest == REST[3]:
            for layer in model.modules():
                if isinstance(layer, (nn.Linear, nn.Embedding, nn.LayerNorm)):
                    layer.requires_grad_(False)
        elif rest != REST[1]:
            model.requires_grad_(False)
        chosen, seen = [], set()
        for name, layer in list(model.named_modules()):
            own = name.rsplit(".", 1)[-1]
            hit = own in targets and isinstance(layer, nn.Linear)
            if choice == CHOICE[1]:
                hit = isinstance(layer, nn.Linear)
            if choice == CHOICE[2]:
                hit = isinstance(layer, nn.Linear) and any(t in name for t in targets)
            if choice == CHOICE[3]:
                hit = hit and own not in seen
            if choice == CHOICE[4]:
                hit = name in targets and isinstance(layer, nn.Linear)
            if choice == CHOICE[5]:
                hit = isinstance(layer, nn.Linear) and bool(set(name.split(".")) & set(targets))
            if hit:
                seen.add(own)
                chosen.append((name, layer))
        layers = [
            n for n, m in model.named_modules() if isinstance(m, (nn.Linear, nn.Module)[check == TARGET_CHECK[2]])
        ]
        missing = set(targets) - {n.rsplit(".", 1)[-1] for n in layers}
        if choice == CHOICE[5]:
            missing -= {part for n in layers for part in n.split(".")}
        if missing and check != TARGET_CHECK[1]:
            raise ValueError("missing")
        for name, layer in chosen:
            model.set_submodule(name, make(layer, r, alpha))
        if rest == REST[2]:
            model.requires_grad_(False)
        if given == NAMES_GIVEN[2]:
            return None
        if given == NAMES_GIVEN[3]:
            chosen.sort(key=lambda pair: list(targets).index(pair[0].rsplit(".", 1)[-1]))
        return [n.rsplit(".", 1)[-1] if given == NAMES_GIVEN[1] else n for n, _ in chosen]

    return add_lora


class Small(nn.Module):
    """An embedding, two blocks, a norm, a head, and a parameter that stands alone."""

    def __init__(self, seed):
        super().__init__()
        self.wte = nn.Embedding(11, 6)
        self.blocks = nn.ModuleList(
            nn.ModuleDict({n: linear(seed + i, 6, 6) for n in ("v_proj", "q_proj", "q_proj_out")}) for i in range(2)
        )
        self.q_proj = linear(seed + 5, 6, 6)
        self.norm, self.head = nn.LayerNorm(6), linear(seed + 7, 6, 11, bias=False)
        self.gain = nn.Parameter(torch.ones(6))
        with torch.no_grad():
            self.wte.weight.copy_(randn(seed + 8, 11, 6))

    def forward(self, ids):
        x = self.q_proj(self.wte(ids))
        for block in self.blocks:
            x = x + torch.tanh(block["q_proj"](x)) * block["v_proj"](x) + block["q_proj_out"](x)
        return self.head(self.norm(x) * self.gain)


def adapted(impl, seed, *targets, r=2, alpha=3.0):
    model = Small(seed)
    names = impl.add_lora(model, list(targets), r, alpha)
    return model, names


def two_names_of_layers(impl, seed):
    model, names = adapted(impl, seed, "v_proj", "q_proj")
    return {
        "the names": names,
        "parameters with a gradient": sorted(n for n, p in model.named_parameters() if p.requires_grad),
        "shapes of A": [tuple(p.shape) for n, p in model.named_parameters() if n.endswith(".A")],
    }


def the_same_function_at_first(impl, seed):
    ids = torch.arange(7)[None]
    with torch.no_grad():
        return {"logits": adapted(impl, seed, "head", "q_proj")[0](ids)}


def logits_after_the_adapters_have_learnt(impl, seed):
    model, _ = adapted(impl, seed, "v_proj", r=3, alpha=7.5)
    with torch.no_grad():
        for i, (name, p) in enumerate(sorted(model.named_parameters())):
            if name.endswith((".A", ".B")):
                p.copy_(randn(seed + i, *p.shape))
        return {"logits": model(torch.arange(5)[None])}


def targets_that_are_refused(impl, seed):
    cases = {"one of two": ["q_proj", "k_proj"], "a part of a name": ["proj"], "none wrong": ["head"]}
    cases |= {"a norm": ["q_proj", "norm"], "a list of blocks": ["blocks"]}
    return {name: error_of(lambda t=t: adapted(impl, seed, *t)) for name, t in cases.items()}


# ---------------------------------------------------------------- merge_lora

MERGE_SCALE = [
    "right",
    "WITHOUT the scale α/r",
    "scaled by r/α: the fraction is INVERTED",
    "scaled by α alone",
    "that takes the SMALLER side of A for r",
]
KIND_MERGED = [
    "right",
    "that has the dtype of the SUM, not that of the weight",
    "that returns the WEIGHT itself where B is zero, and no new tensor",
]
MERGED = [
    "right",
    "that changes the weight in place: a second merge merges TWICE",
    "that adds the product TWICE",
    "that SUBTRACTS the product",
    "that returns the change alone, without the weight",
    "with DROPOUT on the merged path",
    "that adds B A TRANSPOSED",
]
CODES = [
    "ValueError",
    "that merges into 4-bit CODES as if they were numbers",
    "that refuses codes of uint8 and takes those of other integer dtypes",
]
MERGE_HINTS = {
    MERGE_SCALE[1]: "By what does the forward pass multiply B A x?",
    MERGE_SCALE[2]: "When r doubles, should the path count twice or half?",
    MERGE_SCALE[3]: "When r doubles, should the path count twice as much?",
    MERGE_SCALE[4]: "May a rank be above the width? Which axis of A counts r?",
    KIND_MERGED[1]: "float32 plus float64: which dtype has the sum?",
    KIND_MERGED[2]: "The caller changes what you returned. Is the base changed too?",
    MERGED[1]: "Is the caller's weight still the base's?",
    MERGED[2]: "How often is the path added in the forward pass?",
    MERGED[3]: "The forward pass adds the path.",
    MERGED[4]: "y = W x + ... Where is W?",
    MERGED[5]: "Is anything random about the merged matrix?",
    MERGED[6]: "Which axis of the product counts the outputs?",
    CODES[2]: "Which integer dtypes has PyTorch?",
    CODES[1]: "A code of 7 stands for 0. What would adding 0.01 to it mean?",
}


def wrong_merge(scale, merged, kind, codes):
    def merge_lora(weight, A, B, alpha):
        if not weight.is_floating_point():
            if codes == "ValueError" or (codes == CODES[2] and weight.dtype == torch.uint8):
                raise ValueError("codes")
            weight = weight.float()
        r = A.shape[0]
        s = dict(zip(MERGE_SCALE, (alpha / r, 1, r / alpha, alpha, alpha / min(A.shape)), strict=True))[scale]
        if kind == KIND_MERGED[2] and not B.any():
            return weight
        if merged == MERGED[5]:
            A = F.dropout(A, 0.5)
        change = s * (B @ A)
        if merged == MERGED[6] and change.shape[0] == change.shape[1]:
            change = change.T
        if merged == MERGED[1]:
            with torch.no_grad():
                return weight.add_(change)
        if merged == MERGED[4]:
            return change
        out = weight + {MERGED[2]: 2, MERGED[3]: -1}.get(merged, 1) * change
        return out if kind == KIND_MERGED[1] else out.to(weight.dtype)

    return merge_lora


def merging(seed, out, n_in, r, dtype=torch.float32):
    return [
        randn(seed, out, n_in, dtype=dtype),
        randn(seed + 1, r, n_in, dtype=dtype),
        randn(seed + 2, out, r, dtype=dtype),
    ]


def a_wide_matrix(impl, seed):
    return impl.merge_lora(*merging(seed, 5, 7, 3), 4.5)


def a_square_matrix_of_float64(impl, seed):
    return impl.merge_lora(*merging(seed + 3, 5, 5, 2, torch.float64), 3.0)


def rank_one(impl, seed):
    return impl.merge_lora(*merging(seed + 6, 7, 3, 1), 2.5)


def a_rank_above_the_width(impl, seed):
    return impl.merge_lora(*merging(seed + 15, 5, 2, 3), 4.5)


def adapters_of_float64_and_a_weight_of_float32(impl, seed):
    weight, A, B = merging(seed + 18, 5, 4, 2)
    return impl.merge_lora(weight, A.double(), B.double(), 3.0)


def adapters_that_have_learnt_nothing(impl, seed):
    weight, A, B = merging(seed + 21, 4, 3, 2)
    merged = impl.merge_lora(weight, A, torch.zeros_like(B), 3.0)
    with torch.no_grad():
        merged.add_(1)
    return {"the merged weight, and 1 more": merged, "the weight afterwards": weight}


def merged_twice_from_the_same_weight(impl, seed):
    weight, A, B = merging(seed + 9, 4, 3, 2)
    kept = weight.clone()
    first = impl.merge_lora(weight, A, B, 3.0)
    second = impl.merge_lora(kept.clone(), A, B, 3.0)
    return {"the first": first, "the second": second, "the weight afterwards": weight}


def weights_that_are_refused(impl, seed):
    weight, A, B = merging(seed + 12, 4, 3, 2)
    cases = {
        "codes of uint8": (weight * 9).to(torch.uint8),
        "codes of int8": (weight * 9).to(torch.int8),
        "codes of int64": (weight * 9).to(torch.int64),
        "numbers": weight,
    }
    return {name: error_of(lambda w=w: impl.merge_lora(w, A, B, 3.0)) for name, w in cases.items()}


def the_matrix_of_the_workbook(impl, seed):
    return impl.merge_lora(torch.eye(2), torch.tensor([[1.0, 1.0]]), torch.tensor([[1.0], [0.0]]), 2.0)


# ---------------------------------------------------------------- quantize_nf4

EVEN = torch.linspace(-1, 1, 16)
LEVELS = [
    "right",
    "with 16 EVENLY spaced levels, not the normal distribution's",
    "that takes the level BELOW, not the nearest",
]
MAGNITUDE = [
    "right",
    "with ONE magnitude for the whole tensor",
    "whose magnitude is the largest value, not the largest |value|",
    "that forgets to divide by the magnitude",
    "whose blocks run down the COLUMNS",
    "that divides in the dtype of x, not in float32",
    "that divides by 1e-8 or more, which is too much for a block of tiny numbers",
    "whose blocks follow the MEMORY, not x.flatten(): a transposed x is not read row by row",
]
ZERO = ["right", "in which a block of zeros becomes NaN and gets code 0"]
TYPE = ["right", "whose codes are int64", "whose codes are flat", "whose magnitudes keep the GRADIENT of the weights"]
NF4_CHECK = [
    "ValueErrors",
    "that leaves a last block which is not full to PyTorch",
    "that takes NaN and infinity",
    "that refuses NaN and takes infinity",
]
NF4_HINTS = {
    LEVELS[1]: "Where are most weights: near 0 or near the largest? Print the levels that are handed out.",
    LEVELS[2]: "0.09 lies between 0.0796 and 0.1609. Which is nearer?",
    MAGNITUDE[1]: "One outlier in the tensor: what becomes of all other blocks?",
    MAGNITUDE[2]: "A block of negative numbers: by what is it divided?",
    MAGNITUDE[3]: "The levels lie in −1 … 1. Where do the weights lie?",
    MAGNITUDE[4]: "Block 0 is the first block_size numbers in memory: part of a row, or of a column?",
    MAGNITUDE[5]: "bfloat16 keeps 8 binary digits. In which dtype is the division promised?",
    MAGNITUDE[6]: "A block whose largest magnitude is 1e-30: which code has that number?",
    MAGNITUDE[7]: "Is x[0, 1] of a transposed matrix the neighbour of x[0, 0] in memory?",
    NF4_CHECK[3]: "What is infinity divided by infinity?",
    ZERO[1]: "0/0 is NaN, and the nearest level to NaN is the first. Which level is 0?",
    TYPE[1]: "Which dtype is the docstring's? Two codes will share a byte.",
    TYPE[2]: "Codes have the shape of x.",
    TYPE[3]: "The base is frozen. Should a gradient reach it through its magnitudes?",
    NF4_CHECK[1]: "x.numel() is no multiple of block_size: what does the docstring promise?",
    NF4_CHECK[2]: "One infinity makes all other codes of its block the same.",
}


def wrong_nf4(levels, magnitude, zero, type_, check):
    def quantize_nf4(x, block_size=64):
        if x.numel() % block_size and check != NF4_CHECK[1]:
            raise ValueError("size")
        strange = x.isnan() if check == NF4_CHECK[3] else ~x.isfinite()
        if strange.any() and check != NF4_CHECK[2]:
            raise ValueError("nan")
        y = x if type_ == TYPE[3] else x.detach()
        if magnitude != MAGNITUDE[5]:
            y = y.float()
        if magnitude == MAGNITUDE[7] and not y.is_contiguous():
            y = y.T.reshape(y.shape)
        columns = magnitude == MAGNITUDE[4] and y.ndim == 2
        blocks = (y.T if columns else y).reshape(-1, block_size)
        absmax = blocks.amax(1) if magnitude == MAGNITUDE[2] else blocks.abs().amax(1)
        if magnitude == MAGNITUDE[1]:
            absmax = blocks.abs().amax().expand(len(blocks)).clone()
        divisor = absmax.clamp(min=1e-8) if magnitude == MAGNITUDE[6] else absmax
        scaled = blocks / divisor[:, None] if magnitude != MAGNITUDE[3] else blocks
        scaled, absmax = scaled.float(), absmax.float()
        if zero == "right":
            scaled = torch.where(blocks == 0, 0.0, scaled)
        table = EVEN if levels == LEVELS[1] else NF4
        if levels == LEVELS[2]:
            codes = (torch.searchsorted(table, scaled.contiguous(), right=True) - 1).clamp(0, 15)
            codes = torch.where(scaled.isnan(), 0, codes)
        else:
            distances = torch.where(scaled[..., None].isnan(), 0.0, (scaled[..., None] - table).abs())
            codes = distances.argmin(-1)
        if columns:
            codes = codes.reshape(x.T.shape).T
        codes = codes.reshape(-1) if type_ == TYPE[2] else codes.reshape(x.shape)
        return codes if type_ == TYPE[1] else codes.to(torch.uint8), absmax

    return quantize_nf4


def quantized(impl, *arguments):
    codes, absmax = impl.quantize_nf4(*arguments)
    return {"codes": codes, "absmax": absmax}


def a_matrix_of_six_blocks(impl, seed):
    return quantized(impl, randn(seed, 6, 10) * torch.arange(1, 7)[:, None], 10)


def blocks_that_cross_rows(impl, seed):
    return quantized(impl, randn(seed + 1, 5, 6, dtype=torch.float64), 15)


def blocks_of_64_by_default(impl, seed):
    return quantized(impl, randn(seed + 2, 3, 128))


def negative_numbers_and_an_outlier(impl, seed):
    x = -randn(seed + 3, 4, 7).abs()
    x[1, 2] = 300.0
    return quantized(impl, x, 7)


def tiny_and_huge_numbers(impl, seed):
    return quantized(impl, torch.cat([randn(seed + 4, 1, 8) * 1e-30, randn(seed + 5, 1, 8) * 1e30]), 8)


def numbers_of_bfloat16(impl, seed):
    near = [[16, 133], [143, 166], [34, 167], [51, 131]]  # quotients that bfloat16 rounds to another level
    return quantized(impl, torch.tensor(near, dtype=torch.bfloat16) * 2.0 ** (seed % 5), 2)


def a_transposed_matrix(impl, seed):
    return quantized(impl, (randn(seed + 10, 6, 4) * torch.arange(1, 7)[:, None]).T, 3)


def a_block_of_zeros(impl, seed):
    x = randn(seed + 6, 3, 4)
    x[1] = 0
    return quantized(impl, x, 4)


def a_parameter_with_a_gradient(impl, seed):
    codes, absmax = impl.quantize_nf4(randn(seed + 7, 2, 6).requires_grad_(), 6)
    return {"absmax": absmax.detach(), "has a gradient": absmax.requires_grad}


def weights_that_cannot_be_quantized(impl, seed):
    x = randn(seed + 8, 3, 4)
    broken = {value: x.clone().index_fill_(0, torch.tensor([1]), float(value)) for value in ("nan", "inf", "-inf")}
    cases = {"12 numbers in blocks of 8": (x, 8), "12 numbers in blocks of 6": (x, 6)}
    cases |= {name: (value, 4) for name, value in broken.items()}
    return {name: error_of(lambda case=case: impl.quantize_nf4(*case)) for name, case in cases.items()}


def the_block_of_the_workbook(impl, seed):
    return quantized(impl, torch.tensor([0.5, -2.0, 0.0, 1.0]), 4)


# ---------------------------------------------------------------- exact_match

NORMAL = [
    "right",
    "that is CASE-sensitive",
    "that keeps punctuation",
    "that keeps the articles",
    "that removes articles INSIDE of words",
    "that removes the first article alone",
    "that puts a space where punctuation was",
    "that keeps runs of white space",
    "that normalises the prediction and not the answers",
    "that looks for articles before it lowers the text",
    "that looks for articles before it removes PUNCTUATION: `The,` is none",
    "that takes punctuation off the ENDS of words alone",
    "that FOLDS letters further than `lower` does: ß becomes ss",
    "that removes every sign which UNICODE calls punctuation, and keeps $ and +",
    "that cuts words at SPACES alone: a tab or a line break stays in a word",
]
MATCH = [
    "right",
    "that compares with the FIRST answer alone",
    "that is content when the answer is somewhere IN the prediction",
    "that asks that ALL answers match",
    "in which a prediction without words never matches",
]
MATCH_HINTS = {
    NORMAL[1]: "Is `paris` another city?",
    NORMAL[2]: "Is `Paris.` another city?",
    NORMAL[3]: "Is `the sun` another star than `sun`?",
    NORMAL[4]: "What becomes of `banana`, and of `then`?",
    NORMAL[5]: "How many articles has `the cat and a dog`?",
    NORMAL[6]: "`don't` is one word. What is it without its apostrophe?",
    NORMAL[7]: "Two spaces between words: another answer?",
    NORMAL[8]: "The answers were written by people. They have capitals, too.",
    NORMAL[9]: "`The` at the start of a sentence is an article.",
    NORMAL[10]: "In which order do the steps come?",
    NORMAL[11]: "`don't` has its apostrophe in the middle.",
    NORMAL[12]: "Which method makes lower case, and which one goes further?",
    NORMAL[13]: "Print string.punctuation. Is “ in it? Is $?",
    NORMAL[14]: "What white space is there besides the space?",
    MATCH[4]: "`The` and an empty answer: what is left of each?",
    MATCH[1]: "There may be several right answers.",
    MATCH[2]: "`not Paris` holds Paris.",
    MATCH[3]: "One right answer is enough.",
}


def wrong_match(normal, match):
    articles = ("a", "an", "the")

    def norm(text):
        if normal == NORMAL[9]:
            text = " ".join(w for w in text.split() if w.strip(string.punctuation) not in articles)
        if normal == NORMAL[12]:
            text = text.casefold()
        elif normal != NORMAL[1]:
            text = text.lower()
        if normal == NORMAL[10]:
            text = " ".join(w for w in text.split() if w not in articles)
        if normal == NORMAL[11]:
            text = " ".join(w.strip(string.punctuation) for w in text.split())
        elif normal == NORMAL[13]:
            text = "".join(c for c in text if not unicodedata.category(c).startswith("P"))
        elif normal != NORMAL[2]:
            text = "".join((" " if normal == NORMAL[6] else "") if c in string.punctuation else c for c in text)
        if normal == NORMAL[4]:
            for a in ("the", "an", "a"):
                text = text.replace(a, "")
        if normal == NORMAL[7]:
            return " ".join(w for w in text.split(" ") if w not in articles)
        if normal == NORMAL[14]:
            return " ".join(w for w in text.split(" ") if w and w not in articles)
        words = text.split()
        if normal == NORMAL[5]:
            first = next((i for i, w in enumerate(words) if w in articles), len(words))
            return " ".join(words[:first] + words[first + 1 :])
        if normal in (NORMAL[3], NORMAL[4], NORMAL[9], NORMAL[10]):
            return " ".join(words)
        return " ".join(w for w in words if (w.lower() if normal == NORMAL[1] else w) not in articles)

    def exact_match(prediction, answers):
        p = norm(prediction)
        ours = [a if normal == NORMAL[8] else norm(a) for a in answers]
        if match == MATCH[1]:
            return p == ours[0]
        if match == MATCH[2]:
            return any(a in p for a in ours)
        if match == MATCH[3]:
            return all(p == a for a in ours)
        if match == MATCH[4] and not p:
            return False
        return p in ours

    return exact_match


def matches(impl, cases):
    return {f"{p!r} for {' or '.join(map(repr, a))}": impl.exact_match(p, a) for p, a in cases}


def capitals_and_punctuation(impl, seed):
    w = word(seed)
    return matches(
        impl,
        [
            (f"{w.upper()}.", [w]),
            (f'"{w}"!', [w]),
            (w, [w.capitalize()]),
            (w, [f"{w}s"]),
            (f"({w})", [f"{w}?"]),
            ("Don't", ["dont"]),
            ("don t", ["Don't"]),
            ("x-ray", ["xray"]),
            ("1,000", ["1000"]),
            (f"STRASSE {w}", [f"Strasse {w}"]),
            (f"Straße {w}", [f"strasse {w}"]),
            (f"${w}+", [w]),
        ],
    )


def articles(impl, seed):
    w = word(seed)
    return matches(
        impl,
        [
            (f"the {w}", [w]),
            (w, [f"A {w}"]),
            (f"An {w} and a {w}", [f"{w} and {w}"]),
            ("then", ["n"]),
            ("banana", ["bnn"]),
            ("bn", ["ban"]),
            ("The", [""]),
            (f"The {w}", [w]),
            (f"(the) {w}, an", [w]),
            ("other", ["or"]),
        ],
    )


def white_space(impl, seed):
    w = word(seed)
    return matches(
        impl, [(f"  {w}\n", [w]), (f"{w}  {w}", [f"{w} {w}"]), (f"{w}\t{w}", [f"{w} {w}"]), (f"{w}{w}", [f"{w} {w}"])]
    )


def other_signs_and_another_order(impl, seed):
    a, b = word(seed), word(seed, 1)
    cases = [(f"{a}_{b}", [a + b]), (f"“{a}”", [a]), (f"{a} {b}", [f"{b} {a}"]), (f"{a} {a}", [a]), (a, [])]
    return matches(impl, cases)


def several_answers(impl, seed):
    a, b, c = (word(seed, i) for i in range(3))
    return matches(impl, [(b, [a, b]), (c, [a, b]), (a, (a, b)), (f"not {a}", [a]), (a, [f"not {a}"]), (a, [a, a])])


def the_answers_of_the_workbook(impl, seed):
    return matches(impl, [("The capital is Paris!", ["capital is  paris"]), ("Lyon", ["Paris", "paris."])])


# ---------------------------------------------------------------- rouge_l

COMMON = [
    "right",
    "by BAG OF WORDS: the order does not count",
    "by the longest run of NEIGHBOURING words",
    "of CHARACTERS, not words",
    "by SETS of words",
    "by a GREEDY search: each word takes the next place where it stands",
    "by a RECURSION that is too deep for a text of a thousand words",
    "by difflib's MATCHING BLOCKS: the longest run of neighbours first",
    "counted in a BYTE: 256 common words are 0",
]
MEASURE = [
    "right",
    "that is the recall alone",
    "that is the precision alone",
    "that is the mean of precision and recall, not their F-measure",
]
ROUGE_CASE = [
    "right",
    "that is case-sensitive",
    "that takes the PUNCTUATION off the words",
    "that keeps a to z and 0 to 9 alone, as another library does",
    "that cuts words at SPACES alone: a tab or a line break stays in a word",
    "that FOLDS letters further than lower case: ß becomes ss",
]
EMPTY = ["right", "that divides by zero where a text is empty", "that is 1 where both texts are empty"]
ROUGE_HINTS = {
    COMMON[1]: "`cat the sat` and `sat the cat` have the same words. Is the order the same?",
    COMMON[2]: "A subsequence may leave words out.",
    COMMON[3]: "What are the items of the subsequence?",
    COMMON[4]: "`a a a` has three words.",
    COMMON[5]: "`a b c` in `c a b c`, read from the left: which `c` is taken when the prediction begins with `c`?",
    COMMON[6]: "How many calls wait for each other when both texts are read to their ends?",
    COMMON[7]: "A long run of neighbours may stand where it separates more words than it has.",
    COMMON[8]: "What is the largest number of a uint8?",
    MEASURE[1]: "A prediction that says everything has a perfect recall.",
    MEASURE[2]: "A prediction of one right word has a perfect precision.",
    MEASURE[3]: "2PR/(P + R): what is it when P is 1 and R is 0?",
    ROUGE_CASE[1]: "The docstring says what happens to capitals.",
    ROUGE_CASE[2]: "Words are what white space separates. Is the comma a part of it?",
    ROUGE_CASE[3]: "Words are what white space separates. Is ä no letter, and the comma no part of its word?",
    ROUGE_CASE[4]: "What white space is there besides the space?",
    ROUGE_CASE[5]: "Which method makes lower case, and which one goes further?",
    EMPTY[1]: "No words at all: what does the docstring promise?",
    EMPTY[2]: "No words at all: what does the docstring promise?",
}


def wrong_rouge(common, measure, case, empty):
    from collections import Counter

    def rouge_l(prediction, reference):
        if case == ROUGE_CASE[5]:
            prediction, reference = prediction.casefold(), reference.casefold()
        elif case != ROUGE_CASE[1]:
            prediction, reference = prediction.lower(), reference.lower()
        if case in ROUGE_CASE[2:4]:
            no_word = r"\W+" if case == ROUGE_CASE[2] else "[^a-z0-9]+"
            prediction, reference = (re.sub(no_word, " ", text) for text in (prediction, reference))
        p, r = (list(t.replace(" ", "")) if common == COMMON[3] else t.split() for t in (prediction, reference))
        if case == ROUGE_CASE[4]:
            p, r = ([w for w in t.split(" ") if w] for t in (prediction, reference))
        if common == COMMON[1]:
            n = (Counter(p) & Counter(r)).total()
        elif common == COMMON[4]:
            n = len(set(p) & set(r))
        elif common == COMMON[5]:
            n = greedily(p, r)
        elif common == COMMON[6]:
            n = deeply(p, r)
        elif common == COMMON[7]:
            n = sum(block.size for block in SequenceMatcher(None, p, r, autojunk=False).get_matching_blocks())
        else:
            table = [[0] * (len(r) + 1) for _ in range(len(p) + 1)]
            for i, x in enumerate(p):
                for j, y in enumerate(r):
                    rest = 0 if common == COMMON[2] else max(table[i][j + 1], table[i + 1][j])
                    table[i + 1][j + 1] = table[i][j] + 1 if x == y else rest
            n = max(map(max, table)) if common == COMMON[2] else table[-1][-1]
            if common == COMMON[8]:
                n %= 256
        if empty == EMPTY[2] and not p and not r:
            return 1.0
        if empty != EMPTY[1] and not (p and r):
            return 0.0
        P, R = n / len(p), n / len(r)
        if measure == MEASURE[1]:
            return R
        if measure == MEASURE[2]:
            return P
        if measure == MEASURE[3]:
            return (P + R) / 2
        return 2 * P * R / (P + R) if n else 0.0

    return rouge_l


def greedily(p, r):
    n = start = 0
    for w in p:
        if w in r[start:]:
            start, n = r.index(w, start) + 1, n + 1
    return n


def deeply(p, r):
    @lru_cache(None)
    def common(i, j):
        if i == 0 or j == 0:
            return 0
        return 1 + common(i - 1, j - 1) if p[i - 1] == r[j - 1] else max(common(i - 1, j), common(i, j - 1))

    return common(len(p), len(r))


def sentence(seed, count, words=6):
    g = torch.Generator().manual_seed(seed)
    names = ["tern", "Gull", "kite", "dove", "Ibis", "coot"][:words]
    return " ".join(names[i] for i in torch.randint(words, (count,), generator=g).tolist())


def two_long_sentences(impl, seed):
    return impl.rouge_l(sentence(seed, 17), sentence(seed + 1, 11))


def a_short_prediction(impl, seed):
    return impl.rouge_l(sentence(seed + 2, 3), sentence(seed + 3, 13, 3))


def one_word_for_many(impl, seed):
    return impl.rouge_l("x", f"{sentence(seed, 9)} x y")


def the_same_words_in_another_order(impl, seed):
    a, b, c = (word(seed, i) for i in range(3))
    return impl.rouge_l(f"{a} {b} {c} {a}", f"{c} {b} {a} {a}")


def three_scattered_words_beside_a_run_of_two(impl, seed):
    a, b, c = (word(seed, i) for i in range(3))
    return impl.rouge_l(f"x y {a} {b} {c}", f"{a} q {b} q {c} x y")


def capitals(impl, seed):
    return impl.rouge_l(sentence(seed, 9).upper(), sentence(seed, 9) + " end")


def words_with_commas(impl, seed):
    a, b, c = (word(seed, i) for i in range(3))
    return impl.rouge_l(f"{a}, {b}. {c}", f"{a} {b}. - {c}!")


def words_between_tabs_and_line_breaks(impl, seed):
    a, b, c = (word(seed, i) for i in range(3))
    return impl.rouge_l(f"{a}\t{b}\n{c}  x\n", f"{a} {b} {c}")


def letters_beyond_ascii(impl, seed):
    a = word(seed)
    return impl.rouge_l(f"Straße {a} ÄPFEL", f"strasse {a} äpfel")


def three_hundred_common_words(impl, seed):
    words = [string.ascii_letters[i // 26] + string.ascii_lowercase[(seed + i) % 26] for i in range(260)]
    return impl.rouge_l(" ".join(words), " ".join(words[:20] + ["x"] + words[20:]))


def a_text_of_a_thousand_words(impl, seed):
    return impl.rouge_l(sentence(seed, 1500), f"gull {word(seed)} tern")


def nothing_in_common_and_nothing_at_all(impl, seed):
    cases = {
        "nothing in common": ("a b", "c d e"),
        "no prediction": ("", "a b"),
        "no reference": ("a", " "),
        "neither": ("", ""),
    }
    return {name: float(impl.rouge_l(*case)) for name, case in cases.items()}


def the_cat_of_the_workbook(impl, seed):
    return impl.rouge_l("the cat sat", "the black cat ran and sat")


# ---------------------------------------------------------------- parse_tool_call

FOUND = [
    "right",
    "that runs a call which stands inside of a QUOTATION",
    "that does not strip the message",
    "that takes a call whose end is missing",
    "that takes the first of several calls",
    "that ends at the first closing mark, even inside of a STRING",
    "that strips the marks' CHARACTERS, so that a mark may stand there twice",
    "that refuses an opening mark inside of a STRING",
    "that counts the marks, those inside of a STRING too",
    "that reads the first object, and not what stands between it and the closing mark",
]
READ = [
    "right",
    "that EVALUATES the text between the marks as a program",
    "that takes a PYTHON literal where the text is no JSON",
    "that reads a PYTHON literal in place of JSON: it knows no true, false and null",
]
SHAPE = [
    "right",
    "that takes a call with further keys",
    "that takes a call without arguments",
    "that takes a name which is no string",
    "that takes arguments which are no object",
    "that reads arguments which are a STRING of JSON",
]
INVALID = ["right", "that says None where a call is invalid"]
CALL_HINTS = {
    FOUND[1]: "The assistant explains how a call looks, and quotes one. Should it be run?",
    FOUND[2]: "A model may write a line break before its call.",
    FOUND[3]: "The answer was cut off after 20 tokens. Is the call whole?",
    FOUND[4]: "Which of two calls is meant? The docstring allows one.",
    FOUND[5]: "An argument may be a text about tool calls. Where does the message end?",
    FOUND[6]: "What does `str.lstrip` take: a prefix, or a set of characters?",
    FOUND[7]: "An argument may be a text about tool calls. Does it open a second call?",
    FOUND[8]: "An argument may be a text about tool calls. Which of the marks count?",
    FOUND[9]: "What stands after the object, and before the mark?",
    READ[2]: "Single quotes: is that JSON?",
    READ[3]: "How does JSON write true, false and nothing?",
    SHAPE[5]: "Some interfaces send arguments as text. Which type does the docstring name?",
    READ[1]: "Whoever writes into the prompt would run programs on your machine. What reads JSON and runs nothing?",
    SHAPE[1]: "Which keys does the docstring name, and which others?",
    SHAPE[2]: "Are both keys there?",
    SHAPE[3]: "`7` is no name.",
    SHAPE[4]: "A list has no names.",
    INVALID[1]: "The model tried to call and failed. How will it learn of it?",
}


def wrong_parse(found, read, shape, invalid):
    def parse(text):
        if found != FOUND[2]:
            text = text.strip()
        if found == FOUND[1] and TOOL_OPEN in text:
            text = text[text.index(TOOL_OPEN) :]
            if TOOL_CLOSE in text:
                text = text[: text.rindex(TOOL_CLOSE) + len(TOOL_CLOSE)]
        if not text.startswith(TOOL_OPEN):
            return None
        if found == FOUND[4] and TOOL_CLOSE in text:
            text = text[: text.index(TOOL_CLOSE) + len(TOOL_CLOSE)]
        body = text[len(TOOL_OPEN) :]
        if body.endswith(TOOL_CLOSE):
            body = body[: -len(TOOL_CLOSE)]
        elif found != FOUND[3]:
            raise ValueError("end")
        if found == FOUND[5] and TOOL_CLOSE in body:
            raise ValueError("text after the call")
        twice = {FOUND[7]: TOOL_OPEN in body, FOUND[8]: TOOL_OPEN in body or TOOL_CLOSE in body}
        if twice.get(found):
            raise ValueError("two marks")
        if found == FOUND[6]:
            body = body.lstrip(TOOL_OPEN).rstrip(TOOL_CLOSE)
        if read == READ[1]:
            try:
                call = eval(body, {"__builtins__": {}, "true": True, "false": False, "null": None})
            except Exception as error:
                raise ValueError("no program") from error
        elif read == READ[3]:
            call = literal(body)
        elif found == FOUND[9]:
            call, _ = json.JSONDecoder().raw_decode(body.lstrip())
        else:
            try:
                call = json.loads(body)
            except ValueError:
                if read != READ[2]:
                    raise
                call = literal(body)
        if not isinstance(call, dict):
            raise ValueError("dict")
        keys = {"name", "arguments"}
        if not ((set(call) >= keys) if shape == SHAPE[1] else set(call) == keys):
            if not (shape == SHAPE[2] and set(call) == {"name"}):
                raise ValueError("keys")
        arguments = call.get("arguments", {})
        if shape == SHAPE[5] and isinstance(arguments, str):
            arguments = json.loads(arguments)
        if not isinstance(call["name"], str) and shape != SHAPE[3]:
            raise ValueError("name")
        if not isinstance(arguments, dict) and shape != SHAPE[4]:
            raise ValueError("arguments")
        return call["name"], arguments

    def parse_tool_call(text):
        if invalid == "right":
            return parse(text)
        try:
            return parse(text)
        except ValueError:
            return None

    return parse_tool_call


def literal(body):
    try:
        return ast.literal_eval(body.strip())
    except Exception as error:
        raise ValueError("no literal") from error


def call_of(body):
    return f"{TOOL_OPEN}{body}{TOOL_CLOSE}"


def a_call(impl, seed):
    return impl.parse_tool_call(
        call_of(json.dumps({"name": word(seed), "arguments": {"x": word(seed, 1), "n": seed, "t": None}}))
    )


def a_call_between_white_space(impl, seed):
    return impl.parse_tool_call(
        f"\n {TOOL_OPEN} " + json.dumps({"arguments": {}, "name": word(seed)}) + f"\n{TOOL_CLOSE} \n"
    )


def a_call_with_brackets_and_marks_in_it(impl, seed):
    texts = {"brackets": "{}[]", "the opening mark": f"{TOOL_OPEN} {{}}", "the closing mark": f"{{}} {TOOL_CLOSE}"}
    texts["both marks"] = f"{TOOL_OPEN}{{}}{TOOL_CLOSE}"
    found = {}
    for name, text in texts.items():
        arguments = {"expression": f"2 * (3 + {seed})", "more": [1, {"y": True}], "text": text}
        body = json.dumps({"name": "calculator", "arguments": arguments})
        found[name] = error_of(lambda body=body: impl.parse_tool_call(call_of(body)))
        found[f"{name}: the call"] = None if found[name] else impl.parse_tool_call(call_of(body))
    return found


def messages_that_are_no_call(impl, seed):
    whole = call_of('{"name": "clock", "arguments": {}}')
    texts = {
        "an answer": word(seed),
        "nothing": "",
        "a quotation": f"Write {whole}.",
        "a quotation at the end": f"> {whole}",
        "the closing mark alone": f"x{TOOL_CLOSE}",
        "no mark": '{"name": "clock", "arguments": {}}',
    }
    return {name: impl.parse_tool_call(text) for name, text in texts.items()}


def calls_that_are_refused(impl, seed):
    bodies = {
        "no JSON": "clock()",
        "single quotes": "{'name': 'clock', 'arguments': {}}",
        "two strings side by side": '{"name": "a" "b", "arguments": {}}',
        "a sum of strings": '{"name": "a" + "b", "arguments": {}}',
        "words after the object": '{"name": "a", "arguments": {}} please',
        "a list": '["clock", {}]',
        "a further key": '{"name": "clock", "arguments": {}, "id": 1}',
        "a string": '"clock"',
        "no arguments": '{"name": "clock"}',
        "no name": '{"arguments": {}}',
        "a number for a name": '{"name": 7, "arguments": {}}',
        "a list of arguments": '{"name": "clock", "arguments": []}',
        "arguments as text": '{"name": "clock", "arguments": "{}"}',
        "nothing": "",
        "two calls": '{"name": "a", "arguments": {}}' + TOOL_CLOSE + TOOL_OPEN + '{"name": "b", "arguments": {}}',
    }
    texts = {name: call_of(body) for name, body in bodies.items()}
    texts["the opening mark twice"] = TOOL_OPEN + call_of('{"name": "clock", "arguments": {}}')
    texts["the closing mark twice"] = call_of('{"name": "clock", "arguments": {}}') + TOOL_CLOSE
    texts["cut off"] = f'{TOOL_OPEN}{{"name": "clock", "arguments": {{}}}}'
    texts["a wrong closing mark"] = f'{TOOL_OPEN}{{"name": "clock", "arguments": {{}}}}<tool_call/>'
    texts["text after the call"] = call_of('{"name": "clock", "arguments": {}}') + " Done."
    return {name: error_of(lambda text=text: impl.parse_tool_call(text)) for name, text in texts.items()}


def the_call_of_the_workbook(impl, seed):
    return impl.parse_tool_call(call_of('{"name": "calculator", "arguments": {"expression": "17 + 25"}}'))


# ---------------------------------------------------------------- all of them

PROBES = {
    "format_conversation": [
        one_question,
        a_question_that_waits_for_its_answer,
        a_system_message_of_the_callers_own,
        a_system_message_and_another_default,
        a_second_answer_is_asked_for,
        another_default_for_the_system,
        a_default_without_words,
        several_turns_with_a_tool,
        contents_with_white_space_and_none,
        messages_as_a_tuple,
        conversations_that_are_refused,
        the_greeting_of_the_workbook,
    ],
    "answer_labels": [
        one_answer,
        three_answers,
        an_answer_that_is_cut_off,
        padding_with_the_end_token,
        no_answer_at_all,
        a_text_that_is_shorter_than_its_header,
        a_header_whose_first_token_stands_twice,
        an_answer_of_nothing_but_its_end,
        a_header_of_one_token_and_another_end,
        a_header_in_the_middle_of_an_answer,
        the_line_of_the_workbook,
    ],
    "answer_loss": [
        answers_of_unequal_lengths,
        a_row_without_an_answer,
        a_label_on_the_first_token,
        token_0_is_a_token,
        a_count_of_all_micro_batches,
        logits_of_float64,
        logits_of_some_hundreds,
        the_gradient_of_the_logits,
        a_batch_without_an_answer,
        losses_that_are_refused,
        the_coin_of_the_workbook,
    ],
    "pack_best_fit": [
        many_short_sequences,
        many_sequences_of_equal_lengths,
        sequences_as_long_as_a_row,
        long_sequences,
        none_and_one,
        sequences_longer_than_a_row,
        one_sequence_longer_than_a_row,
        the_four_sequences_of_the_workbook,
    ],
    "packed_layout": [
        three_sequences_and_padding,
        a_row_that_is_full,
        one_sequence_alone,
        padding_after_one_token,
        a_row_of_padding_alone,
        three_hundred_sequences,
        rows_that_are_too_full,
        the_row_of_the_workbook,
    ],
    "LoRALinear": [
        a_layer_with_learnt_adapters,
        a_layer_of_rank_one_of_float64,
        a_new_layer,
        what_is_trained,
        the_gradients,
        dropout_of_everything,
        dropout_of_half,
        the_largest_matrix_that_is_made,
        a_base_without_bias,
        the_layer_of_the_workbook,
    ],
    "add_lora": [
        two_names_of_layers,
        the_same_function_at_first,
        logits_after_the_adapters_have_learnt,
        targets_that_are_refused,
    ],
    "merge_lora": [
        a_wide_matrix,
        a_square_matrix_of_float64,
        rank_one,
        a_rank_above_the_width,
        adapters_of_float64_and_a_weight_of_float32,
        adapters_that_have_learnt_nothing,
        merged_twice_from_the_same_weight,
        weights_that_are_refused,
        the_matrix_of_the_workbook,
    ],
    "quantize_nf4": [
        a_matrix_of_six_blocks,
        blocks_that_cross_rows,
        blocks_of_64_by_default,
        negative_numbers_and_an_outlier,
        tiny_and_huge_numbers,
        numbers_of_bfloat16,
        a_transposed_matrix,
        a_block_of_zeros,
        a_parameter_with_a_gradient,
        weights_that_cannot_be_quantized,
        the_block_of_the_workbook,
    ],
    "exact_match": [
        capitals_and_punctuation,
        articles,
        white_space,
        other_signs_and_another_order,
        several_answers,
        the_answers_of_the_workbook,
    ],
    "rouge_l": [
        two_long_sentences,
        a_short_prediction,
        one_word_for_many,
        the_same_words_in_another_order,
        three_scattered_words_beside_a_run_of_two,
        capitals,
        words_with_commas,
        words_between_tabs_and_line_breaks,
        letters_beyond_ascii,
        three_hundred_common_words,
        a_text_of_a_thousand_words,
        nothing_in_common_and_nothing_at_all,
        the_cat_of_the_workbook,
    ],
    "parse_tool_call": [
        a_call,
        a_call_between_white_space,
        a_call_with_brackets_and_marks_in_it,
        messages_that_are_no_call,
        calls_that_are_refused,
        the_call_of_the_workbook,
    ],
}

ALL = {
    "format_conversation": (
        "a conversation",
        (FRAME, SYSTEM_TURN, OPENING, FORMAT_CHECK),
        wrong_format,
        FORMAT_HINTS,
        1,
    ),
    "answer_labels": ("labels", (BOUNDARY, STOP, TURNS, SHIFT, MASK_VALUE), wrong_labels, LABEL_HINTS, 1),
    "answer_loss": ("a loss", (ALIGN, AVERAGE, SCORED, COUNT, LOSS_CHECK, PRECISION), wrong_loss, LOSS_HINTS, 2),
    "pack_best_fit": ("a packing", (FIT, ORDER, FULL, TIES, LONG, KEPT), wrong_pack, PACK_HINTS, 1),
    "packed_layout": ("a layout", (POSITIONS, SEES, PADDING, LAYOUT_CHECK, NUMBERS), wrong_layout, LAYOUT_HINTS, 1),
    "LoRALinear": ("a layer", (SCALE, INIT, FROZEN, DROPOUT, PATHS, KIND), wrong_lora, LORA_HINTS, 1),
    "add_lora": ("a function", (CHOICE, REST, NAMES_GIVEN, TARGET_CHECK), wrong_add, ADD_HINTS, 1),
    "merge_lora": ("a merge", (MERGE_SCALE, MERGED, KIND_MERGED, CODES), wrong_merge, MERGE_HINTS, 1),
    "quantize_nf4": ("a quantization", (LEVELS, MAGNITUDE, ZERO, TYPE, NF4_CHECK), wrong_nf4, NF4_HINTS, 1),
    "exact_match": ("a comparison", (NORMAL, MATCH), wrong_match, MATCH_HINTS, 1),
    "rouge_l": ("a score", (COMMON, MEASURE, ROUGE_CASE, EMPTY), wrong_rouge, ROUGE_HINTS, 1),
    "parse_tool_call": ("a parser", (FOUND, READ, SHAPE, INVALID), wrong_parse, CALL_HINTS, 1),
}


def of(task):
    """Every known mistake of a task: each knob alone, and pairs of them where they combine."""
    noun, choices, build, hints, most = ALL[task]
    names = build.__code__.co_varnames[: build.__code__.co_argcount]
    yield from combine(task, noun, dict(zip(names, choices, strict=True)), build, hints, most, without=WITHOUT)


WITHOUT = (
    {AVERAGE[2], COUNT[1]},
    {AVERAGE[2], COUNT[2]},
    *({wrong, LOSS_CHECK[4]} for wrong in (ALIGN[1], ALIGN[4], AVERAGE[4])),
    {ALIGN[4], AVERAGE[1]},
    *({wrong, AVERAGE[4]} for wrong in ALIGN[1:]),
)
