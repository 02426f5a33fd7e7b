"""NF4 with adapters, packed GPTQ, and the arithmetic of both."""

import pytest
import torch
from int8_quant import Config, Decoder, gptq_quantize, nf4_quantize
from int8_quant.gptq import GPTQResult, gptq_blocks
from int8_quant.qlora_vs_gptq import (
    GPTQLinear,
    LoRALinear,
    NF4Linear,
    lora_parameters,
    pack_nibbles,
    to_nf4,
    to_qlora,
    training_bytes,
    unpack_nibbles,
)
from int8_quant.train import next_token_loss
from mistakes import gptq_case, randn

CONFIG = Config(vocab_size=31, d_model=32, layers=1, heads=4, kv_heads=2, ffn=64)


def test_nibbles_come_back():
    codes = torch.arange(-8, 8).view(2, 8).to(torch.int8)
    assert torch.equal(unpack_nibbles(pack_nibbles(codes)), codes)
    assert pack_nibbles(codes)[0].tolist() == [0x89, 0xAB, 0xCD, 0xEF]


def test_a_packed_layer_computes_what_its_codes_say():
    weight, inputs = gptq_case(0, 6, 8, 40, torch.float32)
    result = gptq_blocks(weight, inputs.T @ inputs, 4, group_size=4, block_size=8, act_order=True)
    layer, x = GPTQLinear(result), randn(1, 3, 8)
    torch.testing.assert_close(layer(x), x @ result.dequantize().T, rtol=1e-2, atol=1e-2)  # scales in 16 bits
    codes, scales = gptq_quantize(weight, inputs)
    plain = GPTQResult(codes, scales, torch.zeros(8, dtype=torch.long))
    assert torch.equal(unpack_nibbles(GPTQLinear(plain).packed), codes)


def test_nf4_layers_hold_half_a_byte_and_a_little():
    weight = randn(0, 32, 64)
    layer = NF4Linear(weight)
    assert (layer.weight() - weight).square().mean().sqrt() < 0.12
    assert layer.packed.numel() == nf4_quantize(weight)[0].numel() == 32 * 64 // 2


def test_an_adapter_begins_as_nothing_and_alone_learns():
    model = Decoder(CONFIG).requires_grad_(False)
    tokens = torch.arange(40).view(2, 20) % 31
    adapted = to_qlora(model, rank=2)
    assert torch.equal(adapted(tokens), to_nf4(model)(tokens))
    trained = {n for n, p in adapted.named_parameters() if p.requires_grad}
    assert len(trained) == 2 * 7 and all(n.endswith((".a", ".b")) for n in trained)
    expected = sum(
        lora_parameters(i, o, 2) for i, o in [(32, 32), (32, 16), (32, 16), (32, 32), (32, 64), (32, 64), (64, 32)]
    )
    assert sum(p.numel() for p in adapted.parameters() if p.requires_grad) == expected
    optimizer = torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], lr=1.0)
    before = next_token_loss(adapted, tokens)
    for _ in range(5):
        optimizer.zero_grad()
        next_token_loss(adapted, tokens).backward()
        optimizer.step()
    assert next_token_loss(adapted, tokens) < before - 0.01
    assert not model.requires_grad_(False).blocks[0].attn.q_proj.weight.requires_grad


def test_oracle_pefts_adapter():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peft = pytest.importorskip("peft")
        base = torch.nn.Sequential(torch.nn.Linear(6, 5))
        theirs = peft.get_peft_model(base, peft.LoraConfig(r=2, lora_alpha=16, target_modules=["0"]))
    layer = LoRALinear(torch.nn.Linear(6, 5), 6, 5, 2)
    inside = theirs.base_model.model[0]
    layer.base.load_state_dict(inside.base_layer.state_dict())
    with torch.no_grad():
        layer.b.normal_()
        inside.lora_A["default"].weight.copy_(layer.a)
        inside.lora_B["default"].weight.copy_(layer.b)
        x = randn(0, 3, 6)
        torch.testing.assert_close(layer(x), theirs(x))


def test_cost_the_arithmetic_of_adapters_and_memory():
    assert lora_parameters(4096, 4096, 8) == 65_536
    full, four = training_bytes(1000, 1000, 32), training_bytes(1000, 10, 4)
    assert tuple(full) == (4000, 4000, 8000) and full.total == 16_000
    assert tuple(four) == (990 / 2 + 40, 40, 80)
