"""What the commands run on."""

import argparse


def cpu_only(options: argparse.Namespace) -> None:
    """Raises ValueError for another device: the loops here are written for small models on a CPU."""
    if options.device != "cpu":
        raise ValueError(f"device={options.device!r}: the commands of this project run on the CPU; leave out --device")
