"""Every project in an environment of its own. `nox -l` is the menu; bare `nox` is `lint` and every `project-*`.

Sessions are made from the folders that are there: `project-08`, `run-08`, and `project-capstone_gpt` for a folder
without a number. What follows `--` goes to pytest, or to the experiment:

    nox -s project-08 -- --attempt starter.ipynb    grade a workbook or a .py file, in your folder or the project's
    nox -s project-08 -- --attempt F --task attend  one task of it; watch-08 takes the same words
    nox -s run-08 -- --quick                        or: break, --help

    nox -s project-08 -- --upgrade                  newest versions of the dependencies, as after thirty days
    nox -t phase2                                   the projects of a phase; also: large
    nox --no-venv -s project-08                     with what is installed already
    NOX_PYTHONS=3.11,3.13 nox -s project-08         once for each of these Pythons
"""

import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True

ROOT = Path(__file__).parent
TOOLS = ROOT / ".ci"
FOLDERS = sorted(path.parent for path in ROOT.glob("*/pyproject.toml"))
PYTHONS = [p for p in os.environ.get("NOX_PYTHONS", "").replace(",", " ").split() if p] or None
RUFF = "ruff>=0.17,<0.18"  # another version may lay code out in another way
MONTH = 30 * 86_400  # seconds
LEAVE_BEHIND = ("*.egg-info", "__pycache__", ".*_cache", ".hypothesis", ".progress.json", "mine", ".ipynb_checkpoints")


# -- the folders -------------------------------------------------------------------------------------------------------


def nick(folder):
    """08_kv_speedrun -> 08, capstone_gpt -> capstone_gpt."""
    return folder.name[:2] if folder.name[:2].isdigit() else folder.name


def package(folder):
    return min(path.parent.name for path in folder.glob("src/*/__init__.py"))


def phase(folder):
    """The tag of a folder: I 01-03, II 04-06, III 07-10, IV 11-12, V 13-16, and the three large projects."""
    if not folder.name[:2].isdigit():
        return "large"
    return f"phase{1 + sum(int(folder.name[:2]) > last for last in (3, 6, 10, 12))}"


def peer_extras(folder):
    """The extras `peers-NAME` of a folder, and what `[tool.hardway.peers.NAME]` says about each, e.g. its Python."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    settings = project.get("tool", {}).get("hardway", {}).get("peers", {})
    extras = project["project"].get("optional-dependencies", {})
    return {name[6:]: settings.get(name[6:], {}) for name in extras if name.startswith("peers-")}


# -- environments ------------------------------------------------------------------------------------------------------


def torch_env(session, constrained=True):
    """Where torch comes from: what the user has set, else a local wheel, else PyTorch's own CPU index (with uv).

    `constrained=False` leaves the user's constraints out, for an environment with old pins of its own.
    """
    env = {} if constrained else {"UV_CONSTRAINT": "", "PIP_CONSTRAINT": ""}
    links = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS", "")
    folders = [f for f in re.split(r"[,\s]+", links.strip()) if f]
    if folders:
        env |= {"UV_FIND_LINKS": ",".join(folders), "PIP_FIND_LINKS": " ".join(folders)}
    version = session.python if isinstance(session.python, str) else f"{sys.version_info[0]}.{sys.version_info[1]}"
    tag = f"-cp{version.replace('.', '')}-"
    wheels = [w for f in folders if Path(f).is_dir() for w in sorted(Path(f).glob("torch-*.whl")) if tag in w.name]
    if not wheels:
        if session.venv_backend == "uv":
            env["UV_TORCH_BACKEND"] = os.environ.get("UV_TORCH_BACKEND", "cpu")
        return env
    own = Path(session.create_tmp()).resolve() / "torch.txt"
    own.write_text(f"torch=={wheels[-1].name.split('-')[1]}\n")
    for name in ("UV_CONSTRAINT", "PIP_CONSTRAINT"):
        files = os.environ.get(name, "").split() if constrained else []
        pinned = any(re.search(r"^torch *==", Path(f).read_text(), re.M) for f in files if Path(f).is_file())
        env[name] = " ".join(files if pinned else [*files, str(own)])
    return env


def install(session, folder, *extras, constrained=True):
    """Install a folder with its extras: once for each state of its pyproject.toml, and anew after a month."""
    if session.venv_backend == "none":
        session.log("no environment of its own: using what is installed")
        session.env["PYTHONPATH"] = os.pathsep.join([str(folder / "src"), os.environ.get("PYTHONPATH", "")])
        return
    target = f"{folder}[{','.join(extras)}]" if extras else str(folder)
    stamp = Path(session.virtualenv.location) / "installed.txt"
    state = hashlib.sha256((folder / "pyproject.toml").read_bytes() + target.encode()).hexdigest()
    known = stamp.exists() and stamp.read_text() == state
    fresh = known and time.time() - stamp.stat().st_mtime < MONTH and "--upgrade" not in session.posargs
    if fresh:
        return
    upgrade = ["--upgrade"] if known else []
    try:
        session.install(*upgrade, "-e", target, env=torch_env(session, constrained))
    except CommandFailed:
        if not known:
            raise
        session.warn("no newer dependencies could be installed: the ones of last time are used")
        return
    stamp.write_text(state)


# -- what follows `--` -------------------------------------------------------------------------------------------------

FILES = ("--attempt", "--data", "--progress")  # options whose value may be a path


def arguments(session, folder):
    """The words after `--`, with paths made absolute, and joined as pytest needs them: `--attempt=FILE`."""
    words, rest = [], [word for word in session.posargs if word != "--upgrade"]
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name not in FILES or not (equals or rest):
            words.append(name + equals + value)
            continue
        value = value if equals else rest.pop(0)
        places = [Path(session.invoked_from, value), folder / value, ROOT / value]
        found = next((place.resolve() for place in places if place.is_file()), None)
        if name == "--attempt" and not found:
            session.error(f"--attempt {value}: no such file in {session.invoked_from} or in {folder}")
        words.append(f"{name}={found or value}")
    return words


def shared(session):
    """Words for pytest-xdist: the whole suite in as many processes as there are cores, at most four."""
    if session.venv_backend == "none":  # it may not be installed
        return []
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ["-n", str(min(cores, 4)), "--dist", "worksteal"] if cores > 1 else []


def pytest(session, folder, *words, **more):
    """pytest in the folder. A learner's verdicts are no failure of the session."""
    given = arguments(session, folder)
    if not words and not given:
        words = shared(session)
    codes = [0, 1] if any(word.startswith("--attempt") for word in (*given, *words)) else [0]
    with session.chdir(folder):
        session.run("python", "-m", "pytest", *words, *given, success_codes=codes, **more)


def command(session, folder, *words):
    """`python -m package` in the folder."""
    with session.chdir(folder):
        session.run("python", "-m", package(folder), *words, *arguments(session, folder))


# -- sessions of every project, by verb --------------------------------------------------------------------------------


def test_extras(folder):
    """What the tests need: the extra `test`, and `real` where the tests of the real model need more."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [name for name in ("test", "real") if name in project.get("optional-dependencies", {})]


def project(session, folder):
    """test {}"""
    install(session, folder, *test_extras(folder))
    pytest(session, folder)


def watch(session, folder):
    """grade the workbook of {} at each save"""
    install(session, folder, "test")
    given = arguments(session, folder)
    attempt = next((Path(w.partition("=")[2]) for w in given if w.startswith("--attempt=")), folder / "starter.ipynb")
    own = [] if any(word.startswith("--attempt=") for word in given) else [f"--attempt={attempt}"]
    seen = None
    try:
        while True:
            now = (attempt.stat().st_mtime_ns, attempt.stat().st_size) if attempt.exists() else seen
            if now != seen:
                seen = now
                with session.chdir(folder):
                    session.run("python", "-m", "pytest", *own, *given, success_codes=range(256), log=False)
                print(f"watching {attempt.name}: save it to grade again, Ctrl+C ends", flush=True)
            time.sleep(0.5)
    except KeyboardInterrupt:
        print()


def run(session, folder):
    """the headline experiment of {}"""
    install(session, folder)
    command(session, folder)


def bench(session, folder):
    """{} beside its peers"""
    install(session, folder, "peers")
    command(session, folder, "bench")


def study(session, folder):
    """JupyterLab on the workbook of {}"""
    install(session, folder, "test", "notebook")
    with session.chdir(folder):
        session.run("jupyter", "lab", "starter.ipynb", *session.posargs)


def alone(session, folder):
    """copy {} to an empty place, install, test and run it there"""
    with tempfile.TemporaryDirectory() as empty:
        copy = Path(empty) / folder.name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(*LEAVE_BEHIND))
        if session.venv_backend != "none":
            session.install("-e", f"{copy}[test]", env=torch_env(session))
        own = ["--attempt=starter.ipynb", f"--progress={Path(empty) / 'progress.json'}"]
        with session.chdir(copy):
            session.run("python", "-m", "pytest", *own, success_codes=[0, 1])  # nothing is written: NOT STARTED
            given = arguments(session, folder)
            session.run("python", "-m", "pytest", *(given or shared(session)))
            session.run("python", "-m", package(folder), "--quick")


def mutate(session, folder):
    """change {} in every small way; show what no test notices"""
    install(session, folder, *test_extras(folder))
    pytest(session, folder, "--mutants")


def peers(session, folder, name, extras):
    """the tests of {} marked {}, in an environment of their own"""
    install(session, folder, *extras, constrained=False)
    pytest(session, folder, "-m", name)


def add(function, name, *about, action=None, **more):
    """Make a session of a function; its docstring is the line in `nox -l`."""
    action = action or (lambda session: function(session, about[0]))
    action.__doc__ = function.__doc__.format(*(a.name if isinstance(a, Path) else a for a in about))
    nox.session(action, name=name, **more)


for _function in (project, watch, run, bench, study, alone, mutate):
    for _folder in FOLDERS:
        _more = {"default": False}
        if _function is project:
            _more = {"default": True, "tags": [phase(_folder)], "python": PYTHONS}
        if _function is alone:
            _more["reuse_venv"] = False
        add(_function, f"{_function.__name__}-{nick(_folder)}", _folder, **_more)

for _folder in FOLDERS:
    for _name, _settings in peer_extras(_folder).items():
        add(
            peers,
            f"peers-{nick(_folder)}-{_name}",
            _folder,
            _name,
            action=lambda session, f=_folder, n=_name, s=_settings: peers(
                session, f, n, s.get("extras", [f"peers-{n}"])
            ),
            python=_settings.get("python"),
            default=False,
        )


# -- the learner's -----------------------------------------------------------------------------------------------------


def tool(session, script, *words):
    session.run(sys.executable, str(TOOLS / script), *words, *session.posargs, external=True, log=False)


@nox.session(default=False, venv_backend="none")
def progress(session):
    """the learner's verdicts over all projects"""
    tool(session, "progress.py")


@nox.session(default=False, venv_backend="none")
def doctor(session):
    """what this machine has, what is missing, and the command that fixes it"""
    tool(session, "doctor.py")


@nox.session(default=False, venv_backend="none")
def models(session):
    """fetch the real model (98 MB) once for all projects"""
    tool(session, "models.py")


# -- the authors' ------------------------------------------------------------------------------------------------------


@nox.session(default=False, venv_backend="none")
def new(session):
    """start a project folder from the template: nox -s new -- 09_sliding_window"""
    tool(session, "template.py", "new")


@nox.session(default=False, venv_backend="none")
def sync(session):
    """copy the template's machinery into every project"""
    tool(session, "template.py", "sync")


@nox.session(default=False)
def fmt(session):
    """lay the code out: ruff format, and imports in order"""
    session.install(RUFF)
    session.run("ruff", "check", "--select", "I", "--fix", "--exit-zero", "--quiet", str(ROOT))
    session.run("ruff", "format", str(ROOT))


@nox.session(default=True)
def lint(session):
    """ruff, and the shape of the repository: .ci/shape.py"""
    if session.venv_backend != "none":
        session.install(RUFF)
    session.run("ruff", "check", "--quiet", str(ROOT), external=True)
    session.run("ruff", "format", "--check", "--quiet", str(ROOT), external=True)
    session.run("python", str(TOOLS / "shape.py"), external=True)


@nox.session(default=False, venv_backend="none")
def colab(session):
    """write the Colab badges for this repository's own remote; without one, remove them"""
    tool(session, "colab.py")
