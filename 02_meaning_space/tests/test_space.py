import numpy as np
import pytest
from expect import array, close
from meaning_space.corpus import Vocabulary
from meaning_space.space import Space, analogy, analogy_mul, answers, direction, nearest, overlap, unit


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


@pytest.mark.task("analogy")
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
@pytest.mark.parametrize("args, said", [((0, 1, 53), "c=53"), ((0, 1, 2, 0), "n=0"), ((0, 1, 2, 51), "n=51")])
def test_analogy_refuses(impl, args, said):
    with pytest.raises(ValueError, match=said):
        impl.analogy(words(0), *args)


# ---------------------------------------------------------------- what is not a task


def test_many_questions_at_once_give_the_single_answers():
    v = words(1)
    questions = np.random.default_rng(0).integers(0, 53, (40, 4))
    assert answers(v, questions, chunk=7).tolist() == [int(analogy(v, *q[:3].tolist())[0]) for q in questions]
    assert answers(v, questions, multiply=True).tolist() == [int(analogy_mul(v, *q[:3].tolist())[0]) for q in questions]


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`:DeprecationWarning")  # gensim calls its own
def test_3cosmul_is_gensims():
    v = words(2)
    kv = keyed(v.astype(np.float32))
    want = kv.most_similar_cosmul(positive=["5", "7"], negative=["3"], topn=5)
    assert analogy_mul(v, 3, 5, 7, 5, epsilon=1e-6).tolist() == [int(w) for w, _ in want]


def test_nearest_words_are_gensims_and_never_the_word_itself():
    v = words(3)
    kv = keyed(v.astype(np.float32))
    got = nearest(v, np.arange(53), 7)
    for i in range(53):
        assert got[i].tolist() == [int(w) for w, _ in kv.most_similar(str(i), topn=7)]
    among = nearest(v, np.arange(53), 4, among=20)
    assert among.max() < 20 and (among != np.arange(53)[:, None]).all()


def test_a_space_answers_by_name():
    v = np.array([[1.0, 0], [1, 3], [-1, 0], [-1, 3], [0, -2]])
    space = Space(vocabulary(["man", "king", "woman", "queen", "rock"]), v)
    assert space.analogy("man", "king", "woman") == ["queen"]
    assert space.neighbours("king", 1) == ["queen"]
    along = space.along([("man", "woman"), ("king", "queen")], ["man", "woman", "rock"])
    assert along[0] < -0.5 < 0.5 < along[1] and abs(along[2]) < 1e-12
    with pytest.raises(ValueError, match="prince"):
        space.neighbours("prince")


def test_direction_is_a_unit_vector_from_the_first_words_to_the_second():
    v = words(4)
    pairs = np.array([[0, 1], [2, 3]])
    d = direction(v, pairs)
    close(np.linalg.norm(d), 1.0, "length one")
    close(direction(v, pairs[:, ::-1]), -d, "the other way round")


def test_overlap_counts_shared_words():
    close(overlap(np.array([[1, 2, 3, 4]]), np.array([[4, 3, 9, 8]])), 0.5, "two of four")


def test_a_zero_vector_has_no_direction():
    with pytest.raises(ValueError, match="length 0"):
        unit(np.zeros((2, 3)))
