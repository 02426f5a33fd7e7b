"""A side quest: how many cards, at what price, and which stack? On paper, with a calculator.

Read in this order: `shapes.py` (bytes and operations of a model), `calculator.py` (how many requests a replica
carries), `cost.py` (three ways to pay), `exercise.py` (chatbot, summarisation, code completion). `README.md` has the
exercise and a worked answer.
"""

from .calculator import Capacity, Goal, Replica, capacity, replicas_for
from .cost import Own, Prices, Rented, break_even, month
from .shapes import GPUS, MODELS, Gpu, ModelShape

__all__ = ["GPUS", "MODELS", "Capacity", "Goal", "Gpu", "ModelShape", "Own", "Prices", "Rented", "Replica",
           "break_even", "capacity", "month", "replicas_for"]  # fmt: skip
