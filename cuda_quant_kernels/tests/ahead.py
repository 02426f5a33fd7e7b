"""Compiles what the tests will ask for while the first of them run, in a process of its own.

A test module names its builds in AHEAD: (sources, target), or (sources, "gpu", architectures). They are made in the
order of the collected tests. Who needs a build before it is there waits for it, as for any build (on_cpu/cache.py).
"""

import json
import signal
import subprocess
import sys
from pathlib import Path

running: list[subprocess.Popen] = []


def pytest_collection_finish(session):
    config = session.config
    if config.option.collectonly or config.getoption("--attempt") or config.getoption("--mistakes") or config._live:
        return
    modules = dict.fromkeys(item.module for item in session.items)
    wanted = [build for module in modules for build in getattr(module, "AHEAD", [])]
    if wanted:
        orders = json.dumps([[[str(s) for s in sources], *how] for sources, *how in wanted])
        command = [sys.executable, __file__, orders]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))


def pytest_sessionfinish():
    for process in running:
        process.send_signal(signal.SIGINT)  # it tidies up after itself, and a compiler that runs comes to its end
        process.wait()
    running.clear()


if __name__ == "__main__":
    from cuda_quant_kernels.build import BuildError, build

    for sources, target, *arch in json.loads(sys.argv[1]):
        try:
            build([Path(s) for s in sources], target, arch=arch[0] if arch else None)
        except BuildError:  # no compiler, or none for this: the tests will say so
            continue
        except KeyboardInterrupt:  # the tests are over
            break
