"""The real Triton Inference Server, which the wheel of `nvidia-pytriton` carries, on a model repository."""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(str(files(__package__).joinpath("repository")))


class Addresses(NamedTuple):
    """Where a server answers, without "http://"."""

    http: str
    grpc: str
    metrics: str


def parts() -> Path:
    """The folder with server, backends and stubs. Raises OSError where nvidia-pytriton is not installed."""
    spec = importlib.util.find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise OSError("nvidia-pytriton is not installed; it is in the extra 'peers-triton'")
    return Path(spec.origin).parent / "tritonserver"


def backends(folder: Path) -> Path:
    """The Python backend with the stub of this Python's version, in a folder of its own."""
    target = folder / "backends"
    shutil.copytree(parts() / "backends", target)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    stub = parts() / "python_backend_stubs" / version / "triton_python_backend_stub"
    shutil.copy(stub, target / "python" / stub.name)
    return target


@contextlib.contextmanager
def triton_server(ports: tuple[int, int, int], repository: Path = REPOSITORY, seconds: float = 120.0) -> Iterator:
    """Start Triton with these ports for HTTP, gRPC and metrics, and wait until every model is ready.

    The stub loads the system's libpython; which packages it sees follows from the first python3 on the PATH.

    Raises:
        OSError: not installed, or a model does not load; the message is the server's first error.
    """
    http, grpc, metrics = ports
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "log.txt"
        libraries = parts().parent.parent / "nvidia_pytriton.libs"
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
                       "LD_LIBRARY_PATH": str(libraries), "OMP_NUM_THREADS": "1"}  # fmt: skip
        command = [str(parts() / "bin" / "tritonserver"), f"--model-repository={repository}",
                   f"--backend-directory={backends(Path(name))}", "--http-address=127.0.0.1", f"--http-port={http}",
                   "--grpc-address=127.0.0.1", f"--grpc-port={grpc}", "--metrics-address=127.0.0.1",
                   f"--metrics-port={metrics}", "--allow-gpu-metrics=false"]  # fmt: skip
        with open(log, "wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
        try:
            _wait(process, f"http://127.0.0.1:{http}/v2/health/ready", seconds, log)
            yield Addresses(*(f"127.0.0.1:{port}" for port in ports))
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen, url: str, seconds: float, log: Path) -> None:
    """Until the server is ready. Raises OSError with its first error where it is not."""
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            with urllib.request.urlopen(url, timeout=2):
                return
        time.sleep(0.2)
    lines = log.read_text(errors="replace").splitlines()
    errors = [line for line in lines if line.startswith("E") and "failed" in line] or lines[-1:]
    raise OSError(f"Triton did not start: {' '.join(errors[:1])[:400]}")
