"""Builds .cu files into a shared library with plain C functions, for a GPU or for one of three CPU builds.

    target    compiled by            what it is for
    gpu       nvcc                   the device
    cpu       g++ (or clang++)       results: one fiber per CUDA thread, the fastest of the three
    trace     g++                    sectors, bank conflicts, races, accesses outside the arrays, by source line
    asan      g++                    the address sanitizer; loaded in a subprocess (on_cpu/sanitize.py)

All four export the same functions. Builds are kept under CUDA_QUANT_CACHE, or in the user's cache folder. Their names
are the hash of all that they depend on: sources, headers, the emulator, flags and compiler version.
"""

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .on_cpu.cache import cached, key, with_includes
from .on_cpu.compile import INCLUDE, build_on_cpu
from .on_cpu.library import Library
from .on_cpu.toolchain import (
    BuildError,
    device_architecture,
    disassembler,
    find_headers,
    gpu_compiler,
    nvcc,
    run,
    version,
)

__all__ = ["TARGETS", "BuildError", "Library", "Resources", "build"]
__all__ += ["find_headers", "load", "nvcc", "resource_usage", "sass"]

TARGETS = ("gpu", "cpu", "trace", "asan")
_GPU = ["-std=c++17", "-O3", "-lineinfo", "-Xcompiler", "-fPIC", "-Xptxas", "-v", "--threads", "0", f"-I{INCLUDE}"]


def build(
    sources: Sequence[Path] | Path,
    target: str,
    *,
    defines: tuple[str, ...] = (),
    arch: str | Sequence[str] | None = None,
) -> Path:
    """The shared library made of the sources, from the cache if it is there.

    Args:
        sources: one or more .cu files. A file's own folder is searched for its includes, and the folder of ptx.cuh.
        target: "gpu", "cpu", "trace" or "asan".
        defines: macros for all sources, as "NAME" or "NAME=value".
        arch: for the GPU, one architecture (sm_80, sm_90a, sm_100, ...) or several; a machine takes its own.
            Default: this machine's GPU, or sm_90a.

    Raises:
        ValueError: an argument is not one of the above, or a source does not exist.
        BuildError: no compiler, no headers, or the compiler refused the source.
    """
    paths = [Path(sources)] if isinstance(sources, str | Path) else [Path(s) for s in sources]
    archs = [arch] if isinstance(arch, str) else list(arch or ())
    _validate(paths, target, archs)
    if target != "gpu":
        return build_on_cpu(paths, target, tuple(defines))
    compiler = gpu_compiler()
    flags = [*_GPU, *(f"-D{d}" for d in defines)]
    for name in archs or [device_architecture() or "sm_90a"]:
        flags += ["-gencode", f"arch={name.replace('sm', 'compute')},code={name}"]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(lambda path: _gpu_object(compiler, flags, path), paths))
    name = f"gpu-{key(version(compiler), *(o.name for o in objects))}.so"
    return cached(name, lambda out: _gpu_link(compiler, objects, out))


def load(
    sources: Sequence[Path] | Path,
    target: str,
    *,
    defines: tuple[str, ...] = (),
    arch: str | Sequence[str] | None = None,
) -> Library:
    """Builds the sources and loads the library; arguments and errors as for `build`.

    The asan build cannot be loaded into a running Python: see on_cpu/sanitize.py.
    """
    if target == "asan":
        raise ValueError(
            "target='asan': its library needs a process with the sanitizer's runtime; call on_cpu.sanitize"
        )
    return Library(build(sources, target, defines=defines, arch=arch))


def _validate(paths: list[Path], target: str, archs: list[str]) -> None:
    if target not in TARGETS:
        raise ValueError(f"target={target!r}: unknown; choose {', '.join(TARGETS)}")
    if not paths:
        raise ValueError("sources=[]: empty; give at least one .cu file")
    for path in paths:
        if not path.is_file():
            raise ValueError(f"sources={path}: not a file; check the path")
    for arch in archs:
        if target != "gpu" or not re.fullmatch(r"sm_\d{2,3}[af]?", arch):
            rule = "must be such as sm_80, sm_90a or sm_100, and is for target='gpu' only; leave it out"
            raise ValueError(f"arch={arch!r}: {rule}")


def _gpu_object(compiler: Path, flags: list[str], path: Path) -> Path:
    def make(out: Path) -> None:
        log = run([compiler, *flags, "-c", path, "-o", out], path.name)
        out.with_suffix(".log").write_text(log)

    identity = [str(compiler), version(compiler), *flags, str(path.resolve()), with_includes(path, [INCLUDE])]
    return cached(f"kernel-gpu-{key(*identity)}.o", make)


def _gpu_link(compiler: Path, objects: list[Path], out: Path) -> None:
    libraries = compiler.resolve().parent.parent / "lib"  # where the wheels keep cudart
    search = [f"-L{libraries}"] if libraries.is_dir() else []
    run([compiler, "-shared", *objects, *search, "-o", out], out.name)
    out.with_suffix(".log").write_text("".join(o.with_suffix(".log").read_text() for o in objects))


# ---- what nvcc made of it


@dataclass(frozen=True)
class Resources:
    """What one kernel needs of a multiprocessor, by ptxas."""

    kernel: str
    arch: str
    registers: int
    shared_bytes: int
    spill_bytes: int
    stack_bytes: int


_ENTRY = re.compile(
    r"Compiling entry function '(?P<name>\S+)' for '(?P<arch>\w+)'.*?"
    r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?"
    r"Used (?P<registers>\d+) registers(?P<rest>[^\n]*)",
    re.DOTALL,
)


def resource_usage(library: Path) -> list[Resources]:
    """Registers, static shared memory and spills of each kernel in a library from build(..., "gpu").

    Raises:
        ValueError: the library is not a GPU build from this cache.
    """
    log = Path(library).with_suffix(".log")
    if not log.is_file():
        raise ValueError(f"library={library}: not a GPU build; make it with build(..., target='gpu')")
    usage = []
    for entry in _ENTRY.finditer(log.read_text()):
        shared = re.search(r"(\d+) bytes smem", entry["rest"])
        spilled = int(entry["stores"]) + int(entry["loads"])
        numbers = (int(entry["registers"]), int(shared[1]) if shared else 0, spilled, int(entry["stack"]))
        usage.append(Resources(_demangled(entry["name"]), entry["arch"], *numbers))
    return usage


def _demangled(name: str) -> str:
    if not shutil.which("c++filt"):
        return name
    return subprocess.run(["c++filt", name], capture_output=True, text=True).stdout.strip() or name


@functools.cache
def sass(library: Path, arch: str) -> str | None:
    """The machine code of a GPU build for an architecture as text, by cuobjdump; None where there is no cuobjdump."""
    tool = disassembler()
    if tool is None:
        return None
    return run([tool, "-sass", "-arch", arch, library], f"{tool.name} on {Path(library).name}")
