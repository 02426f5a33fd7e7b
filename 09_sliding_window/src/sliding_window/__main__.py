"""Window attention and attention sinks: what a bounded window loses, and what keeps a stream alive."""

import sys

from .lab import bench, break_it, experiment, plots, real_model, tables, wavenet
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command("headline", "past the trained length, 100,000 tokens, a planted sink", experiment.headline,
            tables.headline, minutes=2.5),
    Command("real", "StreamingLLM's table on a real model (--model smollm2)", real_model.real, tables.real, 10,
            model=True),
    Command("wavenet", "WaveNet beside window attention and a GRU", wavenet.wavenet, tables.wavenet, minutes=1),
    Command("bench", "the band beside PyTorch, the stream beside transformers", bench.bench, tables.bench, minutes=1),
    Command("break", "what each mistake does", break_it.break_it, tables.break_it, minutes=0.5),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, minutes=1),
]  # fmt: skip

if __name__ == "__main__":
    sys.exit(main("sliding_window", __doc__, COMMANDS, plots.draw))
