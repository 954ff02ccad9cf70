# fmt: off
# ruff: noqa
# The program of an article of 2018, as its readers wrote it for JAX.
# The test replaces `jax` by `vires` in the imports, changes nothing else, and runs it from top to bottom.
import jax.numpy as np
from functools import partial
from jax import grad, jit, vmap, jacfwd, jacrev, value_and_grad
from jax import random
from jax.experimental import minmax, stax
from jax.experimental.stax import Dense, LogSoftmax, Relu, Tanh

# --- NumPy, wrapped

x = np.linspace(-3.0, 3.0, 7)
y = np.dot(np.eye(7), x)
assert np.allclose(x, y)
assert x.shape == (7,)
table = np.reshape(np.arange(6.0), (2, 3))
assert np.sum(table, axis=0).tolist() == [3.0, 5.0, 7.0]
assert table.T.shape == (3, 2)
assert np.max(table[:, 1:]) == 5.0


# --- grad

def tanh(x):
    y = np.exp(-2.0 * x)
    return (1.0 - y) / (1.0 + y)


grad_tanh = grad(tanh)
assert abs(grad_tanh(1.0) - 0.4199743) < 1e-6
assert abs(grad(grad(tanh))(1.0) + 0.6397) < 1e-4
assert abs(grad(jit(grad(jit(tanh))))(1.0) + 0.6397) < 1e-4


def abs_val(x):
    if x > 0:
        return x
    else:
        return -x


assert grad(abs_val)(1.0) == 1.0
assert grad(abs_val)(-1.0) == -1.0


# --- jit

def slow_f(x):
    return x * x + x * 2.0


fast_f = jit(slow_f)
ones = np.ones((500, 500))
assert np.all(fast_f(ones) == 3.0)


@partial(jit, static_argnums=(1,))
def power(x, n):
    result = 1.0
    for _ in range(n):
        result = result * x
    return result


assert power(2.0, 5) == 32.0
assert grad(power)(2.0, 3) == 12.0


# --- a neural network by hand

def predict(params, inputs):
    for W, b in params:
        outputs = np.dot(inputs, W) + b
        inputs = np.tanh(outputs)
    return outputs


def logprob_fun(params, inputs, targets):
    preds = predict(params, inputs)
    return np.sum((preds - targets) ** 2)


def init_layer(key, n_in, n_out):
    k1, k2 = random.split(key)
    return random.normal(k1, (n_in, n_out)), random.normal(k2, (n_out,))


key = random.PRNGKey(0)
key, *layer_keys = random.split(key, 4)
sizes = [4, 8, 8, 3]
params = [init_layer(k, m, n) for k, m, n in zip(layer_keys, sizes[:-1], sizes[1:])]
key, k1, k2 = random.split(key, 3)
inputs = random.normal(k1, (16, 4))
targets = random.normal(k2, (16, 3))

grad_fun = jit(grad(logprob_fun))
perex_grads = jit(vmap(grad_fun, in_axes=(None, 0, 0)))
total = grad_fun(params, inputs, targets)
by_example = perex_grads(params, inputs, targets)
assert by_example[0][0].shape == (16, 4, 8)
for (W, b), (Ws, bs) in zip(total, by_example):
    assert np.allclose(W, np.sum(Ws, 0), rtol=1e-3, atol=1e-3)
    assert np.allclose(b, np.sum(bs, 0), rtol=1e-3, atol=1e-3)


# --- Jacobians and Hessians

def f(x):
    return np.sum(np.sin(x) * x[::-1] ** 2)


def hessian(fun):
    return jit(jacfwd(jacrev(fun)))


point = np.array([0.5, -1.0, 2.0])
H = hessian(f)(point)
assert H.shape == (3, 3)
assert np.allclose(H, H.T, atol=1e-5)
assert np.allclose(H, jacrev(jacrev(f))(point), atol=1e-5)
assert np.allclose(H, jacrev(jacfwd(f))(point), atol=1e-5)
assert np.allclose(vmap(grad(f))(np.stack([point, point]))[1], grad(f)(point))


# --- vmap

def l1_distance(x, y):
    return np.sum(np.abs(x - y))


def pairwise_distances(dist1D, xs):
    return vmap(vmap(dist1D, (0, None)), (None, 0))(xs, xs)


xs = random.normal(random.PRNGKey(1), (10, 3))
distances = pairwise_distances(l1_distance, xs)
assert distances.shape == (10, 10)
assert np.allclose(distances, np.sum(np.abs(xs[:, None] - xs[None]), axis=-1), atol=1e-5)


# --- random numbers

key = random.PRNGKey(0)
assert np.all(random.normal(key, (3,)) == random.normal(key, (3,)))
new_key, subkey = random.split(key)
assert not np.all(random.normal(subkey, (3,)) == random.normal(new_key, (3,)))
draw = random.normal(key, (3,))
print("normal", draw.tolist())


# --- stax and minmax

net_init, net_apply = stax.serial(
    Dense(64), Relu,
    Dense(64), Tanh,
    Dense(3), LogSoftmax,
)

output_shape, params = net_init((-1, 4))
assert output_shape == (-1, 3)
output_shape, params = net_init(random.PRNGKey(3), (-1, 4))
assert output_shape == (-1, 3)
assert len(params) == 6 and params[0][0].shape == (4, 64)

data_key, class_key = random.split(random.PRNGKey(5))
centres = 2.0 * random.normal(class_key, (3, 4))
labels = np.arange(300) % 3
images = centres[labels] + 0.3 * random.normal(data_key, (300, 4))
one_hot = (labels[:, None] == np.arange(3)).astype(np.float32)


def loss(params, batch):
    inputs, targets = batch
    return -np.mean(np.sum(net_apply(params, inputs) * targets, axis=1))


def accuracy(params, inputs, labels):
    return np.mean(np.argmax(net_apply(params, inputs), axis=1) == labels)


opt_init, opt_update = minmax.adam(step_size=0.01)


@jit
def step(i, opt_state, batch):
    params = minmax.get_params(opt_state)
    g = grad(loss)(params, batch)
    return opt_update(i, g, opt_state)


opt_state = opt_init(params)
first_loss = loss(params, (images, one_hot))
for i in range(60):
    opt_state = step(i, opt_state, (images, one_hot))
params = minmax.get_params(opt_state)
last_loss = loss(params, (images, one_hot))
assert last_loss < 0.2 * first_loss
assert accuracy(params, images, labels) > 0.95
print("loss", float(first_loss), float(last_loss))

# One input at a time, mapped over the batch.
assert np.allclose(vmap(partial(net_apply, params))(images), net_apply(params, images), atol=1e-5)

per_example = vmap(grad(loss), (None, 0))(params, (images[:5, None], one_hot[:5, None]))
assert per_example[0][0].shape == (5, 4, 64)
mean = grad(loss)(params, (images[:5], one_hot[:5]))
assert np.allclose(np.mean(per_example[0][0], 0), mean[0][0], atol=1e-5)

value, gradient = value_and_grad(loss)(params, (images, one_hot))
assert np.allclose(value, last_loss)

# The other optimisers do with the same lines.
for optimizer in (minmax.sgd(0.1), minmax.momentum(0.05, mass=0.9), minmax.rmsprop(0.005)):
    opt_init, opt_update = optimizer
    opt_state = opt_init(net_init(random.PRNGKey(3), (-1, 4))[1])
    update = jit(lambda i, opt_state: opt_update(i, grad(loss)(minmax.get_params(opt_state), (images, one_hot)), opt_state))
    for i in range(40):
        opt_state = update(i, opt_state)
    assert loss(minmax.get_params(opt_state), (images, one_hot)) < 0.5 * first_loss
print("done")
