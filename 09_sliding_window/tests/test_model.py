"""The model beside Mistral of `transformers`, streams, and the three measurements of massive.py."""

import pytest
import torch
import torch.nn.functional as F
from sliding_window import Config, Llama, Trace, generate, pull_down, residual_peaks, sink_mass, stream_loss
from sliding_window import value_norms as lengths_of_values

CONFIG = Config(61, d_model=32, layers=3, heads=4, kv_heads=2, ffn=48)


@pytest.fixture(scope="module")
def mistral():
    """A random Mistral with a window of 5, and the same weights in our model."""
    from transformers import MistralConfig, MistralForCausalLM

    c = CONFIG
    torch.manual_seed(0)
    theirs = MistralForCausalLM(
        MistralConfig(
            vocab_size=c.vocab_size, hidden_size=c.d_model, num_hidden_layers=c.layers, num_attention_heads=c.heads,
            num_key_value_heads=c.kv_heads, intermediate_size=c.ffn, rms_norm_eps=c.norm_eps, sliding_window=5,
            tie_word_embeddings=True, head_dim=c.head_dim, attn_implementation="eager",
        )
    )  # fmt: skip
    theirs = theirs.double().eval()
    state = {}
    for name, value in theirs.state_dict().items():
        if name == "lm_head.weight":
            continue
        if "q_proj" in name or "k_proj" in name:  # rotated halves -> rotated neighbours
            value = value.unflatten(0, (-1, 2, c.head_dim // 2)).transpose(1, 2).flatten(0, 2)
        name = name.removeprefix("model.").replace("layers.", "blocks.").replace("embed_tokens", "wte")
        name = name.replace("self_attn.", "").replace("mlp.", "")
        name = name.replace("input_layernorm", "attn_norm").replace("post_attention_layernorm", "ffn_norm")
        state[name] = value
    ours = Llama(c).double()
    ours.load_state_dict(state)
    return theirs, ours.eval().requires_grad_(False)


def test_oracle_mistral_with_a_sliding_window(mistral):
    theirs, ours = mistral
    tokens = torch.randint(61, (2, 19))
    want = theirs(tokens).logits
    torch.testing.assert_close(ours(tokens, ours.new_cache(5, batch_size=2)), want, rtol=0, atol=1e-6)  # cos in float32
    dense = ours(tokens)
    torch.testing.assert_close(dense[:, :5], want[:, :5], rtol=0, atol=1e-6)
    assert (dense - want).abs().max() > 1e-3


@pytest.mark.filterwarnings("ignore:.past_key_values. is deprecated:FutureWarning")  # newer versions call it `cache`
def test_oracle_mistrals_sliding_window_cache_token_by_token(mistral):
    """`DynamicCache` of a model with a window keeps the last W - 1 tokens only."""
    from transformers import DynamicCache

    theirs, ours = mistral
    tokens = torch.randint(61, (1, 17))
    past, cache = DynamicCache(config=theirs.config), ours.new_cache(5)
    for t in range(17):
        want = theirs(tokens[:, t : t + 1], past_key_values=past, use_cache=True).logits
        torch.testing.assert_close(ours(tokens[:, t : t + 1], cache), want, rtol=0, atol=1e-6)
    assert past.layers[0].keys.shape[2] < 17


def test_property_the_gradient_outside_of_the_stacks_field_is_exactly_zero():
    torch.manual_seed(1)
    model = Llama(CONFIG).double()
    x = torch.randn(1, 20, 32, dtype=torch.float64, requires_grad=True)
    y, cache = x, model.new_cache(4)
    for layer, block in enumerate(model.blocks):
        y = block(y, layer, cache, None)
    y[0, 15].sum().backward()
    assert x.grad.abs().sum((0, 2)).nonzero().flatten().tolist() == list(range(15 - 3 * 3, 16))  # L·(W - 1) + 1 of them


def test_effect_trained_gradients_pass_through_a_window():
    torch.manual_seed(2)
    model = Llama(Config(11, d_model=16, layers=1, heads=2, kv_heads=2, ffn=32))
    tokens = torch.randint(11, (4, 12))
    optimizer, losses = torch.optim.AdamW(model.parameters(), lr=1e-2), []
    for _ in range(60):
        loss = F.cross_entropy(model(tokens, model.new_cache(4, 1, batch_size=4))[:, :-1].flatten(0, 1),
                               tokens[:, 1:].flatten())  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_property_the_loss_of_a_stream_does_not_depend_on_the_chunks(mistral):
    model = mistral[1]
    tokens = torch.randint(61, (1, 31))
    want = stream_loss(model, tokens, model.new_cache(5, 2))
    assert want.shape == (30,)
    for chunk in (1, 4, 29, 30, 31):
        torch.testing.assert_close(stream_loss(model, tokens, model.new_cache(5, 2), chunk), want, rtol=0, atol=1e-12)
    dense = stream_loss(model, tokens, None)
    torch.testing.assert_close(stream_loss(model, tokens, model.new_cache(31)), dense, rtol=0, atol=1e-12)


def test_property_greedy_streams_are_those_of_the_whole_text(mistral):
    model = mistral[1]
    cache, prompt = model.new_cache(6, 2), torch.randint(61, (1, 3))
    stream = generate(model, prompt, cache)
    made = [next(stream) for _ in range(25)]
    whole = torch.cat((prompt, torch.tensor([made])), 1)
    want = model(whole, model.new_cache(6, 2)).argmax(-1)[0, 2:-1].tolist()
    assert made == want


def test_property_sampled_streams_repeat_with_their_generator(mistral):
    model = mistral[1]
    prompt = torch.tensor([[3, 5]])
    runs = []
    for seed in (0, 0, 1):
        stream = generate(model, prompt, model.new_cache(6, 2), 1.0, torch.Generator().manual_seed(seed))
        runs.append([next(stream) for _ in range(20)])
    assert runs[0] == runs[1] != runs[2]


def test_measurements_by_definition(mistral):
    model, trace = mistral[1], Trace()
    tokens = torch.randint(61, (1, 9))
    logits = model(tokens, trace=trace)
    assert len(trace.weights) == len(trace.values) == len(trace.residual) == 3
    torch.testing.assert_close(logits, model(tokens))
    torch.testing.assert_close(sink_mass(trace, 4)[1, 2], trace.weights[1][0, 2, 4:, 0].mean())
    first, others = residual_peaks(trace)
    assert first[2] == trace.residual[2][0, 0].abs().max() and others[2] == trace.residual[2][0, 1:].abs().max()
    v_first, v_others = lengths_of_values(trace)
    assert v_first.shape == v_others.shape == (3, 2)
    torch.testing.assert_close(v_others[0, 1], trace.values[0][0, 1, 1:].norm(dim=-1).mean())
    torch.testing.assert_close(v_first[0, 1], trace.values[0][0, 1, 0].norm())


def test_pull_down_changes_the_first_token_above_the_threshold_only(mistral):
    residual = torch.tensor([[[5.0, -9.0, 1.0], [1.0, 2.0, 30.0], [3.0, 4.0, 50.0]]])
    before = residual.clone()
    assert pull_down(residual, 4.0).tolist() == [[[2.0, 3.0, 1.0], [1.0, 2.0, 30.0], [3.0, 4.0, 50.0]]]
    assert torch.equal(residual, before)
    model, tokens = mistral[1], torch.randint(61, (1, 9))
    edited = model(tokens, edit=lambda layer, x: pull_down(x, 1e-9) if layer == 1 else x)
    assert not torch.allclose(edited, model(tokens))
