"""Eight bits and fewer: outliers and seven methods, weights alone, a real model, a small classifier, compression."""

import sys

from .lab import (
    bench,
    break_it,
    compression,
    experiment,
    gpu,
    lenet,
    llama,
    llama_speed,
    number_formats,
    plots,
    qlora,
    real_model,
    tables,
)
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command("headline", "injected outliers by seven methods; RTN and GPTQ", experiment.headline, tables.headline, 2),
    Command("smollm2", "a real model (--model smollm2)", real_model.real_model, tables.smollm2, 6, model=True),
    Command("formats", "what each format does to numbers", number_formats.formats, tables.formats, 0.3),
    Command("lenet", "LeNet-5: static, dynamic, QAT", lenet.lenet, tables.lenet, 6),
    Command("compress", "pruning, lottery ticket, distillation", compression.compress, tables.compress, 3),
    Command("pipeline", "teacher to pruned student, on sentences", compression.pipeline, tables.pipeline, 3),
    Command("qlora", "QLoRA beside GPTQ on the real model", qlora.qlora, tables.qlora, 5),
    Command("llama", "q8_0 of llama.cpp beside int8, on the real model", llama.llama, llama.llama_table, 2),
    Command("llama-speed", "decoding beside llama.cpp", llama_speed.llama_speed, llama_speed.llama_speed_table, 1),
    Command("bench", "layer, GPTQ and decoding beside the peers", bench.bench, tables.bench, 2),
    Command("gpu", "layer and decoder on a GPU (--device cuda)", gpu.gpu, gpu.table_of, 0.7, device=True),
    Command("break", "mistakes and what they do", break_it.break_it, tables.break_it, 1),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, 2),
]

if __name__ == "__main__":
    sys.exit(main("int8_quant", __doc__, COMMANDS, plots.draw))
