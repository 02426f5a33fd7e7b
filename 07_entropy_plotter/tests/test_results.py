"""The numbers: README and REPORT say what results.json says, the claims hold, and the experiments can be repeated."""

import gc
import json
from pathlib import Path
from statistics import median

import pytest
import torch
from entropy_plotter import entropy
from entropy_plotter.__main__ import COMMANDS
from entropy_plotter.lab import break_it, fetch, plots, record, rules
from entropy_plotter.lab.cli import main

FOLDER = Path(__file__).parents[1]
RESULTS = record.read(record.COMMITTED)
WORKBOOK = "\n".join("".join(c["source"]) for c in json.loads((FOLDER / "starter.ipynb").read_text("utf-8"))["cells"])
QUICK = ["headline", "bench", "break", "drafts", "reasoning", "page"]


def test_nothing_quick_is_committed():
    assert set(RESULTS) == {command.key for command in COMMANDS} - {"page"} | {"trial"}
    assert not [name for name, section in RESULTS.items() if section["meta"]["quick"]]


def test_the_trial_is_counted_and_one_wrong_attempt_is_as_right_as_the_reference():
    for each, still_right in zip(RESULTS["trial"]["trials"], (1, 0), strict=True):
        first, last, right = each["wrong"]["first"], each["wrong"]["last"], each["right"]
        assert sum(first.values()) == sum(last.values()) >= 40
        assert last["false"] == 0 and last["RIGHT"] == still_right
        assert right["first"] <= right["last"] <= right["attempts"]
    logits = torch.tensor([0.0, 0.0, -torch.inf], requires_grad=True)
    entropy(logits).backward()
    assert logits.grad.isnan().all()  # what the attempt that is still RIGHT does, and REPORT says


@pytest.mark.parametrize("command", QUICK)
@pytest.mark.filterwarnings("ignore")  # of Gradio's own libraries, where the page is built
def test_each_command_runs_quickly(command, tmp_path, capsys):
    assert main("entropy_plotter", "", COMMANDS, plots.draw, [command, "--quick", "--out", str(tmp_path)]) == 0
    assert command == "page" or "Quick run" in capsys.readouterr().out
    gc.collect()  # Gradio's event loop goes here, and not in another test


@pytest.mark.real
@pytest.mark.skipif(not fetch.is_local(fetch.SMOLLM2), reason="the real model is not on this machine: nox -s models")
@pytest.mark.timeout(240)
def test_the_real_models_command_runs_quickly(tmp_path):
    argv = ["--model", "smollm2", "--quick", "--out", str(tmp_path)]
    assert main("entropy_plotter", "", COMMANDS, plots.draw, argv) == 0
    assert (tmp_path / "holtzman.png").exists()


@pytest.mark.parametrize("name", break_it.BY_NAME)
def test_break_it_is_as_recorded_and_as_the_workbook_says(name):
    experiment = break_it.BY_NAME[name]
    result = experiment.run()
    assert experiment.holds(result), result["outcome"]
    assert experiment.holds(RESULTS["break_it"][name])
    assert experiment.answer in WORKBOOK and experiment.predict in WORKBOOK and f'BY_NAME["{name}"]' in WORKBOOK


def test_the_papers_order_of_the_rules_holds_on_the_real_model():
    found = RESULTS["holtzman"]["rules"]
    perplexity = {rule: r["perplexity"] for rule, r in found.items()}
    assert perplexity["beam 4"] < perplexity["greedy"] < 3 < perplexity["top-k 40"] < perplexity["top-p 0.95"]
    assert perplexity["top-p 0.95"] < perplexity["human"] < perplexity["pure"]
    assert perplexity["T 1.5 + min-p 0.1"] < perplexity["human"] < perplexity["T 1.5 + top-p 0.9"] / 50
    assert found["greedy"]["repetition"] > 30 > 10 > found["top-p 0.95"]["repetition"]
    assert perplexity["beam 16"] < perplexity["beam 4"] and perplexity["top-p 0.95"] < perplexity["top-k 640"]
    assert found["beam 16"]["repetition"] < found["greedy"]["repetition"] < found["beam 4"]["repetition"]


def test_n_grams_draft_too_badly_for_a_real_model():
    for found in RESULTS["smollm2_drafts"]["rules"].values():
        for gamma in found["gammas"].values():
            got = sum(gamma["tokens a pass"]) / len(gamma["tokens a pass"])
            assert got == pytest.approx(gamma["expected"], rel=0.35) and gamma["acceptance"] < 0.4
            assert median(gamma["seconds a token"]) > median(found["plain seconds"])


def test_the_small_models_degenerate_and_min_p_holds_at_a_high_temperature():
    for found in RESULTS["headline"]["models"].values():
        values = {rule: {name: median(r[name] for r in runs) for name in runs[0]} for rule, runs in found.items()}
        assert values["greedy"]["repetition"] > 60 > 15 > values["top-p 0.95"]["repetition"]
        assert values["greedy"]["distinct"] < values["human"]["distinct"] / 3
        hot = values["T 1.5 + top-p 0.9"]["perplexity"]
        assert values["T 1.5 + min-p 0.1"]["perplexity"] < values["human"]["perplexity"] < hot / 5


def test_the_known_tail_is_drawn_as_often_as_it_weighs():
    made_up = RESULTS["headline"]["tail"]
    for rule in made_up["rules"].values():
        p = rule["expected"] / made_up["draws"]
        deviation = (made_up["draws"] * p * (1 - p)) ** 0.5
        assert all(abs(drawn - rule["expected"]) <= 4.5 * deviation + 1e-9 for drawn in rule["drawn"])


def test_drafts_add_as_many_tokens_as_their_acceptance_predicts():
    for name, gammas in RESULTS["drafts"]["drafts"].items():
        for gamma, r in gammas.items():
            if name == "the target itself":
                assert r["acceptance"] == 1 and set(r["tokens a pass"]) == {int(gamma) + 1}
            else:
                got = sum(r["tokens a pass"]) / len(r["tokens a pass"])
                assert got == pytest.approx(r["expected"], rel=0.35)


def test_a_chain_is_learned_where_the_answer_alone_is_not_and_votes_help():
    found = RESULTS["reasoning"]
    assert min(found["chain"]) > 0.95 and max(found["direct"] + found["direct_longer"]) < 0.2
    for vote, jury, early in zip(found["vote"], found["jury"], found["early"], strict=True):
        assert vote[-1] > vote[0] + 0.15 and vote[-1] > jury[-1], "wrong answers split their votes"
        assert abs(vote[-1] - early) < 0.1, "the votes find the greedy chain's answers"


def test_repetition_counts_grams_that_have_occurred():
    assert rules.repetition([[1, 2, 3, 4, 5]]) == 0 and rules.repetition([[7] * 13]) == 1 - 1 / 10


def test_forced_tokens_are_measured_as_they_are():
    model = break_it.counted()[0]
    prompts, forced = torch.tensor([[5, 6]]), torch.tensor([[7, 8, 9]])
    written = rules.write(model, prompts, 3, None, forced=forced)
    assert torch.equal(written.tokens, forced)
    whole = model(torch.cat((prompts, forced), dim=1))[0, 1:-1].log_softmax(-1)
    want = -whole.gather(-1, forced[0, :, None])[:, 0] / 0.6931472
    torch.testing.assert_close(written.surprisals[0], want, rtol=1e-4, atol=1e-4)
