"""The graph that autograd records: its nodes, its paths, and what cannot be found in it."""

import pytest
import torch
from block_builder import Block, Config
from block_builder.graph import edges, shortest_path, to_dot, to_text


def block_and_output(norm_first=True):
    block = Block(Config(7, 5, layers=1, heads=2, width=8, norm_first=norm_first))
    x = torch.randn(1, 5, 8, requires_grad=True)
    return block, x, block(x)


def test_the_graph_holds_every_parameter_once():
    block, x, output = block_and_output()
    names = dict(block.named_parameters())
    dot = to_dot(output, names)
    assert dot.startswith("digraph") and dot.rstrip().endswith("}")
    assert all(dot.count(f'"{name}"') == 1 for name in names)
    assert dot.count("->") == len(list(edges(output)))
    words = to_text(output, names, depth=40)
    assert all(name in words for name in names) and words.splitlines()[0] == "Add"


def test_the_residual_stream_is_two_additions_long():
    _, x, output = block_and_output()
    assert shortest_path(output, x) == ["Add", "Add"]
    _, x, output = block_and_output(norm_first=False)
    assert shortest_path(output, x) == ["NativeLayerNorm", "Add", "NativeLayerNorm", "Add"]


def test_a_tensor_that_the_output_does_not_use():
    _, _, output = block_and_output()
    with pytest.raises(ValueError, match="the output does not depend on this tensor"):
        shortest_path(output, torch.zeros(3, requires_grad=True))
