"""Builds .cu files into a shared library with plain C functions, for a GPU or for one of three CPU builds.

    target    compiled by            what it is for
    gpu       nvcc                   the device
    cpu       g++ (or clang++)       results: one fiber per CUDA thread, the fastest of the three
    trace     g++                    sectors, bank conflicts, races, accesses outside the arrays, by source line
    asan      g++                    the address sanitizer; loaded in a subprocess (on_cpu/sanitize.py)

All four export the same functions. A build is found again by the sha256 of everything that went into it: sources, the
headers they include, the emulator, flags and compiler version. It lies under CUDA_QUANT_CACHE, or the user's cache
folder, is built beside its place and renamed into it: two builders at once do the work twice and neither sees half a
file.
"""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .on_cpu.library import Library
from .on_cpu.rewrite import RewriteError, rewrite

ON_CPU = Path(__file__).parent / "on_cpu"
INCLUDE = ON_CPU / "include"
TARGETS = ("gpu", "cpu", "trace", "asan")
ARCHITECTURES = ("sm_80", "sm_90", "sm_90a", "sm_100", "sm_100a")
HEADER_WHEELS = "cuda-toolkit[cudart,crt,cccl]==13.0.*"
COMPILER_WHEELS = "cuda-toolkit[nvcc,cudart,crt,nvvm,cccl]==13.0.*"

_CPU = ["-std=c++17", "-fPIC", "-fno-math-errno", "-fno-strict-aliasing", "-ffp-contract=off", "-w", "-fmax-errors=5", "-g1"]
# One memory access in the source shall stay one in the instrumented code, in the order of the source.
_AS_WRITTEN = [
    f"-fno-{name}"
    for name in (
        "tree-vectorize tree-slp-vectorize tree-sra tree-loop-im tree-pre tree-fre store-merging "
        "threadsafe-statics optimize-sibling-calls tree-loop-distribute-patterns"
    ).split()
]
_FLAGS = {
    "cpu": ["-O2"],
    "trace": ["-O1", "-fsanitize=thread", *_AS_WRITTEN, "-DQK_TRACE"],
    "asan": ["-O1", "-g", "-fsanitize=address", "-fsanitize-recover=address", "-fno-omit-frame-pointer"],
}
_RUNTIME_FLAGS = {
    "cpu": ["-O2"],
    "trace": ["-O2", "-DQK_TRACE"],
    "asan": ["-O1", "-fsanitize=address", "-fsanitize-recover=address"],
}
_GPU = ["-std=c++17", "-O3", "-shared", "-lineinfo", "-Xcompiler", "-fPIC", "-Xptxas", "-v"]


class BuildError(RuntimeError):
    """A compiler refused the source, or there is no compiler. The message begins with its first errors."""


def build(
    sources: Sequence[Path] | Path,
    target: str,
    *,
    defines: tuple[str, ...] = (),
    arch: str | None = None,
) -> Path:
    """The shared library made of the sources, from the cache if it is there.

    Args:
        sources: one or more .cu files; a file's own folder is searched for its includes.
        target: "gpu", "cpu", "trace" or "asan".
        defines: macros for all sources, as "NAME" or "NAME=value".
        arch: for the GPU only: one of ARCHITECTURES; default sm_90a.

    Raises:
        ValueError: an argument is not one of the above, or a source does not exist.
        BuildError: no compiler, no headers, or the compiler refused the source.
    """
    paths = [Path(sources)] if isinstance(sources, str | Path) else [Path(s) for s in sources]
    _validate(paths, target, arch)
    compiler = _gpu_compiler() if target == "gpu" else _cpu_compiler()
    if target == "gpu":
        flags = [*_GPU, f"-arch={arch or 'sm_90a'}", f"-I{INCLUDE}", *(f"-D{d}" for d in defines)]
        key = _key(compiler, flags, *map(_with_includes, paths))
        return _cached(f"gpu-{key}.so", lambda out: _compile_gpu(compiler, flags, paths, out))
    objects = [_runtime(compiler, target), *(_kernel(compiler, p, target, defines) for p in paths)]
    key = _key(compiler, [target], *(o.name for o in objects))
    return _cached(f"{target}-{key}.so", lambda out: _link(compiler, target, objects, out))


def _validate(paths: list[Path], target: str, arch: str | None) -> None:
    if target not in TARGETS:
        raise ValueError(f"target is {target!r}: it must be one of {', '.join(TARGETS)}")
    if not paths:
        raise ValueError("sources is empty: give at least one .cu file")
    for path in paths:
        if not path.is_file():
            raise ValueError(f"sources names {path}, which is not a file")
    if arch is not None and (target != "gpu" or arch not in ARCHITECTURES):
        raise ValueError(f"arch is {arch!r}: it must be one of {', '.join(ARCHITECTURES)}, with target='gpu'")


# ---- finding compilers and headers


def find_headers() -> Path:
    """The folder that holds cuda_runtime.h: of the toolkit on this machine, or of NVIDIA's wheels.

    Raises:
        BuildError: there is none; the message gives the pip command that installs the headers (27 MB).
    """
    for folder in _header_folders():
        if (folder / "cuda_runtime.h").is_file() and (folder / "crt" / "host_config.h").is_file():
            return folder
    raise BuildError(f'no CUDA headers found. Install them (27 MB, no GPU needed):  pip install "{HEADER_WHEELS}"')


def _header_folders():
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        if os.environ.get(variable):
            yield Path(os.environ[variable]) / "include"
    for packages in _site_packages():
        yield from sorted(packages.glob("nvidia/cu1[3-9]/include"), reverse=True)
    if compiler := nvcc():
        yield compiler.resolve().parent.parent / "include"
    yield Path("/usr/local/cuda/include")


def _site_packages() -> list[Path]:
    paths = sysconfig.get_paths()
    return [Path(p) for p in dict.fromkeys([paths["purelib"], paths["platlib"], *sys.path]) if p]


def nvcc() -> Path | None:
    """NVIDIA's compiler: under CUDA_HOME, on PATH, or from the wheels; None if there is none."""
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
    places = [Path(home) / "bin" / "nvcc"] if home else []
    if found := shutil.which("nvcc"):
        places.append(Path(found))
    places += [p for s in _site_packages() for p in s.glob("nvidia/cu1[3-9]/bin/nvcc")]
    places.append(Path("/usr/local/cuda/bin/nvcc"))
    return next((p for p in places if p.is_file()), None)


def _gpu_compiler() -> Path:
    if compiler := nvcc():
        return compiler
    raise BuildError(f'no nvcc found. Install CUDA 13, or its wheels (271 MB):  pip install "{COMPILER_WHEELS}"')


def _cpu_compiler() -> Path:
    for name in (os.environ.get("CXX"), "g++", "clang++"):
        if name and (found := shutil.which(name)):
            return Path(found)
    raise BuildError("no C++ compiler found: install g++ (Debian: apt install g++), or name one in CXX")


@functools.cache
def _version(compiler: Path) -> str:
    return subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout


# ---- the cache


def cache_folder() -> Path:
    """Where builds lie: CUDA_QUANT_CACHE, or cuda_quant_kernels in the user's cache folder."""
    if given := os.environ.get("CUDA_QUANT_CACHE"):
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or (Path.home() / ".cache")
    return Path(base) / "cuda_quant_kernels"


def _key(compiler: Path, flags: Sequence[str], *contents: str) -> str:
    parts = [str(compiler), _version(compiler), *flags, *contents]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _cached(name: str, make) -> Path:
    place = cache_folder() / name
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix="building-") as folder:
            made = Path(folder) / name
            make(made)
            os.replace(made, place)
    return place


def _includes(path: Path, found: dict[str, Path] | None = None) -> dict[str, Path]:
    """Every file that a source includes by a quoted name, and what those include, by the name in the include."""
    found = {} if found is None else found
    for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE):
        for folder in (path.parent, INCLUDE):
            if name not in found and (folder / name).is_file():
                found[name] = folder / name
                _includes(folder / name, found)
    return found


def _with_includes(path: Path) -> str:
    """The text of a source and of all its includes, for the key."""
    return "\0".join([path.read_text(), *(f"{name}\0{p.read_text()}" for name, p in _includes(path).items())])


@functools.cache
def _emulator(folder: Path) -> str:
    return "\0".join(p.read_text() for p in sorted(folder.rglob("*.h")))


# ---- compiling


def _runtime(compiler: Path, target: str) -> Path:
    flags = [*_CPU, "-fvisibility=hidden", *_RUNTIME_FLAGS[target], f"-I{find_headers()}"]
    key = _key(compiler, flags, _emulator(ON_CPU))
    source = ON_CPU / "runtime" / "runtime.cpp"
    return _cached(f"runtime-{target}-{key}.o", lambda out: _run([compiler, *flags, "-c", source, "-o", out], target))


def _kernel(compiler: Path, path: Path, target: str, defines: tuple[str, ...]) -> Path:
    includes = [f"-I{path.parent.resolve()}", f"-I{INCLUDE}", f"-I{find_headers()}"]
    flags = [*_CPU, *_FLAGS[target], *(f"-D{d}" for d in defines), *includes, "-include", str(INCLUDE / "cudacpu.h")]
    key = _key(compiler, flags, str(path.resolve()), _emulator(INCLUDE), _with_includes(path))

    def make(out: Path) -> None:
        unit = out.with_suffix(".cpp")
        try:
            unit.write_text(rewrite(path.read_text(), path.resolve()))
            for name, header in _includes(path).items():     # beside the unit, where its quotes look first
                if header.parent != INCLUDE and ".." not in name:
                    (out.parent / name).parent.mkdir(parents=True, exist_ok=True)
                    (out.parent / name).write_text(rewrite(header.read_text(), header.resolve()))
        except RewriteError as error:
            raise BuildError(str(error)) from None
        _run([compiler, *flags, "-c", unit, "-o", out], path.name)

    return _cached(f"kernel-{target}-{key}.o", make)


def _link(compiler: Path, target: str, objects: list[Path], out: Path) -> None:
    flags = ["-shared", "-pthread", *(["-fsanitize=address"] if target == "asan" else [])]
    if sys.platform == "linux":
        flags += ["-Wl,-Bsymbolic", "-ldl"]      # every library keeps to its own runtime and its own kernels
    _run([compiler, *objects, *flags, "-o", out], out.name)


def _compile_gpu(compiler: Path, flags: list[str], paths: list[Path], out: Path) -> None:
    log = _run([compiler, *flags, *paths, "-o", out], paths[0].name)
    beside = cache_folder() / (out.stem + ".ptxas")
    draft = out.with_suffix(".ptxas")
    draft.write_text(log)
    os.replace(draft, beside)


def _run(command: list, what: str) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    log = done.stdout + done.stderr
    if done.returncode:
        errors = [line for line in log.splitlines() if re.search(r"error|Error|undefined reference", line)]
        raise BuildError(f"{what} does not compile:\n" + "\n".join(errors[:5]) + f"\n\nthe whole message:\n{log}")
    return log


def load(
    sources: Sequence[Path] | Path,
    target: str,
    *,
    defines: tuple[str, ...] = (),
    arch: str | None = None,
) -> Library:
    """Builds the sources and loads the library; arguments and errors as for `build`.

    The asan build cannot be loaded into a running Python: see on_cpu/sanitize.py.
    """
    if target == "asan":
        raise ValueError("target is 'asan': its library needs the sanitizer's runtime first; call on_cpu.sanitize")
    return Library(build(sources, target, defines=defines, arch=arch))
