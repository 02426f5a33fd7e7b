"""REPORT's table of mutants is that of the code as it is."""

import equivalents
import mistakes
from mutants import mutants
from norm_activation.lab import record


def test_the_table_of_mutants_counts_what_there_is():
    recorded = record.read(record.COMMITTED)["mutants"]["tasks"]
    assert list(recorded) == mistakes.TASKS
    for task, counts in recorded.items():
        made, on_probes, by_tests, equivalent, survive = counts.values()
        assert made == len(mutants(task)) == on_probes + by_tests + equivalent and survive == 0, task
        assert equivalent == len(equivalents.EQUIVALENT.get(task, {})), task
