"""The encoder beside transformers' BERT with the same weights, fine-tuning, and GLUE's metrics."""

import pytest
import torch
from mistakes import ints, rows_of
from objective_arena import Config, Transformer
from objective_arena.bert import (
    Bert,
    BertConfig,
    Classifier,
    finetune,
    from_huggingface,
    glue_metrics,
    predict,
    pretrain,
    pretraining_loss,
)
from objective_arena.bert.finetune import PAD, SPECIAL, pairs, single
from objective_arena.gpt1 import WriterClassifier, finetune_writer, language_model_loss, pretrain_writer

CONFIG = BertConfig(53, d_model=24, layers=2, heads=3, max_len=19, dropout=0.0)


@pytest.fixture(scope="module")
def theirs():
    from transformers import BertConfig as Theirs
    from transformers import BertForPreTraining

    torch.manual_seed(0)
    shape = Theirs(vocab_size=53, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96)
    shape.max_position_embeddings = 19
    model = BertForPreTraining(shape).eval()
    for weight in model.parameters():  # biases and norms are not zero and one
        weight.data += 0.1 * torch.randn_like(weight)
    return model


def test_oracle_bert_masked_and_next_sentence_losses(theirs):
    ours = from_huggingface(theirs.state_dict(), CONFIG).eval()
    ids, mask = ints(0, 53, 3, 17), rows_of([17, 11, 5], 17)
    types = (torch.arange(17) > 6).long().expand(3, 17)
    labels, following = torch.where(ints(1, 5, 3, 17) == 0, ids, -100), torch.tensor([0, 1, 1])
    want = theirs(ids, mask.long(), types, labels=labels, next_sentence_label=following)
    hidden = ours(ids, mask, types)
    logits = ours.masked_logits(hidden.flatten(0, 1)).unflatten(0, (3, 17))
    torch.testing.assert_close(logits[mask], want.prediction_logits[mask], rtol=1e-4, atol=1e-5)  # float32, two layers
    torch.testing.assert_close(
        ours.next_sentence(ours.pooled(hidden)), want.seq_relationship_logits, rtol=1e-4, atol=1e-5
    )
    both = pretraining_loss(ours, ids, mask, types, labels, following)
    torch.testing.assert_close(both, want.loss, rtol=1e-5, atol=1e-5)
    without = theirs(ids, mask.long(), types, labels=labels).prediction_logits
    alone = torch.nn.functional.cross_entropy(without.flatten(0, 1), labels.flatten())
    torch.testing.assert_close(pretraining_loss(ours, ids, mask, types, labels), alone, rtol=1e-5, atol=1e-5)


def test_bad_input_weights_of_another_size(theirs):
    with pytest.raises(ValueError, match="check the config"):
        from_huggingface(theirs.state_dict(), BertConfig(54, d_model=24, layers=2, heads=3, max_len=19))


def test_padding_changes_nothing():
    bert, ids = Bert(CONFIG).eval(), ints(2, 53, 1, 9)
    short = bert(ids[:, :6], rows_of([6], 6), torch.zeros(1, 6, dtype=torch.int64))
    long = bert(ids, rows_of([6], 9), torch.zeros(1, 9, dtype=torch.int64))
    torch.testing.assert_close(long[:, :6], short)


def made_sentences(count, seed):
    """Ten words each; the class says whether word 6 or word 7 occurs in them."""
    ids, labels = ints(seed, 50, count, 10, low=8), ints(seed + 1, 2, count)
    at = ints(seed + 2, 10, count)
    ids[torch.arange(count), at] = 6 + labels
    return ids.tolist(), labels


def test_effect_fine_tuning_learns_a_class_and_pre_training_runs():
    rows, labels = made_sentences(160, 3)
    sentences = single(rows, 16)
    assert sentences.ids.shape == (160, 16) and bool((sentences.attention_mask == (sentences.ids != PAD)).all())
    bert = Bert(CONFIG)
    losses = pretrain(bert, sentences, 20)
    assert losses[-1] < losses[0]
    model = finetune(Classifier(bert), sentences, labels, epochs=12, lr=3e-3)
    assert glue_metrics(predict(model, sentences), labels.tolist())["accuracy"] > 0.9


def test_effect_a_writer_is_fine_tuned_with_and_without_the_auxiliary_loss():
    rows, labels = made_sentences(160, 5)
    sentences = single(rows, 16)
    writer = Transformer(Config(53, d_model=24, layers=2, heads=3, max_len=16))
    losses = pretrain_writer(writer, sentences, 20)
    assert losses[-1] < losses[0]
    kept = {}
    for auxiliary in (0.0, 0.5):
        model = finetune_writer(WriterClassifier(writer), sentences, labels, 12, auxiliary, lr=3e-3)
        assert glue_metrics(predict(model, sentences), labels.tolist())["accuracy"] > 0.9
        ids, mask, _ = sentences.rows(torch.arange(64))
        with torch.no_grad():
            kept[auxiliary] = float(language_model_loss(model.hidden(ids), model.model, ids, mask))
    assert kept[0.5] < kept[0.0]  # what the auxiliary loss is for


def test_a_class_is_read_where_the_sentence_ends():
    model = WriterClassifier(Transformer(Config(53, d_model=24, layers=1, heads=3, max_len=16)))
    sentences = single([[9, 10, 11], [12, 13, 14, 15, 16]], 16)
    alone = model(*single([[9, 10, 11]], 16).rows(torch.tensor([0])))
    torch.testing.assert_close(model(*sentences.rows(torch.tensor([0, 1])))[:1], alone)


def test_pairs_of_documents_become_batches():
    documents = [[[7, 8], [9]], [[10], [11, 12], [13]]]
    sentences, labels = pairs(documents, 12, torch.Generator().manual_seed(0))
    assert len(sentences.ids) == len(labels) == 3 and set(labels.tolist()) <= {0, 1}
    assert (sentences.ids[:, 0] == 2).all() and ((sentences.ids == 3).sum(1) == 2).all() and SPECIAL == 5


def test_oracle_metrics():
    from sklearn.metrics import f1_score, matthews_corrcoef

    labels, predictions = ints(0, 2, 50).tolist(), ints(1, 2, 50).tolist()
    got = glue_metrics(predictions, labels)
    assert got["accuracy"] == sum(a == b for a, b in zip(predictions, labels, strict=True)) / 50
    assert got["f1"] == pytest.approx(f1_score(labels, predictions))
    assert got["matthews"] == pytest.approx(matthews_corrcoef(labels, predictions))
    assert glue_metrics([0, 0], [0, 1]) == {"accuracy": 0.5, "f1": 0.0, "matthews": 0.0}
    with pytest.raises(ValueError, match="labels"):
        glue_metrics([1], [])
