"""Models as files.

Read in this order:
    gguf_reader.py         GGUF's header, byte by byte
    quants.py              blocks of 32 weights: Q4_0, Q4_1, Q8_0
    gguf_writer.py         the other direction
    tokenizer.py           the tokenizer inside of a GGUF file
    load.py                a file into a model; GGUF or safetensors
    onnx_export.py         the model as an ONNX graph, with the cache as inputs
"""

from .gguf_reader import GGUFHeader, TensorInfo, read_gguf_header
from .quants import dequantize, dequantize_q4_0, quantize

__all__ = ["GGUFHeader", "TensorInfo", "dequantize", "dequantize_q4_0", "quantize", "read_gguf_header"]
