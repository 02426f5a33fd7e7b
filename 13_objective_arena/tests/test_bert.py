"""Sentence pairs."""

import mistakes
import pytest
import torch
from mistakes import generator, some_documents
from objective_arena.bert import pack


@pytest.mark.task("sentence_pair")
def test_half_of_the_pairs_follow_and_the_others_come_from_elsewhere(impl, seed):
    documents = some_documents(seed)
    home = {tuple(s): d for d, document in enumerate(documents) for s in document}
    uniforms = torch.rand(400, 3, generator=generator(seed), dtype=torch.float64).tolist()
    follows, seen = 0, set()
    for u in uniforms:
        a, b, label = impl.sentence_pair(documents, 1, 2, u)
        assert a == documents[1][2]
        if label == 0:
            assert b == documents[1][3] and u[0] < 0.5
            follows += 1
        else:
            assert label == 1 and home[tuple(b)] != 1 and u[0] >= 0.5
            seen.add(tuple(b))
    assert 160 < follows < 240
    assert len(seen) == 3 + 2 + 5  # every sentence of every other document comes


@pytest.mark.task("sentence_pair")
def test_each_other_document_has_the_same_chance(impl, seed):
    documents = [[[1], [2]], [[3]] * 50, [[4]] * 2]
    uniforms = torch.rand(300, generator=generator(seed), dtype=torch.float64).tolist()
    threes = [impl.sentence_pair(documents, 0, 0, [0.7, u, 1 - u])[1] for u in uniforms].count([3])
    assert 110 < threes < 190


@pytest.mark.task("sentence_pair")
@pytest.mark.parametrize("first", [0.2, 0.8])
def test_bad_input_no_next_sentence_or_no_other_document(impl, seed, first):
    documents = some_documents(seed)
    for case in ((documents, 1, 6), (documents, 2, 1), (documents[:1], 0, 0)):
        with pytest.raises(ValueError):
            impl.sentence_pair(*case, [first, 0.5, 0.5])


@pytest.mark.task("sentence_pair")
def test_each_number_chooses_its_own(impl, seed):
    documents = some_documents(seed)
    assert tuple(impl.sentence_pair(documents, 1, 1, [0.6, 0.99, 0.3])) == (documents[1][1], documents[3][1], 1)
    assert tuple(impl.sentence_pair(documents, 1, 1, [0.5, 0.01, 0.9])) == (documents[1][1], documents[0][2], 1)
    assert tuple(impl.sentence_pair(documents, 1, 1, [0.4, 0.99, 0.3])) == (documents[1][1], documents[1][2], 0)


@pytest.mark.task("sentence_pair")
def test_a_document_with_the_same_sentences_is_another_one(impl):
    documents = [[[5], [5], [6]], [[5], [5], [6]], [[7], [8]]]
    assert tuple(impl.sentence_pair(documents, 0, 0, [0.7, 0.4, 0.9])) == ([5], [6], 1)
    assert tuple(impl.sentence_pair(documents, 0, 1, [0.2, 0.4, 0.9])) == ([5], [6], 0)


@pytest.mark.task("sentence_pair")
@pytest.mark.parametrize(("u", "b"), [(0.0, 3), (0.25, 4), (0.5, 5), (0.75, 6)])
def test_a_whole_number_is_not_rounded(impl, u, b):
    documents = [[[1], [2]], [[3], [4], [5], [6]], [[7]]]
    assert tuple(impl.sentence_pair(documents, 0, 0, [0.5, 0.0, u])) == ([1], [b], 1)
    assert tuple(impl.sentence_pair(documents, 0, 0, [0.5, 0.5, u])) == ([1], [7], 1)


def test_two_sentences_are_packed_and_the_longer_one_is_cut():
    assert pack([5, 6], [7], 1, 2, 9) == ([1, 5, 6, 2, 7, 2], [0, 0, 0, 0, 1, 1])
    ids, types = pack([5, 6, 7, 8], [9, 10], 1, 2, 7)
    assert ids == [1, 5, 6, 2, 9, 10, 2] and types == [0, 0, 0, 0, 1, 1, 1]
    with pytest.raises(ValueError, match="max_len"):
        pack([5], [6], 1, 2, 4)
    assert mistakes.TASKS[-1] == "sentence_pair"
