"""Mutants that no promised behaviour can tell from the reference, each with its reason.

`nox -s mutate-serving_stack` prints the key of each mutant that survives.
"""

# ruff: noqa: E501

POSITIVE = "a running request misses at least one token, and the budget is never exceeded"
MOST = "never more than max_running run"
COPY = "what is returned was made in this call; a copy of it is as good"
NEVER = "a number of holders is never negative"
WHOLE = "a hash of the whole beginning in each link depends on the same tokens"
BYTES = "a hash of an array is a hash of its bytes"
DEFAULT = "False is the default"
ZIP = "the lengths are equal for every promised input"
AXIS = "the same axis, counted from the other end"
INDEX = "a list of numbers indexes as a tensor does"
SHAPE = "keys and values have one shape"
NONE = "the default is used where there is no stop string; less than nothing is held as nothing"
MIN = "`min` of an empty list is a ValueError too"
RESHAPE = "NumPy's reshape refuses half a block with a ValueError too"
SIGN = "a remainder is zero for 18 as for -18, and -2 is as good an unknown size as -1"
SORT = "a sort of few numbers is stable; the order of equals is not promised"
FILL = "every entry is written"
FLOAT = "float32 finds the same token but where u falls within a rounding of a sum"
EXACT = "u falls on a sum exactly with probability zero"
TEMP = "no temperature is negative"
ONE = "one number: the first is the last"
LITTLE = "this machine is little-endian, and one number has no padding"
KINDS = "types below 8 are numbers, and were read before; above 9 too"
CHECK = "nothing that a caller sees was changed before the check"
EITHER = "the order of the alternatives does not matter"
UNKNOWN = "a type that is not known has no size that is checked"
PLACE = "on the CPU, everything lies on the CPU"
DIV = "the division has no remainder"

EQUIVALENT = {
    "BlockAllocator": {
        "return blocks -> return _copied(blocks), in: def allocate(self, count):": COPY,
        "self.holders[block] == 0 -> self.holders[block] <= 0, in: if self.holders[block] == 0:": NEVER,
    },
    "copy_on_write": {
        "allocator.holders[block] == 1 -> allocator.holders[block] <= 1, in: if allocator.holders[block] == 1:": NEVER,
    },
    "PrefixCache": {
        "array('q', tokens[end - block_size:end]).tobytes() -> array('q', tokens[end - block_size:end]), in: content = array('q', tokens[end - block_size:end]).tobytes()": BYTES,
        "end - block_size:end -> :end, in: content = array('q', tokens[end - block_size:end]).tobytes()": WHOLE,
        "end - block_size -> end % block_size, in: content = array('q', tokens[end - block_size:end]).tobytes()": WHOLE,
        "end -> block_size, in: content = array('q', tokens[end - block_size:end]).tobytes()": WHOLE,
        "block_size -> end, in: content = array('q', tokens[end - block_size:end]).tobytes()": WHOLE,
        "return found -> return _copied(found), in: def lookup(self, tokens, tag=''):": COPY,
        "zip(table, block_hashes(tokens, self.block_size, tag), strict=False) -> zip(table, block_hashes(tokens, self.block_size, tag)), in: for block, key in zip(table, block_hashes(tokens, self.block_size, ...": DEFAULT,
    },
    "paged_attention": {
        "scores -> grouped, in: visible = scores.new_ones(n, T, dtype=torch.bool).tril(T - n)": PLACE,
        "scores -> k, in: visible = scores.new_ones(n, T, dtype=torch.bool).tril(T - n)": PLACE,
        "scores -> q, in: visible = scores.new_ones(n, T, dtype=torch.bool).tril(T - n)": PLACE,
        "scores -> v, in: visible = scores.new_ones(n, T, dtype=torch.bool).tril(T - n)": PLACE,
        "torch.tensor(table) -> table, in: blocks = pool[torch.tensor(table)]": INDEX,
        "return blocks.transpose(0, 1).flatten(1, 2)[:, :length] -> return _copied(blocks.transpose(0, 1).flatten(1, 2)[:, :length]), in: def gather(pool, table, length):": COPY,
        "2 -> -2, in: return blocks.transpose(0, 1).flatten(1, 2)[:, :length]": AXIS,
        "k -> v, in: G, T, _ = k.shape": SHAPE,
        "2 -> -2, in: grouped = q.view(n, G, H // G, D).permute(1, 2, 0, 3)": AXIS,
        "2 -> -2, in: return (weights @ v[:, None]).permute(2, 0, 1, 3).reshape(n, H, D)": AXIS,
        "zip(rows, tables, context_lens, strict=True) -> zip(rows, tables, context_lens), in: for queries, table, length in zip(rows, tables, context_lens, stric...": ZIP,
        "True -> False, in: for queries, table, length in zip(rows, tables, context_lens, stric...": ZIP,
    },
    "sample": {
        "u.item() -> u, in: chosen.append(int(torch.searchsorted(probs.cumsum(-1), u.item() * p...": PLACE,
        "torch.tensor(chosen, device=logits.device) -> torch.tensor(chosen), in: picked = logits.gather(1, torch.tensor(chosen, device=logits.device...": PLACE,
        "logits -> generator, in: picked = logits.gather(1, torch.tensor(chosen, device=logits.device... (2)": PLACE,
        "logits -> row, in: picked = logits.gather(1, torch.tensor(chosen, device=logits.device... (2)": PLACE,
        "probs.sort(descending=True, stable=True) -> probs.sort(descending=True), in: ordered, ids = probs.sort(descending=True, stable=True)": SORT,
        "True -> False, in: ordered, ids = probs.sort(descending=True, stable=True) (2)": SORT,
        "-1 -> 0, in: before = ordered.cumsum(-1) - ordered": AXIS,
        "1 -> 0, in: before = ordered.cumsum(-1) - ordered": AXIS,
        "torch.zeros_like(probs) -> probs, in: return torch.zeros_like(probs).scatter(0, ids, kept)": FILL,
        "torch.zeros_like(probs) -> torch.ones_like(probs), in: return torch.zeros_like(probs).scatter(0, ids, kept)": FILL,
        "probs -> before, in: return torch.zeros_like(probs).scatter(0, ids, kept)": FILL,
        "probs -> kept, in: return torch.zeros_like(probs).scatter(0, ids, kept)": FILL,
        "probs -> ordered, in: return torch.zeros_like(probs).scatter(0, ids, kept)": FILL,
        "0 -> -1, in: return torch.zeros_like(probs).scatter(0, ids, kept)": ONE,
        "zip(logits, params, generators, strict=True) -> zip(logits, params, generators), in: for row, how, generator in zip(logits, params, generators, strict=T...": ZIP,
        "True -> False, in: for row, how, generator in zip(logits, params, generators, strict=T...": ZIP,
        "how.temperature == 0 -> how.temperature <= 0, in: if how.temperature == 0:": TEMP,
        "row.double() -> row, in: probs = torch.softmax(row.double() / how.temperature, -1)": FLOAT,
        "-1 -> 0, in: probs = torch.softmax(row.double() / how.temperature, -1)": AXIS,
        "1 -> 0, in: probs = torch.softmax(row.double() / how.temperature, -1)": AXIS,
        "torch.searchsorted(probs.cumsum(-1), u.item() * probs.sum(), right=True) -> torch.searchsorted(probs.cumsum(-1), u.item() * probs.sum()), in: chosen.append(int(torch.searchsorted(probs.cumsum(-1), u.item() * p...": EXACT,
        "-1 -> 0, in: chosen.append(int(torch.searchsorted(probs.cumsum(-1), u.item() * p...": AXIS,
        "1 -> 0, in: chosen.append(int(torch.searchsorted(probs.cumsum(-1), u.item() * p...": AXIS,
        "True -> False, in: chosen.append(int(torch.searchsorted(probs.cumsum(-1), u.item() * p...": EXACT,
        "1 -> -1, in: picked = logits.gather(1, torch.tensor(chosen, device=logits.device...": AXIS,
        "0 -> -1, in: picked = logits.gather(1, torch.tensor(chosen, device=logits.device...": ONE,
        "-1 -> 1, in: return (chosen, picked - logits.logsumexp(-1))": AXIS,
        "1 -> -1, in: return (chosen, picked - logits.logsumexp(-1))": AXIS,
    },
    "StreamDetokenizer": {
        "return self._held[:end + minus_length] -> return _copied(self._held[:end + minus_length]), in: if ends:": COPY,
        "0 -> -1, in: keep = 0 if final else max((begun(self._held, s) for s in self.stop...": NONE,
        "0 -> -1, in: keep = 0 if final else max((begun(self._held, s) for s in self.stop... (2)": NONE,
        "return sent -> return _copied(sent), in: def _take(self, final):": COPY,
    },
    "SSEStream": {
        "return events -> return _copied(events), in: def push(self, delta):": COPY,
    },
    "route": {
        "if not ready -> never, in: def route(tokens, workers, tag=''):": MIN,
        "ready -> tokens, in: if not ready:": MIN,
        "ready -> workers, in: if not ready:": MIN,
        "raise ValueError(f'workers={len(workers)}: none of them is ready; answer 503 and let th... -> pass, in: if not ready:": MIN,
    },
    "dequantize_q4_0": {
        "if len(data) % 18 -> never, in: def dequantize_q4_0(data):": RESHAPE,
        "18 -> -18, in: if len(data) % 18:": SIGN,
        "raise ValueError(f'data of {len(data)} bytes: not a multiple of 18, the size of a Q4_0 ... -> pass, in: if len(data) % 18:": RESHAPE,
        "-1 -> -2, in: blocks = data.reshape(-1, 18)": SIGN,
        "1 -> -1, in: both = np.concatenate([quants & 15, quants >> 4], axis=1)": AXIS,
        "-1 -> -2, in: return ((both.astype(np.float32) - 8) * scale).reshape(-1)": SIGN,
    },
    "read_gguf_header": {
        "return struct.unpack('<' + code, self.take(struct.calcsize('<' + code)))[0] -> return _copied(struct.unpack('<' + code, self.take(struct.calcsize('<' + code)))[0]), in: def number(self, code):": COPY,
        "'<' + code -> code, in: return struct.unpack('<' + code, self.take(struct.calcsize('<' + co...": LITTLE,
        "'<' + code -> code, in: return struct.unpack('<' + code, self.take(struct.calcsize('<' + co... (2)": LITTLE,
        "0 -> -1, in: return struct.unpack('<' + code, self.take(struct.calcsize('<' + co...": ONE,
        "kind == TEXT -> kind <= TEXT, in: if kind == TEXT:": KINDS,
        "kind != ARRAY -> kind > ARRAY, in: if kind != ARRAY:": KINDS,
        "read_gguf_header: if version not in (2, 3): raise -> at the end": CHECK,
        "(2, 3) -> (3, 2), in: if version not in (2, 3):": EITHER,
        "1 -> -1, in: weights, size = BLOCKS.get(kind, (1, 0))": UNKNOWN,
        "0 -> -1, in: weights, size = BLOCKS.get(kind, (1, 0))": UNKNOWN,
        "prod(shape) // weights -> prod(shape) / weights, in: end = data_offset + offset + prod(shape) // weights * size": DIV,
    },
    "schedule": {
        "request.num_missing > 1 -> request.num_missing != 1, in: decodes_first = sorted(state.running, key=lambda request: request.n...": POSITIVE,
        "count == 0 -> count <= 0, in: if count == 0:": POSITIVE,
        "count == 0 -> count <= 0, in: if count == 0 or not reserve(state, request, count):": POSITIVE,
        "len(state.running) < state.max_running -> len(state.running) != state.max_running, in: while state.waiting and (not preempted) and (len(state.running) < s...": MOST,
    },
}
