"""Functions for neural networks: activations, softmax and its kin, attention, initial values."""

from vires.nn import initializers
from vires.nn.activations import (
    celu,
    elu,
    gelu,
    glu,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    identity,
    leaky_relu,
    log1mexp,
    log_sigmoid,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_sign,
    softplus,
    sparse_plus,
    sparse_sigmoid,
    squareplus,
    swish,
    tanh,
)
from vires.nn.attention import dot_product_attention
from vires.nn.normalization import log_softmax, logmeanexp, logsumexp, one_hot, softmax, standardize
from vires.nn.scaled import (
    get_scaled_dot_general_config,
    scaled_dot_general,
    scaled_matmul,
)
