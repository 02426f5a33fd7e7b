"""Training engineering, one question a file. Each has QUESTION, PREDICTION, run, outcome, figure and rows.

drawing.py and small_run.py are what the others share: a figure with its claim, and a small GPT on offline text.

optimizers.py     seven of them: paths, convergence, bytes of state, when to use which (update_rules.py holds the rules)
adam_paper.py     Adam beside SGD on a convex task, an MLP with dropout, and convolutions
schedules.py      seven of them, one peak, one budget
warmup.py         what the first steps of Adam do, and when warm-up is worth its steps
lr_death.py       which learning rates kill a run, and how one sees it
clipping.py       by norm and by value; accumulation equals one batch
fp16_traps.py     gradients that vanish, overflow, lost updates, NaN; the loss scale; bfloat16
dynamic_batch.py  batches by length, and batches that grow
landscape.py      the loss around a sharp and a flat minimum
size_speed_memory.py   parameters, tokens a second, bytes
gradient_flow.py  gradients at each of eight blocks by hooks, with and without residual path and norms
surgery.py        freeze, replace the head, groups with rates of their own: what moves is counted
compile_checkpoint.py  gradient checkpointing to the bit, torch.compile (graph_breaks.py), and what breaks them
finetune.py       a checkpoint of English learns code under three optimizers, and forgets
doctor.py         28 planted faults (faults.py, faulty_run.py, texts.py), named from curves (curves.py, rules.py)
                  and by active probes (probes.py, probes_of_updates.py)
end_to_end.py     one story: broken, named, repaired, improved
"""

LABS = (
    "optimizers",
    "adam_paper",
    "schedules",
    "warmup",
    "lr_death",
    "clipping",
    "fp16_traps",
    "dynamic_batch",
    "landscape",
    "size_speed_memory",
    "gradient_flow",
    "surgery",
    "compile_checkpoint",
    "finetune",
    "doctor",
    "end_to_end",
)  # fmt: skip
