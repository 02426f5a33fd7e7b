"""A model repository for the Triton Inference Server: the engine, a pipeline, a conversation.

Read in this order:
    repository/        one folder a model: config.pbtxt, and 1/model.py
    pbtxt.py           a text protobuf, read by hand
    check.py           what two files must agree on before a server is started
    small.py           the engine as the Python models use it
    server.py          the real server, from the wheel of nvidia-pytriton
"""

from .check import check_repository
from .pbtxt import parse_pbtxt
from .server import REPOSITORY, triton_server

__all__ = ["REPOSITORY", "check_repository", "parse_pbtxt", "triton_server"]
