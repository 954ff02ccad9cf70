"""Workloads in PyTorch, as its users would write them: eager, or through `torch.compile`.

Each function takes `compile` (which leaves a function as it is when eager) and a workload's inputs
as tensors. It gives what to time, a function without arguments.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

#: Workloads for which `torch.compile` changes something.
COMPILED = frozenset(
    "sincos_5000 black_scholes_4m mlp_train_step cnn_train_step transformer_grad layernorm_grad "
    "softmax_4096x1024 nbody_1000 heat_stencil".split()
)


def _variables(tree):
    """The tensors of a list, tuple or dictionary, in order, which gradients are wanted of."""
    if isinstance(tree, torch.Tensor):
        return [tree.requires_grad_()]
    parts = [tree[k] for k in sorted(tree)] if isinstance(tree, dict) else tree
    return [leaf for part in parts for leaf in _variables(part)]


def sincos_5000(compile, x, y):
    f = compile(lambda x, y: torch.sin(x) + torch.cos(y))
    return lambda: f(x, y)


sincos_5000_eager = sincos_5000


def black_scholes_4m(compile, spot, strike, years):
    volatility, rate = 0.3, 0.02

    def cumulative(x):
        return 0.5 + 0.5 * torch.erf(x * math.sqrt(0.5))

    @compile
    def prices(spot, strike, years):
        spread = volatility * torch.sqrt(years)
        d1 = (torch.log(spot / strike) + (rate + volatility**2 / 2) * years) / spread
        discounted = strike * torch.exp(-rate * years)
        call = spot * cumulative(d1) - discounted * cumulative(d1 - spread)
        return call, call - spot + discounted

    return lambda: prices(spot, strike, years)


def vmap_grad_sinc(compile, x):
    from torch.func import grad, vmap

    f = vmap(grad(grad(lambda x: torch.sin(x) / x)))
    return lambda: f(x)


def mandelbrot(compile, cx, cy):
    def escape_times():
        x, y = torch.zeros_like(cx), torch.zeros_like(cx)
        count = torch.zeros(cx.shape, dtype=torch.int32)
        for _ in range(100):
            inside = x * x + y * y < 4
            x, y = (
                torch.where(inside, x * x - y * y + cx, x),
                torch.where(inside, 2 * x * y + cy, y),
            )
            count += inside
        return count

    return escape_times


def softmax_4096x1024(compile, x):
    f = compile(lambda x: torch.softmax(x, -1))
    return lambda: f(x)


def layernorm_grad(compile, x, gain):
    variables = _variables([x, gain])
    f = compile(lambda x, gain: torch.tanh(F.layer_norm(x, (512,), gain)).sum())
    return lambda: torch.autograd.grad(f(x, gain), variables)


def logreg_grad(compile, weights, x, y):
    variables = _variables([weights])

    def value_and_gradient():
        loss = F.binary_cross_entropy_with_logits(x @ weights, y)
        return loss, *torch.autograd.grad(loss, variables)

    return value_and_gradient


def mlp_train_step(compile, layers, x, labels):
    variables, labels = _variables(layers), labels.long()

    @compile
    def loss(x, labels):
        *hidden, (last_weights, last_bias) = layers
        for weights, bias in hidden:
            x = torch.relu(x @ weights + bias)
        return F.cross_entropy(x @ last_weights + last_bias, labels)

    def step():
        gradients = torch.autograd.grad(loss(x, labels), variables)
        with torch.no_grad():
            return [p - 0.01 * g for p, g in zip(variables, gradients, strict=True)]

    return step


def _filters(x):
    """Filters from the layout of the inputs to PyTorch's."""
    return x.permute(3, 2, 0, 1).contiguous()


def _images(x):
    """Images in PyTorch's order of axes, channels last in memory."""
    return x.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def cnn_train_step(compile, filters, x, labels):
    first, second = _filters(filters["first"]), _filters(filters["second"])
    last, x, labels = filters["last"], _images(x), labels.long()
    variables = _variables([first, last, second])

    @compile
    def loss(x, labels):
        h = F.max_pool2d(F.relu(F.conv2d(x, first, padding=1)), 2)
        h = F.max_pool2d(F.relu(F.conv2d(h, second, padding=1)), 2)
        return F.cross_entropy(h.permute(0, 2, 3, 1).flatten(1) @ last, labels)

    return lambda: torch.autograd.grad(loss(x, labels), variables)


def lstm_grad(compile, parameters, xs):
    from_input, from_state, bias = parameters
    network = torch.nn.LSTM(128, 128)
    with torch.no_grad():
        network.weight_ih_l0.copy_(from_input.T)
        network.weight_hh_l0.copy_(from_state.T)
        network.bias_ih_l0.copy_(bias)
        network.bias_hh_l0.zero_()
    variables = [network.weight_ih_l0, network.weight_hh_l0, network.bias_ih_l0]
    return lambda: torch.autograd.grad((network(xs)[0] ** 2).mean(), variables)


def transformer_grad(compile, weights, x):
    variables = _variables(weights)
    heads = 4

    @compile
    def loss(x):
        batch, length, width = x.shape
        split = lambda a: a.reshape(batch, length, heads, width // heads).transpose(1, 2)
        y = F.layer_norm(x, (width,))
        mixed = F.scaled_dot_product_attention(
            *(split(y @ weights[name]) for name in ("query", "key", "value")), is_causal=True
        )
        h = x + mixed.transpose(1, 2).reshape(batch, length, width) @ weights["out"]
        grown = F.gelu(F.layer_norm(h, (width,)) @ weights["up"], approximate="tanh")
        return ((h + grown @ weights["down"]) ** 2).mean()

    return lambda: torch.autograd.grad(loss(x), variables)


def nbody_1000(compile, place, speed):
    @compile
    def step(place, speed):
        apart = place[None] - place[:, None]
        squared = (apart * apart).sum(-1) + 1e-2
        speed = speed + 0.001 * (apart * (squared**-1.5)[..., None]).sum(1)
        return place + 0.001 * speed, speed

    def simulate():
        state = place, speed
        for _ in range(10):
            state = step(*state)
        return state

    return simulate


def kmeans(compile, x):
    def clusters():
        centers = x[:32]
        for _ in range(10):
            far = (x * x).sum(1)[:, None] - 2 * x @ centers.T + (centers * centers).sum(1)
            nearest = far.argmin(1)
            count = torch.zeros(32).index_add_(0, nearest, torch.ones(len(x)))
            total = torch.zeros(32, 16).index_add_(0, nearest, x)
            centers = total / count.clamp(min=1)[:, None]
        return centers

    return clusters


def heat_stencil(compile, start):
    @compile
    def step(u):
        around = u.roll(1, 0) + u.roll(-1, 0) + u.roll(1, 1) + u.roll(-1, 1)
        return u + 0.1 * (around - 4 * u)

    def diffuse():
        u = start
        for _ in range(200):
            u = step(u)
        return u

    return diffuse


def sort_1m(compile, x):
    return lambda: torch.sort(x)[0]


def argsort_1m(compile, x):
    return lambda: torch.argsort(x)


def cumsum_10m(compile, x):
    return lambda: torch.cumsum(x, 0)


def histogram_scatter(compile, places):
    return lambda: torch.bincount(places, minlength=1000)


def gather_rows(compile, table, rows):
    return lambda: table[rows].sum(1)


def fft2_1024(compile, x):
    return lambda: torch.fft.fft2(x).abs()


def random_normal_10m(compile, key):
    return lambda: torch.randn(10_000_000)


def cholesky_solve(compile, a, b):
    return lambda: torch.cholesky_solve(b, torch.linalg.cholesky(a))


def batched_small_solve(compile, a, b):
    return lambda: torch.linalg.solve(a, b)


def conv3x3_64(compile, x, filters):
    x = _images(x)
    filters = _filters(filters).contiguous(memory_format=torch.channels_last)
    return lambda: F.conv2d(x, filters, padding=1)


def matmul_1024(compile, a, b):
    return lambda: a @ b


def hessian_rosenbrock(compile, x):
    def valley(x):
        left, right = x[:-1], x[1:]
        return (100.0 * (right - left**2) ** 2 + (1 - left) ** 2).sum()

    f = torch.func.hessian(valley)
    return lambda: f(x)


def eager_small_ops(compile, start, b):
    def many():
        a = start
        for _ in range(200):
            c = torch.sin(a * b) + a
            a = torch.where(c > 0, c, b) / 2.0
        return a

    return many


def eager_grad_small(compile, start, x):
    def many():
        w = start
        for _ in range(50):
            w = w.detach().requires_grad_()
            w = w - 0.1 * torch.autograd.grad((torch.tanh(x @ w) ** 2).sum(), w)[0]
        return w

    return many
