"""SmolLM2 learns a format and a tool by LoRA; NF4 beside fp32; and 1,100 real instructions."""

import argparse
import gc
import json
import random
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from ..evaluate import bleu, chrf, exact_match, generate, gold_loss, rouge_l, windows
from ..finetune import Example, batch_loss, finetune, packed_batches
from ..format_following import CONSTRAINTS, check_format
from ..labels import answer_labels
from ..lora import add_lora, trainable_parameters
from ..model import Decoder
from ..packing_fast import pack_best_fit_fast
from ..qlora import model_bytes, optimizer_bytes, quantize_base
from ..smollm2 import Tokens, load_decoder, read_checkpoint
from ..template import Message, format_conversation, render_template
from ..tools import Problem, default_tools, parse_tool_call, problems, run_tool_call, tool_conversation
from ..world import fact_pairs
from . import fetch
from .experiment import TARGETS

Log = Callable[[str], None]
RANK, LR, STEPS, CAPACITY, ROWS = 8, 2e-3, 24, 256, 2
TOOL_SYSTEM = (
    "You can call a tool: calculator, which takes an expression. To call it, write <tool_call>"
    '{"name": "calculator", "arguments": {"expression": "..."}}</tool_call> and nothing else.'
)
JSON_SYSTEM = "You are a helpful assistant. " + CONSTRAINTS["json keys"][0].format("answer")
CHAT = "What is the capital of France? Answer in one sentence."


class Model(NamedTuple):
    """A decoder with its tokens."""

    decoder: Decoder
    tokens: Tokens

    def example(self, messages: Sequence[Message]) -> Example:
        ids = torch.tensor(self.tokens.encode(format_conversation(messages)))
        return Example(ids, answer_labels(ids, self.tokens.header, self.tokens.end))

    def reply(self, conversations: Sequence[Sequence[Message]], most: int = 32) -> list[str]:
        """Greedy answers to all at once."""
        prompts = [torch.tensor(self.tokens.encode(format_conversation(c, True))) for c in conversations]
        said = []
        for start in range(0, len(prompts), 8):
            found = generate(self.decoder, prompts[start : start + 8], most, self.tokens.end)
            said += [self.tokens.decode(ids) for ids in found]
        return said


def read(options: argparse.Namespace, log: Log) -> Model:
    """The model; its own template must give what `format_conversation` gives.

    Raises:
        ValueError: it does not.
    """
    log("reading the model")
    checkpoint = read_checkpoint(fetch.model(options.model or "smollm2", log))
    messages = tool_conversation(problems(1, 0)[0])
    if render_template(checkpoint.chat_template, messages, True) != format_conversation(messages, True):
        raise ValueError("chat_template: the file's own template gives another text than format_conversation")
    return Model(load_decoder(checkpoint), checkpoint.tokens)


# ---------------------------------------------------------------- the two skills


def json_conversation(question: str, answer: str = "") -> list[Message]:
    """A question whose answer is wanted as JSON; with the answer, where one is given."""
    messages = [{"role": "system", "content": JSON_SYSTEM}, {"role": "user", "content": question}]
    return [*messages, {"role": "assistant", "content": json.dumps({"answer": answer})}] if answer else messages


def sum_conversation(problem: Problem) -> list[Message]:
    """A sum, its call, the result and the answer."""
    return [{"role": "system", "content": TOOL_SYSTEM}, *tool_conversation(problem)]


def short(answer: str) -> str:
    """ "The capital of France is Paris." -> "Paris"."""
    return answer.split()[-1].rstrip(".")


def skills(model: Model, facts: list, sums: list[Problem]) -> dict:
    """Held-out prompts: is it JSON, is the JSON right; is it a valid call, and is the answer after the call right?"""
    said = model.reply([json_conversation(p.question) for p in facts], 24)
    is_json = [check_format(text, "json keys", "answer") for text in said]
    right = [
        ok and exact_match(str(json.loads(text)["answer"]), [short(p.answer)])
        for ok, text, p in zip(is_json, said, facts, strict=True)
    ]
    calls = model.reply([sum_conversation(p)[:2] for p in sums], 40)
    results = [result_of(text) for text in calls]
    talks = [
        [*sum_conversation(p)[:2], {"role": "assistant", "content": text}, {"role": "tool", "content": result}]
        for p, text, result in zip(sums, calls, results, strict=True)
        if result
    ]
    last = iter(model.reply(talks, 16) if talks else [])
    final = [next(last) if result else text for text, result in zip(calls, results, strict=True)]
    answered = [p.answer in text.replace(",", "") for p, text in zip(sums, final, strict=True)]
    return {
        "json": sum(is_json) / len(said), "json and right": sum(right) / len(said),
        "calls": sum(map(bool, results)) / len(calls), "sums right": sum(answered) / len(sums),
        "says": [said[0], calls[0], final[0]], "chat": model.reply([[{"role": "user", "content": CHAT}]], 24)[0],
    }  # fmt: skip


def result_of(text: str) -> str:
    """What the tool says to a valid call, else ""."""
    try:
        call = parse_tool_call(text)
        return run_tool_call(*call, default_tools()) if call else ""
    except ValueError:
        return ""


def real_model(options: argparse.Namespace, log: Log) -> dict:
    """Before and after; about five minutes on one core."""
    quick = options.quick
    model = read(options, log)
    text = torch.tensor(model.tokens.encode(fetch.load_text(options.data)[:60_000]))
    count, length = (1, 32) if quick else (6, 256)

    def loss() -> float:
        with torch.no_grad():
            found = [float(batch_loss(model.decoder, batch)) for batch in windows(text, length, count)]
        return sum(found) / len(found)

    n = 1 if quick else 16
    facts, sums = fact_pairs(True)[:n], problems(n, 900)
    taught = [json_conversation(p.question, short(p.answer)) for p in fact_pairs(False)[:120]]
    unknown = [p for p in problems(140, 1) if p not in sums][:120]
    taught += [sum_conversation(p) for p in unknown]
    examples = [model.example(messages) for messages in taught]
    log("before")
    found = {"loss": {"fp32": loss()}, "before": skills(model, facts, sums), "prompts": n, "examples": len(examples)}
    found["bytes"] = {"fp32": model_bytes(model.decoder)}
    torch.manual_seed(options.seed)
    add_lora(model.decoder, TARGETS, RANK, 2 * RANK)
    found |= {"parameters": trainable_parameters(model.decoder), "optimizer": optimizer_bytes(model.decoder)}
    found["adapters"] = sum(p.nbytes for p in model.decoder.parameters() if p.requires_grad)
    found["steps"] = 1 if quick else STEPS
    batches = packed_batches(examples, CAPACITY, ROWS, torch.Generator().manual_seed(options.seed))
    start = time.perf_counter()
    found["losses"] = finetune(model.decoder, batches, found["steps"], LR, log=lambda line: log(f"LoRA: {line}"))
    found["seconds"] = time.perf_counter() - start
    log("after")
    found |= {"after": skills(model, facts, sums), "loss after": loss()}
    for name, double in (("NF4", False), ("NF4, double quantization", True)):
        log(name)
        model = Model(quantize_base(fresh(options, log), double), model.tokens)
        found["bytes"][name] = model_bytes(model.decoder) - found["adapters"]
        found["loss"][name] = loss()
    return found


def fresh(options: argparse.Namespace, log: Log) -> Decoder:
    """The model of the file again, with adapters that do nothing."""
    gc.collect()
    decoder = load_decoder(read_checkpoint(fetch.model(options.model or "smollm2", log)))
    add_lora(decoder, TARGETS, RANK, 2 * RANK)
    return decoder


# ---------------------------------------------------------------- real instructions


def instructions(options: argparse.Namespace, log: Log) -> dict:
    """Instructions with gold answers: up to 1,000 to learn from, the loss and the scores on 64 others."""
    rows = json.loads(fetch.fetch(fetch.REMOTES["instructions"]).read_text(encoding="utf-8"))
    random.Random(options.seed).shuffle(rows)
    model, quick = read(options, log), options.quick
    pairs = [(f"{r['instruction']}\n{r['input']}".strip(), r["output"]) for r in rows]
    talks = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in pairs]
    n = 2 if quick else 64
    held_out = talks[1000 : 1000 + n]
    gold, asked = [model.example(talk) for talk in held_out], [talk[0] for talk in held_out]
    taught = [model.example(talk) for talk in talks[:1000] if talk[0] not in asked]  # some instructions stand twice
    examples = [e for e in taught if len(e.input_ids) <= CAPACITY]

    def score() -> dict:
        said = model.reply([talk[:1] for talk in held_out], 40)
        want = [talk[1]["content"] for talk in held_out]
        rouge = sum(rouge_l(s, w) for s, w in zip(said, want, strict=True)) / n
        exact = sum(exact_match(s, [w]) for s, w in zip(said, want, strict=True)) / n
        return {"gold loss": gold_loss(model.decoder, gold, 8), "exact match": exact, "ROUGE-L": rouge,
                "BLEU": bleu(said, want), "chrF": chrf(said, want), "says": said[0], "gold": want[0]}  # fmt: skip

    log("before")
    found = {"prompts": n, "examples": len(examples), "before": score(), "question": pairs[1000][0]}
    rows = pack_best_fit_fast([len(e.input_ids) for e in examples], CAPACITY)
    found |= {"rows": len(rows), "steps": 1 if quick else STEPS}
    found["rows seen"] = found["steps"] * ROWS
    torch.manual_seed(options.seed)
    add_lora(model.decoder, TARGETS, RANK, 2 * RANK)
    batches = packed_batches(examples, CAPACITY, ROWS, torch.Generator().manual_seed(options.seed))
    start = time.perf_counter()
    finetune(model.decoder, batches, found["steps"], LR / 2, log=lambda line: log(f"LoRA: {line}"))
    found["seconds"] = time.perf_counter() - start
    log("after")
    return found | {"after": score()}
