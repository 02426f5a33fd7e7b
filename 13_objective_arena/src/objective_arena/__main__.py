"""One network, five objectives at equal compute: who learns to write, to fill in, to read? Which bug has which loss?"""

import sys

from .lab import bench, break_it, experiment, losses_study, plots, polarity, tables, tables_quests, translation
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command(
        "headline",
        "five objectives at equal compute, and the leak ladder",
        experiment.headline,
        tables.headline,
        minutes=2.5,
    ),
    Command("bench", "span corruption and masking beside their peers", bench.bench, tables.bench, minutes=0.3),
    Command("break", "five mistakes and what they do", break_it.break_it, tables.break_it, minutes=1),
    Command(
        "losses", "losses under imbalance, outliers, contrast", losses_study.losses, tables_quests.losses, minutes=0.5
    ),
    Command("translation", "BLEU on a made language", translation.translation, tables_quests.translation, minutes=2),
    Command("french", "BLEU on English to French (a file)", translation.french, tables_quests.french, minutes=2),
    Command(
        "polarity", "BERT and GPT-1 on film reviews (a file)", polarity.polarity, tables_quests.polarity, minutes=5
    ),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, minutes=0.5),
]

if __name__ == "__main__":
    sys.exit(main("objective_arena", __doc__, COMMANDS, plots.draw))
