"""The classic mistakes of this project as running code. The inputs on which they are recognised are in probes.py.

Each knob has its right setting first. Whatever differs from it is one mistake.
"""

import codecs
import json
import math
import struct
from array import array
from collections import Counter, deque
from hashlib import blake2b

import numpy as np
import torch
from grader import combine
from probes import PROBES  # noqa: F401

from serving_stack import GGUFHeader, TensorInfo, give_back, release, reserve, take_known_beginning

TASKS = [
    "BlockAllocator",
    "copy_on_write",
    "PrefixCache",
    "paged_attention",
    "preempt",
    "schedule",
    "sample",
    "StreamDetokenizer",
    "SSEStream",
    "route",
    "read_gguf_header",
    "dequantize_q4_0",
]
GIVEN = ["Delta", "GGUFHeader", "Request", "SamplingParams", "SchedulerState", "TensorInfo", "Worker", "blocks_for",
         "give_back", "release", "reserve", "take_known_beginning"]  # fmt: skip
INPLACE = ["preempt", "route", "sample", "schedule"]  # generators move on; states and workers are objects
GATE_SEEDS = 2

# ---------------------------------------------------------------- BlockAllocator

FREE = [
    "right",
    "that frees a block while others still hold it",
    "that accepts a DOUBLE FREE",
    "that frees some blocks before it finds a double free",
    "that does not see one block listed twice in a call",
    "that turns the list around that it was GIVEN",
]
REUSE = [
    "right",
    "that hands out the block that was freed LAST",
    "that frees a table from its beginning, so that the beginning is lost first",
    "that hands out the LOWEST number first",
]
SHARE = [
    "right",
    "that leaves a cached block on the FREE LIST when it is shared",
    "that does not count the holder of a block that was free",
]
TAKE = [
    "right",
    "that hands out FEWER blocks than were asked for",
    "that refuses to hand out the LAST free block",
    "that takes blocks before it sees that there are too few",
]
BLOCK_HINTS = {
    FREE[1]: "Two requests share a block and one of them ends. Who still reads it?",
    FREE[2]: "A block without a holder is given back. Whose block is it when it is handed out twice?",
    FREE[3]: "An error should leave everything as it was. What is checked first?",
    FREE[4]: "A block with one holder stands twice in the list. How many holders would it lose?",
    FREE[5]: "`reverse` changes a list, `reversed` does not. Whose list is it?",
    REUSE[1]: "A prefix cache may still find a freed block. Which free block is the least likely to be asked for?",
    REUSE[2]: "Which end of a text do other requests have in common?",
    REUSE[3]: "Does the number of a block say how long it has been free?",
    SHARE[1]: "A free block is found by the prefix cache and shared. May it be handed out to someone else?",
    SHARE[2]: "A free block has no holder. How many has it after it is shared once?",
    TAKE[1]: "Three blocks are needed and two are free. What does the caller do with two?",
    TAKE[2]: "Four blocks are free and four are asked for.",
    TAKE[3]: "An error should leave everything as it was. How many blocks are free after it?",
}


def wrong_allocator(free, reuse, share, take):
    class BlockAllocator:
        def __init__(self, num_blocks):
            self.holders = [0] * num_blocks
            self.queue = deque(range(num_blocks))

        @property
        def num_free(self):
            return len(self.queue)

        def pop(self):
            if reuse == REUSE[1]:
                return self.queue.pop()
            if reuse == REUSE[3]:
                self.queue.remove(lowest := min(self.queue))
                return lowest
            return self.queue.popleft()

        def allocate(self, count):
            limit = len(self.queue) - (take == TAKE[2])
            if count > limit and take == TAKE[3]:
                while self.queue:
                    self.pop()
            if count > limit and take != TAKE[1]:
                raise ValueError("too few")
            blocks = [self.pop() for _ in range(min(count, len(self.queue)))]
            for block in blocks:
                self.holders[block] = 1
            return blocks

        def share(self, blocks):
            for block in blocks:
                was_free = block in self.queue
                if was_free and share != SHARE[1]:
                    self.queue.remove(block)
                if not (was_free and share == SHARE[2]):
                    self.holders[block] += 1

        def free(self, blocks):
            counts = Counter(blocks)
            for block, times in counts.items():
                times = 1 if free == FREE[4] else times
                if self.holders[block] < times and free not in (FREE[2], FREE[3]):
                    raise ValueError("double free")
            if free == FREE[5]:
                blocks.reverse()
            for block in blocks if reuse == REUSE[2] or free == FREE[5] else reversed(blocks):
                if free == FREE[3] and self.holders[block] == 0:
                    raise ValueError("double free")
                self.holders[block] = max(0, self.holders[block] - 1) if free == FREE[2] else self.holders[block] - 1
                if (self.holders[block] <= 0 or free == FREE[1]) and block not in self.queue:
                    self.queue.append(block)

    return BlockAllocator


# ---------------------------------------------------------------- copy_on_write

WRITE = [
    "right",
    "that is MISSING: the shared block itself is written",
    "that copies the WHOLE TABLE",
    "that keeps its OLD REFERENCE beside the new block",
    "that copies a block that NOBODY ELSE holds",
    "that copies in the WRONG DIRECTION",
    "that changes the given table IN PLACE",
    "that never copies the CONTENT",
    "that gives the new block the old one's holders",
    "that lets go of the old block BEFORE it has a new one",
    "that returns the given LIST ITSELF when nothing is copied",
    "that returns a TUPLE",
]
WRITE_HINTS = {
    WRITE[1]: "Two requests share the block. What does the other one read after the write?",
    WRITE[2]: "Only one block is written. How many must be copied?",
    WRITE[3]: "The request does not read the old block any more. Who would free it?",
    WRITE[4]: "One holder: whom would a write disturb?",
    WRITE[5]: "`copy_block(source, target)`: which of the two holds the content?",
    WRITE[6]: "The other request may have the same list.",
    WRITE[7]: "What does the new block hold before the write?",
    WRITE[8]: "Who holds the new block?",
    WRITE[9]: "No block is free. How many hold the old one after the error?",
    WRITE[10]: "The caller changes your result. What becomes of the table that was given?",
    WRITE[11]: "The table grows by `append` later.",
}


def wrong_write(write):
    def copy_on_write(table, index, allocator, copy_block):
        block = table[index]
        if write == WRITE[1] or (allocator.holders[block] == 1 and write != WRITE[4]):
            return {WRITE[10]: table, WRITE[11]: tuple(table)}.get(write, list(table))
        if write == WRITE[9]:
            allocator.free([block])
        if write == WRITE[2]:
            fresh = allocator.allocate(len(table))
            for source, target in zip(table, fresh, strict=True):
                copy_block(source, target)
            allocator.free(table)
            return fresh
        [fresh] = allocator.allocate(1)
        if write != WRITE[7]:
            copy_block(*((fresh, block) if write == WRITE[5] else (block, fresh)))
        if write == WRITE[8]:
            allocator.share([fresh] * (allocator.holders[block] - 1))
        if write not in (WRITE[3], WRITE[9]):
            allocator.free([block])
        if write == WRITE[6]:
            table[index] = fresh
            return table
        new = [*table[:index], fresh, *table[index + 1 :]]
        return tuple(new) if write == WRITE[11] else new

    return copy_on_write


# ---------------------------------------------------------------- PrefixCache

KEY = [
    "right",
    "whose key has NO PARENT: the same sixteen tokens after another beginning are found",
    "whose key has NO TAG: another adapter's keys and values are found",
    "whose key joins ids without a separator, so that 1, 23 and 12, 3 are the same",
    "whose key keeps the LOW BYTE of an id only, so that 44 and 300 are the same",
    "whose key joins TAG and ids without a separator, so that tag 1 and id 2 are id 12",
]
MATCH = [
    "right",
    "that takes the WHOLE PROMPT from the cache, so that no logits are left to compute",
    "that goes on AFTER a block that is missing",
    "that leaves the last block out although a token follows it",
]
FORGET = [
    "right",
    "in which a reused block KEEPS its old tokens",
    "that forgets ANOTHER block with the same tokens too",
]
PUBLISH = [
    "right",
    "that publishes a block that is NOT FULL",
    "with ONE block for each key: the newest replaces the others",
    "with ONE block for each key: later ones are not remembered",
    "that finds the NEWEST of several blocks",
    "in which a block that is remembered gets OTHER TOKENS without being evicted",
]
PREFIX_HINTS = {
    KEY[1]: "A key depends on all tokens before it. Which of them does your hash see?",
    KEY[2]: "Two adapters make different keys from the same tokens. Where does the hash begin?",
    KEY[3]: "Write the ids 1, 23 and 12, 3 one after the other. Can you tell them apart?",
    KEY[4]: "300 is 256 + 44. How many bytes does an id need?",
    KEY[5]: "Write the tag 1 and the ids 2, 3 one after the other, and then the ids 12, 3 without a tag.",
    MATCH[1]: "Every token is found. Which row of the step has the logits of the next one?",
    MATCH[2]: "Block 0 is found, block 1 is not, block 2 is. What lies between?",
    MATCH[3]: "Two blocks of four tokens and one token more: how many blocks may be taken?",
    FORGET[1]: "The block is handed out again. What does it hold then, and what does its hash say?",
    FORGET[2]: "Two blocks hold the same tokens, and one of them is reused. What about the other?",
    PUBLISH[1]: "Its next token is still missing. Whose token will be written there?",
    PUBLISH[2]: "The newest block is reused. Is the older one still there?",
    PUBLISH[3]: "The first block is reused. Is the second one still there?",
    PUBLISH[4]: "Which of the blocks came first?",
    PUBLISH[5]: "A block that is remembered stays as it is. Which call alone makes it forget?",
}


def wrong_prefix(key, match, forget, publish):
    class PrefixCache:
        def __init__(self, block_size):
            self.block_size = block_size
            self.blocks = {}
            self.key_of = {}

        def keys(self, tokens, tag):
            parent = b"" if key == KEY[2] else tag.encode()
            for end in range(self.block_size, len(tokens) + 1, self.block_size):
                piece = tokens[end - self.block_size : end]
                content = "".join(map(str, piece)).encode() if key == KEY[3] else array("q", piece).tobytes()
                content = bytes(t % 256 for t in piece) if key == KEY[4] else content
                content = ",".join(map(str, piece)).encode() + b"," if key == KEY[5] else content
                link = b"" if key == KEY[1] and end > self.block_size else parent
                if key == KEY[1]:
                    link = tag.encode()
                between = b"" if key == KEY[5] else b"|"
                parent = blake2b(link + between + content, digest_size=16).digest()
                yield parent

        def lookup(self, tokens, tag=""):
            last = len(tokens) if match == MATCH[1] else len(tokens) - 1
            if match == MATCH[3]:
                last = len(tokens) - 1 - self.block_size if len(tokens) > self.block_size else 0
            found = []
            for k in self.keys(tokens[: max(last, 0)], tag):
                if k in self.blocks:
                    found.append(self.blocks[k][-1 if publish == PUBLISH[4] else 0])
                elif match != MATCH[2]:
                    break
            return found

        def insert(self, tokens, table, tag=""):
            if publish == PUBLISH[1]:
                tokens = tokens + [0] * (-len(tokens) % self.block_size)
            for block, k in zip(table, self.keys(tokens, tag), strict=False):
                if block in self.key_of and publish == PUBLISH[5] and self.key_of[block] != k:
                    self.evict([block])
                if block in self.key_of:
                    continue
                if publish == PUBLISH[3] and k in self.blocks:
                    continue
                if publish == PUBLISH[2]:
                    for old in self.blocks.pop(k, []):
                        del self.key_of[old]
                self.key_of[block] = k
                self.blocks.setdefault(k, []).append(block)

        def evict(self, blocks):
            for block in blocks:
                if block in self.key_of and forget != FORGET[1]:
                    k = self.key_of.pop(block)
                    left = [] if forget == FORGET[2] else [b for b in self.blocks[k] if b != block]
                    for other in self.blocks.pop(k):
                        if other not in left:
                            self.key_of.pop(other, None)
                    if left:
                        self.blocks[k] = left

    return PrefixCache


# ---------------------------------------------------------------- paged_attention

SLOT = [
    "right",
    "that reads the blocks in the order of their NUMBERS, not of the table",
    "that reads its table's FIRST block only",
]
STALE = ["right", "that attends to the STALE TAIL of the last block", "that leaves out the newest token"]
CAUSAL = [
    "right",
    "WITHOUT a causal mask",
    "with its mask aligned at the TOP LEFT, as if nothing had been computed before",
]
SOFTMAX = [
    "right",
    "with one softmax for each BLOCK",
    "that softmaxes over the QUERIES",
    "whose exp of a large score is INFINITE",
]
SCALE = [
    "right",
    "WITHOUT the scale 1/√D",
    "scaled by 1/√(H·D)",
    "scaled by 1/√S, with the tokens of a block and not the width of a head",
]
GROUPS = ["right", "in which query head h reads key head h mod G"]
PAGED_HINTS = {
    SLOT[1]: "The table says [7, 2]. Which block holds the first token?",
    SLOT[2]: "How many blocks does a request of seven tokens have, at three tokens a block?",
    STALE[1]: "Seven tokens in blocks of four: what lies in the eighth slot?",
    STALE[2]: "May a token attend to itself?",
    CAUSAL[1]: "A chunk of a prompt has several queries. May the first of them see the last?",
    CAUSAL[2]: "Two new queries after five computed tokens: at which position does the first query stand?",
    SOFTMAX[1]: "The weights of one query must sum to one. Over which tokens?",
    SOFTMAX[2]: "Whose weights must sum to one?",
    SOFTMAX[3]: "Which number may be subtracted from all scores of a query, and changes no weight?",
    SCALE[1]: "What is the variance of a dot product of two D-dimensional unit-variance vectors?",
    SCALE[2]: "How many products does one score add up?",
    SCALE[3]: "The keys have the axes (blocks, G, S, D). Which of them does a dot product run along?",
    GROUPS[1]: "Neighbouring query heads share a key head. Which one does head 1 of six read, with two groups?",
}


def wrong_paged(slot, stale, causal, softmax, scale, groups):
    def paged_attention(q, keys, values, tables, query_lens, context_lens):
        H, D = q.shape[1:]
        G, S = keys.shape[1:3]
        out, start = [], 0
        for table, n, length in zip(tables, query_lens, context_lens, strict=True):
            used = table[: -(-length // S)]
            if slot == SLOT[1]:
                used = sorted(used)
            elif slot == SLOT[2]:
                used = used[:1] * len(used)
            end = {STALE[0]: length, STALE[1]: len(used) * S, STALE[2]: max(length - 1, 1)}[stale]
            k, v = (pool[used].transpose(0, 1).flatten(1, 2)[:, :end] for pool in (keys, values))
            if groups == "right":
                k, v = (x.repeat_interleave(H // G, 0) for x in (k, v))
            else:
                k, v = (x.repeat(H // G, 1, 1) for x in (k, v))
            queries = q[start : start + n].transpose(0, 1)
            divisor = {SCALE[0]: math.sqrt(D), SCALE[1]: 1.0, SCALE[2]: math.sqrt(H * D),
                       SCALE[3]: math.sqrt(S)}[scale]  # fmt: skip
            scores = queries @ k.mT / divisor
            if causal != CAUSAL[1]:
                offset = 0 if causal == CAUSAL[2] else length - n
                hidden = ~torch.ones(n, end, dtype=torch.bool).tril(offset)
                hidden[:, length:] = False
                scores = scores.masked_fill(hidden, -math.inf)
            if softmax == SOFTMAX[1]:
                pieces = [scores[..., i : i + S].softmax(-1).nan_to_num() for i in range(0, end, S)]
                weights = torch.cat(pieces, -1) / len(pieces)
            elif softmax == SOFTMAX[3]:
                weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
            else:
                weights = scores.softmax(-2 if softmax == SOFTMAX[2] else -1)
            out.append((weights @ v).transpose(0, 1))
            start += n
        return torch.cat(out)

    return paged_attention


# ---------------------------------------------------------------- preempt

VICTIM = ["right", "that takes the OLDEST request", "that takes the request with the most blocks"]
PLACE = [
    "right",
    "that puts the victim at the BACK of the queue",
    "that leaves the victim RUNNING",
    "that drops the victim",
]
KEPT = [
    "right",
    "that keeps the victim's BLOCKS",
    "that lists the victim's blocks but frees none",
    "that keeps `num_computed`",
]
OUTPUT = [
    "right",
    "that throws the OUTPUT away, so that sent tokens are sent again",
    "that moves the output into the prompt",
    "that throws the LOG-PROBABILITIES of the output away",
]
COUNTED = ["right", "that does not count the preemption", "that sets `num_preemptions` to 1, whatever it was"]
PREEMPT_HINTS = {
    VICTIM[1]: "The oldest request has waited the longest. Who came last?",
    VICTIM[2]: "First come, first served. Who came last?",
    PLACE[1]: "The victim came before everyone who waits. Where does it stand in the queue?",
    PLACE[2]: "A request is in one place at a time.",
    PLACE[3]: "Who will compute it again?",
    KEPT[1]: "Why was it preempted?",
    KEPT[2]: "Its table still names the blocks. Who has them next?",
    KEPT[3]: "Its blocks are gone. How many of its tokens have keys and values?",
    OUTPUT[1]: "The client has read these tokens. What would it read next?",
    OUTPUT[3]: "The output's tokens were sent. What was sent with them?",
    OUTPUT[2]: "The usage at the end counts prompt and output. And max_tokens?",
    COUNTED[1]: "How will the metrics know of it?",
    COUNTED[2]: "It has been preempted twice before. How often is it now?",
}


def wrong_preempt(victim, place, kept, output, counted):
    def preempt(state):
        if victim == VICTIM[1]:
            chosen = state.running[0]
        elif victim == VICTIM[2]:
            chosen = max(state.running, key=lambda r: len(r.table))
        else:
            chosen = state.running[-1]
        if place != PLACE[2]:
            state.running.remove(chosen)
        if kept not in (KEPT[1], KEPT[2]):
            state.allocator.free(chosen.table)
        if kept != KEPT[1]:
            chosen.table = []
        if kept == KEPT[2]:
            chosen.table = []
        if kept != KEPT[3]:
            chosen.num_computed = 0
        if counted == "right":
            chosen.num_preemptions += 1
        elif counted == COUNTED[2]:
            chosen.num_preemptions = 1
        if output == OUTPUT[1]:
            chosen.output = []
        elif output == OUTPUT[3]:
            chosen.logprobs = []
        elif output == OUTPUT[2]:
            chosen.prompt, chosen.output = chosen.prompt + chosen.output, []
        if place == PLACE[1]:
            state.waiting.append(chosen)
        elif place != PLACE[3]:
            state.waiting.appendleft(chosen)
        return chosen

    return preempt


# ---------------------------------------------------------------- schedule

FIRST = [
    "right",
    "in which a PREFILL goes before the decodes, which starve",
    "that serves the newest request first",
    "that serves running requests by what they MISS, the least first",
]
BUDGET = [
    "right",
    "that plans decodes OUTSIDE the budget",
    "WITHOUT chunks: a prompt is computed whole or waits",
    "that plans a request with ZERO tokens when the budget is spent",
    "that decides a count BEFORE it preempts, so that the request gets none of the victim's tokens",
    "in which a victim's tokens never go back to the BUDGET",
]
ADMIT = [
    "right",
    "that lets a later request in when the first one does not fit",
    "in which a failed admission KEEPS what it found in the cache",
    "that admits in a step that has preempted",
    "that ignores `max_running`",
    "that admits one request a step",
    "that never looks for known beginnings",
    "in which a request that finds the budget SPENT keeps what it found in the cache",
]
PLAN = [
    "right",
    "in which the VICTIM stays in the plan",
    "that does not preempt: who lacks blocks is left out",
    "that PUBLISHES blocks in the prefix cache when they are planned, before they are computed",
]
LEAVE = [
    "right",
    "in which an ABORTED request that waits is never released",
    "that releases nobody",
]
SCHEDULE_HINTS = {
    FIRST[1]: "A prompt of 2,000 tokens is in the middle of its prefill. How long do the others wait for a token?",
    FIRST[2]: "Who preempts whom if the newest goes first?",
    FIRST[3]: "Two prompts are running, and the older one misses more. Who came first?",
    BUDGET[1]: "Each decode is a token too.",
    BUDGET[2]: "Sixteen tokens of the budget are left and the prompt has forty. What can be done in this step?",
    BUDGET[3]: "A request without a token has no row of logits.",
    BUDGET[4]: "The victim was planned already. How much of the budget is left once it is out?",
    BUDGET[5]: "The victim computes nothing in this step. Who may have its tokens?",
    ADMIT[1]: "A big request waits for a moment in which enough is free. When does it come, if small ones go first?",
    ADMIT[2]: "The cache's blocks were shared, then the request did not fit. Who holds them now?",
    ADMIT[3]: "Blocks were missing a moment ago. For whom are the freed ones?",
    ADMIT[4]: "How many rows may the batch have?",
    ADMIT[5]: "Budget, blocks and places are left. What are they kept for?",
    ADMIT[7]: "The cache's blocks were shared, then no token was left. Who holds them now?",
    ADMIT[6]: "`take_known_beginning` sets num_computed.",
    PLAN[1]: "The victim has no blocks any more. Where would its keys be written?",
    PLAN[2]: "Everyone who runs may wait for a block that nobody gives back.",
    PLAN[3]: "Somebody finds the block a moment later, in the same step. What does it hold then?",
    LEAVE[1]: "A client may go before its request has run.",
    LEAVE[2]: "A finish_reason is set. Who gives the blocks back?",
}


def wrong_schedule(first, budget, admit, plan, leave):
    def take_victim(state):
        victim = state.running.pop()
        give_back(state, victim)
        victim.num_preemptions += 1
        state.waiting.appendleft(victim)
        return victim

    def publish(state, request):
        if plan == PLAN[3] and state.prefix_cache is not None:
            state.prefix_cache.insert(request.tokens, request.table, request.tag)

    def schedule(state):
        if leave == LEAVE[1]:
            for request in state.running:
                if request.finish_reason:
                    give_back(state, request)
            state.running = [r for r in state.running if not r.finish_reason]
        elif leave != LEAVE[2]:
            release(state)
        made, preempted, lost = {}, False, 0

        def left():
            spent = sum(n for r, n in made.items() if not (budget == BUDGET[1] and r.num_missing == 1))
            return state.token_budget - spent - lost

        order = list(state.running)
        if first == "right":
            order.sort(key=lambda r: r.num_missing > 1)
        elif first == FIRST[3]:
            order.sort(key=lambda r: r.num_missing)
        elif first == FIRST[2]:
            order = sorted(reversed(order), key=lambda r: r.num_missing > 1)
        for request in order:
            before = left()
            while request in state.running:
                count = min(request.num_missing, before if budget == BUDGET[4] else left())
                if budget == BUDGET[1] and request.num_missing == 1:
                    count = 1
                if budget == BUDGET[2] and request.num_missing > left() and made:
                    break
                if count == 0 and budget != BUDGET[3]:
                    break
                if reserve(state, request, count):
                    publish(state, request)
                    made[request] = count
                    break
                if plan == PLAN[2]:
                    break
                victim = take_victim(state)
                preempted = True
                if plan != PLAN[1]:
                    given = made.pop(victim, 0)
                    lost += given if budget == BUDGET[5] else 0
        skipped = []
        while state.waiting and (not preempted or admit == ADMIT[3]):
            if len(state.running) >= state.max_running and admit != ADMIT[4]:
                break
            request = state.waiting[0]
            if admit == ADMIT[6]:
                state.allocator.share([])
            else:
                take_known_beginning(state, request)
            count = min(request.num_missing, left())
            if budget == BUDGET[2] and request.num_missing > left() and made:
                count = 0
            if (count == 0 and budget != BUDGET[3]) or not reserve(state, request, count):
                if admit != ADMIT[2] and not (admit == ADMIT[7] and count == 0):
                    give_back(state, request)
                if admit == ADMIT[1] and count:
                    skipped.append(state.waiting.popleft())
                    continue
                break
            state.running.append(state.waiting.popleft())
            publish(state, request)
            made[request] = count
            if admit == ADMIT[5]:
                break
        state.waiting.extendleft(reversed(skipped))
        return list(made.items())

    return schedule


# ---------------------------------------------------------------- sample

SOURCE = [
    "right",
    "with ONE generator for all rows",
    "that draws from the GLOBAL generator",
    "seeded by the ROW",
    "that draws for greedy rows too",
]
GREEDY = [
    "right",
    "in which the temperature of the FIRST row holds for all",
    "that samples at temperature 0 as if it were 1",
]
HEAT = ["right", "that MULTIPLIES by the temperature", "that ignores the temperature"]
NUCLEUS = [
    "right",
    "that drops the token that reaches top_p",
    "that keeps one token too many",
    "that does not scale the kept probabilities to one",
    "that ignores top_p",
    "that cuts BEFORE the temperature",
    "that does not scale the kept probabilities to one: the last kept token gets what is missing",
]
LOGPROB = [
    "right",
    "whose log-probabilities are taken AFTER the temperature",
    "whose log-probability is that of the likeliest token",
    "that reports probabilities, not their logarithms",
]
ORDER = ["right", "that sums the probabilities in the order of their SIZE"]
SAMPLE_HINTS = {
    SOURCE[1]: "A neighbour joins the batch. Which numbers does your request get then?",
    SOURCE[2]: "Two servers with the same seed: do they answer alike?",
    SOURCE[3]: "The request is in row 0 now and in row 3 at the next step.",
    SOURCE[4]: "Greedy needs no number. Whose next number is gone?",
    GREEDY[1]: "Each row has its own parameters.",
    GREEDY[2]: "What does temperature 0 mean?",
    HEAT[1]: "A low temperature makes the likeliest token likelier. What do scores divided by it become?",
    HEAT[2]: "Compare temperature 0.5 with 2. Does anything change?",
    NUCLEUS[1]: "The sum must reach top_p. Which token is the one that reaches it?",
    NUCLEUS[2]: "0.6 is reached by the first two. Is the third needed?",
    NUCLEUS[3]: "u is below one and the kept probabilities sum to 0.7. Which token is found at u = 0.9?",
    NUCLEUS[5]: "A high temperature makes the distribution flat. Do the same tokens reach top_p then?",
    NUCLEUS[6]: "The kept probabilities are 0.5 and 0.3. How often is the second one chosen?",
    NUCLEUS[4]: "top_p = 0.5: may the unlikeliest token be chosen?",
    LOGPROB[1]: "The model's own log-probability does not depend on how you sample.",
    LOGPROB[2]: "Whose log-probability is asked for?",
    LOGPROB[3]: "Are your numbers negative?",
    ORDER[1]: "The running sum goes through the ids in their order.",
}


def wrong_sample(source, greedy, heat, nucleus, logprob, order):
    def sample(logits, params, generators):
        chosen, scaled = [], []
        for i, row in enumerate(logits):
            how = params[0] if greedy == GREEDY[1] else params[i]
            temperature = how.temperature
            generator = {SOURCE[1]: generators[0], SOURCE[2]: None, SOURCE[3]: torch.Generator().manual_seed(i)}.get(
                source, generators[i]
            )
            if temperature == 0 and source == SOURCE[4]:
                torch.rand(1, generator=generator, dtype=torch.float64)
            if temperature == 0 and greedy != GREEDY[2]:
                chosen.append(int(row.argmax()))
                scaled.append(row)
                continue
            temperature = temperature or 1.0
            factor = {HEAT[0]: 1 / temperature, HEAT[1]: temperature, HEAT[2]: 1.0}[heat]
            scaled.append(row * factor)
            probs = torch.softmax(row.double() * factor, -1)
            ordered, ids = probs.sort(descending=True, stable=True)
            before = ordered.cumsum(-1) - ordered
            if nucleus == NUCLEUS[5]:
                plain = torch.softmax(row.double(), -1)[ids]
                before = plain.cumsum(-1) - plain
            cut = {
                NUCLEUS[0]: before >= how.top_p,
                NUCLEUS[1]: ordered.cumsum(-1) >= how.top_p,
                NUCLEUS[2]: torch.cat([torch.zeros(1), before[:-1]]) >= how.top_p,
                NUCLEUS[3]: before >= how.top_p,
                NUCLEUS[4]: torch.zeros_like(before, dtype=torch.bool),
                NUCLEUS[5]: before >= how.top_p,
                NUCLEUS[6]: before >= how.top_p,
            }[nucleus].clone()
            cut[0] = False
            if nucleus == NUCLEUS[1] and how.top_p == 1:
                cut[:] = False
            kept = ordered.masked_fill(cut, 0)
            if order == "right":
                kept = torch.zeros_like(kept).scatter(0, ids, kept)
            total = 1.0 if nucleus in (NUCLEUS[3], NUCLEUS[6]) else kept.sum()
            u = torch.rand(1, generator=generator, dtype=torch.float64) * total
            found = min(int(torch.searchsorted(kept.cumsum(-1), u, right=True)), len(kept) - 1)
            found = min(found, int(kept.nonzero().max())) if nucleus == NUCLEUS[6] else found
            chosen.append(int(ids[found]) if order != "right" else found)
        base = torch.stack(scaled) if logprob == LOGPROB[1] else logits
        which = base.argmax(-1) if logprob == LOGPROB[2] else torch.tensor(chosen)
        values = base.log_softmax(-1).gather(1, which[:, None])[:, 0]
        return chosen, values.exp() if logprob == LOGPROB[3] else values

    return sample


# ---------------------------------------------------------------- StreamDetokenizer

DECODE = [
    "right",
    "that decodes each token ALONE: half a character becomes U+FFFD",
    "that loses BYTES at the end: half a character disappears",
]
FIND = [
    "right",
    "that looks for a stop string only at the END of the text",
    "that looks for a stop string in the newest token only",
    "that sends the stop string itself too",
    "that never stops",
]
HOLD = [
    "right",
    "that has sent the BEGINNING of a stop string already",
    "that never sends what it held back",
    "that holds back as many characters as a stop string has, whatever they are",
]
WHICH = [
    "right",
    "in which the FIRST stop string of the list wins",
    "in which the stop string that begins first wins",
    "in which the SHORTER of two stop strings that end together wins",
]
AFTER = ["right", "that goes on sending AFTER a stop string"]
TEXT_HINTS = {
    DECODE[1]: "é is two bytes, and a token may end between them.",
    DECODE[2]: "The answer ends in the middle of a character. What does `errors='replace'` say?",
    FIND[1]: "A token may bring the stop string and more.",
    FIND[2]: "A stop string may begin in one token and end in the next.",
    FIND[3]: "Does the client want to see where it said stop?",
    FIND[4]: "What is `stopped` for?",
    HOLD[1]: "What has been sent cannot be taken back.",
    HOLD[2]: "The text ended with 'EN' and no 'D' came. Is it part of the answer?",
    HOLD[3]: "'hello' has nothing of the stop string '###'. When does the client see it?",
    WHICH[1]: "Which stop string would have ended the text if the tokens were single characters?",
    WHICH[2]: "Single characters: which of 'abcd' and 'bc' is complete first in 'abcd'?",
    WHICH[3]: "'END' and 'D' end together. Which of them leaves less of itself in the text?",
    AFTER[1]: "The engine may have one more token on its way.",
}


def wrong_text(decode, find, hold, which, after):
    class StreamDetokenizer:
        def __init__(self, token_bytes, stop=()):
            self.token_bytes, self.stop = token_bytes, stop
            self.stopped = False
            self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
            self.held, self.newest = "", ""

        def push(self, token):
            if self.stopped and after == "right":
                return ""
            data = self.token_bytes[token]
            self.newest = data.decode(errors="replace") if decode == DECODE[1] else self.decoder.decode(data)
            self.held += self.newest
            return self.take(False)

        def finish(self):
            if self.stopped and after == "right":
                return ""
            if decode == "right":
                self.held += self.decoder.decode(b"", final=True)
            self.newest = ""
            return "" if hold == HOLD[2] and not self.stop_at() else self.take(True)

        def stop_at(self):
            text = self.newest if find == FIND[2] else self.held
            if find == FIND[4]:
                return []
            if find == FIND[1]:
                return [(len(text), len(s)) for s in self.stop if text.endswith(s)]
            shift = len(self.held) - len(text)
            return [(text.find(s) + len(s) + shift, len(s)) for s in self.stop if s in text]

        def take(self, final):
            ends = self.stop_at()
            if ends:
                if which == WHICH[1]:
                    end, size = ends[0]
                elif which == WHICH[2]:
                    end, size = min(ends, key=lambda e: (e[0] - e[1], -e[1]))
                else:
                    end, size = min(ends, key=lambda e: (e[0], e[1] if which == WHICH[3] else -e[1]))
                self.stopped = True
                sent = self.held[: end if find == FIND[3] else end - size]
                self.held = self.held[end:] if after != "right" else ""
                return sent
            keep = 0
            if not final and hold == HOLD[3]:
                keep = min(len(self.held), max((len(s) - 1 for s in self.stop), default=0))
            elif not final and hold != HOLD[1]:
                for s in self.stop:
                    for n in range(1, len(s)):
                        if self.held.endswith(s[:n]):
                            keep = max(keep, n)
            cut = len(self.held) - keep
            sent, self.held = self.held[:cut], self.held[cut:]
            return sent

    return StreamDetokenizer


# ---------------------------------------------------------------- SSEStream

DONE = ["right", "WITHOUT data: [DONE]", "with [DONE] before the usage"]
USAGE = [
    "right",
    "whose usage leaves out tokens WITHOUT TEXT (those of a stop string)",
    "whose usage counts events, not tokens",
    "that sends the usage though nobody asked",
    "whose usage event has a choice",
    "whose total is that of the completion alone",
    "whose usage leaves out the tokens of a delta that gives NO EVENT",
]
REASON = [
    "right",
    'whose finish_reason is always "stop"',
    "whose finish_reason is in every event",
    "that sends text and finish_reason of a chat in one event",
]
ROLE = [
    "right",
    "that never names the role",
    "that names the role in every event",
    "that names the role for the first choice only",
]
EMPTY = ["right", "that sends an event for a token without text"]
FRAME = [
    "right",
    "whose events end with ONE line break",
    "that writes every choice as number 0",
    "whose usage event has no HEAD",
    "that writes into the head it was GIVEN",
]
LOGS = [
    "right",
    "that leaves EMPTY log-probabilities out",
    "that gives log-probabilities to an event WITHOUT TEXT, too",
]
SSE_HINTS = {
    DONE[1]: "How does a client know that the stream was not cut?",
    DONE[2]: "A client stops reading at [DONE].",
    USAGE[1]: "The model computed them. Who pays?",
    USAGE[2]: "A delta says how many tokens it stands for.",
    USAGE[3]: "`include_usage` is false. How many events does the client expect?",
    USAGE[4]: "The API reference: choices is empty in the event with the usage.",
    USAGE[5]: "Total means prompt and completion.",
    USAGE[6]: "A token without text gives no event. Was it generated?",
    REASON[1]: "An answer that was cut at max_tokens: what should its client know?",
    REASON[2]: "When does a client know that a choice has ended?",
    REASON[3]: "The workbook: text and finish_reason never share an event of a chat.",
    ROLE[1]: "What does the first event of a chat say?",
    ROLE[2]: "How many messages does a choice have?",
    ROLE[3]: "n = 2 gives two messages.",
    EMPTY[1]: "What would the client do with it?",
    FRAME[1]: "What ends an event? An empty line.",
    FRAME[2]: "Two choices come mixed. How does the client tell them apart?",
    FRAME[3]: "The head stands in every object. Which one has none?",
    FRAME[4]: "Two streams are made with one head. What does the second one send?",
    LOGS[1]: "`{}` is not None.",
    LOGS[2]: "The event that ends a choice has no token. Whose log-probability would it be?",
}


def wrong_sse(done, usage, reason, role, empty, frame, logs):
    class SSEStream:
        def __init__(self, head, prompt_tokens, include_usage=False):
            self.head, self.prompt_tokens, self.include_usage = head, prompt_tokens, include_usage
            self.completion_tokens, self.named = 0, set()

        def event(self, content):
            end = "\n" if frame == FRAME[1] else "\n\n"
            if frame == FRAME[4]:
                self.head.update(content)
            return f"data: {json.dumps({**self.head, **content})}{end}"

        def choice(self, delta, part, finish, logprobs=None):
            finish = delta.finish_reason or "stop" if reason == REASON[2] else finish
            if reason == REASON[1] and finish is not None:
                finish = "stop"
            made = {"index": 0 if frame == FRAME[2] else delta.index, **part, "finish_reason": finish}
            if logprobs is not None and (logprobs or logs != LOGS[1]):
                made["logprobs"] = logprobs
            return self.event({"choices": [made]})

        def push(self, delta):
            if usage == USAGE[1]:
                self.completion_tokens += delta.num_tokens if delta.text else 0
            elif usage == USAGE[6]:
                self.completion_tokens += delta.num_tokens if delta.text or delta.finish_reason else 0
            else:
                self.completion_tokens += 1 if usage == USAGE[2] else delta.num_tokens
            if not delta.text and delta.finish_reason is None and empty == "right":
                return []
            if self.head["object"] == "text_completion":
                return [self.choice(delta, {"text": delta.text}, delta.finish_reason, delta.logprobs)]
            events = []
            named = delta.index in self.named or (role == ROLE[3] and self.named)
            if role != ROLE[1] and (not named or role == ROLE[2]):
                events.append(self.choice(delta, {"delta": {"role": "assistant", "content": ""}}, None))
            self.named.add(delta.index)
            if reason == REASON[3]:
                part = {"content": delta.text} if delta.text else {}
                return [*events, self.choice(delta, {"delta": part}, delta.finish_reason, delta.logprobs)]
            if delta.text or (empty != "right" and delta.finish_reason is None):
                events.append(self.choice(delta, {"delta": {"content": delta.text}}, None, delta.logprobs))
            if delta.finish_reason is not None:
                more = delta.logprobs if logs == LOGS[2] else None
                events.append(self.choice(delta, {"delta": {}}, delta.finish_reason, more))
            return events

        def usage(self):
            total = self.completion_tokens + (0 if usage == USAGE[5] else self.prompt_tokens)
            return {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens,
                    "total_tokens": total}  # fmt: skip

        def close(self):
            events = []
            if self.include_usage or usage == USAGE[3]:
                choices = [{"index": 0, "delta": {}, "finish_reason": None}] if usage == USAGE[4] else []
                content = {"choices": choices, "usage": self.usage()}
                events.append(f"data: {json.dumps(content)}\n\n" if frame == FRAME[3] else self.event(content))
            if done != DONE[1]:
                mark = "data: [DONE]" + ("\n" if frame == FRAME[1] else "\n\n")
                events.insert(0 if done == DONE[2] else len(events), mark)
            return events

    return SSEStream


# ---------------------------------------------------------------- route

COST = [
    "right",
    "by the PROMPT'S LENGTH, without the work that remains",
    "that looks at the load only, not at the cache",
    "that takes whoever knows the most of the prompt, whatever the load",
    "that counts known BLOCKS as if they were tokens",
    "that counts the cached tokens twice",
    "that takes every block for one of SIXTEEN tokens",
    "that asks the cache for the prompt without its LAST token",
]
READY = ["right", "that sends to a worker that is NOT READY", "whose number counts the ready workers only"]
TIE = ["right", "that takes the LAST of equals"]
TAG = ["right", "that forgets the tag"]
NOBODY = [
    "right",
    "that raises no ValueError when nobody is ready",
    "that raises a ValueError when there is no worker, and none when no worker is READY",
]
ROUTE_HINTS = {
    COST[1]: "A worker with ten thousand tokens before it: when does yours begin?",
    COST[2]: "One worker knows the whole system prompt. What does that save?",
    COST[3]: "All requests have the same beginning. Who gets them all?",
    COST[4]: "A block has `block_size` tokens.",
    COST[6]: "Each cache says how many tokens its blocks have.",
    COST[7]: "The cache leaves out the last token by itself.",
    COST[5]: "How many of the prompt's tokens need no work?",
    READY[1]: "It is shutting down.",
    READY[2]: "Worker 0 is not ready. Which number has the next one?",
    TIE[1]: "The workbook: of equals, the first in the list.",
    TAG[1]: "Another adapter's cache is of no use.",
    NOBODY[1]: "An empty list: what does `min` say?",
    NOBODY[2]: "All workers are leaving. To which of them should a request go?",
}


def wrong_route(cost, ready, tie, tag, nobody):
    def route(tokens, workers, tag_=""):
        able = [i for i, w in enumerate(workers) if w.ready or ready == READY[1]]
        if not able:
            if nobody == "right" or (nobody == NOBODY[2] and not workers):
                raise ValueError("nobody")
            return 0
        costs = []
        for i in able:
            worker = workers[i]
            asked = tokens[:-1] if cost == COST[7] else tokens
            blocks = len(worker.cache.lookup(asked) if tag != "right" else worker.cache.lookup(asked, tag_))
            known = blocks * (16 if cost == COST[6] else worker.cache.block_size)
            costs.append({
                COST[0]: worker.remaining_tokens + len(tokens) - known,
                COST[1]: len(tokens) - known,
                COST[2]: worker.remaining_tokens,
                COST[3]: -known * 10**9 + worker.remaining_tokens,
                COST[4]: worker.remaining_tokens - blocks,
                COST[5]: worker.remaining_tokens - 2 * known,
            }.get(cost, worker.remaining_tokens + len(tokens) - known))  # fmt: skip
        best = min(range(len(able)), key=lambda j: (costs[j], -j if tie != "right" else j))
        return best if ready == READY[2] else able[best]

    return lambda tokens, workers, tag="": route(tokens, workers, tag)


# ---------------------------------------------------------------- read_gguf_header

ALIGN = [
    "right",
    "WITHOUT the padding before the data",
    "whose alignment is always 32",
    "that pads where NOTHING is missing: a whole alignment too much",
]
DIMS = ["right", "whose dimensions stand as in the file, in the REVERSED order"]
OFFSET = ["right", "whose offsets count from the beginning of the DATA"]
CHECK = [
    "right",
    "that accepts any version",
    "that accepts a tensor which ends beyond the file",
    "that accepts a row that is no whole number of blocks",
    "that accepts any number of dimensions",
    "that accepts versions BEFORE 2",
    "that looks for whole blocks along the SLOWEST dimension, not in a row",
]
VALUES = [
    "right",
    "that reads a bool as a number",
    "that reads every number as unsigned",
    "that makes ROOM for a list before it looks whether the file can hold it",
    "that accepts an alignment which is a FLOAT",
]
GGUF_HINTS = {
    ALIGN[1]: "A memory map wants tensors at multiples of the alignment. Where does the first one begin?",
    ALIGN[2]: "`general.alignment` may be another number.",
    ALIGN[3]: "The header ends at byte 96 and the alignment is 32. Where do the data begin?",
    DIMS[1]: "The file lists the dimension first that is fastest in memory. And NumPy?",
    OFFSET[1]: "`offset` counts from the beginning of the file. Where does the data begin?",
    CHECK[1]: "Version 1 had other sizes of numbers.",
    CHECK[2]: "The file was cut. Who notices, and when?",
    CHECK[3]: "Q4_0 packs 32 weights. Can a row of 40 be packed?",
    CHECK[4]: "GGUF has at most four dimensions. What does a damaged file say?",
    CHECK[5]: "The version is 2 or 3. What does your reader say to 1?",
    CHECK[6]: "A row is the last axis of NumPy's shape. Which dimension of the file is it?",
    VALUES[1]: "Type 7 is true or false.",
    VALUES[2]: "Types 1, 3, 5 and 11 have a sign.",
    VALUES[3]: "A damaged file says that its list has 2^60 numbers. How many bytes are left?",
    VALUES[4]: "32.0 is no integer. Which types of values are integers?",
}


def wrong_header(align, dims, offset, check, values):
    codes = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
    sizes = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 8: (32, 34)}

    def read_gguf_header(data):
        at = 0

        def read(code):
            nonlocal at
            size = struct.calcsize("<" + code)
            if at + size > len(data):
                raise ValueError("short")
            at += size
            return struct.unpack("<" + code, data[at - size : at])[0]

        def text():
            nonlocal at
            size = read("Q")
            if at + size > len(data):
                raise ValueError("short")
            at += size
            return bytes(data[at - size : at]).decode()

        def value(kind):
            if kind == 8:
                return text()
            if kind == 9:
                inner, count = read("I"), read("Q")
                if values == VALUES[3]:
                    return [value(inner) for _ in [None] * count]
                if inner == 9 or count > len(data) - at:
                    raise ValueError("array")
                return [value(inner) for _ in range(count)]
            if kind not in codes:
                raise ValueError("type")
            code = codes[kind]
            if values == VALUES[1] and code == "?":
                code = "B"
            if values == VALUES[2]:
                code = code.upper() if code in "bhiq" else code
            return read(code)

        if bytes(data[:4]) != b"GGUF":
            raise ValueError("magic")
        at = 4
        version = read("I")
        if version not in (2, 3) and check != CHECK[1] and not (version < 2 and check == CHECK[5]):
            raise ValueError("version")
        tensors, entries = read("Q"), read("Q")
        metadata = {}
        for _ in range(entries):
            name = text()
            metadata[name] = value(read("I"))
        found = []
        for _ in range(tensors):
            name, count = text(), read("I")
            if not 1 <= count <= 4 and check != CHECK[4]:
                raise ValueError("dimensions")
            shape = tuple(read("Q") for _ in range(count))
            found.append((name, shape if dims != "right" else shape[::-1], shape, read("I"), read("Q")))
        alignment = metadata.get("general.alignment", 32)
        if values == VALUES[4] and isinstance(alignment, float):
            alignment = int(alignment)
        if not isinstance(alignment, int) or alignment < 1:
            raise ValueError("alignment")
        alignment = {ALIGN[1]: 1, ALIGN[2]: 32}.get(align, alignment)
        start = at + alignment - at % alignment if align == ALIGN[3] else -(-at // alignment) * alignment
        infos = []
        for name, shape, raw, kind, place in found:
            weights, size = sizes.get(kind, (1, 0))
            if raw and raw[-1 if check == CHECK[6] else 0] % weights and check != CHECK[3]:
                raise ValueError("blocks")
            if start + place + math.prod(raw) // weights * size > len(data) and check != CHECK[2]:
                raise ValueError("end")
            infos.append(TensorInfo(name, shape, kind, place + (0 if offset != "right" else start)))
        return GGUFHeader(version, metadata, tuple(infos), start)

    return read_gguf_header


# ---------------------------------------------------------------- dequantize_q4_0

NIBBLE = [
    "right",
    "with the nibbles SWAPPED: the high half first",
    "with the two nibbles of a byte as NEIGHBOURS",
    "that reads the low nibbles only",
]
ZERO = [
    "right",
    "WITHOUT subtracting 8",
    "that subtracts 7.5",
    "that takes nibbles as two's complement",
    "that subtracts 8 from UNSIGNED bytes, so that 7 - 8 is 255",
]
UNIT = [
    "right",
    "whose scale is read BIG-endian",
    "with the scale of the FIRST block for all",
    "that divides by the scale",
]
SIZE = ["right", "that raises no ValueError for half a block", "whose weights are float64"]
Q4_HINTS = {
    NIBBLE[1]: "Weights 0 to 15 are in the low halves.",
    NIBBLE[2]: "Byte 0 holds weight 0 and weight 16.",
    NIBBLE[3]: "How many weights are in 16 bytes?",
    ZERO[1]: "A quant is 0 to 15. How does a weight become negative?",
    ZERO[2]: "Which quant stands for zero?",
    ZERO[3]: "Quant 0 is -8, quant 15 is 7.",
    ZERO[4]: "Can a uint8 hold -1?",
    UNIT[1]: "All numbers of GGUF are little-endian.",
    UNIT[2]: "Each block has a scale of its own.",
    UNIT[3]: "w = d (q - 8)",
    SIZE[1]: "Twenty bytes: one block, and what is the rest?",
    SIZE[2]: "The docstring promises float32.",
}


def wrong_q4(nibble, zero, unit, size):
    def dequantize_q4_0(data):
        if len(data) % 18:
            if size != SIZE[1]:
                raise ValueError("blocks")
            data = data[: len(data) // 18 * 18]
        blocks = data.reshape(-1, 18)
        scale = np.ascontiguousarray(blocks[:, :2]).view(">f2" if unit == UNIT[1] else "<f2").astype(np.float32)
        if unit == UNIT[2]:
            scale = np.broadcast_to(scale[:1], scale.shape)
        low, high = blocks[:, 2:] & 15, blocks[:, 2:] >> 4
        quants = {
            NIBBLE[0]: np.concatenate([low, high], 1),
            NIBBLE[1]: np.concatenate([high, low], 1),
            NIBBLE[2]: np.stack([low, high], 2).reshape(-1, 32),
            NIBBLE[3]: np.concatenate([low, low], 1),
        }[nibble].astype(np.float32)
        if zero == ZERO[3]:
            quants = np.where(quants > 7, quants - 16, quants)
        else:
            quants = quants - {ZERO[0]: 8, ZERO[1]: 0, ZERO[2]: 7.5, ZERO[4]: 8}[zero]
            quants = quants % 256 if zero == ZERO[4] else quants
        with np.errstate(all="ignore"):
            weights = quants / scale if unit == UNIT[3] else quants * scale
        return weights.reshape(-1).astype(np.float64 if size == SIZE[2] else np.float32)

    return dequantize_q4_0


# ---------------------------------------------------------------- all of them

KNOBS = {
    "BlockAllocator": ("an allocator", {"free": FREE, "reuse": REUSE, "share": SHARE, "take": TAKE}, wrong_allocator,
                       BLOCK_HINTS, ({FREE[1], SHARE[1]}, {TAKE[3], REUSE[1]}, {TAKE[3], REUSE[3]})),
    "copy_on_write": ("a copy-on-write", {"write": WRITE}, wrong_write, WRITE_HINTS, ()),
    "PrefixCache": ("a prefix cache", {"key": KEY, "match": MATCH, "forget": FORGET, "publish": PUBLISH}, wrong_prefix,
                    PREFIX_HINTS, ()),
    "paged_attention": ("an attention", {"slot": SLOT, "stale": STALE, "causal": CAUSAL, "softmax": SOFTMAX,
                                         "scale": SCALE, "groups": GROUPS}, wrong_paged, PAGED_HINTS, ()),
    "preempt": ("a preemption", {"victim": VICTIM, "place": PLACE, "kept": KEPT, "output": OUTPUT, "counted": COUNTED},
                wrong_preempt, PREEMPT_HINTS, ()),
    "schedule": ("a scheduler", {"first": FIRST, "budget": BUDGET, "admit": ADMIT, "plan": PLAN, "leave": LEAVE},
                 wrong_schedule, SCHEDULE_HINTS, ()),
    "sample": ("a sampler", {"source": SOURCE, "greedy": GREEDY, "heat": HEAT, "nucleus": NUCLEUS, "logprob": LOGPROB,
                             "order": ORDER}, wrong_sample, SAMPLE_HINTS, ()),
    "StreamDetokenizer": ("a detokenizer", {"decode": DECODE, "find": FIND, "hold": HOLD, "which": WHICH,
                                            "after": AFTER}, wrong_text, TEXT_HINTS, ()),
    "SSEStream": ("a stream", {"done": DONE, "usage": USAGE, "reason": REASON, "role": ROLE, "empty": EMPTY,
                               "frame": FRAME, "logs": LOGS}, wrong_sse, SSE_HINTS, ()),
    "route": ("a router", {"cost": COST, "ready": READY, "tie": TIE, "tag": TAG, "nobody": NOBODY}, wrong_route,
              ROUTE_HINTS, ()),
    "read_gguf_header": ("a reader", {"align": ALIGN, "dims": DIMS, "offset": OFFSET, "check": CHECK,
                                      "values": VALUES}, wrong_header, GGUF_HINTS, ()),
    "dequantize_q4_0": ("a dequantization", {"nibble": NIBBLE, "zero": ZERO, "unit": UNIT, "size": SIZE}, wrong_q4,
                        Q4_HINTS, ()),
}  # fmt: skip


def of(task):
    """Every known mistake of a task, one at a time."""
    noun, knobs, build, hints, without = KNOBS[task]
    yield from combine(task, noun, knobs, build, hints, most=1, without=without)
