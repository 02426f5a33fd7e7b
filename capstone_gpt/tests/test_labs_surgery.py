"""The labs about the inside of a model: gradient flow, surgery, compile and checkpointing, fine-tuning, the story."""

import copy

import pytest
import torch
from torch import nn

from capstone_gpt.lab import record
from capstone_gpt.labs import compile_checkpoint, end_to_end, finetune, gradient_flow, surgery
from capstone_gpt.labs.faults import FAULTS
from capstone_gpt.labs.graph_breaks import CASES
from capstone_gpt.labs.small_run import batches, mean_loss, small_gpt


@pytest.mark.parametrize("kind", gradient_flow.KINDS.values())
def test_hooks_note_the_gradient_that_autograd_gives(kind):
    model = gradient_flow.connected(kind, seed=3, depth=3)
    x, y = next(batches(3))
    outputs = []
    handles = [b.register_forward_hook(lambda m, i, out: outputs.append(out)) for b in model.blocks]
    right = torch.autograd.grad(mean_loss(model, x, y), outputs)
    for handle in handles:
        handle.remove()
    with gradient_flow.GradientHooks(model.blocks) as hooks:
        mean_loss(model, x, y).backward()
    for norms, gradient in zip(hooks.norms, right, strict=True):
        assert norms == [pytest.approx(float(gradient.norm()), rel=1e-5)]


def test_hooks_are_gone_after_the_context():
    model = gradient_flow.connected(gradient_flow.Block, seed=0, depth=2)
    with gradient_flow.GradientHooks(model.blocks) as hooks:
        pass
    mean_loss(model, *next(batches(0))).backward()
    assert hooks.norms == [[], []]


def test_without_path_and_norm_no_gradient_arrives():
    norms = {
        name: gradient_flow.norms_by_layer(gradient_flow.connected(k, 5), 5) for name, k in gradient_flow.KINDS.items()
    }
    assert norms["neither"][0] / norms["neither"][-1] < 1e-6
    assert 0.3 < norms["norm before, residual"][0] / norms["norm before, residual"][-1] < 3


def test_the_graph_in_words():
    a, b = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    assert gradient_flow.graph_text((a * b).sum()) == {"SumBackward0": 1, "MulBackward0": 1, "AccumulateGrad": 2}


def test_a_picture_needs_dot(monkeypatch, tmp_path):
    monkeypatch.setattr(gradient_flow.shutil, "which", lambda name: None)
    with pytest.raises(OSError, match="graph_text"):
        gradient_flow.draw_graph(torch.ones(1, requires_grad=True).sum(), nn.Linear(1, 1), tmp_path / "graph.svg")


def test_only_the_head_moves_when_the_rest_is_frozen():
    found = surgery.adapt(small_gpt(3), "head only", seed=3, steps=2)
    assert found["moved"] == {"trunk": 0, "head": found["trainable"]}
    assert found["trainable"] == 2 * 48 + 2


def test_all_moves_when_nothing_is_frozen_but_at_its_own_rate():
    torch.manual_seed(0)
    model = surgery.Classifier(small_gpt(3))
    optimizer = torch.optim.SGD(surgery.groups(model, "rates of their own"), lr=3e-3)
    assert [group["lr"] for group in optimizer.param_groups] == [3e-4, 3e-3]
    held = [p for group in optimizer.param_groups for p in group["params"]]
    assert {id(p) for p in held} == {id(p) for p in model.parameters()} and len(held) == len(list(model.parameters()))


def test_what_is_frozen_with_a_gradient_moves_on():
    assert [surgery.frozen_and_moved(way) for way in surgery.FREEZES] == [0, 35, 0]


def test_lines_have_two_balanced_classes():
    x, y = surgery.lines()
    assert x.shape[1] == surgery.SEQ_LEN and 2 * int(y.sum()) == len(y) > 2 * surgery.EXAMPLES


@pytest.mark.parametrize("seed", [0, 11])
def test_checkpointing_is_bit_equal_until_the_random_state_is_lost(seed):
    found = compile_checkpoint.checkpointing(seed)
    equal = {name: one["bit-equal"] for name, one in found.items()}
    assert list(equal.values()) == [True, True, False]
    assert found["dropout, random state not kept"]["distance"] > 0.1
    for one in found.values():
        assert one["kept"] < one["plain"] / 2
        assert one["calls"] == 2  # once more in the backward pass


def test_kept_bytes_by_hand():
    """A linear layer keeps its input, which is counted once; its weight is not counted."""

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(64, 5, bias=False), nn.Linear(64, 5, bias=False)

        def forward(self, tokens):
            x = torch.ones(*tokens.shape, 64)
            return self.first(x) + self.second(x)

    x = torch.zeros(2, 3, dtype=torch.long)
    _, kept = compile_checkpoint.gradients(Twice(), x, x)
    inputs, log_softmax, targets = 2 * 3 * 64 * 4, 2 * 3 * 5 * 4, 2 * 3 * 8
    assert inputs + log_softmax + targets <= kept <= inputs + log_softmax + targets + 16


def test_recorded_graph_breaks_and_the_compiled_model():
    recorded = of_results("compile_checkpoint")
    breaks = recorded["breaks"]
    assert set(breaks) == {*CASES, "the GPT"}
    assert breaks["tensors only"] == breaks["the GPT"] == 0
    assert breaks["print"] >= 1 and breaks["item() in an if"] >= 1 and breaks["graph_break()"] == 1
    assert recorded["left out"] or max(recorded["compiled"].values()) < 1e-4


def test_without_a_compiler_there_is_a_reason(monkeypatch):
    monkeypatch.setattr(compile_checkpoint.shutil, "which", lambda name: None)
    assert "compiler" in compile_checkpoint.why_not_compiled(quick=False)


@pytest.fixture(scope="module")
def of_english():
    """A thin model, trained on English a little: its head is no longer zero."""
    english, _, vocab_size = finetune.both()
    torch.manual_seed(2)
    model = finetune.ModernGPT(finetune.ModernConfig(vocab_size, finetune.SEQ_LEN, 1, 2, 24))
    finetune.steps_on(model, finetune.AdamW(model.parameters(), 1e-2), english, 40, seed=2)
    return model


@pytest.mark.parametrize("name", finetune.RATES)
def test_fine_tuning_learns_the_new_text_and_leaves_the_checkpoint_alone(name, of_english):
    english, code, _ = finetune.both()
    before = english.loss(of_english)
    path = finetune.tuned(copy.deepcopy(of_english), name, finetune.RATES[name][1][-1], english, code, steps=20, seed=2)
    assert len(path) == finetune.LOOKS + 1
    assert path[-1][1] < path[0][1] - 0.03
    assert english.loss(of_english) == before == path[0][0]


def test_a_hugging_face_folder_is_fine_tuned(tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    theirs = GPT2LMHeadModel(GPT2Config(vocab_size=256, n_positions=32, n_embd=24, n_layer=1, n_head=2))
    theirs.save_pretrained(tmp_path)
    old, new = "the cat sat on the mat. " * 60, "x = x + 1\n" * 150
    path = finetune.hugging_face(tmp_path, lambda t: list(t.encode()), old, new, "Lion", 1e-3, steps=20, seq_len=16)
    assert path[-1][1] < path[0][1] - 1


def test_the_story_ends_well_in_the_recorded_results():
    found = of_results("end_to_end")
    assert found["planted"] in FAULTS
    assert found["doctor"]["curves"] == found["doctor"]["probes"] == found["planted"] == end_to_end.FAULT
    assert found["repaired"] < found["broken"] - 0.02
    assert found["improved"] <= found["repaired"]


def of_results(name: str) -> dict:
    found = record.read(record.COMMITTED).get("labs", {})
    if name not in found:
        pytest.skip(f"the lab {name} is not recorded in results/")
    return found[name]


def test_recorded_norms_let_the_gradient_through_but_without_a_path_little_is_learned():
    kinds = of_results("gradient_flow")["kinds"]
    assert kinds["neither"]["kept"] < 1e-6
    assert 0.1 < kinds["no residual"]["kept"] < 10
    assert kinds["no residual"]["loss"] > kinds["norm after, residual"]["loss"] + 0.2


def test_recorded_a_thawed_trunk_is_better_than_a_frozen_one_and_than_one_from_scratch():
    found = of_results("surgery")
    thawed = surgery.accuracy(found, "one rate")
    assert thawed > surgery.accuracy(found, "head only") + 0.02
    assert thawed > surgery.accuracy(found, "from scratch") + 0.02


def test_recorded_forgetting_depends_on_the_rate_more_than_on_the_optimizer():
    everywhere, at_best = finetune.forgotten(of_results("finetune"))
    assert everywhere[1] - everywhere[0] > 2 * (at_best[1] - at_best[0])
