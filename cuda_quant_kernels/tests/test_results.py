"""The experiments, the roofline, the commands, and the committed results with the tables made of them."""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pretended_gpu
import pytest

from cuda_quant_kernels import __main__ as command
from cuda_quant_kernels import roofline
from cuda_quant_kernels.build import BuildError
from cuda_quant_kernels.lab import bench, bench_cases, break_it, cli, experiment, plots, profile, record, tables

FOLDER = Path(__file__).parents[1]


def test_the_lower_bound_is_the_slowest_pipe():
    work = roofline.Work(bytes=4.8e9, requests=1e6, sectors=8e6, wavefronts=1e6, operations=1e12, unit="int8_tensor")
    found = roofline.lower_bound(work, roofline.H200)
    assert found.pipes["memory"] == pytest.approx(1e-3)
    assert found.pipes["arithmetic"] == pytest.approx(1e12 / 1979e12)
    assert found.pipes["load/store"] == pytest.approx(3e6 / (1979e12 / 8192))
    assert found.bound == "memory" and found.seconds == found.pipes["memory"]


def test_the_datasheets_clock_and_peaks_agree():
    assert roofline.machine_of("NVIDIA H100 80GB HBM3, driver 580") is roofline.H100
    assert roofline.machine_of("") is roofline.H200 and roofline.H100.clock == roofline.H200.clock
    assert roofline.H200.clock == pytest.approx(1.83e9, rel=1e-3)
    assert roofline.H200.dp4a == pytest.approx(4 * roofline.H200.scalar)
    assert roofline.H200.int8_tensor == pytest.approx(132 * roofline.H200.clock * 4096 * 2)


@pytest.fixture(scope="module")
def quick():
    return experiment.headline(cli.options(quick=True), lambda line: None)


def test_the_ladder_climbs(quick):
    bounds = {row["version"]: row["lower_bound_ms"] for row in quick["ladder"]}
    assert bounds["naive"] > 3 * bounds["coalesced"]
    assert bounds["tiled"] > 0.9 * bounds["coalesced"], "a tile alone does not make a request serve more"
    assert bounds["tiled"] > 10 * bounds["dp4a"] > 50 * bounds["mma"] > 50 * 1.2 * bounds["wgmma"]
    assert [row["bound"] for row in quick["ladder"]] == ["load/store"] * 6


def test_the_counts_do_not_depend_on_the_traced_size(quick):
    committed = record.read(record.COMMITTED)["headline"]
    for small, large in zip(quick["ladder"], committed["ladder"], strict=True):
        assert small["sectors_per_request"] == large["sectors_per_request"]
        assert small["lower_bound_ms"] == pytest.approx(large["lower_bound_ms"], rel=0.05)


def test_no_kernel_asks_for_much_more_than_it_must(quick):
    for row in quick["bytes_moved"]:
        assert row["bytes"] <= row["traced"] <= 1.05 * row["bytes"] or row["kernel"].startswith("w4a16"), row


@pytest.mark.parametrize("experiment", break_it.EXPERIMENTS, ids=lambda e: e.key)
def test_what_the_workbook_tells_of_an_experiment_happens(experiment):
    assert experiment.confirmed(experiment.run(0))
    assert experiment.confirmed(record.read(record.COMMITTED)["break_it"][experiment.key]), "the recorded outcome"
    cells = json.loads((FOLDER / "starter.ipynb").read_text())["cells"]
    text = " ".join(" ".join("".join(cell["source"]) for cell in cells).split())
    assert experiment.outcome in text and experiment.predict in text


def test_an_experiment_that_turns_out_otherwise_is_not_confirmed():
    recorded = record.read(record.COMMITTED)["break_it"]
    assert not break_it.barriers_confirmed([recorded["barriers"][0]] * 3)
    assert not break_it.wrong_axis_confirmed(recorded["wrong_axis"][::-1])
    assert not break_it.bounds_confirmed(recorded["bounds"] | {"written_behind_the_end": 0})
    assert not break_it.int8_sum_confirmed([row | {"right": 1.0} for row in recorded["int8_sum"]])


def test_a_profile_is_a_table_by_source_line():
    table = profile.traced("w8a8 naive").table()
    assert "gemm_w8a8.cu:" in table and "32.00 sectors" in table
    with pytest.raises(ValueError, match="kernel='w9a9': unknown; choose add scalar"):
        profile.traced("w9a9")


NCU = """#!/bin/sh
missing=l1tex__data_pipe_lsu_wavefronts_mem_shared.sum
case "$*" in *$missing*) echo "==ERROR== Failed to find metric $missing"; exit 1;; esac
case "$*" in *"--print-units base"*) ;; *) exit 1;; esac
cat << 'END'
==PROF== Connected to process 7
no w8a8 wgmma: this version of the kernel does not exist on this machine
launched w8a8 naive
launched w8a8 tiled
"ID","Process ID","Kernel Name","Device","CC","Metric Name","Metric Unit","Metric Value"
"0","7","gemm_naive(Gemm)","0","9.0","gpu__time_duration.sum","ns","99,999"
"1","7","gemm_tiled(Gemm)","0","9.0","gpu__time_duration.sum","ns","12,345"
"1","7","gemm_tiled(Gemm)","0","9.0","l1tex__t_sectors_pipe_lsu_mem_global_op_st.sum","","4,096"
END
"""


def test_counters_of_nsight_compute_stand_beside_the_tracers(tmp_path, monkeypatch, capsys):
    """With a script that answers as ncu does: a metric that it does not know, thousands with commas."""
    (tmp_path / "ncu").write_text(NCU)
    (tmp_path / "ncu").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    counted = profile.nsight(["w8a8 naive", "w8a8 tiled"])
    assert counted == {"w8a8 naive": {"ns": 99999.0}, "w8a8 tiled": {"ns": 12345.0, "global store sectors": 4096.0}}
    assert command.run(["profile", "--kernel", "w8a8 tiled", "--ncu"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert ["4,096", "4,096", "global", "store", "sectors"] in [line.split() for line in printed]
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "a pretended GPU")
    assert command.run(["counters", "--out", str(tmp_path)]) == 0
    table = tables.counters(record.read(tmp_path)["counters"])
    assert "| w8a8 tiled | – | – | 4,096 / 4,096 | – |" in table and "a pretended GPU, Nsight Compute" in table
    (tmp_path / "ncu").write_text("#!/bin/sh\necho '==ERROR== ERR_NVGPUCTRPERM'\n")
    with pytest.raises(RuntimeError, match="ncu gave no counters: ==ERROR== ERR_NVGPUCTRPERM"):
        profile.nsight(["w8a8 tiled"])
    (tmp_path / "ncu").write_text(NCU.replace("launched w8a8 naive\n", ""))
    with pytest.raises(RuntimeError, match="ncu counted 2 launches of 1"):
        profile.counters(cli.options(), lambda line: None)
    (tmp_path / "ncu").write_text("#!/bin/sh\necho '\"ID\"'\n")
    with pytest.raises(RuntimeError, match="ncu counted nothing"):
        profile.counters(cli.options(), lambda line: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ValueError, match="no ncu"):
        profile.counters(cli.options(), lambda line: None)
    with pytest.raises(RuntimeError, match="not on PATH"):
        profile.nsight(["w8a8 tiled"])


def test_the_commands_record_where_they_are_told(tmp_path, quick, monkeypatch, capsys):
    headline = replace(command.COMMANDS[0], run=lambda options, log: {**quick})
    monkeypatch.setattr(command, "COMMANDS", (headline, *command.COMMANDS[1:]))
    assert command.run(["--quick", "--out", str(tmp_path)]) == 0
    assert set(record.read(tmp_path)) == {"headline"}
    assert {p.name for p in tmp_path.iterdir()} == {"results.json", "ladder.png", "roofline.png"}
    assert command.run(["--quick", "--out", str(record.COMMITTED)]) == 1
    assert command.run(["profile", "--kernel", "nothing"]) == 1
    printed = capsys.readouterr().out
    assert "a quick run is no evidence" in printed and "kernel='nothing': unknown" in printed


@pytest.mark.parametrize("what", ["bench", "counters"])
def test_without_a_gpu_nothing_is_written_and_the_reason_is_said(what, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert command.run([what, "--out", str(tmp_path)]) == 1
    assert "no CUDA device" in capsys.readouterr().out and not list(tmp_path.iterdir())


def test_without_a_compiler_the_command_says_so(capsys, monkeypatch, tmp_path):
    def fail(options, log):
        raise BuildError("no C++ compiler found: install g++")

    failing = replace(command.COMMANDS[0], run=command.as_sentence(fail))
    monkeypatch.setattr(command, "COMMANDS", (failing,))
    assert command.run(["--out", str(tmp_path)]) == 1
    assert "stopped: no C++ compiler found" in capsys.readouterr().out


def test_bench_runs_from_end_to_end_on_a_pretended_gpu(tmp_path):
    """All but the device: every case is right, finds its peer and goal, and fills its place in tables and figures."""
    script = Path(__file__).with_name("pretended_gpu.py")
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, script, tmp_path], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    section = record.read(tmp_path)["bench"]
    rows = {row["kernel"]: row for row in section["rows"]}
    assert section["device"].startswith("a pretended GPU") and set(bench.CEILINGS) <= set(rows)
    assert section["not_timed"] == {}
    with_triton = {"w8a8 triton"} if importlib.util.find_spec("triton") else set()
    assert {k for k, row in rows.items() if row["goal"]} == set(experiment.GOALS) - {"w8a8 triton"} | with_triton
    assert {k for k, row in rows.items() if row["goal_speedup"]} == set(bench.SPEEDUP_GOALS)
    assert all(row["peer"] in rows for row in rows.values() if row["peer"])
    assert all(row["repeats"] == 2 and row["low_us"] <= row["median_us"] for row in rows.values())
    together = record.read(record.COMMITTED) | {"bench": section}
    for table in (tables.headline, tables.bytes_moved):
        assert "no GPU run" not in table(together["headline"], section)
    assert "No GPU" not in tables.bench(section)
    drawn = {path.name for path in plots.draw(together, tmp_path)}
    assert drawn == {"ladder.png", "roofline.png", "break_it.png", "bench.png"}


def test_a_wrong_result_is_not_timed():
    case = bench_cases.Case("nothing", lambda i: None, 1.0, "bytes", lambda result: False, 1)
    with pytest.raises(RuntimeError, match="nothing: wrong before it is timed"):
        bench.timed(case, 3)


def test_a_case_that_fails_does_not_stop_the_others():
    def fail(i):
        raise TypeError("no such kernel\nand more")

    cases = [
        bench_cases.Case(name, call, 1.0, "bytes", lambda result: True, 1)
        for name, call in (("copy", lambda i: None), ("broken", fail), ("whole", lambda i: None))
    ]
    with pretended_gpu.pretend():
        measured, refused = bench.measure(cases, lambda line: None)
        assert set(measured) == {"copy", "whole"} and refused == {"broken": "no such kernel"}
        with pytest.raises(TypeError, match="no such kernel"):
            bench.measure([replace(cases[1], name="copy")], lambda line: None)


def test_the_committed_results_claim_no_gpu_number_without_a_gpu_run():
    results, readme = record.read(record.COMMITTED), (FOLDER / "README.md").read_text()
    if "bench" in results:
        assert "NVIDIA" in results["bench"]["device"] and not results["bench"]["meta"]["quick"]
    else:
        assert "No GPU has run these kernels yet" in readme and "no GPU run yet" in readme
        assert not (FOLDER / "results" / "bench.png").exists()


def test_figures_are_small_and_current(tmp_path):
    for path in plots.draw(record.read(record.COMMITTED), tmp_path):
        assert path.stat().st_size < 200_000
        assert (FOLDER / "results" / path.name).is_file(), f"results/{path.name} is missing"
