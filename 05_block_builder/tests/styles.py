"""Right solutions in other styles: each must be RIGHT. None of them calls the reference, only what is handed out."""

import math

import torch
from block_builder import ACTIVATIONS, MultiHeadAttention, causal_mask, padding_mask
from torch import nn
from torch.nn import functional as F


def feed_forward_parts(self, config):
    wide = config.width * config.expansion
    self.fc_in, self.fc_out = nn.Linear(config.width, wide), nn.Linear(wide, config.width)


class StyledFeedForward(nn.Module):
    """By the module's matrices, without calling the linear layers."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        feed_forward_parts(self, config)

    def forward(self, x):
        h = x @ self.fc_in.weight.T + self.fc_in.bias
        h = h.clamp(min=0) if self.config.activation == "relu" else 0.5 * h * (1 + torch.erf(h / math.sqrt(2)))
        return torch.einsum("btf,cf->btc", h, self.fc_out.weight) + self.fc_out.bias


class SequentialFeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        feed_forward_parts(self, config)
        self.steps = [self.fc_in, ACTIVATIONS[config.activation], self.fc_out]

    def forward(self, x):
        for step in self.steps:
            x = step(x)
        return x


def residual_in_steps(x, sublayer, norm, dropout, norm_first=True):
    read = norm(x) if norm_first else x
    total = torch.add(dropout(sublayer(read)), x)
    return total if norm_first else norm(total)


residual_as_an_expression = lambda x, sublayer, norm, dropout, norm_first=True: (  # noqa: E731
    x.clone() + dropout(sublayer(norm(x))) if norm_first else norm(torch.stack([x, dropout(sublayer(x))]).sum(0))
)


def own_attention(layer, x, memory, hidden):
    """Attention with the layer's weights, by PyTorch's fused function. `hidden` is True where nothing may be seen."""
    q, k, v = (
        p(y).unflatten(-1, (layer.heads, -1)).transpose(1, 2)
        for p, y in ((layer.q_proj, x), (layer.k_proj, memory), (layer.v_proj, memory))
    )
    bias = None if hidden is None else torch.zeros(hidden.shape, dtype=x.dtype).masked_fill(hidden, -math.inf)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    return layer.o_proj(out.transpose(1, 2).reshape(x.shape))


class Parts(nn.Module):
    """The parts of a block, in another order of definition."""

    def __init__(self, config):
        super().__init__()
        self.mlp = SequentialFeedForward(config)
        self.attn = MultiHeadAttention(heads=config.heads, width=config.width)
        self.ln_2 = nn.LayerNorm(config.width)
        self.ln_1 = nn.LayerNorm(config.width)
        self.config = config

    def drop(self, x):
        return F.dropout(x, self.config.dropout, training=self.training)


class OpenBlock(Parts):
    """Both forms written out."""

    def forward(self, x):
        mask = causal_mask(x.size(1))
        if self.config.norm_first:
            h = self.ln_1(x)
            x = x + self.drop(self.attn(x=h, memory=h, mask=mask))
            x = x + self.drop(self.mlp(self.ln_2(x)))
        else:
            x = self.ln_1(x + self.drop(self.attn(x, x, mask)))
            x = self.ln_2(x + self.drop(self.mlp(x)))
        return x


class FusedBlock(Parts):
    def forward(self, x):
        T = x.shape[-2]
        hidden = torch.arange(T) > torch.arange(T)[:, None]
        for norm, layer in ((self.ln_1, lambda h: own_attention(self.attn, h, h, hidden)), (self.ln_2, self.mlp)):
            x = residual_in_steps(x, layer, norm, self.drop, self.config.norm_first)
        return x


class OpenEncoderBlock(Parts):
    def forward(self, x, attention_mask=None):
        mask = padding_mask(attention_mask)
        x = residual_in_steps(x, lambda h: self.attn(h, h, mask), self.ln_1, self.drop, self.config.norm_first)
        return residual_in_steps(x, self.mlp, self.ln_2, self.drop, self.config.norm_first)


class FusedEncoderBlock(Parts):
    def forward(self, x, attention_mask=None):
        hidden = None if attention_mask is None else ~attention_mask[:, None, None]
        add = residual_as_an_expression
        x = add(x, lambda h: own_attention(self.attn, h, h, hidden), self.ln_1, self.drop, self.config.norm_first)
        return add(x, self.mlp, self.ln_2, self.drop, self.config.norm_first)


class OpenDecoderBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.first = config.norm_first
        self.ln_1, self.ln_2, self.ln_3 = (nn.LayerNorm(config.width) for _ in range(3))
        self.self_attn = MultiHeadAttention(config.width, config.heads)
        self.cross_attn = MultiHeadAttention(config.width, config.heads)
        self.mlp = StyledFeedForward(config)
        self.dropout = nn.Dropout(p=config.dropout)

    def sublayers(self, memory, memory_mask):
        yield self.ln_1, lambda h: self.self_attn(h, h, causal_mask(h.shape[1]))
        yield self.ln_2, lambda h: self.cross_attn(h, memory, padding_mask(memory_mask))
        yield self.ln_3, self.mlp

    def forward(self, x, memory, memory_mask=None):
        for norm, sublayer in self.sublayers(memory, memory_mask):
            x = residual_in_steps(x, sublayer, norm, self.dropout, self.first)
        return x


class FusedDecoderBlock(OpenDecoderBlock):
    def sublayers(self, memory, memory_mask):
        hidden = None if memory_mask is None else ~memory_mask[:, None, None, :]
        yield self.ln_1, lambda h: own_attention(self.self_attn, h, h, ~causal_mask(h.shape[1]))
        yield self.ln_2, lambda h: own_attention(self.cross_attn, h, memory, hidden)
        yield self.ln_3, self.mlp


class GPTWithIndices(nn.Module):
    """Positions looked up; the table takes the head's weight instead of the other way round."""

    def __init__(self, config):
        super().__init__()
        self.limit = config.context_length
        self.lm_head = nn.Linear(config.width, config.vocab_size, bias=False)
        self.wte = nn.Embedding(config.vocab_size, config.width)
        self.wte.weight = self.lm_head.weight
        self.wpe = nn.Embedding(config.context_length, config.width)
        self.blocks = nn.ModuleList([OpenBlock(config) for _ in range(config.layers)])
        if config.norm_first:
            self.ln_f = nn.LayerNorm(config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens):
        B, T = tokens.shape
        if not T <= self.limit:
            raise ValueError("too long")
        x = self.dropout(self.wpe(torch.arange(T).expand(B, T)) + self.wte(tokens))
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.ln_f(x) if hasattr(self, "ln_f") else x)


class GPTByOneHots(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.width)
        self.wpe = nn.Embedding(config.context_length, config.width)
        self.blocks = nn.Sequential(*(FusedBlock(config) for _ in range(config.layers)))
        self.ln_f = nn.LayerNorm(config.width) if config.norm_first else nn.Identity()
        self.lm_head = nn.Linear(config.width, config.vocab_size, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens):
        length = tokens.size(1)
        if length > self.config.context_length:
            raise ValueError(f"{length} tokens are too many")
        onehot = F.one_hot(tokens, self.config.vocab_size).to(self.wte.weight.dtype)
        x = onehot @ self.wte.weight + self.wpe.weight[None, :length]
        x = self.blocks(F.dropout(x, self.config.dropout, self.training))
        return self.ln_f(x) @ self.wte.weight.T


def init_by_state_dict(model, noise, std=0.02):
    ends = [n for n in noise if n.split(".")[-2] in ("o_proj", "fc_out") and n.endswith(".weight")]
    fresh = {}
    for name, z in noise.items():
        if z.dim() > 1:
            fresh[name] = z * (std * len(ends) ** -0.5 if name in ends else std)
        else:
            fresh[name] = torch.zeros_like(z) if name.endswith("bias") else torch.ones_like(z)
    model.load_state_dict(fresh, strict=False)


def init_by_modules(model, noise, std=0.02):
    names = {id(p): n for n, p in model.named_parameters()}
    shrink = 1 / math.sqrt(2 * len(model.blocks))
    for path, module in model.named_modules():
        if isinstance(module, nn.LayerNorm):
            module.weight.data.fill_(1.0)
            module.bias.data.zero_()
        elif isinstance(module, (nn.Linear, nn.Embedding)):
            last = path.endswith(("o_proj", "fc_out"))
            module.weight.data.copy_(std * noise[names[id(module.weight)]] * (shrink if last else 1.0))
            if getattr(module, "bias", None) is not None:
                module.bias.data.zero_()


def conv2d_by_unfold(x, weight, bias=None, stride=1, padding=0, dilation=1):
    x = F.pad(x, [padding] * 4)
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    if reach[0] > x.shape[2] or reach[1] > x.shape[3]:
        raise ValueError("the kernel does not fit")
    seen = x.unfold(2, reach[0], stride).unfold(3, reach[1], stride)[..., ::dilation, ::dilation]
    out = torch.tensordot(seen, weight, dims=([1, 4, 5], [1, 2, 3])).permute(0, 3, 1, 2)
    return out if bias is None else out + bias.view(1, -1, 1, 1)


def conv2d_pixel_by_pixel(x, weight, bias=None, stride=1, padding=0, dilation=1):
    padded = torch.nn.functional.pad(x, (padding, padding, padding, padding))
    height, width = padded.shape[2:]
    K, J = weight.shape[2:]
    tall, broad = dilation * (K - 1) + 1, dilation * (J - 1) + 1
    if tall > height or broad > width:
        raise ValueError("the kernel does not fit")
    rows = []
    for top in range(0, height - tall + 1, stride):
        row = []
        for left in range(0, width - broad + 1, stride):
            patch = padded[:, None, :, top : top + tall : dilation, left : left + broad : dilation]
            row.append((patch * weight).sum(dim=(2, 3, 4)))
        rows.append(torch.stack(row, dim=-1))
    out = torch.stack(rows, dim=2)
    return out if bias is None else out + bias.reshape(-1, 1, 1)


STYLES = {
    "FeedForward": {"by the matrices": StyledFeedForward, "as a list of steps": SequentialFeedForward},
    "residual": {"in steps": residual_in_steps, "as one expression": residual_as_an_expression},
    "Block": {"both forms written out": OpenBlock, "fused attention": FusedBlock},
    "GPT": {"positions by index": GPTWithIndices, "one-hot tokens": GPTByOneHots},
    "init_weights": {"by a state dict": init_by_state_dict, "module by module": init_by_modules},
    "EncoderBlock": {"in steps": OpenEncoderBlock, "fused attention": FusedEncoderBlock},
    "DecoderBlock": {"a list of sublayers": OpenDecoderBlock, "fused attention": FusedDecoderBlock},
    "conv2d": {"by unfold": conv2d_by_unfold, "pixel by pixel": conv2d_pixel_by_pixel},
}
