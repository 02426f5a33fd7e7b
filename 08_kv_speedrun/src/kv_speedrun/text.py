"""Text for the small model: what ships with Python needs no network, named corpora are fetched once and verified."""

import os
import sysconfig
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

# name: (file, address, sha256)
REMOTE = {
    "shakespeare": (
        "tinyshakespeare.txt",
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ),
}
NAMES = ("pydoc", "code", *REMOTE)


def load(name: str) -> UInt8[Tensor, "N"]:
    """The bytes of a corpus: pydoc (English), code (the standard library's sources), or one of REMOTE.

    Raises ValueError for an unknown name, OSError without network for a corpus that is on no disk here.
    """
    if name == "pydoc":
        from pydoc_data.topics import topics
        data = "\n\n".join(topics[key] for key in sorted(topics)).encode()
    elif name == "code":
        folder = Path(sysconfig.get_path("stdlib"))
        data = b"\n\n".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
    elif name in REMOTE:
        data = _remote(*REMOTE[name])
    else:
        raise ValueError(f"data={name!r}: choose one of {', '.join(NAMES)}")
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def _remote(file: str, url: str, sha256: str) -> bytes:
    """From the folder HARDWAY_DATA, else from pooch's cache, else from the network; the hash is checked each time."""
    import pooch  # here, so that the text that ships with Python needs no downloader
    folder = os.environ.get("HARDWAY_DATA")
    if folder and (path := Path(folder) / file).is_file():
        if pooch.file_hash(str(path)) != sha256:
            raise ValueError(f"{path} does not have the sha256 {sha256}; delete it, or fetch it again from {url}")
        return path.read_bytes()
    try:
        return Path(pooch.retrieve(url, f"sha256:{sha256}", file, pooch.os_cache("hardway"))).read_bytes()
    except OSError as error:
        raise OSError(f"cannot reach {url}: download it elsewhere as {file} into a folder and set HARDWAY_DATA to that "
                      f"folder (now {folder!r})") from error
