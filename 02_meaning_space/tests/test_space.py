"""Neighbors and analogies are those of gensim on the same vectors."""

import numpy as np
import pytest
from expect import array, close
from meaning_space.corpus import Vocabulary
from meaning_space.lab.evaluation import answer, neighbor_overlap
from meaning_space.space import KeyedVectors, analogy, cos_mul, direction, most_similar, normalize


def vocabulary(words):
    return Vocabulary(tuple(words), np.ones(len(words), dtype=np.int64), {w: i for i, w in enumerate(words)})


def keyed(vectors):
    """gensim's KeyedVectors with the same rows; its words are their numbers."""
    from gensim.models import KeyedVectors

    kv = KeyedVectors(vectors.shape[1])
    kv.add_vectors([str(i) for i in range(len(vectors))], vectors)
    return kv


def words(seed, V=53, D=11):
    """Vectors of very different lengths, as those of frequent and rare words are."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((V, D)) * rng.uniform(0.2, 5, (V, 1))


@pytest.mark.task("analogy")
def test_analogy_by_hand(impl):
    #               man     king    woman   queen     a word of no importance
    v = np.array([[1.0, 0], [1, 3], [-1, 0], [-1, 3], [0, -2]])
    got = array(impl.analogy(v, 0, 1, 2), (1,), "i")
    assert got.tolist() == [3], "man is to king as woman is to queen, word 3"


def test_analogy_is_gensims(impl, seed):
    v = words(seed)
    kv = keyed(v.astype(np.float32))
    for a, b, c in np.random.default_rng(seed).permutation(53)[:15].reshape(5, 3).tolist():
        want = kv.most_similar(positive=[str(b), str(c)], negative=[str(a)], topn=50)
        got = array(impl.analogy(v, a, b, c, 50), (50,), "i").tolist()
        assert not {a, b, c} & set(got), "a word of the question is among the answers"
        assert got[:5] == [int(w) for w, _ in want][:5], "the five best words are not gensim's (most_similar)"


@pytest.mark.task("analogy")
def test_analogy_looks_at_directions_only(impl, seed):
    v = words(seed)
    stretched = v * np.random.default_rng(seed + 1).uniform(0.01, 100, (53, 1))
    assert impl.analogy(v, 1, 2, 3, 20).tolist() == impl.analogy(stretched, 1, 2, 3, 20).tolist(), (
        "longer vectors change the answer: cosines do not depend on length"
    )


@pytest.mark.task("analogy")
def test_analogy_of_very_short_and_very_long_vectors(impl):
    v = np.array([[1.0, 0], [1, 3], [-1, 0], [-1, 3], [-3, 1]]) * np.array([[1.0], [1e-11], [1e11], [1e11], [1e-11]])
    assert array(impl.analogy(v, 0, 1, 2, 2), (2,), "i").tolist() == [4, 3], "a length of 1e-11 is a length"


@pytest.mark.task("analogy")
def test_analogy_of_the_workbooks_words(impl):
    """man (1, 0), king (1, 3), woman (-1, 0), queen (-1, 3): only queen is left."""
    v = np.array([[1.0, 0], [1, 3], [-1, 0], [-1, 3]])
    assert array(impl.analogy(v, 0, 1, 2), (1,), "i").tolist() == [3]


@pytest.mark.task("analogy")
@pytest.mark.parametrize(
    "args",
    [(53, 1, 2), (0, 53, 2), (0, 1, 53), (-1, 1, 2), (0, -1, 2), (0, 1, -1), (0, 1, 2, 0), (0, 1, 2, -1), (0, 1, 2, 51),
     (0, 1, 1, 52)],
)  # fmt: skip
def test_analogy_refuses(impl, args):
    with pytest.raises(ValueError):
        impl.analogy(words(0), *args)


@pytest.mark.task("analogy")
def test_words_of_the_question_may_be_equal(impl):
    """At angles of 0, 10, 25, 45, 70, 100 and 135 degrees."""
    angle = np.deg2rad([0, 10, 25, 45, 70, 100, 135])
    v = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert impl.analogy(v, 2, 2, 2, topn=6).tolist() == [1, 3, 0, 4, 5, 6], "the nearest to word 2, without word 2"
    assert impl.analogy(v, 4, 4, 2, topn=5).tolist() == [1, 3, 0, 5, 6], "b - a + c is c: the nearest to word 2"
    assert impl.analogy(v, 1, 4, 1, topn=5).tolist() == [3, 5, 2, 6, 0], "b - a + c is b: the nearest to word 4"
    assert impl.analogy(v[:2], 0, 0, 0).tolist() == [1], "of two words, the other one"
    assert impl.analogy(v[:, :1], 0, 4, 6, topn=4)[0] == 5, "vectors of one number point up or down"
    twin = np.concatenate([v, 3 * v[4:5]])
    assert impl.analogy(twin, 1, 4, 1).tolist() == [7], "word 7 has the direction of word 4, and is another word"


@pytest.mark.task("analogy")
def test_where_the_point_is_zero_all_words_are_equally_good(impl):
    """At length one, (1, 1, 1, 1) and (1, -1, -1, -1) add up to (1, 0, 0, 0)."""
    v = np.array([[2.0, 0, 0, 0], [1, 1, 1, 1], [1, -1, -1, -1], [0, 1, 0, 0], [0, 0, 3, 1], [-1, 0, 0, 2]])
    got = array(impl.analogy(v, 0, 1, 2, 3), (3,), "i").tolist()
    assert sorted(got) == [3, 4, 5], f"b - a + c is zero: the words are 3, 4 and 5 in any order, not {got}"


@pytest.mark.task("analogy")
def test_analogy_of_float32_vectors_and_of_a_slice(impl):
    v = np.array([[1.0, 0], [1, 3], [-1, 0], [-1, 3], [2, 1]])
    long_and_short = v * np.array([[1.0], [1e-11], [1e11], [1e-11], [1e5]])
    got = impl.analogy(long_and_short.astype(np.float32), 0, 1, 2, 2)
    assert array(got, (2,), "i").tolist() == [3, 4], "lengths from 1e-11 to 1e11 in float32"
    assert impl.analogy(np.repeat(v, 2, axis=0).T.copy().T[::2], 0, 1, 2, 2).tolist() == [3, 4], "a slice of an array"


@pytest.mark.task("analogy")
@pytest.mark.parametrize("where", [9, 0, 2, 52, (9, 4)])
@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -np.inf])
def test_analogy_refuses_vectors_without_direction(impl, value, where):
    v = words(0)
    v[where] = value
    if value == 0 and where == (9, 4):  # a zero in one place is an ordinary vector
        array(impl.analogy(v, 0, 1, 2), (1,), "i")
        return
    with pytest.raises(ValueError), np.errstate(all="ignore"):  # NumPy may warn before the error
        impl.analogy(v, 0, 1, 2)


# ---------------------------------------------------------------- what is not a task


def test_many_questions_at_once_have_the_single_answers():
    v = words(1)
    questions = np.random.default_rng(0).integers(0, 53, (40, 4))
    assert answer(v, questions, chunk=7).tolist() == [int(analogy(v, *q[:3].tolist())[0]) for q in questions]


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`:DeprecationWarning")  # gensim calls its own
def test_3cosmul_is_gensims():
    v = words(2)
    kv = keyed(v.astype(np.float32))
    want = kv.most_similar_cosmul(positive=["5", "7"], negative=["3"], topn=5)
    scores = cos_mul(normalize(v), 3, 5, 7, epsilon=1e-6)
    scores[[3, 5, 7]] = -np.inf
    assert np.argsort(-scores)[:5].tolist() == [int(w) for w, _ in want]


def test_most_similar_words_are_gensims_and_never_the_word_itself():
    v = words(3)
    kv = keyed(v.astype(np.float32))
    got = most_similar(v, np.arange(53), 7)
    for i in range(53):
        assert got[i].tolist() == [int(w) for w, _ in kv.most_similar(str(i), topn=7)]
    near = most_similar(v, np.arange(53), 4, restrict_vocab=20)
    assert near.max() < 20 and (near != np.arange(53)[:, None]).all()


@pytest.mark.parametrize("query, topn, restrict_vocab", [(53, 1, None), (-1, 1, None), (0, 0, None), (0, 53, None),
                                                         (0, 5, 5)])  # fmt: skip
def test_most_similar_refuses(query, topn, restrict_vocab):
    with pytest.raises(ValueError):
        most_similar(words(0), np.array([query]), topn, restrict_vocab)


def test_keyed_vectors_answer_by_name():
    v = np.array([[1.0, 0], [1, 3], [-1, 0], [-1, 3], [0, -2]])
    kv = KeyedVectors(vocabulary(["man", "king", "woman", "queen", "rock"]), v)
    assert kv.analogy("man", "king", "woman") == ["queen"]
    assert kv.most_similar("king", 1) == ["queen"]
    cosines = kv.project(["man", "woman", "rock"], [("man", "woman"), ("king", "queen")])
    assert cosines[0] < -0.5 < 0.5 < cosines[1] and abs(cosines[2]) < 1e-12
    with pytest.raises(ValueError, match="prince"):
        kv.most_similar("prince")


def test_saved_vectors_are_read_by_gensim(tmp_path):
    from gensim.models import KeyedVectors as Gensim

    v = words(5, V=7, D=3).astype(np.float32)
    names = ["man", "naïve", "हिन्दी", "don't", "a", "b", "c"]
    KeyedVectors(vocabulary(names), v).save_word2vec_format(tmp_path / "vectors.kv")
    read = Gensim.load_word2vec_format(str(tmp_path / "vectors.kv"))
    assert read.index_to_key == names and np.array_equal(read.vectors, v)


def test_direction_is_a_unit_vector_from_the_first_words_to_the_second():
    v = words(4)
    pairs = np.array([[0, 1], [2, 3]])
    d = direction(v, pairs)
    close(np.linalg.norm(d), 1.0, "length one")
    close(direction(v, pairs[:, ::-1]), -d, "the other way round")


def test_overlap_counts_shared_words():
    close(neighbor_overlap(np.array([[1, 2, 3, 4]]), np.array([[4, 3, 9, 8]])), 0.5, "two of four")
