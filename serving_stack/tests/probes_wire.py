"""Probes of text, events and routing."""

import json

from grader import error_of

from serving_stack import Delta, Worker

# ---------------------------------------------------------------- StreamDetokenizer

PIECES = ["hel", "lo", " wor", "ld", "#", "##", "EN", "D", "end", "x", "abc", "abcd", "a", "b", "c", "d", "\n"]
VOCABULARY = [piece.encode() for piece in PIECES] + [b"\xc3", b"\xa9", b"\xf0\x9f", b"\x98\x80", b"\xff", b""]
IDS = {content: i for i, content in enumerate(VOCABULARY)}


def told(impl, pieces, stop=()):
    """What is sent after each token, at the end, and whether it has stopped."""
    text = impl.StreamDetokenizer(VOCABULARY, stop)
    sent, stopped = [], []
    for piece in pieces:
        sent.append(text.push(IDS[piece if isinstance(piece, bytes) else piece.encode()]))
        stopped.append(bool(text.stopped))
    return {"sent": sent, "stopped": stopped, "at the end": text.finish()}


def text_without_a_stop_string(impl, seed):
    return told(impl, ["hel", "lo", b"", " wor", "ld"])


def characters_in_pieces(impl, seed):
    return told(impl, ["x", b"\xc3", b"\xa9", b"\xf0\x9f", b"\x98\x80", "x"])


def half_a_character_at_the_end(impl, seed):
    return {"one byte": told(impl, ["x", b"\xc3"]), "two bytes": told(impl, ["x", b"\xf0\x9f"], ["###"])}


def bytes_that_are_no_character(impl, seed):
    return told(impl, ["x", b"\xff", b"\xa9", b"\xc3", "x", b"\xf0\x9f", "d"])


def a_stop_string_in_one_token(impl, seed):
    return told(impl, ["hel", "abc", "d"], ["b"])


def a_stop_string_over_several_tokens(impl, seed):
    return told(impl, ["hel", "#", "##", "x", "lo"], ["###"])


def a_stop_string_that_only_begins(impl, seed):
    return told(impl, ["x", "#", "x", "##", "lo", "EN"], ["###", "END"])


def text_held_at_the_end(impl, seed):
    return {"one stop string": told(impl, ["x", "EN"], ["END"]), "none fits": told(impl, ["hel", "lo"], ["END"])}


def text_before_and_after_a_stop_string(impl, seed):
    return told(impl, ["hel", "EN", "D", "x", "abc", "END"[2]], ["END"])


def the_stop_string_that_is_complete_first(impl, seed):
    cut = {"in pieces": ["x", "a", "b", "c", "d"], "in two tokens": ["x", "abc", "d"], "in one token": ["x", "abcd"]}
    return {name: told(impl, pieces, ["abcd", "bc", "c\n"]) for name, pieces in cut.items()}


def two_that_end_together(impl, seed):
    return {"short first": told(impl, ["x", "abc"], ["c", "bc"]), "long first": told(impl, ["x", "abc"], ["bc", "c"])}


def a_beginning_within_a_beginning(impl, seed):
    return told(impl, ["a", "a", "b", "a", "a", "b", "c", "x"], ["aabc"])


def the_text_of_the_workbook(impl, seed):
    return told(impl, ["hel", "lo", "#", "x", "##", "#"], ["###"])


# ---------------------------------------------------------------- SSEStream


def parsed(events):
    """Events as objects, and whether each begins and ends as the format demands."""
    found = []
    for event in events:
        body = event.removeprefix("data: ")
        form = event.startswith("data: ") and event.endswith("\n\n")
        text = body.strip()
        found.append({"well formed": form, "event": text if text == "[DONE]" else json.loads(text)})
    return found


def head(kind, seed):
    return {"id": f"id-{seed}", "object": kind, "created": 1700000000 + seed, "model": "tiny"}


def streamed(impl, kind, deltas, seed, include_usage=False):
    given = head(kind, seed)
    stream = impl.SSEStream(given, 7 + seed % 5, include_usage)
    events = [stream.push(delta) for delta in deltas]
    return {"pushed": [parsed(e) for e in events], "events are lists": all(isinstance(e, list) for e in events),
            "closed": parsed(stream.close()), "usage": stream.usage(), "the head that was given": given}  # fmt: skip


CHAT, COMPLETION = "chat.completion.chunk", "text_completion"
HELLO = [Delta("he", 1), Delta("", 1), Delta("llo é", 2), Delta("", 1, "length")]


def a_chat_that_is_cut(impl, seed):
    return {kind: streamed(impl, kind, HELLO, seed) for kind in (CHAT, "thread.message")}


def without_a_word_about_the_usage(impl, seed):
    stream = impl.SSEStream(head(CHAT, seed), 7)
    return {"pushed": parsed(stream.push(Delta("a", 1, "stop"))), "closed": parsed(stream.close())}


def a_chat_with_usage(impl, seed):
    return streamed(impl, CHAT, [*HELLO[:3], Delta("", 3, "stop")], seed, include_usage=True)


def text_together_with_the_end(impl, seed):
    deltas = [Delta("a", 1), Delta("bc", 2, "stop")]
    return {kind: streamed(impl, kind, deltas, seed) for kind in (CHAT, COMPLETION)}


def a_completion(impl, seed):
    return streamed(impl, COMPLETION, HELLO, seed, include_usage=True)


def two_choices_in_turn(impl, seed):
    deltas = [Delta("a", 1), Delta("x", 1, index=1), Delta("b", 1, "stop"), Delta("y", 1, "length", 1)]
    return {kind: streamed(impl, kind, deltas, seed, True) for kind in (CHAT, COMPLETION)}


def an_answer_without_text(impl, seed):
    return {kind: streamed(impl, kind, [Delta("", 1, "stop")], seed, True) for kind in (CHAT, COMPLETION)}


def log_probabilities(impl, seed):
    found = {"content": [{"token": "a", "logprob": -0.5}]}
    deltas = [Delta("a", 1, None, 0, found), Delta("", 1, None, 0, found), Delta("b", 1, "stop", 0, found)]
    return {kind: streamed(impl, kind, deltas, seed) for kind in (CHAT, COMPLETION)}


def log_probabilities_that_are_empty(impl, seed):
    deltas = [Delta("a", 1, None, 0, {}), Delta("b", 1, None, 0, None)]
    return {kind: streamed(impl, kind, deltas, seed) for kind in (CHAT, COMPLETION)}


# ---------------------------------------------------------------- route


class KnownPrefixes:
    """Stands for a prefix cache: how many blocks it knows, for each tag."""

    def __init__(self, block_size, blocks, tag=""):
        self.block_size, self.blocks, self.tag = block_size, blocks, tag

    def lookup(self, tokens, tag=""):
        return list(range(min(self.blocks, (len(tokens) - 1) // self.block_size))) if tag == self.tag else []


def worker(remaining, blocks=0, size=16, ready=True, tag=""):
    return Worker(KnownPrefixes(size, blocks, tag), remaining, ready)


def routed(impl, tokens, workers, tag=""):
    return impl.route(list(range(tokens)), workers, tag)


def work_that_remains(impl, seed):
    loads = [[300, 40, 700], [41, 40, 39], [5, 900, 5]]
    return {str(load): routed(impl, 50 + seed, [worker(n) for n in load]) for load in loads}


def a_cache_against_a_load(impl, seed):
    cases = {
        "a hit is worth more": [worker(100, 5), worker(60, 0)],
        "a load is worth more": [worker(100, 1), worker(60, 0)],
        "just more": [worker(131, 2), worker(100, 0)],
        "just less": [worker(133, 2), worker(100, 0)],
        "blocks of another size": [worker(60, 9, 4), worker(58, 1, 32)],
        "small blocks": [worker(120, 9, 4), worker(70)],
        "large blocks": [worker(100, 1, 32), worker(70)],
        "both know much": [worker(500, 9), worker(490, 8), worker(700, 12)],
    }
    return {name: routed(impl, 200, workers) for name, workers in cases.items()}


def a_prompt_that_ends_just_after_a_known_block(impl, seed):
    return {"65 tokens": routed(impl, 65, [worker(80, 4), worker(20)])}


def workers_that_are_not_ready(impl, seed):
    workers = [worker(0, 9, ready=False), worker(90), worker(50), worker(10, ready=False)]
    return {"two are ready": routed(impl, 80, workers), "the last one": routed(impl, 80, [*workers[:1], workers[1]])}


def equal_costs(impl, seed):
    return {"all alike": routed(impl, 40, [worker(7), worker(7), worker(7)]),
            "two alike": routed(impl, 40, [worker(9), worker(7), worker(7)]),
            "by different ways": routed(impl, 40, [worker(24), worker(40, 1)])}  # fmt: skip


def the_cache_of_another_adapter(impl, seed):
    workers = [worker(50, 4, tag="b"), worker(20, 2, tag="a"), worker(40)]
    return {tag or "no tag": routed(impl, 100, workers, tag) for tag in ("a", "b", "")}


def nobody_is_ready(impl, seed):
    return {"none": error_of(lambda: routed(impl, 9, [])),
            "not ready": error_of(lambda: routed(impl, 9, [worker(1, ready=False)]))}  # fmt: skip


def the_two_workers_of_the_workbook(impl, seed):
    return {"the worker": routed(impl, 100, [worker(120, 4), worker(80)])}


PROBES = {
    "StreamDetokenizer": [
        text_without_a_stop_string,
        characters_in_pieces,
        half_a_character_at_the_end,
        bytes_that_are_no_character,
        a_stop_string_in_one_token,
        a_stop_string_over_several_tokens,
        a_stop_string_that_only_begins,
        text_held_at_the_end,
        text_before_and_after_a_stop_string,
        the_stop_string_that_is_complete_first,
        two_that_end_together,
        a_beginning_within_a_beginning,
        the_text_of_the_workbook,
    ],
    "SSEStream": [
        a_chat_that_is_cut,
        without_a_word_about_the_usage,
        a_chat_with_usage,
        text_together_with_the_end,
        a_completion,
        two_choices_in_turn,
        an_answer_without_text,
        log_probabilities,
        log_probabilities_that_are_empty,
    ],
    "route": [
        work_that_remains,
        a_cache_against_a_load,
        a_prompt_that_ends_just_after_a_known_block,
        workers_that_are_not_ready,
        equal_costs,
        the_cache_of_another_adapter,
        nobody_is_ready,
        the_two_workers_of_the_workbook,
    ],
}
