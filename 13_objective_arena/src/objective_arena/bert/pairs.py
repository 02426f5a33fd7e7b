"""Next-sentence prediction (Devlin et al. 2018): does sentence b follow sentence a?"""

from collections.abc import Sequence


def sentence_pair(
    documents: Sequence[Sequence[list[int]]], document: int, sentence: int, uniforms: Sequence[float]
) -> tuple[list[int], list[int], int]:
    """(a, b, label) for sentence a of a document. Label 0: b is the next sentence. Label 1: b is a random one.

    The first uniform number decides (below 0.5: the next one). The second chooses one of the OTHER documents, the third
    a sentence in it, each with equal probability.

    Raises:
        ValueError: no sentence follows a, or there is no other document.
    """
    if sentence + 1 >= len(documents[document]):
        raise ValueError(f"sentence={sentence}: the last one of document {document}; choose one that has a next")
    if len(documents) < 2:
        raise ValueError("documents: at least two, or no random sentence is from another one")
    a = documents[document][sentence]
    if uniforms[0] < 0.5:
        return a, documents[document][sentence + 1], 0
    others = [d for i, d in enumerate(documents) if i != document]
    other = others[int(uniforms[1] * len(others))]
    return a, other[int(uniforms[2] * len(other))], 1


def pack(a: list[int], b: list[int], cls_id: int, sep_id: int, max_len: int) -> tuple[list[int], list[int]]:
    """[CLS] a [SEP] b [SEP] and its token types, 0 up to the first [SEP] and 1 behind it.

    The longer of the two is cut at its end until both fit.

    Raises:
        ValueError: there is no room for a token of each.
    """
    if max_len < 5:
        raise ValueError(f"max_len={max_len}: three special tokens and one of each sentence need 5")
    a, b = list(a), list(b)
    while len(a) + len(b) > max_len - 3:
        (a if len(a) > len(b) else b).pop()
    ids = [cls_id, *a, sep_id, *b, sep_id]
    return ids, [0] * (len(a) + 2) + [1] * (len(b) + 1)
