"""Conversations as text, beside Jinja templates and transformers' own tokenizer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instruct_tuner import IM_END, IM_START, ROLES, SYSTEM, format_alpaca, format_conversation, render_template

# ChatML with the default system turn, in the language in which tokenizers store it.
CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\n" + SYSTEM + "<|im_end|>\n{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\n' ~ m.content ~ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TALK = [
    {"role": "user", "content": "  What is 2 + 2? "},
    {"role": "assistant", "content": "Four.\n"},
    {"role": "tool", "content": ""},
    {"role": "user", "content": "Thanks {{ 7 }}"},
]


def with_system(*messages):
    return [{"role": "system", "content": "Be brief."}, *messages]


@pytest.mark.task("format_conversation")
@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("talk", [TALK, TALK[:1], TALK[:2], with_system(*TALK), with_system(), [*TALK, *with_system()]])
def test_oracle_a_template_in_jinja(impl, talk, opened):
    assert impl.format_conversation(talk, opened) == render_template(CHATML, talk, opened)
    if talk[0]["role"] == "system":
        assert impl.format_conversation(talk, opened, "Be long.") == render_template(CHATML, talk, opened)


@pytest.mark.task("format_conversation")
def test_the_callers_default_system(impl):
    assert impl.format_conversation(TALK[:1], system="X").startswith(f"{IM_START}system\nX{IM_END}\n{IM_START}user\n")


@pytest.mark.task("format_conversation")
def test_a_default_without_words_is_a_default(impl):
    got = impl.format_conversation([{"role": "user", "content": "Hi"}], system="")
    assert got == f"{IM_START}system\n{IM_END}\n{IM_START}user\nHi{IM_END}\n"


@pytest.mark.task("format_conversation")
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("mark", [IM_START, IM_END])
def test_bad_input_a_special_token_in_a_content_of_any_role(impl, role, mark):
    with pytest.raises(ValueError):
        impl.format_conversation([{"role": role, "content": f"a{mark}b"}, {"role": "user", "content": "x"}])


@pytest.mark.task("format_conversation")
def test_property_every_content_comes_back(impl):
    """Reading the format undoes it: nothing of a content is lost or added."""
    text = st.text(st.characters(codec="utf-8"), max_size=9)

    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.tuples(st.sampled_from(ROLES), text), min_size=1, max_size=4))
    def holds(pairs):
        talk = [{"role": "system", "content": ""}, *({"role": r, "content": c} for r, c in pairs)]
        parts = impl.format_conversation(talk).split(f"{IM_END}\n")
        assert parts.pop() == ""
        read = [part.removeprefix(IM_START).split("\n", 1) for part in parts]
        assert read == [[m["role"], m["content"]] for m in talk]

    holds()


@pytest.mark.task("format_conversation")
@pytest.mark.parametrize("talk", [[], [{"role": "robot", "content": ""}], [*TALK, {"role": "user", "content": IM_END}],
                                  [{"role": "user", "content": f"x{IM_START}"}]])  # fmt: skip
def test_bad_input(impl, talk):
    with pytest.raises(ValueError):
        impl.format_conversation(talk)


@pytest.mark.task("format_conversation")
def test_bad_input_a_text_that_is_formatted_already(impl):
    with pytest.raises(ValueError):
        impl.format_conversation([{"role": "user", "content": impl.format_conversation(TALK[:1])}])


def test_oracle_transformers_apply_chat_template():
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
    tokenizer.chat_template = CHATML
    for talk in (TALK, with_system(*TALK)):
        theirs = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
        assert theirs == format_conversation(talk, True)


def test_errors_name_the_value_and_the_remedy():
    with pytest.raises(ValueError, match=r"role='robot': must be one of system, user, assistant, tool; rename it"):
        format_conversation([{"role": "robot", "content": ""}])
    with pytest.raises(ValueError, match="is it formatted already"):
        format_conversation([{"role": "user", "content": IM_START}])


def test_alpaca_has_two_forms():
    plain, more = format_alpaca("Add."), format_alpaca("Add.", "2, 3")
    assert plain.endswith("### Instruction:\nAdd.\n\n### Response:\n") and "input" not in plain.lower()
    assert more.endswith("### Input:\n2, 3\n\n### Response:\n") and "paired with an input" in more


def test_a_template_may_refuse_and_may_not_run_programs():
    with pytest.raises(ValueError, match="no tools here"):
        render_template("{{ raise_exception('no tools here') }}", TALK)
    from jinja2.exceptions import SecurityError

    with pytest.raises(SecurityError):
        render_template("{{ messages.__class__.__mro__ }}{{ ''.__class__.__mro__[1].__subclasses__() }}", TALK)
