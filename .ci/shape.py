"""The shape of the repository: what `nox -s lint` checks beside ruff. Prints every fault with the way to mend it."""
import ast
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PLANNED = """01_byte_pair_smith 02_meaning_space 03_rope_animator 04_attention_lab 05_block_builder 06_norm_activation
07_entropy_plotter 08_kv_speedrun 09_sliding_window 10_grouped_query 11_expert_router 12_int8_quant 13_objective_arena
14_instruct_tuner 15_ppo_loop 16_scaling_laws capstone_gpt cuda_quant_kernels serving_stack""".split()
TOP = {*PLANNED, ".ci", ".gitignore", "INDEX.md", "LICENSE", "README.md", "noxfile.py", "ruff.toml"}
SAME = ["conftest.py", "tests/grader.py", "tests/attempts.py", "tests/compare.py", "tests/test_gates.py"]
EACH = [*SAME, "README.md", "starter.ipynb", "pyproject.toml", "tests/mistakes.py", "results/results.json"]
VAGUE = {"core", "utils", "util", "helpers", "helper", "common", "misc"}


def tracked():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    return [Path(f) for f in listed.stdout.splitlines() if (ROOT / f).is_file()]


def top_level(files):
    for name in sorted({f.parts[0] for f in files} - TOP):
        yield f"{name}: does not belong at the top level"


def folders(projects):
    first = projects[0]
    for p in projects:
        yield from (f"{p.name}/{need}: missing" for need in EACH if not (p / need).exists())
        for name in SAME:
            if (p / name).exists() and (p / name).read_bytes() != (first / name).read_bytes():
                yield f"{p.name}/{name}: differs from {first.name}/{name}; copy the one that is right over the other"
        if not list(p.glob("src/*/__init__.py")):
            yield f"{p.name}/src: holds no package"


def sources(files, projects):
    packages = {q.parent.name: q.parts[-4] for p in projects for q in p.glob("src/*/__init__.py")}
    for f in (f for f in files if f.suffix == ".py"):
        text = (ROOT / f).read_text(encoding="utf-8")
        if "src" in f.parts and f.stem in VAGUE:
            yield f"{f}: a file is named for its idea"
        if "src" in f.parts and text.count("\n") > 260:
            yield f"{f}: {text.count(chr(10))} lines; one idea reads in under 260"
        for node in ast.walk(ast.parse(text)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else \
                [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for n in names:
                if packages.get(n.split(".")[0], f.parts[0]) != f.parts[0]:
                    yield f"{f}, line {node.lineno}: imports {n} of another project; each folder stands alone"


def notebooks(files):
    for f in (f for f in files if f.suffix == ".ipynb"):
        for n, cell in enumerate(json.loads((ROOT / f).read_text(encoding="utf-8"))["cells"], 1):
            if cell["cell_type"] == "code" and (cell["outputs"] or cell["execution_count"]):
                yield f"{f}, cell {n}: holds outputs; clear them before committing"


def index(projects):
    text = (ROOT / "INDEX.md").read_text(encoding="utf-8")
    yield from (f"INDEX.md: does not mention {p}" for p in PLANNED if p not in text)
    yield from (f"INDEX.md: {p.name} is there but has no link" for p in projects if f"({p.name}/README.md)" not in text)


if __name__ == "__main__":
    here = tracked()
    made = [ROOT / p for p in PLANNED if (ROOT / p / "pyproject.toml").exists()]
    faults = [*top_level(here), *folders(made), *sources(here, made), *notebooks(here), *index(made)]
    print("\n".join(faults) or f"{len(made)} projects, {len(here)} files: the shape is right")
    sys.exit(bool(faults))
