"""Text for the tiny language models: characters of the Python documentation, or a named corpus."""

import os
import pydoc_data.topics
from pathlib import Path
from typing import NamedTuple

import pooch
import torch
from jaxtyping import Int
from torch import Tensor

CORPORA = {
    "shakespeare": (
        "tinyshakespeare.txt",
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ),
}
NAMES = ("pydoc", *CORPORA)


class Corpus(NamedTuple):
    """Characters as integers. The last tenth is for validation."""

    train: Int[Tensor, "N"]
    valid: Int[Tensor, "M"]
    vocabulary: str


def load(name: str = "pydoc") -> Corpus:
    """The named text. Raises ValueError for an unknown name, a damaged file, or no network."""
    return encode(read(name))


def encode(text: str) -> Corpus:
    """Split a text 9 to 1 and number its characters. Rare ones that only validation has are counted as a space."""
    cut = len(text) * 9 // 10
    vocabulary = "".join(sorted(set(text[:cut]) | {" "}))
    number = {c: i for i, c in enumerate(vocabulary)}
    ids = torch.tensor([number.get(c, number[" "]) for c in text])
    return Corpus(ids[:cut], ids[cut:], vocabulary)


def read(name: str) -> str:
    """The characters themselves: offline for `pydoc`, from HARDWAY_DATA or the network for the rest."""
    if name == "pydoc":  # help() texts that come with CPython, the same on every machine with the same Python
        return "\n".join(pydoc_data.topics.topics[k] for k in sorted(pydoc_data.topics.topics))
    if name not in CORPORA:
        raise ValueError(f"data = {name!r}: must be one of {', '.join(NAMES)}")
    return find(*CORPORA[name]).read_text(encoding="utf-8")


def find(filename: str, url: str, sha256: str) -> Path:
    """The verified file: in the folder HARDWAY_DATA, in the cache, or downloaded."""
    folder = os.environ.get("HARDWAY_DATA")
    if folder and (path := Path(folder) / filename).exists():
        if pooch.file_hash(str(path)) != sha256:
            raise ValueError(f"{path}: its sha256 is not {sha256}; replace it with the file from {url}")
        return path
    try:
        return Path(pooch.retrieve(url, f"sha256:{sha256}", fname=filename, path=pooch.os_cache("hardway")))
    except OSError as error:
        raise ValueError(
            f"{filename} could not be downloaded from {url} ({type(error).__name__}); put it (sha256 {sha256}) into a "
            "folder and name that folder in HARDWAY_DATA, or use --data pydoc, which needs no network"
        ) from error
