"""Small networks: a layer is a pair (net_init, net_apply), and `serial` chains layers.

>>> from vires import random, stax
>>> net_init, net_apply = stax.serial(stax.Dense(16), stax.Relu, stax.Dense(3), stax.LogSoftmax)
>>> out_shape, params = net_init(random.key(0), (-1, 4))
>>> out_shape
(-1, 3)
"""

from vires.stax.activations import (
    Dropout,
    Elu,
    Exp,
    Flatten,
    Gelu,
    Identity,
    LeakyRelu,
    LogSoftmax,
    Relu,
    Selu,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
    elementwise,
)
from vires.stax.combine import (
    FanInConcat,
    FanInSum,
    FanOut,
    parallel,
    serial,
    shape_dependent,
)
from vires.stax.convolution import (
    Conv,
    Conv1D,
    Conv1DTranspose,
    ConvTranspose,
    GeneralConv,
    GeneralConvTranspose,
)
from vires.stax.dense import BatchNorm, Dense
from vires.stax.pooling import AvgPool, MaxPool, SumPool

__all__ = [
    "AvgPool", "BatchNorm", "Conv", "Conv1D", "Conv1DTranspose", "ConvTranspose", "Dense",
    "Dropout", "Elu", "Exp", "FanInConcat", "FanInSum", "FanOut", "Flatten", "Gelu", "GeneralConv",
    "GeneralConvTranspose", "Identity", "LeakyRelu", "LogSoftmax", "MaxPool", "Relu", "Selu",
    "Sigmoid", "Softmax", "Softplus", "SumPool", "Tanh", "elementwise", "parallel", "serial",
    "shape_dependent",
]  # fmt: skip
