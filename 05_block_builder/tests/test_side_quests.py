"""The 2017 model to its own specification, three architectures at their tasks, three other deep residuals."""

import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from block_builder import GPT, Config, EncoderClassifier, EncoderDecoder, next_token_loss, seeded
from block_builder import attention_is_all_you_need as paper
from block_builder import deep_residuals as deep
from block_builder.architectures import (
    accuracy,
    sentiment,
    sentiment_batch,
    train_classifier,
    train_translator,
    translate,
    translation,
    translation_batch,
    translation_of,
)
from block_builder.attention_is_all_you_need.transformer import BASE, BIG
from mistakes import filled, like, randn, real_tokens, tokens_of
from oracles import pytorch_decoder_layer, pytorch_encoder_layer
from torch import nn

TINY = Config(23, 16, layers=2, heads=3, width=12, norm_first=False, activation="relu")


# ---------------------------------------------------------------- attention is all you need


def test_the_2017_model_is_pytorchs_transformer():
    model = filled(paper.Transformer(TINY), 0)
    source, target, seen = tokens_of(1, 2, 7), tokens_of(2, 2, 5), real_tokens(7, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = nn.Transformer(12, 3, 2, 2, 48, 0.0, batch_first=True, dtype=torch.float64)
    oracle.encoder.norm = oracle.decoder.norm = None  # the paper has no norm after the stacks
    oracle.encoder.layers = nn.ModuleList(pytorch_encoder_layer(b, TINY) for b in model.encoder)
    oracle.decoder.layers = nn.ModuleList(pytorch_decoder_layer(b, TINY) for b in model.decoder)
    ahead = torch.ones(5, 5, dtype=torch.bool).triu(1)
    x, y = (model.wte(t) * math.sqrt(12) + paper.sinusoids(16, 12)[: t.shape[1]] for t in (source, target))
    masks = {"tgt_mask": ahead, "src_key_padding_mask": ~seen, "memory_key_padding_mask": ~seen}
    want = oracle(x, y, **masks, tgt_is_causal=True) @ model.wte.weight.T
    got = model(source, target, seen)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-11)
    torch.testing.assert_close(
        *(torch.autograd.grad(out.square().sum(), model.wte.weight)[0] for out in (got, want)), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("config, millions", [(BASE, 63), (BIG, 214)])
def test_the_2017_model_has_the_papers_parameters(config, millions):
    """Table 3 says 65 and 213 million, rounded; the vocabulary is "about 37000"."""
    with torch.device("meta"):
        model = paper.Transformer(config)
    C, H, V, L = config.width, 4 * config.width, config.vocab_size, config.layers
    attention, feed_forward, norm = 4 * (C * C + C), 2 * C * H + H + C, 2 * C
    wanted = V * C + L * (3 * attention + 2 * feed_forward + 5 * norm)
    assert sum(p.numel() for p in model.parameters()) == wanted
    assert wanted / 1e6 == pytest.approx(millions, abs=1)


def test_sinusoids_by_the_formula():
    table = paper.sinusoids(50, 8)
    for position, i in [(0, 0), (3, 1), (49, 3)]:
        angle = position / 10_000 ** (2 * i / 8)
        assert table[position, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
        assert table[position, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)
    assert paper.sinusoids(5, 7).shape == (5, 7)


def test_the_schedule_of_the_paper():
    rates = [paper.learning_rate(step, 512) for step in range(1, 12_001)]
    assert rates.index(max(rates)) == 3999
    assert max(rates) == pytest.approx(512**-0.5 * 4000**-0.5)
    assert rates[1999] == pytest.approx(max(rates) / 2)
    assert rates[11_999] == pytest.approx(max(rates) / math.sqrt(3))
    with pytest.raises(ValueError, match="step=0: the first step is 1"):
        paper.learning_rate(0, 512)


def test_label_smoothing_is_pytorchs():
    logits, targets = randn(0, 13, 7), torch.arange(13) % 7
    got = paper.label_smoothing_loss(logits, targets, padding=3)
    want = F.cross_entropy(logits, targets, label_smoothing=0.1, ignore_index=3)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-13)


def test_the_2017_model_learns_the_toy_language():
    torch.manual_seed(0)
    config = like(TINY, vocab_size=len(translation.WORDS), context_length=10, heads=2, width=32)
    model, generator = paper.Transformer(config), torch.Generator().manual_seed(0)
    optimizer, losses = paper.NoamAdam(model, width=32, warmup=400), []
    for _ in range(220):
        source, mask, target = translation_batch(32, generator)
        logits = model(source, target[:, :-1], mask)
        loss = paper.label_smoothing_loss(logits.flatten(0, 1), target[:, 1:].flatten(), translation.PAD)
        optimizer.step(loss)
        losses.append(loss.item())
    V = len(translation.WORDS)
    floor = -(0.9 + 0.1 / V) * math.log(0.9 + 0.1 / V) - (V - 1) * 0.1 / V * math.log(0.1 / V)
    assert losses[0] > 3 and floor <= losses[-1] < floor + 0.1  # smoothing leaves its own entropy


def test_another_configuration_than_the_papers_is_refused():
    with pytest.raises(ValueError, match="the paper has Post-LN and ReLU"):
        paper.Transformer(like(TINY, norm_first=True))


# ---------------------------------------------------------------- three architectures


def test_the_encoder_classifies():
    torch.manual_seed(0)
    model = EncoderClassifier(Config(len(sentiment.WORDS), sentiment.LENGTH, layers=2, heads=2, width=32), 2)
    assert 0.3 < accuracy(model, seed=99) < 0.7
    train_classifier(model, 150, seed=0)
    assert accuracy(model, seed=99) > 0.97


def test_sentiment_needs_more_than_counted_words():
    tokens, mask, labels = sentiment_batch(2000, torch.Generator().manual_seed(0))
    from sklearn.linear_model import LogisticRegression

    counts = F.one_hot(tokens, len(sentiment.WORDS)).sum(1).numpy()
    fit = LogisticRegression(max_iter=500).fit(counts[:1500], labels[:1500].numpy())
    assert fit.score(counts[1500:], labels[1500:].numpy()) < 0.7
    assert mask.equal(tokens != 0) and 0.4 < labels.float().mean() < 0.6


def test_the_encoder_decoder_translates():
    torch.manual_seed(0)
    model = EncoderDecoder(Config(len(translation.WORDS), translation.TARGET_LENGTH, layers=2, heads=2, width=32))
    source, mask, target = translation_batch(200, torch.Generator().manual_seed(99))
    train_translator(model, 180, seed=0)
    assert (translate(model, source, mask) == target).all(1).float().mean() > 0.95


def test_a_translation_by_hand():
    words = "the old cat sees the dog".split()
    assert translation_of(words) == "lo miru vesta lo hundo vidas".split()


# ---------------------------------------------------------------- deep residuals


def deep_gpt(block, config, seed=0):
    torch.manual_seed(seed)
    model = GPT(config)
    model.blocks = nn.ModuleList(block(config) for _ in range(config.layers))
    return model


CONFIG = Config(31, 16, layers=16, heads=2, width=16)


def test_rezero_is_the_identity_at_the_start():
    block, x = deep.ReZeroBlock(CONFIG), torch.randn(2, 5, 16)
    torch.testing.assert_close(block(x), x, rtol=0, atol=0)
    assert torch.autograd.grad(block(x).square().sum(), block.alpha)[0].abs().min() > 0


def test_layer_scale_of_one_is_a_pre_ln_block():
    from block_builder import Block

    block = filled(deep.LayerScaleBlock(CONFIG, 1.0), 0)
    twin, x = Block(CONFIG).double(), randn(1, 2, 5, 16)
    with torch.no_grad():
        block.scale_1.fill_(1.0)
        block.scale_2.fill_(1.0)
    twin.load_state_dict({k: v for k, v in block.state_dict().items() if not k.startswith("scale")})
    torch.testing.assert_close(block(x), twin(x), rtol=0, atol=1e-13)


def test_deepnorm_of_alpha_one_is_a_post_ln_block():
    from block_builder import Block

    config = like(CONFIG, norm_first=False)
    block = filled(deep.DeepNormBlock(config), 0)
    twin, x = Block(config).double(), randn(1, 2, 5, 16)
    twin.load_state_dict(block.state_dict())
    block.alpha = 1.0
    torch.testing.assert_close(block(x), twin(x), rtol=0, atol=1e-13)
    assert deep.deepnorm_constants(100) == pytest.approx((200**0.25, 800**-0.25))


def test_effect_a_step_moves_deepnorm_less_than_post_ln():
    """Wang et al. 2022, section 3: the model's update at the first step stays bounded."""
    tokens = tokens_of(0, 4, 16, vocab_size=31)
    moved = {}
    for name, block in (("Post-LN", None), ("DeepNorm", deep.DeepNormBlock)):
        config = like(CONFIG, norm_first=False, layers=24)
        model = deep_gpt(block, config) if block else seeded(GPT(config), 0, std=0.25)
        before = model(tokens).detach()
        loss = next_token_loss(model, tokens)
        with torch.no_grad():
            gradients = torch.autograd.grad(loss, list(model.blocks.parameters()))
            for parameter, gradient in zip(model.blocks.parameters(), gradients, strict=True):
                parameter -= 1e-3 * gradient.sign()
        moved[name] = float((model(tokens) - before).detach().norm() / before.norm())
    assert moved["DeepNorm"] < 0.7 * moved["Post-LN"]


@pytest.mark.parametrize("block", [deep.ReZeroBlock, deep.LayerScaleBlock, deep.DeepNormBlock])
def test_each_learns_at_depth_16(block):
    model, tokens = deep_gpt(block, CONFIG), tokens_of(0, 4, 16, vocab_size=31)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    first = next_token_loss(model, tokens).item()
    for _ in range(25):
        loss = next_token_loss(model, tokens)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < first / 4
