"""Probes of GGUF's header and of Q4_0."""

import struct

import numpy as np
from grader import error_of

# ---------------------------------------------------------------- read_gguf_header


def text(content):
    data = content.encode() if isinstance(content, str) else content
    return struct.pack("<Q", len(data)) + data


def entry(key, kind, data):
    return text(key) + struct.pack("<I", kind) + data


def tensor(name, dims, kind, offset):
    return text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


def file_of(entries=(), tensors=(), data=0, version=3, alignment=32, counts=None):
    """A file, put together by hand: the header, padding, and so many bytes of data."""
    n, m = counts or (len(tensors), len(entries))
    head = b"GGUF" + struct.pack("<IQQ", version, n, m) + b"".join(entries) + b"".join(tensors)
    return head + bytes(-len(head) % alignment) + bytes(data)


def read(impl, data):
    header = impl.read_gguf_header(data)
    infos = [[t.name, list(t.shape), t.type, t.offset] for t in header.tensors]
    return {"version": header.version, "metadata": dict(header.metadata), "tensors": infos,
            "where the data begins": header.data_offset,
            "tensors are a tuple": isinstance(header.tensors, tuple)}  # fmt: skip


def two_tensors(impl, seed):
    entries = [entry("general.name", 8, text("x" * (5 + seed % 40)))]
    return read(impl, file_of(entries, [tensor("a", [3, 5], 0, 0), tensor("b.weight", [64, 2], 2, 64)], 64 + 72))


def numbers_of_every_type(impl, seed):
    codes = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 10: "Q", 11: "q", 12: "d"}
    values = {
        0: 200,
        1: -3,
        2: 60_000,
        3: -300,
        4: 4_000_000_000,
        5: -70_000,
        6: 0.5,
        10: 2**63,
        11: -(2**40),
        12: 1e99,
    }
    entries = [entry(f"of type {k}", k, struct.pack("<" + c, values[k])) for k, c in codes.items()]
    return read(impl, file_of([*entries, entry("true", 7, b"\x01"), entry("false", 7, b"\x00")]))


def texts_and_lists(impl, seed):
    array = struct.pack
    entries = [
        entry("tokens", 9, array("<IQ", 8, 3) + text("a") + text("é😀") + text("")),
        entry("scores", 9, array("<IQ3f", 6, 3, 0.5, -1.5, 2.0)),
        entry("types", 9, array("<IQ4i", 5, 4, 1, -1, 3, 7)),
        entry("flags", 9, array("<IQ2?", 7, 2, True, False)),
        entry("large", 9, array("<IQ2d", 12, 2, 1e300, -0.1)),
        entry("nothing", 9, array("<IQ", 4, 0)),
    ]
    return read(impl, file_of(entries))


def another_alignment(impl, seed):
    found = {}
    for alignment in (1, 8, 64, 256):
        entries = [entry("general.alignment", 4, struct.pack("<I", alignment))]
        data = file_of(entries, [tensor("t", [2, 3, 4], 1, alignment)], alignment + 48, alignment=alignment)
        found[f"alignment {alignment}"] = read(impl, data)
    return found


def shapes_of_one_to_four_dimensions(impl, seed):
    tensors = [tensor(f"t{n}", dims, 0, 0) for n, dims in enumerate([[7], [7, 2], [2, 3, 5], [5, 2, 1, 3]])]
    return read(impl, file_of([], tensors, 200))


def a_type_that_is_not_known(impl, seed):
    return read(impl, file_of([], [tensor("t", [255, 2], 14, 0), tensor("u", [32], 8, 32)], 66))


def an_old_version_and_an_empty_file(impl, seed):
    one = [entry("general.alignment", 4, struct.pack("<I", 1))]
    return {"version 2": read(impl, file_of(version=2)), "nothing inside": read(impl, file_of()),
            "a file that ends with its header": read(impl, file_of(one, alignment=1))}  # fmt: skip


def a_view_of_memory(impl, seed):
    return read(impl, memoryview(file_of([entry("k", 8, text("v"))], [tensor("a", [4], 0, 0)], 16)))


def refused(impl, data):
    return error_of(lambda: impl.read_gguf_header(data))


def files_that_are_refused(impl, seed):
    good = file_of([entry("k", 8, text("value"))], [tensor("a", [4], 0, 0)], 16)
    cut = {f"cut at byte {n}": good[:n] for n in (0, 3, 7, 20, 30, 44, 60, len(good) - 1)}
    cases = {
        "no GGUF": b"GGML" + good[4:],
        "another beginning": b"PK\x03\x04" + good[4:],
        "version 1": file_of(version=1),
        "version 4": file_of(version=4),
        **cut,
        "a list of lists": file_of([entry("k", 9, struct.pack("<IQ", 9, 1) + struct.pack("<IQ", 4, 0))]),
        "an unknown type of value": file_of([entry("k", 13, b"")]),
        "a text that is no UTF-8": file_of([entry("k", 8, text(b"\xff\xfe"))]),
        "five dimensions": file_of([], [tensor("t", [1, 1, 1, 1, 1], 0, 0)], 64),
        "no dimension": file_of([], [tensor("t", [], 0, 0)], 64),
        "a tensor beyond the end": file_of([], [tensor("t", [5], 0, 4)], 20),
        "blocks beyond the end": file_of([], [tensor("t", [32, 3], 2, 0)], 53),
        "a row of half a block": file_of([], [tensor("t", [48, 2], 2, 0)], 96),
        "alignment 0": file_of([entry("general.alignment", 4, struct.pack("<I", 0))]),
        "an alignment that is a float": file_of([entry("general.alignment", 6, struct.pack("<f", 32))]),
        "an alignment that is a text": file_of([entry("general.alignment", 8, text("32"))]),
    }
    return {name: refused(impl, data) for name, data in cases.items()}


def counts_larger_than_the_file(impl, seed):
    huge = 2**60
    cases = {
        "tensors": file_of(counts=(huge, 0)),
        "entries": file_of(counts=(0, huge)),
        "a text": file_of([entry("k", 8, struct.pack("<Q", huge))]),
        "a list of numbers": file_of([entry("k", 9, struct.pack("<IQ", 4, huge))]),
        "a list of texts": file_of([entry("k", 9, struct.pack("<IQ", 8, huge))]),
        "a dimension": file_of([], [tensor("t", [huge], 0, 0)]),
    }
    return {name: refused(impl, data) for name, data in cases.items()}


def tensors_that_just_fit(impl, seed):
    return {"floats": read(impl, file_of([], [tensor("t", [5], 0, 4)], 24)),
            "blocks": read(impl, file_of([], [tensor("t", [32, 3], 2, 0)], 54)),
            "an empty row": read(impl, file_of([], [tensor("t", [0], 0, 0)]))}  # fmt: skip


def the_header_of_the_workbook(impl, seed):
    entries = [entry("general.alignment", 4, struct.pack("<I", 16))]
    return read(impl, file_of(entries, [tensor("w", [3, 2], 0, 16)], 40, alignment=16))


# ---------------------------------------------------------------- dequantize_q4_0


def blocks_of(seed, count):
    random = np.random.default_rng(seed)
    scales = (random.normal(size=(count, 1)) * 3).astype("<f2").view(np.uint8)
    return np.concatenate([scales, random.integers(0, 256, (count, 16), dtype=np.uint8)], axis=1).reshape(-1)


def five_blocks(impl, seed):
    return impl.dequantize_q4_0(blocks_of(seed, 5))


def one_block_of_every_quant(impl, seed):
    data = np.concatenate([np.array([1.5], "<f2").view(np.uint8), np.arange(16, dtype=np.uint8) * 17])
    return impl.dequantize_q4_0(data)


def no_block_at_all(impl, seed):
    return {"the weights": impl.dequantize_q4_0(np.zeros(0, np.uint8)).shape[0]}


def bytes_that_are_no_blocks(impl, seed):
    sizes = (1, 17, 19, 36, 37)
    return {f"{n} bytes": error_of(lambda n=n: impl.dequantize_q4_0(np.zeros(n, np.uint8))) for n in sizes}


def the_block_of_the_workbook(impl, seed):
    return impl.dequantize_q4_0(np.array([0x00, 0x40, 0x98, *([0x88] * 15)], np.uint8))


PROBES = {
    "read_gguf_header": [
        two_tensors,
        numbers_of_every_type,
        texts_and_lists,
        another_alignment,
        shapes_of_one_to_four_dimensions,
        a_type_that_is_not_known,
        an_old_version_and_an_empty_file,
        a_view_of_memory,
        files_that_are_refused,
        counts_larger_than_the_file,
        tensors_that_just_fit,
        the_header_of_the_workbook,
    ],
    "dequantize_q4_0": [
        five_blocks,
        one_block_of_every_quant,
        no_block_at_all,
        bytes_that_are_no_blocks,
        the_block_of_the_workbook,
    ],
}
