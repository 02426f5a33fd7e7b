"""The table "In numbers" of INDEX.md, from each project's results.json and REPORT.md, and from counts.json.

python .ci/counts.py               writes the table
python .ci/counts.py record LOG    reads what `nox` printed, and records tests and seconds of each project
"""

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parent.parent
COUNTS = Path(__file__).with_name("counts.json")
BEGIN, END = "<!-- counts -->", "<!-- end of counts -->"
SUMMARY = re.compile(r"^=+ (?:.*?)(\d+) passed.* in ([\d.]+)s")
MET, MISSED = (re.compile(rf"(?:\| |: ){word}(?= *[|;])") for word in ("met", r"\*\*missed\*\*"))
COUNTING = """
import sys
sys.path[:0] = ["tests", "src"]
import mistakes
print(len(mistakes.TASKS), sum(sum(1 for _ in mistakes.of(task)) for task in mistakes.TASKS))
"""


def projects() -> list[Path]:
    """The folders with recorded results."""
    return sorted(path.parents[1] for path in ROOT.glob("*/results/results.json"))


def record(log: str) -> None:
    """Counts anew the projects that the log of a nox run names.

    Tasks and mistakes are counted with the Python that runs this: it needs the projects' dependencies.
    """
    folder, found = "", {}
    for line in log.splitlines():
        if session := re.search(r"Running session project-(\w+)", line):
            folder = session[1]
        elif (summary := SUMMARY.match(line)) and folder:
            found[folder] = int(summary[1]), round(float(summary[2]))
    known = json.loads(COUNTS.read_text(encoding="utf-8"))
    for path in projects():
        key = path.name[:2] if path.name[:2].isdigit() else path.name
        if key not in found:
            continue
        run = subprocess.run([sys.executable, "-c", COUNTING], cwd=path, capture_output=True, text=True, check=True)
        tasks, mistakes = map(int, run.stdout.split())
        known[path.name] = {"tasks": tasks, "mistakes": mistakes, "tests": found[key][0], "seconds": found[key][1],
                            "date": date.today().isoformat()}  # fmt: skip
    COUNTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def table() -> str:
    """One row a project: tasks, mistakes, mutants, tests and their seconds, goals met and missed."""
    lines = ["| project | tasks | mistakes | mutants | tests | seconds | goals met | goals missed |"]
    lines.append(f"|---|{'---:|' * 7}")
    sums, known = [0] * 7, json.loads(COUNTS.read_text(encoding="utf-8"))
    for path in projects():
        results = json.loads((path / "results" / "results.json").read_text(encoding="utf-8"))
        report = (path / "results" / "REPORT.md").read_text(encoding="utf-8")
        mutants = sum(task["mutants"] for task in results.get("mutants", {}).get("tasks", {}).values())
        counts = known.get(path.name, {})
        row = [counts.get("tasks", 0), counts.get("mistakes", 0), mutants, counts.get("tests", 0),
               counts.get("seconds", 0), len(MET.findall(report)), len(MISSED.findall(report))]  # fmt: skip
        sums = [a + b for a, b in zip(sums, row, strict=True)]
        lines.append(f"| [{path.name}]({path.name}/results/REPORT.md) | {' | '.join(f'{n:,}' for n in row)} |")
    lines.append(f"| all | {' | '.join(f'{n:,}' for n in sums)} |")
    return "\n".join(lines)


def written() -> tuple[str, str]:
    """INDEX.md as it is, and as it should be.

    Raises:
        ValueError: INDEX.md has no place for the table.
    """
    text = (ROOT / "INDEX.md").read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"INDEX.md has no lines {BEGIN} and {END}; put them where the table belongs")
    before, _, rest = text.partition(BEGIN)
    return text, f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["record"]:
        record(Path(sys.argv[2]).read_text(encoding="utf-8"))
    (ROOT / "INDEX.md").write_text(written()[1], encoding="utf-8")
