"""Makes the grader's options known to pytest wherever it is started: `pytest --attempt starter.ipynb` looks here."""

import os
import sys

if "numpy" not in sys.modules:  # it reads this once; tests use small arrays: a second thread only waits
    os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, __file__.replace("conftest.py", "tests"))
from grader import *  # noqa: E402, F403  pytest finds hooks and fixtures by name
