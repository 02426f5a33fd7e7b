"""Right solutions in other styles: each must be RIGHT. None of them calls the reference."""

import torch
from grouped_query import mask_future, rms_norm, rotate


def split_with_a_loop(x, heads, kv_heads):
    B, T, width = x.shape
    if heads % kv_heads != 0 or width % heads != 0:
        raise ValueError("heads, kv_heads and width do not fit")
    D, R = width // heads, heads // kv_heads
    out = x.new_empty(B, kv_heads, R, T, D)
    for h in range(heads):
        out[:, h // R, h % R] = x[:, :, h * D : (h + 1) * D]
    return out


def split_by_chunks(x, heads, kv_heads):
    per_group, rest = divmod(heads, kv_heads)
    if rest or x.size(2) % heads:
        raise ValueError("uneven")
    each = torch.stack(x.chunk(heads, dim=-1), dim=1)  # B H T D
    return each.reshape(x.size(0), kv_heads, per_group, x.size(1), -1)


def attention_head_by_head(q, k, v):
    if q.size(3) > k.size(2):
        raise ValueError("more queries than keys")
    out = torch.empty_like(q)
    first = k.size(2) - q.size(3)
    for g in range(q.size(1)):
        for r in range(q.size(2)):
            for t in range(q.size(3)):
                seen = first + t + 1
                scores = (k[:, g, :seen] * q[:, g, r, t, None]).sum(-1) * q.size(-1) ** -0.5
                out[:, g, r, t] = (torch.softmax(scores, -1)[..., None] * v[:, g, :seen]).sum(1)
    return out


def attention_by_einsum(q, k, v):
    scores = torch.einsum("bgrqd,bgkd->bgrqk", q / q.shape[-1] ** 0.5, k)
    return torch.einsum("bgrqk,bgkd->bgrqd", mask_future(scores).softmax(-1), v)


def attention_member_by_member(q, k, v):
    width = q.shape[-1]
    outs = []
    for r in range(q.shape[2]):
        scores = mask_future(q[:, :, r] @ k.transpose(2, 3) / width**0.5)
        outs.append(torch.softmax(scores, -1) @ v)
    return torch.stack(outs, 2)


def bytes_as_a_product(shape, bytes_per_element=2):
    per_layer = shape.latent_dim + shape.rope_dim if shape.latent_dim > 0 else shape.kv_heads * shape.head_dim * 2
    total = 0
    for _ in range(shape.layers):
        total += bytes_per_element * per_layer
    return total


def bytes_of_two_kinds(shape, bytes_per_element=2):
    grouped = shape.kv_heads * shape.head_dim
    kinds = {False: (grouped, grouped), True: (shape.latent_dim, shape.rope_dim)}
    return sum(kinds[shape.latent_dim != 0]) * bytes_per_element * shape.layers


def batch_by_trying(shape, context, memory_bytes, bytes_per_element=2):
    left = memory_bytes - shape.parameters * bytes_per_element
    if left < 0:
        raise ValueError("the weights do not fit")
    text = context * bytes_as_a_product(shape, bytes_per_element)
    low, high = 0, 1
    while high * text <= left:
        high *= 2
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle * text <= left else (low, middle)
    return low


def batch_in_elements(shape, context, memory_bytes, bytes_per_element=2):
    if shape.parameters * bytes_per_element > memory_bytes:
        raise ValueError("too small")
    elements = memory_bytes / bytes_per_element - shape.parameters
    return int(elements / (context * bytes_of_two_kinds(shape, 1)))


def pool_with_a_loop(k_weight, v_weight, kv_heads, new_kv_heads):
    if kv_heads % new_kv_heads:
        raise ValueError("uneven")
    size, D = kv_heads // new_kv_heads, len(k_weight) // kv_heads

    def pool(w):
        heads = w.split(D)
        return torch.cat([sum(heads[i * size : (i + 1) * size]) / size for i in range(new_kv_heads)])

    return pool(k_weight), pool(v_weight)


def pool_by_a_matrix(k_weight, v_weight, kv_heads, new_kv_heads):
    size, rest = divmod(kv_heads, new_kv_heads)
    if rest:
        raise ValueError("uneven")
    D = k_weight.shape[0] // kv_heads
    average = torch.eye(new_kv_heads, dtype=k_weight.dtype).repeat_interleave(size, 1) / size
    matrix = torch.kron(average, torch.eye(D, dtype=k_weight.dtype))
    return [matrix @ k_weight, matrix @ v_weight]


def compress_by_two_products(x, kv_down, norm_weight, positions):
    C = norm_weight.shape[0]
    latent = torch.einsum("btw,cw->btc", x, kv_down[:C])
    return rms_norm(latent, norm_weight), rotate(x @ kv_down[C:].T, positions)


def compress_with_its_own_norm(x, kv_down, norm_weight, positions):
    made = torch.nn.functional.linear(x, kv_down)
    latent, key = made.split([len(norm_weight), made.shape[-1] - len(norm_weight)], dim=-1)
    size = (latent.pow(2).sum(-1, keepdim=True) / latent.shape[-1] + 1e-6).sqrt()
    return latent / size * norm_weight, rotate(x=key, positions=positions)


def absorbed_head_by_head(q_nope, q_rope, latent, k_rope, k_up, v_up):
    width = q_nope.shape[-1] + q_rope.shape[-1]
    outs = []
    for h in range(k_up.shape[0]):
        scores = (q_nope[:, h] @ k_up[h]) @ latent.mT + q_rope[:, h] @ k_rope.mT
        outs.append(mask_future(scores * width**-0.5).softmax(-1) @ latent @ v_up[h].T)
    return torch.stack(outs, 1)


def absorbed_as_multi_query_attention(q_nope, q_rope, latent, k_rope, k_up, v_up):
    q = torch.cat([torch.einsum("bhtn,hnc->bhtc", q_nope, k_up), q_rope], -1)
    keys = torch.cat([latent, k_rope], -1)
    scores = torch.einsum("bhqe,bke->bhqk", q, keys) / (q_nope.size(-1) + q_rope.size(-1)) ** 0.5
    out = torch.einsum("bhqk,bkc->bhqc", mask_future(scores).softmax(-1), latent)
    return torch.einsum("bhqc,hvc->bhqv", out, v_up)


STYLES = {
    "split_groups": {"head by head": split_with_a_loop, "by chunks": split_by_chunks},
    "grouped_attention": {
        "query by query": attention_head_by_head,
        "by einsum": attention_by_einsum,
        "member by member": attention_member_by_member,
    },
    "cache_bytes_per_token": {"layer by layer": bytes_as_a_product, "of two kinds": bytes_of_two_kinds},
    "largest_batch": {"by trying": batch_by_trying, "in elements": batch_in_elements},
    "mean_pool_heads": {"with a loop": pool_with_a_loop, "by a matrix": pool_by_a_matrix},
    "compress_latent": {"two products": compress_by_two_products, "its own norm": compress_with_its_own_norm},
    "absorbed_attention": {"head by head": absorbed_head_by_head, "as MQA": absorbed_as_multi_query_attention},
}
