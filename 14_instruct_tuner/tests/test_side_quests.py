"""Variants beside peft and LoRA, the curriculum's order, formats that a program checks, the small world."""

import copy
import math

import pytest
import torch
from instruct_tuner import (
    IGNORE,
    Config,
    Decoder,
    DoRALinear,
    LoRALinear,
    SoftPrompt,
    check_format,
    curriculum_batches,
    difficulty,
    finetune,
    generate,
    rank_stabilized_alpha,
    share_followed,
    shuffled_batches,
)
from instruct_tuner.world import HELD_OUT, WordTokens, example, fact_pairs, tool_pairs, world_text
from mistakes import linear, randn
from torch import nn

CONFIG = Config(31, 16, 2, 4, 2, 24)


def test_dora_begins_as_the_base_and_only_turns_and_stretches():
    base = linear(0, 7, 5)
    layer, x = DoRALinear(copy.deepcopy(base), 2, 4), randn(1, 3, 7)
    torch.testing.assert_close(layer(x), base(x))
    with torch.no_grad():
        layer.B.copy_(randn(2, 5, 2))
    torch.testing.assert_close(layer.merged().norm(dim=1), base.weight.norm(dim=1))
    torch.testing.assert_close(layer(x), x @ layer.merged().T + base.bias)


def test_oracle_peft_dora():
    import peft

    base = nn.Sequential(linear(0, 7, 5))
    theirs = peft.get_peft_model(
        copy.deepcopy(base), peft.LoraConfig(r=2, lora_alpha=3, target_modules=["0"], use_dora=True)
    )
    layer, lora = DoRALinear(base[0], 2, 3), theirs.base_model.model[0]
    with torch.no_grad():
        for mine, other in ((layer.A, lora.lora_A["default"].weight), (layer.B, lora.lora_B["default"].weight)):
            other.copy_(mine.copy_(randn(len(mine), *mine.shape)))
    x = randn(1, 3, 7)
    got, want = layer(x), theirs(x)
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)
    got.square().sum().backward()
    want.square().sum().backward()
    torch.testing.assert_close(layer.A.grad, lora.lora_A["default"].weight.grad, rtol=1e-4, atol=1e-4)
    magnitude = lora.lora_magnitude_vector["default"].weight
    torch.testing.assert_close(layer.magnitude.grad, magnitude.grad, rtol=1e-4, atol=1e-4)


def test_effect_a_large_rank_keeps_its_gradient_under_rslora():
    """Gradient of B at rank 64 over that at rank 1: about 1 with α/√r, about 1/8 with α/r."""
    ratios = []
    for alpha_of in (lambda r: 8.0, lambda r: rank_stabilized_alpha(8.0, r)):
        sizes = []
        for r in (1, 64):
            torch.manual_seed(0)
            layer = LoRALinear(linear(0, 128, 16), r, alpha_of(r))
            layer(randn(1, 40, 128)).square().sum().backward()
            sizes.append(float(layer.B.grad.norm()))
        ratios.append(sizes[1] / sizes[0])
    assert ratios[0] < 0.25 and 0.5 < ratios[1] < 2
    assert rank_stabilized_alpha(6, 9) / 9 == pytest.approx(6 / math.sqrt(9))


def test_a_soft_prompt_is_trained_alone_and_answers_alike_with_and_without_a_cache():
    soft = SoftPrompt(Decoder(CONFIG), 3)
    assert [n for n, p in soft.named_parameters() if p.requires_grad] == ["prompt"]
    prompts = [torch.tensor([5, 6, 7, 8]), torch.tensor([9, 3])]
    answers = generate(soft, prompts, 5, 30)
    for prompt, answer in zip(prompts, answers, strict=True):
        assert int(soft(prompt[None])[0, -1].argmax()) == answer[0]
        ids = torch.cat([prompt, torch.tensor(answer[:-1])])
        assert int(soft(ids[None])[0, -1].argmax()) == answer[-1]
    whole = soft.model.hidden(torch.cat([soft.prompt, soft.model.wte(prompts[0])])[None], None, None)[:, 3:]
    torch.testing.assert_close(soft(prompts[0][None]), whole @ soft.model.wte.weight.T)


def examples_of(*lengths):
    ids = [torch.full((n + 2,), n) for n in lengths]
    return [type(example(TOKENS, "What?", "What?"))(i, torch.where(torch.arange(len(i)) > 1, i, IGNORE)) for i in ids]


TOKENS = WordTokens("system user assistant tool Answer. What?\n")


def test_a_curriculum_begins_with_the_easy_ones_and_ends_with_all():
    made = examples_of(*range(1, 41))
    assert [difficulty(e) for e in made] == list(range(1, 41))
    batches = list(curriculum_batches(made[::-1], 20, 16, torch.Generator().manual_seed(0), start=0.5))
    hardest = [int(b.input_ids.max()) for b in batches]
    assert hardest[0] <= 20 and max(hardest[10:]) > 35 and len(batches) == 20
    with pytest.raises(ValueError, match="start=0"):
        next(curriculum_batches(made, 2, 2, torch.Generator(), start=0))


@pytest.mark.parametrize(
    ("name", "argument", "good", "bad"),
    [
        ("lower case", "", "all low, 7", "Not low"),
        ("upper case", "", "LOUD 7", "LOUd"),
        ("at most words", "3", "a b c", "a b c d"),
        ("contains", "Owl", "an owl sat", "an owlet sat"),
        ("ends with", "Done.", "x Done.\n", "Done. x"),
        ("no commas", "", "a b", "a, b"),
        ("bullets", "2", "- a\n- b\n", "- a\nb"),
        ("json keys", "answer", '{"answer": 1}', '{"answer": 1, "b": 2}'),
    ],
)
def test_formats_that_a_program_checks(name, argument, good, bad):
    assert check_format(good, name, argument) and not check_format(bad, name, argument)
    assert not check_format(" ", name, argument) and share_followed([good, bad], name, argument) == 0.5


def test_bad_input_formats():
    assert not check_format("{", "json keys", "a") and not check_format("[1]", "json keys", "a")
    with pytest.raises(ValueError, match="the constraints are lower case"):
        check_format("x", "rhymes")


def test_the_world_has_no_question_about_held_out_countries_in_training():
    names = {c.name for c in HELD_OUT}
    asked = " ".join(p.question for p in fact_pairs(held_out=False))
    assert len(names) == 20 and not any(name in asked for name in names)
    assert len(fact_pairs(True)) == 180 and not set(fact_pairs(True)) & set(fact_pairs(False))
    text = world_text(2000, 0)
    assert all(p.answer.split()[-1] in text for p in fact_pairs(True))
    assert world_text(9, 1) == world_text(9, 1) != world_text(9, 2)


def test_the_worlds_tokens_come_back_and_strangers_are_refused():
    pairs = [*fact_pairs(True), *tool_pairs(50, 0)]
    tokens = WordTokens(
        world_text(3000, 0) + " system user assistant Answer. much" + "".join(p.question for p in pairs)
    )
    for p in pairs:
        made = example(tokens, p.question, p.answer)
        answer = tokens.decode(i for i in made.labels.tolist() if i != IGNORE)
        assert answer == p.answer + tokens.pieces[tokens.end]
    with pytest.raises(ValueError, match="the world has no 'Atlantis'"):
        tokens.encode("Atlantis")
    with pytest.raises(ValueError, match="would come back as"):
        tokens.encode("What  is")


def test_a_lr_that_is_too_high_is_an_error_and_not_a_result():
    made = examples_of(3, 4, 5, 6)
    with pytest.raises(ValueError, match=r"lr=1e\+30: the loss is"):
        finetune(Decoder(CONFIG), shuffled_batches(made, 2, torch.Generator().manual_seed(0)), 9, 1e30)
