"""Which of five accelerators multiplies which format in its matrix units. From the vendors' documents; not measured."""

from typing import NamedTuple


class Accelerator(NamedTuple):
    """`formats`: what the matrix units multiply. `source`: the document that says so."""

    name: str
    year: int
    formats: tuple[str, ...]
    source: str


ACCELERATORS = (
    Accelerator(
        "NVIDIA A100", 2020, ("TF32", "FP16", "BF16", "INT8", "INT4"), "NVIDIA A100 Tensor Core GPU Architecture"
    ),
    Accelerator(
        "NVIDIA H100", 2022, ("TF32", "FP16", "BF16", "INT8", "FP8"), "NVIDIA H100 Tensor Core GPU Architecture"
    ),
    Accelerator("AMD MI300X", 2023, ("TF32", "FP16", "BF16", "INT8", "FP8"), "AMD CDNA 3 Architecture"),
    Accelerator("Google TPU v5e", 2023, ("BF16", "INT8"), "Google Cloud, TPU v5e"),
    Accelerator("Intel Gaudi 3", 2024, ("TF32", "FP16", "BF16", "FP8"), "Intel Gaudi 3 AI Accelerator White Paper"),
)
COLUMNS = ("TF32", "FP16", "BF16", "FP8", "INT8", "INT4")
