"""Serving is a scheduling problem over memory: paged cache, continuous batching, and a server that tells the truth."""

import sys

from .lab import (
    bench,
    break_it,
    design,
    experiment,
    gpu,
    graph,
    llama,
    load,
    peers,
    plots,
    scale,
    serve,
    smollm2,
    tables,
    wire,
)
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command("headline", "static against continuous batching, then a chat that answers", experiment.headline,
            tables.headline, minutes=2),
    Command("smollm2", "the same engine with a real chat model", smollm2.smollm2, tables.smollm2, minutes=2,
            model=True),
    Command("serve", "the server, with a chat page at /", serve.serve, minutes=0.1, model=True),
    Command("bench", "beside transformers, in one run", bench.bench, tables.bench, minutes=3),
    gpu.COMMAND,
    Command("break", "seven ways to break it", break_it.break_it, tables.break_it, minutes=1),
    Command("schedules", "random schedules, and planted faults", load.schedules, tables.schedules, minutes=2.5),
    Command("wire", "the wire suite on this server, or on --url", wire.wire, tables.wire, minutes=0.5),
    Command("load", "streams by the thousand, some of them cut", load.load, tables.load, minutes=4),
    Command("onnx", "the model as an ONNX graph", graph.onnx, graph.onnx_table, minutes=4),
    Command("llama", "files and servers beside llama.cpp", llama.llama, llama.llama_table, minutes=4),
    Command("peers", "the wire suite on other servers", peers.peers, peers.peers_table, minutes=8,
            section="wire_peers"),
    Command("design", "the stack-design exercise in numbers", design.design, design.whole, minutes=0.1),
    Command("scale", "two replicas under Ray Serve", scale.scale, scale.scale_table, minutes=3),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, minutes=1),
]  # fmt: skip

if __name__ == "__main__":
    sys.exit(main("serving_stack", __doc__, COMMANDS, plots.draw, arguments=serve.arguments))
