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
from cuda_quant_kernels import bench, bench_cases, break_it, experiment, plots, profile, record, roofline, tables

FOLDER = Path(__file__).parents[1]


def test_the_floor_is_the_slowest_pipe():
    work = roofline.Work(bytes=4.8e9, requests=1e6, sectors=8e6, ways=1e6, operations=1e12, unit="int8_tensor")
    found = roofline.floor(work, roofline.H200)
    assert found.pipes["memory"] == pytest.approx(1e-3)
    assert found.pipes["arithmetic"] == pytest.approx(1e12 / 1979e12)
    assert found.pipes["load/store"] == pytest.approx(3e6 / (1979e12 / 8192))
    assert found.bound == "memory" and found.seconds == found.pipes["memory"]


def test_the_datasheets_clock_and_peaks_agree():
    assert roofline.H200.clock == pytest.approx(1.83e9, rel=1e-3)
    assert roofline.H200.dp4a == pytest.approx(4 * roofline.H200.scalar)
    assert roofline.H200.int8_tensor == pytest.approx(132 * roofline.H200.clock * 4096 * 2)


@pytest.fixture(scope="module")
def quick():
    return experiment.headline(0, True, lambda line: None)


def test_the_ladder_climbs(quick):
    floors = {row["version"]: row["floor_ms"] for row in quick["ladder"]}
    assert floors["naive"] > 3 * floors["coalesced"]
    assert floors["tiled"] > 0.9 * floors["coalesced"], "a tile alone does not raise the products a request serves"
    assert floors["tiled"] > 10 * floors["dp4a"] > 50 * floors["mma"] > 50 * 1.2 * floors["wgmma"]
    assert [row["bound"] for row in quick["ladder"]] == ["load/store"] * 6


def test_the_counts_do_not_depend_on_the_traced_size(quick):
    committed = record.read(tables.RESULTS)["headline"]
    for small, large in zip(quick["ladder"], committed["ladder"], strict=True):
        assert small["sectors_per_request"] == large["sectors_per_request"]
        assert small["floor_ms"] == pytest.approx(large["floor_ms"], rel=0.05)


def test_no_kernel_asks_for_much_more_than_it_must(quick):
    for row in quick["ledger"]:
        assert row["bytes"] <= row["traced"] <= 1.05 * row["bytes"] or row["kernel"].startswith("w4a16"), row


def test_each_fault_shows():
    both, first, second = break_it.barriers()
    assert set(both["wrong"].values()) == {0} and not both["tracer"]
    assert min(first["wrong"].values()) > 0 and "race" in first["tracer"][0]
    assert min(second["wrong"].values()) > 0 and "race" in second["tracer"][0]
    along, down = break_it.wrong_way()
    assert along["right"] and down["right"] and down["sectors"] > 5 * along["sectors"]
    shares = [row["right"] for row in break_it.int8_sum()]
    assert shares[0] == 1.0 and shares[-1] < 0.5 and shares == sorted(shares, reverse=True)


def test_both_watchers_name_the_line_of_the_bounds():
    found = break_it.bounds()
    assert "tiled.cu:37" in found["tracer"] and "tiled.cu:37" in found["sanitizer"]
    assert found["written_behind_the_end"] > 0 and all(found["wrong_inside"].values())


def test_a_profile_is_a_table_by_source_line():
    table = profile.traced("w8a8 naive").table()
    assert "gemm_w8a8.cu:" in table and "32.00 sectors" in table
    with pytest.raises(ValueError, match="it must be one of add scalar"):
        profile.traced("w9a9")


NCU = """#!/bin/sh
missing=l1tex__data_pipe_lsu_wavefronts_mem_shared.sum
case "$*" in *$missing*) echo "==ERROR== Failed to find metric $missing"; exit 1;; esac
case "$*" in *"--print-units base"*) ;; *) exit 1;; esac
cat << 'END'
==PROF== Connected to process 7
"ID","Process ID","Kernel Name","Device","CC","Metric Name","Metric Unit","Metric Value"
"0","7","gemm_tiled(Gemm)","0","9.0","gpu__time_duration.sum","ns","12,345"
"0","7","gemm_tiled(Gemm)","0","9.0","l1tex__t_sectors_pipe_lsu_mem_global_op_st.sum","","4,096"
END
"""


def test_counters_of_nsight_compute_stand_beside_the_tracers(tmp_path, monkeypatch, capsys):
    """Against a script that answers as ncu does: a counter that it does not know, thousands with commas."""
    (tmp_path / "ncu").write_text(NCU)
    (tmp_path / "ncu").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert profile.nsight("w8a8 tiled") == {"ns": 12345.0, "global store sectors": 4096.0}
    assert command.main(["profile", "--kernel", "w8a8 tiled", "--ncu"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert ["4,096", "4,096", "global", "store", "sectors"] in [line.split() for line in said]
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "a pretended GPU")
    assert command.main(["counters", "--out", str(tmp_path)]) == 0
    table = tables.counters(record.read(tmp_path / "results.json"))
    assert "| w8a8 tiled | – | 4,096 / 4,096 | – | – |" in table and "a pretended GPU, Nsight Compute" in table
    (tmp_path / "ncu").write_text("#!/bin/sh\necho '==ERROR== ERR_NVGPUCTRPERM'\n")
    with pytest.raises(RuntimeError, match="ncu gave no counters: ==ERROR== ERR_NVGPUCTRPERM"):
        profile.nsight("w8a8 tiled")
    with pytest.raises(RuntimeError, match="ncu counted nothing"):
        profile.counters(0, lambda line: None)
    monkeypatch.setenv("PATH", "/nowhere")
    assert profile.counters(0, lambda line: None) is None
    with pytest.raises(RuntimeError, match="not on PATH"):
        profile.nsight("w8a8 tiled")


def test_the_commands_write_beside_the_evidence(tmp_path, quick, monkeypatch, capsys):
    monkeypatch.setattr(experiment, "headline", lambda *a: {**quick})
    assert command.main(["--quick", "--out", str(tmp_path)]) == 0
    assert set(json.loads((tmp_path / "results.json").read_text())) == {"headline"}
    assert {p.name for p in tmp_path.iterdir()} == {"results.json", "ladder.png", "roofline.png"}
    assert command.main(["profile", "--kernel", "nothing"]) == 1
    assert "it must be one of" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["bench", "counters"])
def test_without_a_gpu_nothing_is_written_and_the_reason_is_said(what, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert command.main([what, "--out", str(tmp_path)]) == 0
    assert "no CUDA device" in capsys.readouterr().out and not list(tmp_path.iterdir())


def test_bench_runs_from_end_to_end_on_a_pretended_gpu(tmp_path):
    """All but the device: every case is right, finds its peer and goal, and fills its place in tables and figures."""
    script = Path(__file__).with_name("pretended_gpu.py")
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, script, tmp_path], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    section = record.read(tmp_path / "results.json")["bench"]
    rows = {row["kernel"]: row for row in section["rows"]}
    assert section["device"].startswith("a pretended GPU") and set(bench.CEILINGS) <= set(rows)
    assert section["not_timed"] == {}
    with_triton = {"w8a8 triton"} if importlib.util.find_spec("triton") else set()
    assert {k for k, row in rows.items() if row["goal"]} == set(bench.GOALS) - {"w8a8 triton"} | with_triton
    assert {k for k, row in rows.items() if row["goal_faster"]} == set(bench.FASTER)
    assert all(row["peer"] in rows for row in rows.values() if row["peer"])
    assert all(row["repeats"] == 2 and row["low_us"] <= row["median_us"] for row in rows.values())
    together = record.read(tables.RESULTS) | {"bench": section}
    for table in (tables.headline, tables.ledger, tables.bench):
        assert "no GPU run" not in table(together) and "No GPU" not in table(together)
    drawn = {path.name for path in plots.draw(together, tmp_path)}
    assert drawn == {"ladder.png", "roofline.png", "break_it.png", "bench.png"}


def test_a_wrong_result_is_not_timed():
    case = bench_cases.Case("nothing", lambda i: None, 1.0, "bytes", lambda result: False, 1)
    with pytest.raises(RuntimeError, match="nothing is wrong before it is timed"):
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


def test_results_that_cannot_be_read_are_not_overwritten(tmp_path):
    (tmp_path / "results.json").write_text("{half")
    with pytest.raises(ValueError, match="not readable JSON"):
        record.write(tmp_path / "results.json", "headline", {})
    assert (tmp_path / "results.json").read_text() == "{half"


def test_the_committed_results_claim_no_gpu_number_without_a_gpu_run():
    results, readme = record.read(tables.RESULTS), (FOLDER / "README.md").read_text()
    if "bench" in results:
        assert "NVIDIA" in results["bench"]["device"] and not results["bench"]["meta"]["quick"]
    else:
        assert "No GPU has run these kernels yet" in readme and "no GPU run yet" in readme
        assert not (FOLDER / "results" / "bench.png").exists()


def test_figures_are_small_and_current(tmp_path):
    for path in plots.draw(record.read(tables.RESULTS), tmp_path):
        assert path.stat().st_size < 200_000
        assert (FOLDER / "results" / path.name).is_file(), f"results/{path.name} is missing"


def test_the_readmes_tables_are_current():
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "README.md"], cwd=FOLDER, capture_output=True, text=True
    )
    assert done.returncode == 0, f"run `cog -r README.md`: {done.stdout}{done.stderr}"
