"""Texts and vocabularies: what every machine has, and named files that are looked up, or downloaded and verified.

The default text is `pydoc_data.topics`, half a megabyte of English that ships with CPython; the default code is the
standard library's own source. Named files are looked for in the folder that HARDWAY_DATA names, then in the user's
cache, then at their address; their sha256 is checked wherever they come from.
"""
import hashlib
import os
import sysconfig
import zipfile
from pathlib import Path
from typing import NamedTuple

import pooch

from .formats import CL100K_SPECIAL, load_tiktoken
from .letter_files import load_gpt2
from .pretokenize import CL100K
from .vocabulary import Vocabulary


class Remote(NamedTuple):
    """A file with a pinned address and content."""
    name: str
    sha256: str
    address: str


OPENAI = "https://openaipublic.blob.core.windows.net"
FILES = {
    "shakespeare": Remote("tinyshakespeare.txt", "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                          "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"),
    "udhr": Remote("udhr2.zip", "0796c314b09a930c989c6f9d93d226af9af13feccd88496e196c743dd266c7f3",
                   "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/udhr2.zip"),
    "gpt2_merges": Remote("gpt2_vocab.bpe", "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
                          f"{OPENAI}/gpt-2/encodings/main/vocab.bpe"),
    "gpt2_ids": Remote("gpt2_encoder.json", "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
                       f"{OPENAI}/gpt-2/encodings/main/encoder.json"),
    "cl100k": Remote("cl100k_base.tiktoken", "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
                     f"{OPENAI}/encodings/cl100k_base.tiktoken"),
}
TEXTS = ("topics", "code", "shakespeare")


def path_of(name: str) -> Path:
    """Where the named file lies on this machine, downloaded if it must be.

    Raises:
        FileNotFoundError: it is nowhere and cannot be downloaded; says from where, and where to put it.
        ValueError: the file in HARDWAY_DATA is not the one expected.
    """
    file = FILES[name]
    folder = os.environ.get("HARDWAY_DATA")
    if folder and (here := Path(folder) / file.name).exists():
        if hashlib.sha256(here.read_bytes()).hexdigest() != file.sha256:
            raise ValueError(f"{here}: its sha256 is not {file.sha256}: delete it and get {file.address} again")
        return here
    try:
        return Path(pooch.retrieve(file.address, f"sha256:{file.sha256}", file.name, pooch.os_cache("byte-pair-smith"),
                                   progressbar=False))
    except Exception as e:                          # requests, urllib3 and pooch raise kinds of their own
        raise FileNotFoundError(f"{file.name} is needed and could not be downloaded ({type(e).__name__}). Get "
                                f"{file.address} elsewhere, put it into a folder as {file.name}, and set HARDWAY_DATA "
                                f"to that folder") from e


def here(name: str) -> bool:
    """Whether the named file, or all files of the named vocabulary, are in HARDWAY_DATA: nothing is downloaded."""
    folder = os.environ.get("HARDWAY_DATA")
    names = ("gpt2_merges", "gpt2_ids") if name == "gpt2" else (name,)
    return bool(folder) and all((Path(folder) / FILES[n].name).exists() for n in names)


def load_text(name: str) -> str:
    """A text by name: one of TEXTS."""
    if name == "topics":
        from pydoc_data import topics
        return "\n".join(topics.topics[key] for key in sorted(topics.topics))
    if name == "code":
        return standard_library()
    if name == "shakespeare":
        return path_of("shakespeare").read_text(encoding="utf-8")
    raise ValueError(f"data={name!r} is not one of {TEXTS}")


def standard_library(limit: int = 1 << 20) -> str:
    """About `limit` characters of Python: the top-level modules of the standard library, in order of name."""
    parts, size = [], 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        if size >= limit:
            break
        parts.append(path.read_text(encoding="utf-8"))
        size += len(parts[-1])
    return "\n".join(parts)[:limit]


def udhr(codes: list[str]) -> dict[str, str]:
    """The Universal Declaration of Human Rights in the languages of these codes (files of nltk's udhr2)."""
    with zipfile.ZipFile(path_of("udhr")) as archive:
        return {code: archive.read(f"udhr2/{code}.txt").decode("utf-8-sig") for code in codes}


def load_vocabulary(name: str) -> Vocabulary:
    """The vocabulary of "gpt2" or of "cl100k" (GPT-3.5, GPT-4)."""
    if name == "gpt2":
        return load_gpt2(path_of("gpt2_merges"), path_of("gpt2_ids"))
    if name == "cl100k":
        return load_tiktoken(path_of("cl100k"), CL100K, CL100K_SPECIAL, size=100256)
    raise ValueError(f"vocabulary={name!r} is not 'gpt2' or 'cl100k'")
