"""Compiles what the tests will ask for while the first of them run, in a process of its own.

A test module names its builds in AHEAD: (sources, target), or (sources, "gpu", architectures). They are made in the
order of the collected tests. A test that needs a build earlier waits for it (on_cpu/cache.py).
"""

import json
import signal
import subprocess
import sys
from pathlib import Path

from grader import STATE

running: list[subprocess.Popen] = []


def pytest_collection_finish(session):
    config, state = session.config, session.config.stash[STATE]
    if config.option.collectonly or state.attempt or state.mistakes or state.mutants:
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
