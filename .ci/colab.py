"""Colab badges for this repository's own remote: what `nox -s colab` does. Without a remote they are removed.

In each workbook it writes a badge under the title, and a cell that gets the folder when the notebook runs in Colab.
"""

import json
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
SETUP = """# In Colab: gets this folder and installs it.
import os, subprocess, sys
if "google.colab" in sys.modules and not os.path.exists("tests"):
    subprocess.run(["git", "clone", "--depth", "1", "https://github.com/{repository}", "/content/course"], check=True)
    os.chdir("/content/course/{folder}")
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-e", ".[test]"], check=True)"""


def repository() -> str:
    """`owner/name` on GitHub, from the remote called origin; "" where there is none."""
    command = ["git", "remote", "get-url", "origin"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    match = re.search(r"github\.com[:/]+([\w.-]+/[\w.-]+?)(\.git)?/?$", done.stdout.strip())
    return match[1] if match else ""


def branch() -> str:
    command = ["git", "symbolic-ref", "--short", "refs/remotes/origin/HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip().removeprefix("origin/") or "main"


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def rewrite(notebook: dict, folder: str, repository: str, branch: str) -> None:
    """Put the badge and the cell in, or take them out."""
    cells = [cell for cell in notebook["cells"] if not cell["metadata"].get("colab_setup")]
    title = "".join(cells[0]["source"])
    title = re.sub(r"\n*\[!?\[?Open in Colab[^\n]*", "", title)
    if repository:
        address = f"https://colab.research.google.com/github/{repository}/blob/{branch}/{folder}/starter.ipynb"
        head, _, rest = title.partition("\n")
        title = f"{head}\n\n{BADGE}({address})\n{rest}"
        source = lines(SETUP.format(repository=repository, folder=folder))
        cell = {"cell_type": "code", "execution_count": None, "id": "colab-setup", "outputs": [], "source": source}
        cells.insert(1, cell | {"metadata": {"colab_setup": True}})
    cells[0]["source"] = lines(title)
    notebook["cells"] = cells


def main() -> None:
    where, at = repository(), branch()
    for path in sorted(ROOT.glob("*/starter.ipynb")):
        text = path.read_text(encoding="utf-8")
        notebook = json.loads(text)
        rewrite(notebook, path.parent.name, where, at)
        new = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        if notebook != json.loads(text):
            tmp = path.with_suffix(".tmp")
            tmp.write_text(new, encoding="utf-8", newline="\n")
            os.replace(tmp, path)
            print(f"{path.relative_to(ROOT)}: {'badge written' if where else 'badge removed'}")
    print(f"the remote is {where}" if where else "no remote on GitHub: no badges")


if __name__ == "__main__":
    main()
