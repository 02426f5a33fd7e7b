"""Every project in an environment of its own. `nox -l` is the menu; bare `nox` is `lint` and every `project-*`.

Sessions are made from the folders that are there: `project-08`, `run-08`, `bench-08`, `study-08`, `alone-08`, and
`project-capstone_gpt` for a folder without a number. What follows `--` goes to pytest, or to the experiment.
"""
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True

ROOT = Path(__file__).parent
FOLDERS = sorted(p.parent for p in ROOT.glob("*/pyproject.toml"))
WHERE_BROWSERS_ARE = ("chromium", "chromium-browser", "google-chrome", "chrome")


def short(folder):
    """08_kv_speedrun -> 08, capstone_gpt -> capstone_gpt."""
    return folder.name[:2] if folder.name[:2].isdigit() else folder.name


def package(folder):
    return min(p.parent.name for p in folder.glob("src/*/__init__.py"))


def torch_env(session):
    """Where torch comes from: what the user has set, else a local wheel, else PyTorch's own CPU index (with uv)."""
    env = {}
    links = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS", "")
    folders = [f for f in re.split(r"[,\s]+", links.strip()) if f]
    wheels = [w for f in folders if Path(f).is_dir() for w in sorted(Path(f).glob("torch-*.whl"))]
    if folders:
        env |= {"UV_FIND_LINKS": ",".join(folders), "PIP_FIND_LINKS": " ".join(folders)}
    if wheels and not (os.environ.get("UV_CONSTRAINT") or os.environ.get("PIP_CONSTRAINT")):
        constraint = Path(session.create_tmp()).resolve() / "torch.txt"
        constraint.write_text(f"torch=={wheels[-1].name.split('-')[1]}\n")
        env |= {"UV_CONSTRAINT": str(constraint), "PIP_CONSTRAINT": str(constraint)}
    elif not wheels and session.venv_backend == "uv":
        env["UV_TORCH_BACKEND"] = os.environ.get("UV_TORCH_BACKEND", "cpu")
    return env


def prepare(session, folder, *extras):
    """Install a folder with its extras, once for each state of its pyproject.toml."""
    wanted = f"-e{folder}[{','.join(extras)}]" if extras else f"-e{folder}"
    stamp = Path(session.virtualenv.location) / "installed"
    state = hashlib.sha256((folder / "pyproject.toml").read_bytes() + wanted.encode()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == state):
        session.install("-e", f"{folder}[{','.join(extras)}]" if extras else str(folder), env=torch_env(session))
        stamp.write_text(state)


def attached(posargs):
    """`--attempt FILE` as `--attempt=FILE`: pytest takes a path that stands alone for its root folder."""
    out, rest = [], list(posargs)
    while rest:
        arg = rest.pop(0)
        out.append(f"{arg}={rest.pop(0)}" if arg in ("--attempt", "--progress") and rest else arg)
    return out


def add(function, name, doc):
    function.__doc__ = doc
    nox.session(function, name=name, default=name.startswith("project-"))


def sessions_for(folder):
    nick, title = short(folder), folder.name

    def project(session):
        prepare(session, folder, "test")
        with session.chdir(folder):
            session.run("pytest", *attached(session.posargs))

    def run(session):
        prepare(session, folder)
        with session.chdir(folder):
            session.run("python", "-m", package(folder), *session.posargs)

    def bench(session):
        prepare(session, folder, "peers")
        with session.chdir(folder):
            session.run("python", "-m", package(folder), "bench", *session.posargs)

    def study(session):
        prepare(session, folder, "test", "notebook")
        with session.chdir(folder):
            session.run("jupyter", "lab", "starter.ipynb", *session.posargs)

    def alone(session):
        with tempfile.TemporaryDirectory() as empty:
            copy = Path(empty) / folder.name
            shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(
                "*.egg-info", "__pycache__", ".pytest_cache", ".progress.json", "mine", ".ipynb_checkpoints"))
            session.install("-e", f"{copy}[test]", env=torch_env(session))
            with session.chdir(copy):
                session.run("pytest", "--attempt", "starter.ipynb", "--progress", str(Path(empty) / "progress.json"),
                            success_codes=[1])        # every task NOT STARTED: nothing has been written yet
                session.run("pytest", *session.posargs)
                session.run("python", "-m", package(folder), "--quick")

    add(project, f"project-{nick}", f"test {title} (after --: pytest's options, e.g. --attempt starter.ipynb)")
    add(run, f"run-{nick}", f"the headline experiment of {title}")
    add(bench, f"bench-{nick}", f"{title} beside its peers")
    add(study, f"study-{nick}", f"JupyterLab on the workbook of {title}")
    add(alone, f"alone-{nick}", f"copy {title} to an empty place, install, test and run it there")


for _folder in FOLDERS:
    sessions_for(_folder)


@nox.session(default=True)
def lint(session):
    """ruff, the shape of every folder, the identical grader, no import across projects, clean notebooks"""
    session.install("ruff>=0.6")
    session.run("ruff", "check", str(ROOT))
    session.run("python", str(ROOT / ".ci" / "shape.py"))


@nox.session(default=False, venv_backend="none")
def progress(session):
    """the learner's verdicts over all projects"""
    for folder in FOLDERS:
        tasks, verdicts = None, {}
        try:
            kept = json.loads((folder / ".progress.json").read_text())
            tasks, verdicts = kept["tasks"], kept["verdicts"]
        except (OSError, ValueError, KeyError):
            pass
        right = sum(verdicts.get(t, {}).get("verdict") == "RIGHT" for t in tasks or [])
        bar = "".join("#" if verdicts.get(t, {}).get("verdict") == "RIGHT" else "." for t in tasks or [])
        print(f"{folder.name:22} {f'{right} of {len(tasks)} RIGHT' if tasks else 'not begun':16} {bar}")
        for task in tasks or []:
            if (v := verdicts.get(task, {})).get("verdict") in ("WRONG", "NOT COUNTED"):
                print(f"{'':24}{task:18} {v['verdict']:12} {v['said']}")


@nox.session(default=False, venv_backend="none")
def doctor(session):
    """what this machine has, what is missing, and the command that mends it"""
    def line(ok, what, mend=""):
        print(f"{'ok     ' if ok else 'missing'}  {what}{'' if ok or not mend else f'  ->  {mend}'}")

    line(
        sys.version_info >= (3, 11),
        f"Python {platform.python_version()} (3.11 or later)",
        "install Python 3.11 to 3.13",
    )
    line(
        shutil.which("uv") or importlib.util.find_spec("uv"),
        "uv, which makes environments in seconds",
        'pip install "nox[uv]"',
    )
    line(shutil.which("git"), "git", "install git")
    line(
        shutil.which("g++") or shutil.which("clang++"),
        "a C++ compiler (cuda_quant_kernels)",
        "apt install g++, or xcode-select --install",
    )
    line(
        any(map(shutil.which, WHERE_BROWSERS_ARE)),
        "a Chromium (one test of 03_rope_animator)",
        "apt install chromium chromium-driver",
    )
    line(shutil.which("nvidia-smi"), "an NVIDIA GPU (only for GPU timings; nothing else needs one)")
    line(
        shutil.which("nvcc"),
        "nvcc (only for GPU builds)",
        'pip install "cuda-toolkit[nvcc,cudart,crt,nvvm,cccl]==13.0.*"',
    )
    data = os.environ.get("HARDWAY_DATA")
    line(
        data and Path(data).is_dir(),
        f"HARDWAY_DATA = {data} (named corpora offline)",
        "optional: a folder that holds downloaded corpora",
    )
    free = shutil.disk_usage(ROOT).free / 2**30
    line(free > 5, f"{free:.0f} GiB free here (each environment takes about 1.5)", "free some space")
    print(f"         {os.cpu_count()} cores; projects here: {', '.join(map(short, FOLDERS))}")
