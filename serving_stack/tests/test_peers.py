"""Files for other servers, marks of the wire suite, and llama.cpp's Q4_K_M of a file that is written here."""

import pytest
import torch
from models import greedy

from serving_stack.engine.model import ModelConfig
from serving_stack.engine.weights import random_weights
from serving_stack.formats.gguf_reader import GGUFHeader
from serving_stack.formats.load import Checkpoint, load_tokenizer
from serving_stack.formats.tokenizer import byte_letters
from serving_stack.lab import record
from serving_stack.lab.graph import generate
from serving_stack.lab.llama import ratios, types_of
from serving_stack.lab.peer_files import write_file, write_folder
from serving_stack.lab.peers import LLAMA, OURS, TRANSFORMERS, few_words, groups

CONFIG = ModelConfig(260, 64, 1, 4, 2, 256, 128)


@pytest.fixture(scope="module")
def checkpoint():
    """A random Llama with a tokenizer of bytes, one merge and three special tokens."""
    tokens = ["<|end|>", "<|start|>", "<|pad|>", *byte_letters().values(), "he"]
    metadata = {
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm", "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3] * 3 + [1] * 257, "tokenizer.ggml.merges": ["h e"],
        "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 0, "tokenizer.ggml.padding_token_id": 2,
        "tokenizer.chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}",
    }  # fmt: skip
    return Checkpoint(CONFIG, random_weights(CONFIG), GGUFHeader(3, metadata, (), 0))


@pytest.mark.filterwarnings("ignore")  # of transformers' loading
def test_oracle_transformers_reads_the_folder(checkpoint, tmp_path):
    import transformers

    from serving_stack.engine import Llama

    folder = write_folder(tmp_path / "model", checkpoint)
    theirs = transformers.AutoTokenizer.from_pretrained(str(folder))
    ours = load_tokenizer(checkpoint)
    for text in ("he said 42, hehe", "naïve\n\n x_y <|start|>the", ""):
        assert theirs.encode(text) == ours.encode(text)
    model = transformers.AutoModelForCausalLM.from_pretrained(str(folder)).eval()
    assert model.dtype == torch.float32
    prompt = ours.encode("he said")
    assert greedy(model, prompt, 12) == generate(Llama(CONFIG, checkpoint.weights), prompt, 12)


def test_marks_are_counted_by_group():
    marks = {"a: one": "pass", "a: two": "no", "b: three": "KeyError: 'error'"}
    assert groups(marks) == {"a": "1 of 2", "b": "0 of 1"}
    said = [few_words(m) for m in ("no", "KeyError: 'error'", "InternalServerError: Error code: 500 - x", "Odd: y")]
    assert said == ["not so", "no error object", "status 500", "Odd"]


def test_the_record_of_the_wire_suite_is_whole():
    marks = record.read(record.COMMITTED)["wire_peers"]["marks"]
    assert list(marks) == [OURS, LLAMA, TRANSFORMERS] and {len(m) for m in marks.values()} == {58}
    passed = {server: sum(mark == "pass" for mark in m.values()) for server, m in marks.items()}
    assert passed[OURS] == 58 and passed[OURS] > 20 + max(passed[LLAMA], passed[TRANSFORMERS])


def test_the_record_of_llama_cpp_says_what_report_says():
    recorded = record.read(record.COMMITTED)["llama"]
    files = recorded["files"]
    sizes = [files[kind]["bytes"] for kind in ("Q4_0", "Q8_0", "F16", "F32")]
    assert sizes == sorted(sizes) and files["Q4_K_M"]["load, ours"] is None
    assert abs(files["F16"]["loss"] - files["F32"]["loss"]) < 0.01 < files["Q4_0"]["loss"] - files["F32"]["loss"]
    narrow = [kind for part, count in files["Q4_K_M"]["types"].items() if "576 wide" in part for kind in count]
    assert narrow and not any(kind.endswith("_K") for kind in narrow)
    assert ratios(recorded)["one stream"] >= 0.5 and ratios(recorded)["eight streams"] >= 1.0


@pytest.mark.llama
def test_only_widths_of_256_become_k_quants(checkpoint, tmp_path):
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is in the extra 'peers-llama'")
    from serving_stack.lab.llama import quantized

    source = write_file(tmp_path / "f16.gguf", checkpoint, "F16")
    types = types_of(quantized(source, tmp_path / "k.gguf"))
    assert any(kind.endswith("_K") for kind in types["ffn_down, 256 wide"])
    assert not any(kind.endswith("_K") for part, kinds in types.items() if ", 64 wide" in part for kind in kinds)
    with pytest.raises(OSError):
        quantized(tmp_path / "none.gguf", tmp_path / "x.gguf")
