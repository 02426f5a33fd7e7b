"""Training engineering, one question a file. Each has QUESTION, PREDICTION, run, outcome, figure and rows.

drawing.py and small_run.py are what the others share: a figure with its claim, and a small GPT on offline text.

lr_death.py       which learning rates kill a run, and how one sees it
"""

LABS = (
    "lr_death",
)  # fmt: skip
