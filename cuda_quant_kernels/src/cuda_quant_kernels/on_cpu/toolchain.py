"""Finds what is needed to compile: NVIDIA's headers, nvcc, a C++ compiler. None of it needs a GPU."""

import functools
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

HEADER_WHEELS = "cuda-toolkit[cudart,crt,cccl]==13.0.*"
COMPILER_WHEELS = "cuda-toolkit[nvcc,cudart,crt,nvvm,cccl]==13.0.*"


class BuildError(RuntimeError):
    """A compiler refused the source, or is missing. The message begins with what is wrong, and where."""


def find_headers() -> Path:
    """The folder that holds cuda_runtime.h: of CUDA_HOME, of NVIDIA's wheels, or of the toolkit on this machine.

    Raises:
        BuildError: there is none; the message gives the pip command that installs the headers (27 MB).
    """
    for folder in _header_folders():
        if (folder / "cuda_runtime.h").is_file() and (folder / "crt" / "host_config.h").is_file():
            return folder
    raise BuildError(f'no CUDA headers found. Install them (27 MB, no GPU needed):  pip install "{HEADER_WHEELS}"')


def _header_folders() -> Iterator[Path]:
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        if os.environ.get(variable):
            yield Path(os.environ[variable]) / "include"
    yield from _in_wheels("include")
    if compiler := nvcc():
        yield compiler.resolve().parent.parent / "include"
    yield Path("/usr/local/cuda/include")


def _in_wheels(name: str) -> Iterator[Path]:
    """A file or folder of NVIDIA's wheels, which install under site-packages/nvidia/cu13."""
    paths = sysconfig.get_paths()
    for place in dict.fromkeys([paths["purelib"], paths["platlib"], *sys.path]):
        if place:
            yield from sorted(Path(place).glob(f"nvidia/cu1[3-9]/{name}"), reverse=True)


def nvcc() -> Path | None:
    """NVIDIA's compiler: under CUDA_HOME, on PATH, from the wheels, or in its usual place; None if there is none."""
    return _tool("nvcc")


def _tool(name: str) -> Path | None:
    homes = [Path(os.environ[v]) / "bin" / name for v in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(v)]
    on_path = [Path(found)] if (found := shutil.which(name)) else []
    usual = [Path("/usr/local/cuda/bin") / name]
    return next((p for p in [*homes, *on_path, *_in_wheels(f"bin/{name}"), *usual] if p.is_file()), None)


def disassembler() -> Path | None:
    """cuobjdump, from the toolkit or from Triton, which brings its own; None if there is none."""
    if found := _tool("cuobjdump"):
        return found
    for place in sys.path:
        tool = Path(place or ".") / "triton/backends/nvidia/bin/cuobjdump"
        if tool.is_file():
            return tool
    return None


def gpu_compiler() -> Path:
    """nvcc. Raises BuildError with the pip command if there is none."""
    if compiler := nvcc():
        return compiler
    raise BuildError(f'no nvcc found. Install CUDA 13, or its wheels (271 MB):  pip install "{COMPILER_WHEELS}"')


def cpu_compiler() -> Path:
    """The compiler named by CXX, or g++, or clang++. Raises BuildError if there is none."""
    for name in (os.environ.get("CXX"), "g++", "clang++"):
        if name and (found := shutil.which(name)):
            return Path(found)
    raise BuildError("no C++ compiler found: install g++ (Debian: apt install g++), or name one in CXX")


@functools.cache
def version(compiler: Path) -> str:
    """The output of --version, for the cache's key."""
    return subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout


def device_architecture() -> str | None:
    """The architecture of this machine's first GPU, such as sm_90a; None without one."""
    try:
        command = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
        capability = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None
    number = capability.replace(".", "")
    return f"sm_{number}" + ("a" if int(number) >= 90 else "")


def run(command: list, what: str) -> str:
    """Runs a compiler and returns its messages. Raises BuildError with the first errors, then the whole log."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    log = done.stdout + done.stderr
    if done.returncode:
        errors = [line for line in log.splitlines() if "error" in line.lower() or "undefined reference" in line]
        raise BuildError(f"{what} does not compile:\n" + "\n".join(errors[:5]) + f"\n\nthe whole message:\n{log}")
    return log
