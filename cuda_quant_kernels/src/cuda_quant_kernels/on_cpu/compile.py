"""The three CPU builds: each source rewritten and compiled, then linked to the emulator's runtime."""

import functools
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .cache import cached, includes, key, with_includes
from .rewrite import RewriteError, rewrite
from .toolchain import BuildError, cpu_compiler, find_headers, run, version

FOLDER = Path(__file__).parent
INCLUDE = FOLDER / "include"
TARGETS = ("cpu", "trace", "asan")

# No fused multiply-add but where the source says so, and no vector code: results do not depend on the machine.
_COMMON = ["-std=c++17", "-fPIC", "-w", "-fmax-errors=5", "-g1", "-fno-math-errno", "-ffp-contract=off"]
# Kernels look at an int4's bytes through whatever type they like; and a device function may be inlined into its kernel.
_COMMON += ["-fno-strict-aliasing", "-fno-semantic-interposition"]
# One memory access in the source shall stay one in the instrumented code, in the order of the source.
_AS_WRITTEN = [
    f"-fno-{name}"
    for name in (
        "tree-vectorize tree-slp-vectorize tree-sra tree-loop-im tree-pre tree-fre store-merging "
        "threadsafe-statics optimize-sibling-calls tree-loop-distribute-patterns"
    ).split()
]
_KERNEL = {
    "cpu": ["-O1", "-fno-optimize-sibling-calls"],
    "trace": ["-O1", "-fsanitize=thread", *_AS_WRITTEN, "-DQK_TRACE"],
    "asan": ["-O1", "-fsanitize=address", "-fsanitize-recover=address", "-fno-omit-frame-pointer"],
}
_RUNTIME = {
    "cpu": ["-O2"],
    "trace": ["-O2", "-DQK_TRACE"],
    "asan": ["-O1", "-fsanitize=address", "-fsanitize-recover=address"],
}


def build_on_cpu(sources: list[Path], target: str, defines: tuple[str, ...]) -> Path:
    """The shared library made of the sources; see build.build for arguments and errors."""
    compiler = cpu_compiler()
    if target != "cpu" and (sys.platform != "linux" or "clang" in version(compiler)):
        raise BuildError(f"the {target} build relies on g++ on Linux; the cpu build works with clang++ too")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runtime = pool.submit(_runtime, compiler, target, defines)
        kernels = [pool.submit(_kernel, compiler, s, target, defines) for s in sources]
        objects = [job.result() for job in (runtime, *kernels)]
    name = f"{target}-{key(version(compiler), *(o.name for o in objects))}.so"
    return cached(name, lambda out: _link(compiler, target, objects, out))


@functools.cache
def _emulator(folder: Path) -> str:
    return "\0".join(p.read_text() for p in sorted(folder.rglob("*")) if p.suffix in (".h", ".cpp", ".cuh"))


def _identity(compiler: Path, flags: list[str]) -> list[str]:
    return [str(compiler), version(compiler), *flags]


def _runtime(compiler: Path, target: str, defines: tuple[str, ...]) -> Path:
    # The one define that the runtime knows: take the portable switch between fibers.
    own = [f"-D{d}" for d in defines if d == "QK_UCONTEXT"]
    flags = [*_COMMON, "-fvisibility=hidden", *_RUNTIME[target], *own, f"-I{find_headers()}"]
    name = f"runtime-{target}-{key(*_identity(compiler, flags), _emulator(FOLDER))}.o"
    source = FOLDER / "runtime" / "runtime.cpp"
    return cached(name, lambda out: run([compiler, *flags, "-c", source, "-o", out], f"the {target} runtime") and None)


def _kernel(compiler: Path, path: Path, target: str, defines: tuple[str, ...]) -> Path:
    folders = [path.parent.resolve(), INCLUDE, find_headers()]
    flags = [*_COMMON, *_KERNEL[target], *(f"-D{d}" for d in defines), *(f"-I{f}" for f in folders)]
    flags += ["-include", str(INCLUDE / "cudacpu.h")]
    content = [str(path.resolve()), _emulator(INCLUDE), with_includes(path, [INCLUDE])]

    def make(out: Path) -> None:
        try:
            unit = _write_rewritten(path, out)
        except RewriteError as error:
            raise BuildError(str(error)) from None
        run([compiler, *flags, "-c", unit, "-o", out], path.name)

    return cached(f"kernel-{target}-{key(*_identity(compiler, flags), *content)}.o", make)


def _write_rewritten(path: Path, out: Path) -> Path:
    """The rewritten source beside `out`, and beside it the rewritten headers, where its quotes look first."""
    unit = out.with_suffix(".cpp")
    unit.write_text(rewrite(path.read_text(), path.resolve()))
    for name, header in includes(path, [INCLUDE]).items():
        if INCLUDE not in header.parents and ".." not in name:
            copy = out.parent / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(rewrite(header.read_text(), header.resolve()))
    return unit


def _link(compiler: Path, target: str, objects: list[Path], out: Path) -> None:
    flags = ["-shared", "-pthread", *(["-fsanitize=address"] if target == "asan" else [])]
    if sys.platform == "linux":
        flags += ["-Wl,-Bsymbolic", "-ldl"]  # every library keeps to its own runtime and its own kernels
    run([compiler, *objects, *flags, "-o", out], out.name)
