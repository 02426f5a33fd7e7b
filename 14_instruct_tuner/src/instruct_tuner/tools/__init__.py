"""Tools: the model writes a call, a program checks and runs it, and the model reads the result.

Read in this order:
    parse.py        a call, or no call; nothing is ever evaluated
    calculator.py   arithmetic by a grammar of its own; a clock
    loop.py         the conversation with tools
    synthetic.py    conversations to learn from, made by a program
"""

from .calculator import calculate, clock
from .loop import Tool, answer_with_tools, default_tools, run_tool_call
from .parse import TOOL_CLOSE, TOOL_OPEN, parse_tool_call
from .synthetic import Problem, problems, tool_conversation

__all__ = ["TOOL_CLOSE", "TOOL_OPEN", "Problem", "Tool", "answer_with_tools", "calculate", "clock", "default_tools"]
__all__ += ["parse_tool_call", "problems", "run_tool_call", "tool_conversation"]
