"""GRPO on SmolLM2-135M-Instruct: answers that obey a form. Only adapters are trained; the reference has them off."""

import argparse
import time
from collections.abc import Callable

import torch

from ..grpo import group_advantages, grpo_loss
from ..kl import k3_estimator
from ..logprobs import answer_logprobs
from ..rollout import Rollout, sample
from ..smollm2 import CAPITALS, UNSEEN, Form, Llama, Tokens, load_chat_model, question
from . import fetch

Log = Callable[[str], None]
STEPS, GROUP, QUESTIONS, NEW = 14, 8, 2, 14
LR, BETA = 2e-3, 0.02


def real_model(options: argparse.Namespace, log: Log) -> dict:
    """Reward and KL over the steps, and answers before and after; some minutes on a CPU."""
    log("reading the model")
    model, tokens = load_chat_model(fetch.model("smollm2"), options.seed)
    steps, questions, group = (1, 1, 4) if options.quick else (STEPS, QUESTIONS, GROUP)
    found = {
        "steps": steps,
        "group": group,
        "questions": questions,
        "trained": sum(p.numel() for p in model.adapters()),
    }
    found["of"] = sum(p.numel() for p in model.parameters()) - found["trained"]
    generator, start = torch.Generator().manual_seed(options.seed), time.perf_counter()
    found["before"] = asked(model, tokens, options, log, "before")
    found["history"] = train(model, tokens, steps, generator, log, questions, group)
    found["after"] = asked(model, tokens, options, log, "after")
    return found | {"seconds": time.perf_counter() - start}


def answers_to(
    model: Llama, tokens: Tokens, country: str, count: int, generator
) -> tuple[Rollout, list[str], list[bool]]:
    """Sampled answers to one question, as a rollout and as text, and whether each has ended."""
    prompt = torch.tensor([tokens.chat(question(country))]).expand(count, -1)
    rollout = sample(model, prompt, NEW, generator, stop_token=tokens.end)
    rows = zip(rollout.tokens[:, rollout.prompt_len :], rollout.mask, strict=True)
    texts = [tokens.decode([i for i in row[mask].tolist() if i != tokens.end]).strip() for row, mask in rows]
    return rollout, texts, rollout.ended.tolist()


def logprobs_of(model: Llama, rollout: Rollout) -> torch.Tensor:
    """Log-probabilities of the answers' tokens; only their logits are made."""
    N = rollout.mask.shape[1]
    logits = model(rollout.tokens, last=N + 1)
    return answer_logprobs(logits, rollout.tokens[:, -N - 1 :], 1)


def train(
    model: Llama, tokens: Tokens, steps: int, generator, log: Log, questions: int = QUESTIONS, group: int = GROUP
) -> list[dict]:
    """GRPO: a group of answers to each of a few questions, one optimizer step."""
    form, countries, history = Form(), list(CAPITALS), []
    optimizer = torch.optim.Adam(model.adapters(), lr=LR, eps=1e-5)
    for step in range(steps):
        optimizer.zero_grad()
        seen = {"reward": 0.0, "kl": 0.0, "obey": 0.0, "length": 0.0}
        for _ in range(questions):
            country = countries[int(torch.randint(len(countries), (1,), generator=generator))]
            rollout, texts, ended = answers_to(model, tokens, country, group, generator)
            rewards = torch.tensor([form.reward(*pair) for pair in zip(texts, ended, strict=True)])
            advantages = group_advantages(rewards, rollout.mask, group)
            with torch.no_grad(), model.as_reference():
                ref = logprobs_of(model, rollout)
            new = logprobs_of(model, rollout)
            loss = grpo_loss(
                new, new.detach(), ref, advantages, rollout.mask, beta=BETA, loss_type="bnpo", correct_kl=True
            )
            (loss / questions).backward()
            kl = torch.where(rollout.mask, k3_estimator(new.detach(), ref), 0).sum(1).mean()
            obey = sum(form.obeys(*pair) for pair in zip(texts, ended, strict=True)) / group
            parts = {"reward": rewards.mean(), "kl": kl, "obey": obey, "length": rollout.mask.sum(1).float().mean()}
            seen = {name: seen[name] + float(value) / questions for name, value in parts.items()}
        optimizer.step()
        history.append(seen)
        log(f"step {step + 1} of {steps}: reward {seen['reward']:.2f}, KL {seen['kl']:.2f}")
    return history


def asked(model: Llama, tokens: Tokens, options: argparse.Namespace, log: Log, when: str) -> dict:
    """Form and truth of answers to trained and to unseen questions, and one answer to each."""
    form, found = Form(), {}
    count = 1 if options.quick else 4
    for name, capitals in (("trained", CAPITALS), ("unseen", UNSEEN)):
        obeys, true, examples, total = 0, 0, {}, 0
        for country, capital in list(capitals.items())[: 1 if options.quick else None]:
            log(f"{when}: {country}")
            generator = torch.Generator().manual_seed(options.seed + 1000)
            _, texts, ended = answers_to(model, tokens, country, count, generator)
            obeys += sum(form.obeys(*pair) for pair in zip(texts, ended, strict=True))
            true += sum(capital in text for text in texts)
            total, examples[country] = total + count, texts[0]
        found[name] = {"obey": obeys / total, "true": true / total, "answers": total, "examples": examples}
    return found
