"""The machinery in `.template/`, written once and copied into every project.

python .ci/template.py sync                     copy it into every project
python .ci/template.py new 09_sliding_window    start a project from it
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEMPLATE = ROOT / ".template"


def package(folder: Path) -> str:
    return min(path.parent.name for path in folder.glob("src/*/__init__.py"))


def copies(folder: Path) -> dict[Path, Path]:
    """Which file of the template belongs where in a project."""
    lab = folder / "src" / package(folder) / "lab"
    pairs = {TEMPLATE / "conftest.py": folder / "conftest.py"}
    pairs |= {path: folder / "tests" / path.name for path in sorted(TEMPLATE.glob("tests/*.py"))}
    pairs |= {path: folder / "tests" / path.name for path in sorted(TEMPLATE.glob("lab_tests/*.py"))}
    pairs |= {path: lab / path.name for path in sorted(TEMPLATE.glob("lab/*.py"))}
    return {source: place for source, place in pairs.items() if source.is_file()}


def write(place: Path, content: bytes) -> None:
    """Write a file as a whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    tmp = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    try:
        tmp.write_bytes(content)
        os.replace(tmp, place)
    finally:
        tmp.unlink(missing_ok=True)


def sync(folders: list[Path]) -> list[Path]:
    """Copy the template into the folders; returns the files that were changed."""
    changed = []
    for folder in folders:
        for source, place in copies(folder).items():
            content = source.read_bytes()
            if not place.exists() or place.read_bytes() != content:
                write(place, content)
                changed.append(place)
    return changed


def new(name: str) -> Path:
    """Make the folder `name` from `.template/new/`.

    Raises:
        ValueError: the name is no folder name of this repository, or the folder is there.
    """
    if not re.fullmatch(r"(\d\d_)?[a-z][a-z0-9_]*", name):
        raise ValueError(f"name={name!r}: two digits, an underscore and a Python name, for example 09_sliding_window")
    folder = ROOT / name
    if folder.exists():
        raise ValueError(f"name={name!r}: this folder is there already")
    module = re.sub(r"^\d\d_", "", name)
    title = module.replace("_", " ").capitalize()
    number = f"{name[:2]} · " if name[:2].isdigit() else ""
    words = {
        "FOLDER_NAME": name,
        "PACKAGE_NAME": module,
        "PACKAGE_DIST": module.replace("_", "-"),
        "NUMBER_AND_TITLE": f"{number}{title}",
        "SHORT_NAME": name[:2] if name[:2].isdigit() else name,
    }
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".new-") as temporary:
        made = Path(temporary) / name
        for source in sorted(path for path in (TEMPLATE / "new").rglob("*") if path.is_file()):
            if "__pycache__" in source.parts:
                continue
            place = made / str(source.relative_to(TEMPLATE / "new")).replace("PACKAGE_NAME", module)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
            if source.suffix != ".png":
                text = source.read_text(encoding="utf-8")
                for word, value in words.items():
                    text = text.replace(word, value)
                place.write_text(text, encoding="utf-8", newline="\n")
        sync([made])
        os.replace(made, folder)
    return folder


if __name__ == "__main__":
    task, *names = sys.argv[1:] or [""]
    if task == "sync" and not names:
        done = sync(sorted(path.parent for path in ROOT.glob("*/pyproject.toml")))
        print("\n".join(str(path.relative_to(ROOT)) for path in done) or "every copy is up to date")
    elif task == "new" and len(names) == 1:
        try:
            made = new(names[0])
        except ValueError as error:
            sys.exit(str(error))
        nick = made.name[:2] if made.name[:2].isdigit() else made.name
        print(f"{made.name} is made. Its gates run: nox -s project-{nick}\nWhat to write next: CONTRIBUTING.md")
    else:
        sys.exit(__doc__)
