"""GGUF: files of the library `gguf` are read, its reader reads ours, and damage is an error."""

import contextlib
import random
import struct
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from probes_formats import entry, file_of, tensor, text

from serving_stack.engine import Llama, ModelConfig
from serving_stack.engine.weights import random_weights
from serving_stack.formats import dequantize, quantize
from serving_stack.formats.gguf_writer import write_gguf
from serving_stack.formats.load import file_name, load_gguf, our_name, save_gguf


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A file by the library, with everything that the task reads."""
    path = tmp_path_factory.mktemp("gguf") / "a.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_custom_alignment(64)
    writer.add_string("general.name", "naïve")
    writer.add_bool("yes", True)
    writer.add_int32("minus", -7)
    writer.add_array("tokens", ["a", "é", ""])
    writer.add_array("types", [1, -1, 3])
    arrays = {"a": np.arange(15, dtype=np.float32).reshape(3, 5), "b": np.arange(24, dtype=np.float16).reshape(2, 3, 4)}
    for name, array in arrays.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes(), arrays


@pytest.mark.task("read_gguf_header")
def test_oracle_a_file_of_the_library(impl, written):
    data, arrays = written
    header = impl.read_gguf_header(data)
    want = {"general.name": "naïve", "yes": True, "minus": -7, "tokens": ["a", "é", ""], "types": [1, -1, 3],
            "general.alignment": 64, "general.architecture": "llama"}  # fmt: skip
    assert header.metadata == want and header.metadata["yes"] is True and header.version == 3
    assert header.data_offset % 64 == 0
    for info in header.tensors:
        array = arrays[info.name]
        assert tuple(info.shape) == array.shape
        found = np.frombuffer(data, array.dtype, array.size, info.offset).reshape(array.shape)
        np.testing.assert_array_equal(found, array)


@pytest.mark.task("read_gguf_header")
@pytest.mark.parametrize("alignment", [1, 8, 32, 64, 256])
def test_property_the_data_begin_at_a_multiple_of_the_alignment(impl, alignment):
    for length in range(0, 260, 29):
        entries = [entry("general.alignment", 4, struct.pack("<I", alignment)), entry("k", 8, text("x" * length))]
        data = file_of(entries, [tensor("t", [3], 0, 2 * alignment)], 2 * alignment + 12, alignment=alignment)
        header = impl.read_gguf_header(data)
        assert header.data_offset == len(data) - 2 * alignment - 12
        assert header.tensors[0].offset == len(data) - 12


@pytest.mark.task("read_gguf_header")
def test_bad_input_damaged_files(impl):
    cases = [
        b"", b"GGUF", b"GGML" + bytes(40), file_of(version=1), file_of(version=4), file_of(counts=(2**60, 0)),
        file_of(counts=(0, 2**60)), file_of([entry("k", 9, struct.pack("<IQ", 8, 2**60))]),
        file_of([], [tensor("t", [1] * 5, 0, 0)], 64), file_of([], [tensor("t", [40, 2], 2, 0)], 100),
        file_of([], [tensor("t", [8], 0, 0)], 31), file_of([entry("k", 8, text(b"\xff"))]),
        file_of([entry("general.alignment", 4, bytes(4))]),
        file_of([entry("general.alignment", 6, struct.pack("<f", 32))]),
    ]  # fmt: skip
    for data in cases:
        with pytest.raises(ValueError):
            impl.read_gguf_header(data)


@pytest.mark.task("read_gguf_header")
def test_property_whole_blocks_lie_along_the_rows(impl):
    """The first dimension of the file is the last axis of NumPy's shape: 32 weights are a block, 3 rows are none."""
    header = impl.read_gguf_header(file_of([], [tensor("t", [32, 3], 2, 0)], 54))
    assert header.tensors[0].shape == (3, 32)
    with pytest.raises(ValueError):
        impl.read_gguf_header(file_of([], [tensor("t", [3, 32], 2, 0)], 54))


@pytest.mark.task("read_gguf_header")
def test_property_noise_is_a_value_error_or_a_header(impl, written, seed):
    """Bytes of a good file are changed, and files are cut: no other error, and no memory beyond the file."""
    good, g = written[0], random.Random(seed)
    for _ in range(100):
        data = bytearray(good)
        for _ in range(g.randint(1, 4)):
            data[g.randrange(min(len(data), 400))] = g.choice([0, 1, 255, g.randrange(256)])
        cut = bytes(data[: g.choice([len(data), g.randrange(len(data))])])
        with no_memory_beyond(2**29), contextlib.suppress(ValueError):
            impl.read_gguf_header(cut)


@contextlib.contextmanager
def no_memory_beyond(more):
    """Whoever asks for so many bytes gets a MemoryError at once, where the system can limit a process (Linux)."""
    if not sys.platform.startswith("linux"):
        yield
        return
    import resource  # Windows has none

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_memory_is_limited_and_then_no_more():
    if sys.platform.startswith("linux"):
        with no_memory_beyond(2**24), pytest.raises(MemoryError):
            bytearray(2**30)
    assert len(bytearray(2**26)) == 2**26


@pytest.mark.task("dequantize_q4_0")
def test_oracle_the_library_dequantizes_the_same(impl, seed):
    data = np.random.default_rng(seed).integers(0, 256, (37, 18), dtype=np.uint8)
    data[:, 1] &= 0x7B  # no infinity and no NaN among the scales
    want = gguf.quants.dequantize(data, gguf.GGMLQuantizationType.Q4_0).reshape(-1)
    found = impl.dequantize_q4_0(data.reshape(-1))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, want)


@pytest.mark.task("dequantize_q4_0")
def test_bad_input_half_a_block(impl):
    for size in (1, 17, 20, 35):
        with pytest.raises(ValueError):
            impl.dequantize_q4_0(np.zeros(size, np.uint8))


@pytest.mark.parametrize("kind", ["F32", "F16", "Q4_0", "Q4_1", "Q8_0"])
def test_oracle_both_directions_are_the_librarys(kind, seed):
    """Quantized bytes are equal, byte for byte; so are the weights that come back."""
    weights = np.random.default_rng(seed).normal(size=(7, 96)).astype(np.float32)
    weights[0, :32] = 0
    mine = quantize(weights, kind)
    code = gguf.GGMLQuantizationType[kind]
    theirs = gguf.quants.quantize(weights, code)
    np.testing.assert_array_equal(mine, theirs.reshape(-1).view(np.uint8))
    np.testing.assert_array_equal(dequantize(mine, kind), gguf.quants.dequantize(theirs, code).reshape(-1))


def test_effect_fewer_bits_lose_more(seed):
    """The error of a block grows with its scale: about 1/127 of the largest weight against 1/8."""
    weights = np.random.default_rng(seed).normal(size=(50, 64)).astype(np.float32)
    errors = {k: np.abs(dequantize(quantize(weights, k), k) - weights.reshape(-1)).mean()
              for k in ("Q8_0", "Q4_1", "Q4_0")}  # fmt: skip
    assert errors["Q8_0"] * 10 < errors["Q4_1"] < errors["Q4_0"]


CONFIG = ModelConfig(64, 32, 2, 4, 2, 96, 64, norm_eps=2.0**-17)  # exact in float32, as GGUF stores it
VOCABULARY = {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": [f"t{i}" for i in range(64)]}


@pytest.mark.parametrize("kind", ["F32", "Q8_0", "Q4_0"])
def test_a_written_model_is_read_by_the_library_and_by_us(tmp_path, kind):
    weights = random_weights(CONFIG)
    path = save_gguf(tmp_path / "m.gguf", CONFIG, weights, VOCABULARY, kind)
    reader = gguf.GGUFReader(str(path))
    found = {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in reader.tensors}
    checkpoint = load_gguf(path)
    assert checkpoint.config == CONFIG
    assert {file_name(name) for name in weights} == set(found)
    for name, weight in checkpoint.weights.items():
        np.testing.assert_array_equal(weight.numpy(), found[file_name(name)].reshape(weight.shape))
        assert our_name(file_name(name)) == name
    if kind == "F32":
        assert all(torch.equal(checkpoint.weights[name], weight) for name, weight in weights.items())


def test_a_head_of_its_own_and_a_tied_one(tmp_path):
    """The classic fault: a file without output.weight has a tied head; one with it must not use the embedding."""
    weights = random_weights(CONFIG)
    apart = {**weights, "lm_head.weight": -weights["wte.weight"]}
    rows = []
    for name, state in (("tied", weights), ("apart", apart)):
        loaded = load_gguf(save_gguf(tmp_path / f"{name}.gguf", CONFIG, state, VOCABULARY, "F32"))
        model = Llama(loaded.config, loaded.weights)
        one = torch.tensor([0])
        rows.append(model.forward(torch.tensor([3]), one, lambda layer, q, k, v: q * 0, one))
    torch.testing.assert_close(rows[0], -rows[1])


@pytest.mark.parametrize("change, message", [
    ({"general.architecture": "gpt2"}, "this loader reads 'llama'"),
    ({"llama.block_count": 3}, "blocks.2.* is missing"),
    ({"llama.feed_forward_length": 95}, "expected"),
])  # fmt: skip
def test_bad_input_a_model_that_does_not_fit(tmp_path, change, message):
    metadata = {**VOCABULARY, **change}
    path = save_gguf(tmp_path / "m.gguf", CONFIG, random_weights(CONFIG), metadata, "F32")
    with pytest.raises(ValueError, match=message):
        load_gguf(path)


def test_bad_input_what_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="multiple of 32"):
        write_gguf(tmp_path / "a", {}, {"t": (np.zeros((2, 33), np.float32), "Q4_0")})
    with pytest.raises(ValueError, match="metadata holds"):
        write_gguf(tmp_path / "a", {"k": []}, {})
    assert not list(tmp_path.iterdir()), "nothing is left of a file that failed"
