"""Instruction tuning: base against instruct, LoRA and QLoRA beside full, packing, tool calls, and a real chat model."""

import sys

from .lab import bench, break_it, experiment, plots, real_model, tables
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command("headline", "base, full, LoRA, QLoRA, packing", experiment.headline, tables.headline, minutes=4),
    Command("smollm2", "a real model (--model smollm2)", real_model.real_model, tables.smollm2, minutes=5, model=True),
    Command(
        "instructions", "SmolLM2 on real instructions", real_model.instructions, tables.instructions, 5, model=True
    ),
    Command("bench", "packing beside TRL, LoRA beside peft", bench.bench, tables.bench, minutes=1),
    Command("break", "six experiments that go wrong", break_it.break_it, tables.break_it, minutes=1.5),
    Command("variants", "DoRA, rsLoRA, soft prompts", break_it.variants, tables.variants, minutes=1),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, minutes=1),
]

if __name__ == "__main__":
    sys.exit(main("instruct_tuner", __doc__, COMMANDS, plots.draw))
