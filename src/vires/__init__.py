"""Vires: NumPy on steroids.

NumPy's API on immutable arrays (`vires.numpy`), with composable function transformations (`jit`,
`grad`, `vmap`, ...), explicit random keys, networks (`vires.stax`) and optimisers (`vires.minmax`),
compiled by a compiler of its own.
"""

import importlib as _importlib

from vires.core import collection as _collection
from vires.core import setup as _setup
from vires.engine.llvm import machine as _machine

_machine.preload()  # LLVM loads on a thread of its own while the rest is imported

from vires.core.config import config
from vires.engine import engine as _engine
from vires.engine.llvm import gemm_code as _gemm_code
from vires.engine.llvm import math_library as _math_library

_math_library.prepare()

config.on_change(_engine.plug)

from vires import (
    ad_checkpoint,
    custom_batching,
    custom_derivatives,
    debug,
    dtypes,
    errors,
    tree,
    tree_util,
)
from vires import ops as _ops
from vires.api.array_type import Array
from vires.api.devices import (
    Device,
    block_until_ready,
    copy_to_host_async,
    default_backend,
    default_device,
    device_count,
    device_get,
    device_put,
    devices,
    local_device_count,
    local_devices,
    print_environment_info,
    process_count,
    process_index,
    process_indices,
)
from vires.api.differentiate import grad, value_and_grad
from vires.api.explain import explain
from vires.api.inspect import eval_shape, make_jaxpr, typeof
from vires.api.jacobian import hessian, jacfwd, jacobian, jacrev
from vires.api.jit import jit
from vires.api.linear_maps import jvp, linear_transpose, linearize, vjp
from vires.api.options import (
    clear_caches,
    debug_infs,
    debug_nans,
    default_matmul_precision,
    disable_jit,
    enable_checks,
    enable_x64,
    ensure_compile_time_eval,
    live_arrays,
    log_compiles,
    named_call,
    named_scope,
    numpy_rank_promotion,
    threads,
)
from vires.api.structs import ShapeDtypeStruct
from vires.api.vectorize import vmap
from vires.control.callback import pure_callback
from vires.control.closures import closure_convert, custom_gradient
from vires.control.custom_jvp import custom_jvp
from vires.control.custom_vjp import custom_vjp
from vires.control.remat import checkpoint, checkpoint_policies
from vires.control.remat import checkpoint as remat
from vires.numpy.methods import attach as _attach

_attach()

from vires import dlpack, flatten_util, lax, nn, numpy, random
from vires.numpy import segments as _segments

for _name in _segments.__all__:  # `ops` is the folder of primitives; here JAX's names join it
    setattr(_ops, _name, getattr(_segments, _name))

#: Namespaces that are imported when they are first used.
_LAZY = ("image", "scipy", "test_util", "typing")


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'vires' has no attribute {name!r}")
    return _importlib.import_module(f"vires.{name}")


__version__ = "0.1.0"

# The code of products takes longer than most programs: with luck it is there when one needs it.
_gemm_code.prepare_ahead()
_math_library.settle()
_collection.settle()
