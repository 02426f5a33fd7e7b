"""A small classifier in few bits: calibrated after training, or trained with its rounding.

Read in this order:
    straight_through.py   the gradient of rounding: task 7
    observer.py           ranges of activations, from calibration data
    lenet.py              LeNet-5, and layers that round
    ptq.py                static, dynamic, and quantization-aware
    digits.py             MNIST's files, or the bundled digits
"""

from .digits import Images, digits, mnist, read_idx
from .lenet import ACTIVATIONS, WEIGHTS, LeNet5, RoundedLayer, rounded_layers, size_in_bytes
from .observer import MinMaxObserver, MovingAverageObserver, affine_round
from .ptq import accuracy, fit, post_training, quantization_aware
from .straight_through import fake_quantize

__all__ = ["ACTIVATIONS", "WEIGHTS", "Images", "LeNet5", "MinMaxObserver", "MovingAverageObserver", "RoundedLayer"]
__all__ += ["accuracy", "affine_round", "digits", "fake_quantize", "fit", "mnist", "post_training"]
__all__ += ["quantization_aware", "read_idx", "rounded_layers", "size_in_bytes"]
