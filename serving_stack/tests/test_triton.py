"""Triton: the repository fits together, planted faults are named, and the real server runs it."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from serving_stack.lab.running import free_port
from serving_stack.triton import REPOSITORY, check_repository, parse_pbtxt, triton_server
from serving_stack.triton.small import greedy, small_model

FAULTS = {  # (file, what is replaced, by what): what is said
    ("generate", 'name: "generate"', 'name: "generator"'): "the folder's is 'generate'",
    ("generate", "max_queue_delay_microseconds", "max_queue_delay_ms"): "unknown field max_queue_delay_ms",
    ("generate", "[ 4, 8 ]", "[ 4, 16 ]"): "prefers batches of 16",
    ("tokenize", "TYPE_INT64", "TYPE_INT46"): "unknown type TYPE_INT46",
    ("tokenize", "TYPE_INT64 dims: [ -1 ]", "TYPE_INT32 dims: [ -1 ]"): "wants IDS as TYPE_INT64",
    ("tokenize", "TYPE_INT64 dims: [ -1 ]", "TYPE_INT64 dims: [ -1, 2 ]"): "prompt_ids is TYPE_INT64 [-1, 2]",
    ("tokenize", "dims: [ 1 ]", "dims: [ 0 ]"): "dims [0]",
    ("detokenize", 'name: "ANSWER"', 'name: "ANSWERS"'): "does not name the tensor ANSWERS",
    ("pipeline", 'model_name: "generate"', 'model_name: "gpt"'): "gpt is no model of this repository",
    ("pipeline", 'key: "NEW_IDS" value: "new_ids"', 'key: "NEW_IDS" value: "ids"'): "before a step makes it",
    ("pipeline", 'value: "COMPLETION"', 'value: "TEXT"'): "no step makes the output COMPLETION",
    ("pipeline", "TYPE_INT32", "TYPE_INT64"): "the output BATCH is TYPE_INT64",
    ("pipeline", "max_batch_size: 8", "max_batch_size: 16"): "its step tokenize does not",
    ("dialogue", "direct { }", "direct {"): "line",
}


def test_the_repository_fits_together():
    assert check_repository(REPOSITORY) == []
    assert {path.parent.name for path in REPOSITORY.glob("*/config.pbtxt")} == {
        "tokenize", "generate", "detokenize", "pipeline", "dialogue"}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[2])
def test_each_planted_fault_is_named(fault, tmp_path):
    name, right, wrong = fault
    shutil.copytree(REPOSITORY, tmp_path / "r")
    path = tmp_path / "r" / name / "config.pbtxt"
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong, 1))
    assert any(FAULTS[fault] in said for said in check_repository(tmp_path / "r"))


def test_missing_files_are_named(tmp_path):
    assert check_repository(tmp_path) == ["no folder holds a config.pbtxt"]
    shutil.copytree(REPOSITORY, tmp_path / "r")
    shutil.rmtree(tmp_path / "r" / "tokenize" / "1")
    assert any("model.py" in said for said in check_repository(tmp_path / "r"))


def test_text_protobufs_are_read():
    text = 'a: "x#\\"" # comment\nb { c: [1, -2], d: 0.5 } b { e: true f: NAME } g [ { h: 1 }, { } ]; i: []'
    want = {"a": ['x#\\"'], "b": [{"c": [1, -2], "d": [0.5]}, {"e": [True], "f": ["NAME"]}], "g": [{"h": [1]}, {}],
            "i": []}  # fmt: skip
    assert parse_pbtxt(text) == want and parse_pbtxt("") == {}
    for damaged in ("a:", "{", "a { b: 1", 'a: "x', "a: [1 2]", "a: ]", "a: [1", "a: 'x'"):
        with pytest.raises(ValueError, match="line 1"):
            parse_pbtxt(damaged)


def test_no_triton_is_one_error(monkeypatch):
    from serving_stack.triton import server

    monkeypatch.setattr(server.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OSError, match="peers-triton"), triton_server((0, 0, 0)):
        pass


@pytest.fixture(scope="module")
def triton():
    pytest.importorskip("pytriton", reason="the server is in the extra 'peers-triton'")
    ports = free_port(), free_port(), free_port()
    with triton_server(ports) as addresses:
        yield addresses


def tensor(http, name, array, kind):
    made = http.InferInput(name, list(array.shape), kind)
    made.set_data_from_numpy(array)
    return made


def bytes_of(text):
    return np.array([[text.encode()]], object)


def want(prompts, count):
    return greedy(small_model(), [list(p.encode()) for p in prompts], count)


@pytest.mark.triton
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore")  # of the client's own code
def test_pipeline_over_http_and_grpc(triton):
    import tritonclient.grpc as grpc
    import tritonclient.http as http

    prompt = "What is a block?"
    right = bytes(want([prompt], 12)[0]).decode(errors="replace")
    for module, address in ((http, triton.http), (grpc, triton.grpc)):
        client = module.InferenceServerClient(address)
        assert client.is_server_ready() and client.is_model_ready("pipeline")
        answer = client.infer("pipeline", [tensor(module, "PROMPT", bytes_of(prompt), "BYTES")])
        assert answer.as_numpy("COMPLETION")[0, 0].decode() == right
        with pytest.raises(Exception, match="PROMPT|input"):
            client.infer("pipeline", [tensor(module, "TEXT", bytes_of(prompt), "BYTES")])


@pytest.mark.triton
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore")
def test_dynamic_batching_and_two_instances(triton):
    """Requests of one moment share a call, prompts of other lengths too, and both instances work."""
    import tritonclient.http as http

    client = http.InferenceServerClient(triton.http, concurrency=32)
    prompts = ["x" * (3 + i % 7) for i in range(32)]
    inputs = [[tensor(http, "IDS", np.array([list(p.encode())], np.int64), "INT64")] for p in prompts]
    with ThreadPoolExecutor(32) as pool:
        answers = [f.result() for f in [pool.submit(_infer, triton.http, each) for each in inputs]]
    assert [a.as_numpy("NEW_IDS")[0].tolist() for a in answers] == want(prompts, 12)
    assert max(a.as_numpy("BATCH").item() for a in answers) >= 2
    assert len({a.as_numpy("WORKER").item() for a in answers}) == 2
    client.close()


def _infer(address, inputs):
    import tritonclient.http as http

    return http.InferenceServerClient(address).infer("generate", inputs)


@pytest.mark.triton
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore")
def test_a_sequence_keeps_its_state(triton):
    """Two conversations at the same time; each gets what the engine says after all that was said before."""
    import tritonclient.grpc as grpc

    client, said = grpc.InferenceServerClient(triton.grpc), {1: [], 2: []}
    pieces = {1: ["hello", " and", " bye"], 2: ["good", " morning", " to you"]}
    for turn in range(3):
        for which, parts in pieces.items():
            new = list(parts[turn].encode())
            answer = client.infer("dialogue", [tensor(grpc, "IDS", np.array([new], np.int64), "INT64")],
                                  sequence_id=which, sequence_start=turn == 0, sequence_end=turn == 2)  # fmt: skip
            said[which] += new
            output = answer.as_numpy("NEW_IDS")[0].tolist()
            assert output == greedy(small_model(), [said[which]], 8)[0]
            said[which] += output
            assert answer.as_numpy("LENGTH").item() == len(said[which])
    with pytest.raises(Exception, match="START|sequence"):
        client.infer("dialogue", [tensor(grpc, "IDS", np.array([[1]], np.int64), "INT64")], sequence_id=9)
