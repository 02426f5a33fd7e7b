"""The loss beside TRL's trainer; the loop on something small: it replies, and what breaks that."""

import copy
import warnings

import pytest
import torch
from instruct_tuner import (
    IGNORE,
    Config,
    Decoder,
    Example,
    add_lora,
    answer_labels,
    answer_loss,
    finetune,
    generate,
    gold_loss,
    packed_batches,
    pad_batch,
    shuffled_batches,
    trainable_parameters,
)
from mistakes import ids_of

HEADER, END = (1, 7, 3), 2


def test_oracle_trl_completion_only_loss_of_one_batch(tmp_path):
    """To 1e-5, on a transformers model, with our labels and our mean."""
    from datasets import Dataset
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    config = LlamaConfig(
        vocab_size=97,
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    words = Tokenizer(models.WordLevel({"<pad>": 0, "<s>": 1, "</s>": 2}, unk_token="<pad>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    rows = [ids_of(0, 4, 3), ids_of(1, 2, 9), ids_of(2, 5, 1)]
    labels = [answer_labels(row, HEADER, END) for row in rows]
    columns = {
        "input_ids": [r.tolist() for r in rows],
        "completion_mask": [(x != IGNORE).long().tolist() for x in labels],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from trl import SFTConfig, SFTTrainer

        args = SFTConfig(
            output_dir=str(tmp_path),
            per_device_train_batch_size=3,
            use_cpu=True,
            report_to="none",
            bf16=False,
            completion_only_loss=True,
            max_length=None,
            disable_tqdm=True,
            gradient_checkpointing=False,
        )
        trainer = SFTTrainer(
            model=model, args=args, train_dataset=Dataset.from_dict(columns), processing_class=tokenizer
        )
        batch = next(iter(trainer.get_train_dataloader()))
        want = trainer.compute_loss(model.eval(), batch).item()
    ours = pad_batch([Example(*pair) for pair in zip(rows, labels, strict=True)])
    with torch.no_grad():
        got = float(answer_loss(model(ours.input_ids).logits, ours.labels))
    assert got == pytest.approx(want, abs=1e-5)


def conversations(count, seed, copies=2):
    """The user says letters 10 to 19, and the assistant answers with each plus 20."""
    made = []
    for i in range(count):
        said = torch.randint(10, 20, (copies,), generator=torch.Generator().manual_seed(1000 * seed + i))
        ids = torch.tensor([1, 5, 3, *said.tolist(), END, 3, *HEADER, *(said + 20).tolist(), END, 3])
        made.append(Example(ids, answer_labels(ids, HEADER, END)))
    return made


@pytest.fixture(scope="module")
def tuned():
    model = Decoder(Config(40, 48, 2, 4, 2, 96), seed=1)
    g = torch.Generator().manual_seed(0)
    losses = finetune(model, shuffled_batches(conversations(300, 0), 32, g), 90, 6e-3)
    return model, losses


def exact(model, examples):
    prompts = [e.input_ids[: int((e.labels != IGNORE).int().argmax())] for e in examples]
    answers = generate(model, prompts, 8, END)
    return sum(
        a == [i for i in e.labels.tolist() if i not in (IGNORE, END)] for a, e in zip(answers, examples, strict=True)
    )


def test_effect_it_replies_to_prompts_that_it_has_not_seen(tuned):
    model, losses = tuned
    held_out = conversations(40, 7)
    assert losses[-1] < 0.3 < 3 < losses[0]
    assert exact(model, held_out) >= 30 and exact(Decoder(model.config, seed=1), held_out) == 0
    assert gold_loss(model, held_out) < 0.5


def test_effect_lora_changes_a_trained_model_with_a_tenth_of_the_numbers(tuned):
    """The same answers in the opposite order: full and LoRA both learn it, the base's weights stay."""
    model = copy.deepcopy(tuned[0])
    total = trainable_parameters(model)
    before = {n: p.clone() for n, p in model.named_parameters()}
    turned = []
    for e in conversations(300, 3):
        ids = e.input_ids.clone()
        ids[10:12] = ids[10:12].flip(0)
        turned.append(Example(ids, answer_labels(ids, HEADER, END)))
    add_lora(model, ["q_proj", "k_proj", "v_proj", "o_proj"], 2, 4)
    assert trainable_parameters(model) < 0.1 * total
    first = gold_loss(model, turned)
    finetune(model, packed_batches(turned, 64, 8, torch.Generator().manual_seed(0)), 60, 2e-2)
    assert gold_loss(model, turned) < 0.5 * first
    frozen = {n.replace(".base", ""): p for n, p in model.named_parameters() if not n.endswith((".A", ".B"))}
    assert all(torch.equal(frozen[n], p) for n, p in before.items())


def test_effect_a_model_that_never_learnt_the_end_does_not_stop():
    made = [Example(e.input_ids, torch.where(e.labels == END, IGNORE, e.labels)) for e in conversations(300, 0)]
    model = Decoder(Config(40, 48, 2, 4, 2, 96), seed=1)
    finetune(model, shuffled_batches(made, 32, torch.Generator().manual_seed(0)), 40, 6e-3)
    prompts = [e.input_ids[:10] for e in conversations(20, 7)]
    assert all(len(a) == 12 for a in generate(model, prompts, 12, END))


def test_batches_are_all_used_and_in_another_order_each_epoch():
    made = conversations(10, 0)
    batches = shuffled_batches(made, 4, torch.Generator().manual_seed(0))
    epochs = [[next(batches).input_ids for _ in range(2)] for _ in range(2)]
    assert all(b.shape[0] == 4 for epoch in epochs for b in epoch) and not torch.equal(epochs[0][0], epochs[1][0])
    rows = next(packed_batches(made, 30, 5, torch.Generator().manual_seed(0)))
    assert rows.input_ids.shape == (5, 30) and int((rows.labels != IGNORE).sum()) == 30
