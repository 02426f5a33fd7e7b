"""Fast forms equal plain ones; schedules; loading; tokens."""

from pathlib import Path

import pytest
import torch
from given import TINY, integers, randn

from capstone_gpt import GPT, AdamW, ByteTokenizer, CharTokenizer, GPT2Tokenizer, MuonAdamW, Pairs, TokenFile, muon
from capstone_gpt.data import prefetch, write_tokens
from capstone_gpt.lab import fetch
from capstone_gpt.optim import Plateau, orthogonalise, polynomial_lr, restarts_lr, step_lr, trapezoid_lr
from capstone_gpt.optim.muon import newton_schulz


def test_fast_orthogonalisation_equals_plain_and_polar_express_is_nearer_to_one():
    stack = randn(0, 3, 7, 12)
    for G in (stack, stack.mT):
        fast = orthogonalise(G, dtype=torch.float64)
        for one, plain in zip(fast, G, strict=True):
            torch.testing.assert_close(one, newton_schulz(plain), rtol=0, atol=1e-12)
    half = orthogonalise(stack)
    assert (half - orthogonalise(stack, dtype=torch.float64)).abs().max() < 0.05  # eight bits


def test_muon_adamw_is_muon_and_adamw():
    torch.manual_seed(0)
    ours, plain = GPT(TINY).double(), GPT(TINY).double()
    plain.load_state_dict(ours.state_dict())
    fast = MuonAdamW(ours, lr=1e-3, muon_lr=0.01, weight_decay=0.1, polar_express=False, dtype=torch.float64)
    fast.pieces = dict.fromkeys(fast.pieces, 1)  # the plain form takes a qkv projection as one matrix
    rest = [p for n, p in plain.named_parameters() if not (n.startswith("blocks.") and p.ndim == 2)]
    adamw, state = AdamW(rest, 1e-3, eps=1e-10, weight_decay=0.1), {}
    for step in range(3):
        for i, (p, q) in enumerate(zip(ours.parameters(), plain.parameters(), strict=True)):
            p.grad = randn(100 * step + i, *p.shape)
            q.grad = p.grad.clone()
        fast.step()
        muon(dict(plain.named_parameters()), state, 0.01, 0.95, 0.1)
        adamw.step()
    for p, q in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)


def test_schedules():
    assert [trapezoid_lr(s, 1.0, 1, 10, 0.5) for s in (0, 1, 5, 6, 9, 10)] == pytest.approx([0.5, 1, 1, 0.8, 0.2, 0])
    assert [polynomial_lr(s, 1.0, 0, 10, 2) for s in (0, 5, 10, 12)] == pytest.approx([1, 0.25, 0, 0])
    assert [step_lr(s, 1.0, 3) for s in (0, 2, 3, 6)] == pytest.approx([1, 1, 0.1, 0.01])
    assert [restarts_lr(s, 1.0, 4) for s in (0, 2, 4, 8, 12)] == pytest.approx([1, 0.5, 1, 0.5, 1])


def test_oracle_schedules_of_transformers_and_torch():
    from transformers import get_polynomial_decay_schedule_with_warmup

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_polynomial_decay_schedule_with_warmup(optimizer, 0, 20, lr_end=0.1, power=2)
    for step in range(24):
        assert polynomial_lr(step, 1.0, 0, 20, 2, 0.1) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    plateau, ours = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1), Plateau(0.5, 1)
    for loss in (3.0, 2.0, 2.1, 2.2, 2.3, 1.0, 1.0, 1.0, 1.0):
        plateau.step(loss)
        assert ours.observe(loss) == pytest.approx(optimizer.param_groups[0]["lr"])
    other = Plateau()
    other.load_state_dict(ours.state_dict())
    assert other.share == ours.share


def test_a_file_of_tokens_gives_the_windows_of_memory(tmp_path):
    tokens = integers(0, 300, 101)
    path = write_tokens(tmp_path / "t.bin", tokens, 300)
    file = TokenFile(path, 10, 300)
    assert len(file) == 10 and path.stat().st_size == 202
    x, y = file[torch.tensor([3, 9])]
    assert torch.equal(x, torch.stack([tokens[30:40], tokens[90:100]])) and torch.equal(y[:, :-1], x[:, 1:])
    assert torch.equal(file[2][1], tokens[21:31])
    assert write_tokens(tmp_path / "w.bin", tokens, 70_000).stat().st_size == 404
    with pytest.raises(ValueError):
        write_tokens(tmp_path / "x.bin", [5], 5)
    with pytest.raises(ValueError):
        TokenFile(path, 101, 300)
    with pytest.raises(ValueError):
        Pairs(torch.zeros(3), torch.zeros(4))


def test_reading_ahead_changes_nothing_and_passes_errors_on():
    assert list(prefetch(iter(range(20)))) == list(range(20))

    def breaks():
        yield 1
        raise OSError("the disk is gone")

    items = prefetch(breaks())
    assert next(items) == 1
    with pytest.raises(OSError):
        next(items)


def test_bytes_and_characters():
    text = "naïve — 日本"
    for tokenizer in (ByteTokenizer(), CharTokenizer(text)):
        tokens = tokenizer.encode(text)
        assert tokenizer.decode(tokens) == text and max(tokens) < tokenizer.vocab_size
    assert ByteTokenizer().decode([255, 65]) == "\ufffdA"
    with pytest.raises(ValueError):
        CharTokenizer("ab").encode("abc")


@pytest.mark.data
@pytest.mark.skipif(not fetch.is_local(fetch.REMOTES["gpt2_encoder"]), reason="GPT-2's vocabulary is not here")
def test_oracle_gpt2s_tokens_are_tiktokens():
    import tiktoken

    encoder, merges = (fetch.fetch(fetch.REMOTES[n]) for n in ("gpt2_encoder", "gpt2_merges"))
    ours = GPT2Tokenizer(encoder, merges)
    special = {"<|endoftext|>": 50256}
    pattern = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
    theirs = tiktoken.Encoding("gpt2", pat_str=pattern, mergeable_ranks=ours.token_of, special_tokens=special)
    text = Path(__file__).read_text(encoding="utf-8") + " Grüße, 日本語!  \n\n\t x² it's 1234 "
    tokens = ours.encode(text)
    assert tokens == theirs.encode_ordinary(text) and ours.decode(tokens) == text
    assert ours.decode([50256]) == "<|endoftext|>" and ours.vocab_size == 50257


def test_oracle_a_model_trained_with_ours_and_with_torchs():
    torch.manual_seed(0)
    ours, theirs = GPT(TINY), GPT(TINY)
    theirs.load_state_dict(ours.state_dict())
    a = AdamW(ours.parameters(), 1e-2, weight_decay=0.1)
    b = torch.optim.AdamW(theirs.parameters(), 1e-2, (0.9, 0.95), weight_decay=0.1)
    for i in range(4):
        for model, optimizer in ((ours, a), (theirs, b)):
            optimizer.zero_grad()
            model(integers(i, 29, 2, 9)).square().mean().backward()
            optimizer.step()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=2e-4)
