"""The shape of the repository: what `nox -s lint` checks beside ruff. Prints each fault with the way to fix it."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import counts
from template import copies

ROOT = Path(__file__).parent.parent
PLANNED = """01_byte_pair_smith 02_meaning_space 03_rope_animator 04_attention_lab 05_block_builder 06_norm_activation
07_entropy_plotter 08_kv_speedrun 09_sliding_window 10_grouped_query 11_expert_router 12_int8_quant 13_objective_arena
14_instruct_tuner 15_ppo_loop 16_scaling_laws capstone_gpt cuda_quant_kernels serving_stack""".split()
TOP_FOLDERS = {*PLANNED, ".ci", ".github", ".template"}
TOP_FILES = {"CONTRIBUTING.md", "conftest.py", "INDEX.md", "LICENSE", "README.md", "noxfile.py", "ruff.toml"}
TOP = TOP_FOLDERS | TOP_FILES | {".gitattributes", ".gitignore"}
NEEDED = """README.md pyproject.toml starter.ipynb conftest.py results/results.json results/REPORT.md
tests/mistakes.py tests/styles.py tests/equivalents.py""".split()
SECTIONS = ["Use it", "The idea", "Read in this order", "Your tasks", "Break it", "Questions", "Side quests"]
SECTIONS += ["What it does not include", "How it is verified", "References"]
LISTS = {"mistakes.py", "styles.py", "equivalents.py"}  # in tests/; as long as they need to be
VAGUE = {"core", "utils", "util", "helpers", "helper", "common", "misc"}
MOST_FILES = 10  # of the chapter
MOST_LINES = 200  # of an idea
MOST_LINES_OF_TESTS = 300  # and of the laboratory
LINES_BEFORE_IDEA = 60  # a screen and a half


# -- the repository ----------------------------------------------------------------------------------------------------


def tracked() -> list[Path]:
    """Every file that git knows or would add."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return [Path(name) for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def top_level(files: list[Path]) -> Iterator[str]:
    for name in sorted({file.parts[0] for file in files} - TOP):
        yield f"{name}: does not belong at the top level"


def index(projects: list[Path]) -> Iterator[str]:
    text = (ROOT / "INDEX.md").read_text(encoding="utf-8")
    for name in PLANNED:
        if name not in text:
            yield f"INDEX.md: does not mention {name}"
    for folder in projects:
        if f"({folder.name}/README.md)" not in text:
            yield f"INDEX.md: {folder.name} is there, but has no link ({folder.name}/README.md)"


def links(files: list[Path]) -> Iterator[str]:
    """Every link of a page to a file of the repository leads somewhere."""
    for file in files:
        if file.suffix != ".md" or file.parts[0] == ".template":
            continue
        text = re.sub(r"```.*?```|`[^`\n]*`", "", (ROOT / file).read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path = target.partition("#")[0]
            if path and ":" not in path and not (ROOT / file.parent / path).exists():
                yield f"{file}: links to {path}, which is not there"


# -- one project -------------------------------------------------------------------------------------------------------


def files_of(folder: Path) -> Iterator[str]:
    """What each folder must have."""
    for name in NEEDED:
        if not (folder / name).exists():
            yield f"{folder.name}/{name}: missing"
    for source, place in copies(folder).items():
        if not place.exists() or place.read_bytes() != source.read_bytes():
            yield f"{place.relative_to(ROOT)}: is not the template's; run: nox -s sync"


def chapter(folder: Path) -> Iterator[str]:
    """What stands at the package's root: few files, which measure nothing."""
    package = next(iter(folder.glob("src/*/__init__.py"))).parent
    files = [file for file in package.glob("*.py") if not file.name.startswith("__")]
    if len(files) > MOST_FILES:
        yield f"{package.relative_to(ROOT)}: {len(files)} chapter files; at most {MOST_FILES}, the rest goes into lab/"
    for file in package.rglob("*.py"):
        own = file.relative_to(package)
        if own.parts[0] == "lab" or own.name == "__main__.py":
            continue
        if re.search(r"^ *from \.+(\w+\.)*lab\b|^ *from \.+ import .*\blab\b", file.read_text(encoding="utf-8"), re.M):
            yield f"{file.relative_to(ROOT)}: imports lab; the chapter must not"


def readme(folder: Path) -> Iterator[str]:
    """The sections in their order, and the idea early."""
    path = folder / "README.md"
    if not path.exists():
        return
    name, lines = f"{folder.name}/README.md", path.read_text(encoding="utf-8").splitlines()
    if any("One sentence: the " in line for line in lines):
        yield f"{name}: still has the template's sentences"
    headings = {line[3:].strip(): number for number, line in enumerate(lines) if line.startswith("## ")}
    found = [heading for heading in headings if heading in SECTIONS]
    for heading in SECTIONS:
        if heading not in headings:
            yield f"{name}: has no section '## {heading}'"
    for heading in headings:
        if heading not in SECTIONS:
            yield f"{name}: '## {heading}' is none of the sections; use '###' inside of one, or results/REPORT.md"
    if found != [heading for heading in SECTIONS if heading in headings]:
        yield f"{name}: the sections must stand in this order: {', '.join(SECTIONS)}"
    if headings.get("The idea", 0) > LINES_BEFORE_IDEA:
        yield f"{name}: 'The idea' begins at line {headings['The idea']}; at most {LINES_BEFORE_IDEA} lines before it"


# -- the files ---------------------------------------------------------------------------------------------------------


def sources(files: list[Path], projects: list[Path]) -> Iterator[str]:
    """Length, names and imports of every Python file of a project."""
    owners = {path.parent.name: folder.name for folder in projects for path in folder.glob("src/*/__init__.py")}
    copied = {place.relative_to(ROOT) for folder in projects for place in copies(folder).values()}
    for file in files:
        if file.suffix != ".py" or file.parts[0] not in PLANNED or file in copied:
            continue
        text = (ROOT / file).read_text(encoding="utf-8")
        lines = text.count("\n")
        most = MOST_LINES_OF_TESTS if "tests" in file.parts or "lab" in file.parts else MOST_LINES
        if lines > most and not ("tests" in file.parts and file.name in LISTS):
            yield f"{file}: {lines} lines; at most {most}: split it by idea"
        if "src" in file.parts and file.stem in VAGUE:
            yield f"{file}: a file is named for its idea"
        yield from foreign_imports(file, text, owners)


def foreign_imports(file: Path, text: str, owners: dict[str, str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        for name in names:
            if owners.get(name.partition(".")[0], file.parts[0]) != file.parts[0]:
                yield f"{file}, line {node.lineno}: imports {name} of another project; each folder stands alone"


def notebooks(files: list[Path]) -> Iterator[str]:
    for file in files:
        if file.suffix != ".ipynb":
            continue
        cells = json.loads((ROOT / file).read_text(encoding="utf-8"))["cells"]
        for number, cell in enumerate(cells, 1):
            if cell["cell_type"] == "code" and (cell["outputs"] or cell["execution_count"]):
                yield f"{file}, cell {number}: holds outputs; clear them before committing"


def faults() -> Iterator[str]:
    files = tracked()
    projects = [ROOT / name for name in PLANNED if (ROOT / name / "pyproject.toml").exists()]
    yield from top_level(files)
    yield from index(projects)
    yield from links(files)
    for folder in projects:
        if not list(folder.glob("src/*/__init__.py")):
            yield f"{folder.name}/src: holds no package"
            continue
        yield from files_of(folder)
        yield from chapter(folder)
        yield from readme(folder)
    yield from sources(files, projects)
    yield from notebooks(files)
    now, right = counts.written()
    if now != right:
        yield "INDEX.md: the table of numbers is not that of the results; run python .ci/counts.py"


if __name__ == "__main__":
    found = list(faults())
    print("\n".join(found) or "the shape is right")
    sys.exit(bool(found))
