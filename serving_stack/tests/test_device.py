"""The engine on a device: where every tensor lies, the padded and the captured form, and the command `gpu`.

A machine without a GPU runs all but the last tests: on the device "meta", tensors have a place and no content, and an
operator that meets two places raises.
"""

import argparse
import subprocess
import sys

import pytest
import torch
from models import LLAMA, pair
from test_engine import CASES, requests_of, run
from test_paged_attention import CASES as LENGTHS
from test_paged_attention import case

from serving_stack import Engine, EngineConfig, Llama, ModelRunner, Request, SamplingParams, paged_attention, sample
from serving_stack.engine.captured import CapturedRunner
from serving_stack.engine.layouts import lay_out
from serving_stack.engine.model import GPT2
from serving_stack.engine.replay import is_faithful
from serving_stack.engine.weights import random_weights
from serving_stack.lab import bench, gpu, gpu_race, record
from serving_stack.lab.cli import main
from serving_stack.memory.paged_attention_padded import PaddedPlan

DTYPES = (torch.float32, torch.bfloat16)


def moved(kind, device, dtype):
    """A model whose weights the caller has moved."""
    if kind == "llama":
        return Llama(LLAMA, {n: w.to(device, dtype) for n, w in random_weights(LLAMA).items()})
    ours = pair("gpt2", "plain")[1]
    return GPT2(ours.config, {n: w.to(device, dtype) for n, w in ours.weights.items()})


def decoding(name, table, tokens=17):
    """A request that misses its last token."""
    request = Request(name, [1] * tokens, SamplingParams(0))
    request.table, request.num_computed = table, tokens - 1
    return request


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("attention", ["plain", "fast", "padded", "invariant"])
def test_everything_lies_where_the_weights_lie(kind, attention, dtype):
    model = moved(kind, "meta", dtype)
    runner = ModelRunner(model, 20, 16, attention)
    prompt, chunk = Request("a", [1] * 20), decoding("b", [3, 4], 19)
    prompt.table, chunk.num_computed = [1, 2], 16
    for plan in ([(decoding("c", [5, 6]), 1), (prompt, 20), (chunk, 3)], [(decoding("d", [7, 8]), 1)]):
        logits = runner.logits(plan)
        assert logits.shape == (len(plan), model.config.vocab_size)
        assert (logits.device.type, logits.dtype) == ("meta", dtype)
    runner.copy_block(1, 2)
    assert (runner.pool.keys.device.type, runner.pool.values.dtype) == ("meta", dtype)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_captured_step_lies_there_too(kind):
    runner = CapturedRunner(moved(kind, "meta", torch.bfloat16), 20, rows=4)
    logits = runner.logits([(decoding("a", [5, 6]), 1), (decoding("b", [7, 8, 9], 33), 1)])
    assert (logits.device.type, logits.dtype, len(logits)) == ("meta", torch.bfloat16, 2) and list(runner.steps) == [4]


@pytest.mark.parametrize("layout", ["packed", "invariant", "w8a8"])
def test_a_layout_of_the_cpu_is_refused_elsewhere(layout):
    with pytest.raises(ValueError, match="made for the CPU"):
        lay_out(torch.zeros(8, 8, device="meta"), None, layout)


@pytest.mark.parametrize("lengths, queries", LENGTHS)
def test_oracle_padded_rows_are_those_of_the_plain_form(lengths, queries, seed):
    """float64, as for the plain form; the tables are longer than they must be, and the padding is another's block."""
    q, k, v, tables, *rest = case(seed, lengths, queries)
    want = paged_attention(q, k, v, tables, *rest)
    longer = [[*table, tables[0][0]] for table in tables]
    torch.testing.assert_close(PaddedPlan(longer, *rest, 4).attend(q, k, v), want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_padded_and_captured_give_the_tokens_of_the_plain_form(kind):
    model = pair(kind, "plain")[1]
    for name, (blocks, budget, caching, running) in CASES.items():
        made = {"plain": ModelRunner(model, blocks, 16, "plain"), "padded": ModelRunner(model, blocks, 16, "padded"),
                "captured": CapturedRunner(model, blocks, rows=max(running - 2, 1))}  # fmt: skip
        found = {}
        for form, runner in made.items():
            engine = Engine(runner, EngineConfig(blocks, 16, running, budget, caching))
            found[form] = [r.output for r in run(engine, requests_of())]
            assert is_faithful(engine.log)
        assert found["padded"] == found["captured"] == found["plain"], name
        assert made["captured"].steps, "a step of decodes alone is captured"


def test_unused_rows_write_into_a_block_that_no_request_can_hold():
    runner = CapturedRunner(pair("gpt2", "plain")[1], 3, rows=4)
    assert runner.pool.keys.shape[1] == 4 and runner.spare == 3
    before = runner.pool.keys.clone()
    with torch.inference_mode():
        runner.logits([(decoding("a", [0, 1]), 1)])
    changed = (runner.pool.keys != before).flatten(2).any(2).any(0).tolist()
    assert changed == [False, True, False, True]


@pytest.fixture
def small():
    """A model of transformers, the same in bfloat16, and eight requests."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(**bench.QUICK, bos_token_id=None, eos_token_id=None)
    exact = transformers.GPT2LMHeadModel(config).eval()
    return exact, [(p, min(n, 12)) for p, n in bench.requests_of(5, bench.QUICK["vocab_size"])[:8]]


def test_the_race_compares_and_measures(small):
    exact, work = small
    found = gpu_race.race(exact, exact, bench.QUICK, work, 1, lambda line: None)
    assert set(found["equal"].values()) == {8} and all(found["rates"].values()) and all(found["ms"].values())
    weights = sum(p.numel() for n, p in exact.named_parameters() if "wpe" not in n)
    cached = 2 * 2 * 64 * 8 * (gpu_race.PROMPT + gpu_race.STEPS // 2)  # keys and values, layers, width, rows, tokens
    assert found["bytes of a step"][gpu_race.OURS] == 4 * (weights + cached)
    content = {"gpu": {"name": "none", "torch": "2", "CUDA": "13"}, "requests": 8, "copy bytes a second": [1e9],
               "dtypes": {"float32": found}}  # fmt: skip
    text = gpu.gpu_table(content)
    assert text.count("8 of 8") == 5 and text.count("%") == 4 and "none, torch 2, CUDA 13" in text


def test_an_answer_that_parts_is_measured_where_it_parts(small):
    exact, [(prompt, _), *_] = small
    with torch.no_grad():
        logits = exact(torch.tensor([[*prompt, 7]])).logits[0, -1]
    want = float((logits[3] - logits[5]).abs())
    assert gpu_race.gap(exact, prompt, [7, 3, 9], [7, 5, 9]) == pytest.approx(want) and want > 0
    assert gpu_race.gap(exact, prompt, [7, 3], [7, 3]) == 0


def test_what_is_captured_may_fail_and_what_is_not_may_not(small, monkeypatch):
    exact, work = small
    right = [[1] * n for _, n in work]

    def fails():
        raise RuntimeError("no graph\nhere")

    calls = {gpu_race.THEIRS: lambda: right, gpu_race.OURS: lambda: right, gpu_race.CAPTURED: fails,
             gpu_race.WIDE: lambda: [[2] * n for _, n in work]}  # fmt: skip
    equal, gaps = gpu_race.compared(calls, exact, work, gpu_race.TIE)
    assert equal[gpu_race.CAPTURED] == "did not run: no graph here" and "logits differ" in equal[gpu_race.WIDE]
    assert set(gaps) == {gpu_race.THEIRS, gpu_race.OURS}
    assert gpu_race.compared({**calls, gpu_race.OURS: calls[gpu_race.WIDE]}, exact, work, None)[0][gpu_race.OURS] == 0
    with pytest.raises(ValueError, match="logits differ"):
        gpu_race.compared({**calls, gpu_race.OURS: calls[gpu_race.WIDE]}, exact, work, gpu_race.TIE)


def test_the_command_records_a_section_of_its_own(monkeypatch, tmp_path, capsys):
    from serving_stack.__main__ import COMMANDS  # here: it needs the libraries of the server

    on_the_cpu, seen = gpu.measure, []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    monkeypatch.setattr(gpu, "DTYPES", {"float32": torch.float32})
    monkeypatch.setattr(gpu, "requests_of", lambda seed, vocab: [([1, 2, 3], 4), ([4, 5], 6)])
    monkeypatch.setattr(
        gpu, "measure", lambda device, *rest: seen.append(device) or on_the_cpu(torch.device("cpu"), *rest)
    )
    record.write(tmp_path, "bench", {"kept": 1}, seeds=[0])
    assert (
        main("serving_stack", "", COMMANDS, None, ["gpu", "--device", "cuda", "--quick", "--out", str(tmp_path)]) == 0
    )
    results = record.read(tmp_path)
    assert seen == [torch.device("cuda")] and results["bench"]["kept"] == 1
    assert results["gpu"]["gpu"]["name"] == "a card" and results["gpu"]["meta"]["device"] == "cuda"
    assert "a card, torch" in capsys.readouterr().out


def test_the_command_says_that_it_needs_a_gpu(capsys, monkeypatch):
    with pytest.raises(ValueError, match="needs --device cuda"):
        gpu.gpu(argparse.Namespace(device="cpu", quick=True, seed=0), print)
    monkeypatch.setattr(record, "read", lambda folder: {})
    assert gpu.gpu_table() == "No run on a GPU is recorded. `python -m serving_stack gpu --device cuda` makes one.\n"


def test_the_command_runs_without_the_libraries_of_the_server():
    text = (
        "import sys; sys.modules.update(dict.fromkeys(['fastapi', 'uvicorn', 'pooch'])); import serving_stack.lab.gpu"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_gpu_gives_the_tokens_of_the_cpu(kind):
    """The weights are large, so that no two logits are near each other."""
    want = [r.output for r in run(Engine(ModelRunner(moved(kind, "cpu", torch.float32), 200), EngineConfig(200)),
                                  requests_of())]  # fmt: skip
    model = moved(kind, "cuda", torch.float32)
    runners = [ModelRunner(model, 200, 16, form) for form in ("plain", "fast", "padded")]
    for runner in (*runners, CapturedRunner(model, 200)):
        assert [r.output for r in run(Engine(runner, EngineConfig(200)), requests_of())] == want


@pytest.mark.gpu
@needs_gpu
def test_a_gpu_draws_what_the_cpu_draws():
    """From the same generators; a sum of probabilities differs by 1e-15, where u falls with that probability."""
    logits = 2 * torch.randn(6, 301, generator=torch.Generator().manual_seed(0))
    params = [SamplingParams(t, p) for t, p in ((0.0, 1.0), (1.0, 1.0), (2.0, 0.9), (0.7, 0.5), (1.3, 1.0), (1.0, 0.2))]
    draws = [sample(x, params, [torch.Generator().manual_seed(i) for i in range(6)]) for x in (logits, logits.cuda())]
    assert draws[0][0] == draws[1][0]
    torch.testing.assert_close(draws[0][1], draws[1][1].cpu())
