"""The learner's verdicts over all projects: what `nox -s progress` prints."""

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent
WIDTH = 110


def read(folder: Path) -> tuple[list[str], dict]:
    """The tasks and verdicts that the grader has kept; none where nothing was graded yet."""
    try:
        kept = json.loads((folder / ".progress.json").read_text(encoding="utf-8"))
        return list(kept["tasks"]), dict(kept["verdicts"])
    except (OSError, ValueError, KeyError, TypeError):
        return [], {}


def lines(folder: Path) -> list[str]:
    tasks, verdicts = read(folder)
    if not tasks:
        return [f"{folder.name:22} not begun"]
    kinds = {task: verdicts.get(task, {}).get("verdict", "NOT STARTED") for task in tasks}
    right = [task for task in tasks if kinds[task] == "RIGHT"]
    bar = "".join("#" if task in right else "." for task in tasks)
    out = [f"{folder.name:22} {f'{len(right)} of {len(tasks)} RIGHT':16} {bar}"]
    for task in tasks:
        if kinds[task] in ("WRONG", "NOT COUNTED"):
            entry = verdicts[task]
            sentence = entry.get("sentence") or entry.get("message") or entry.get("said") or ""
            out.append(f"{'':24}{task:20} {kinds[task]:12} {sentence}"[:WIDTH])
    return out


if __name__ == "__main__":
    for path in sorted(ROOT.glob("*/pyproject.toml")):
        print("\n".join(lines(path.parent)))
