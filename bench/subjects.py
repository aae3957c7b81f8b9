"""What is measured, each through its C interface: a model in tenon's JIT, as C that tenon wrote, and what the machine itself can do.

A subject is a C function with prepared arguments. repeat.c calls it as often as wanted and takes the time, so that no call from
Python is in any figure. The other runtimes are in peers.py.
"""
import ctypes
import os
import shutil
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
BUILD = os.environ.get("TENON_BUILD", os.path.join(ROOT, "build"))
TENON = os.path.join(BUILD, "bin", "tenon")
CC = os.environ.get("CC", "cc")
NUMPY_TYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_, 11: np.float64}


class SubjectError(Exception):
    """A subject that cannot be had, or does not run this model; the text says why."""


def run_script(name, main):
    """Ends the process with what main returns; where something cannot be had, says so."""
    try:
        sys.exit(main())
    except (SubjectError, OSError, ImportError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(5)


def compile_shared(source, shared, *flags):
    done = subprocess.run([CC, "-O2", "-fPIC", "-shared", *flags, source, "-o", shared], capture_output=True, text=True)
    if done.returncode != 0:
        raise SubjectError(f"{CC} does not compile {source}: {done.stderr.strip().splitlines()[-1:]}")


def repeat_library():
    """repeat.c, compiled for this machine unless that was done before."""
    source, shared = os.path.join(HERE, "repeat.c"), os.path.join(BUILD, "bench", "repeat.so")
    if not os.path.exists(shared) or os.path.getmtime(shared) < os.path.getmtime(source):
        os.makedirs(os.path.dirname(shared), exist_ok=True)
        compile_shared(source, shared, "-march=native")
    library = ctypes.CDLL(shared)
    for arity in (1, 3, 8):
        function = getattr(library, f"repeat_{arity}")
        function.restype, function.argtypes = ctypes.c_int64, [ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.c_int64]
    return library


def address(function):
    return ctypes.cast(function, ctypes.c_void_p).value


def pointers(addresses):
    return (ctypes.c_void_p * max(len(addresses), 1))(*addresses)


def aligned(size, alignment):
    """Zeroed bytes at an address that is a multiple of `alignment`."""
    block = np.zeros(size + alignment, np.uint8)
    first = -block.ctypes.data % alignment
    return block[first: first + max(size, 1)]


class Subject:
    """A C function of 1, 3 or 8 arguments as wide as pointers. A subclass calls bind() when it is made."""
    key = name = ""

    def bind(self, function, arguments):
        self._repeat = getattr(repeat_library(), f"repeat_{len(arguments)}")
        self._function, self._arguments = function, pointers(arguments)

    def repeat(self, calls):
        """Nanoseconds for that many calls."""
        ns = self._repeat(self._function, self._arguments, calls)
        if ns < 0:
            raise SubjectError(f"{self.name}: a run failed with {-1 - ns}")
        return ns

    def call(self):
        self.repeat(1)

    def close(self):
        """Gives back what the subject holds; no call after it."""


# ---- tenon ----

def shape_words(feeds):
    return [f"{name}={'x'.join(map(str, array.shape))}" for name, array in feeds.items() if array.ndim]


class Arrays:
    """A model's inputs or outputs, and the list of pointers that its run takes."""

    def __init__(self, names, arrays):
        self.names, self.arrays = names, arrays
        self.list = pointers([a.ctypes.data for a in arrays])

    @classmethod
    def empty(cls, tensors):
        return cls([t.name.decode() for t in tensors], [np.empty(t.dims[: t.rank], NUMPY_TYPES[t.element_type]) for t in tensors])

    @classmethod
    def fed(cls, tensors, feeds):
        names = [t.name.decode() for t in tensors]
        return cls(names, [np.ascontiguousarray(feeds[n]) for n in names])

    def copies(self):
        return {n: a.copy() for n, a in zip(self.names, self.arrays)}


class Tensor(ctypes.Structure):
    """tenon_tensor of tenon.h"""
    _fields_ = [("name", ctypes.c_char_p), ("element_type", ctypes.c_int), ("rank", ctypes.c_int),
                ("dims", ctypes.POINTER(ctypes.c_int64)), ("bytes", ctypes.c_size_t)]


class Jit(Subject):
    """tenon's JIT through libtenon: tenon_code_run."""
    key, name = "jit", "tenon JIT"

    def __init__(self, model, feeds, target="host", threads=1, options=None):
        self.lib = lib = ctypes.CDLL(os.path.join(BUILD, "lib", "libtenon.so"))
        for function in (lib.tenon_code_input, lib.tenon_code_output):
            function.restype, function.argtypes = Tensor, [ctypes.c_void_p, ctypes.c_size_t]
        lib.tenon_code_inputs.restype = lib.tenon_code_outputs.restype = ctypes.c_size_t
        lib.tenon_message.restype = ctypes.c_char_p
        lib.tenon_message.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self.context = None
        self.context = self._made(lib.tenon_context_new, None)
        self.options = self._made(lib.tenon_options_new, self.context)
        for key, value in [("target", target), ("threads", str(threads)), *(options or {}).items(), *(("shape", w) for w in shape_words(feeds))]:
            self._good(lib.tenon_options_set(self.options, key.encode(), value.encode()))
        self.graph = self._made(lib.tenon_graph_open, self.context, model.encode(), self.options)
        self.code = self._made(lib.tenon_code_new, self.graph)
        self.inputs = Arrays.fed([lib.tenon_code_input(self.code, i) for i in range(lib.tenon_code_inputs(self.code))], feeds)
        self.results = Arrays.empty([lib.tenon_code_output(self.code, i) for i in range(lib.tenon_code_outputs(self.code))])
        self.bind(address(lib.tenon_code_run), [self.code.value, ctypes.addressof(self.inputs.list), ctypes.addressof(self.results.list)])

    def _good(self, status):
        if status != 0:
            raise SubjectError(self.lib.tenon_message(self.context, 0).decode() if self.context else "libtenon makes no context")

    def _made(self, function, *arguments):
        made = ctypes.c_void_p()
        self._good(function(*arguments, ctypes.byref(made)))
        return made

    def outputs(self):
        return self.results.copies()

    def close(self):
        for free, made in (("code", self.code), ("graph", self.graph), ("options", self.options), ("context", self.context)):
            getattr(self.lib, f"tenon_{free}_free")(made)


class TensorInfo(ctypes.Structure):
    """tenon_tensor_info of runtime.h"""
    _fields_ = [("struct_size", ctypes.c_uint32), ("element_type", ctypes.c_int32), ("name", ctypes.c_char_p),
                ("dims", ctypes.POINTER(ctypes.c_int64)), ("bytes", ctypes.c_uint64), ("rank", ctypes.c_int32), ("alignment", ctypes.c_uint32)]


class Env(ctypes.Structure):
    """tenon_env of runtime.h"""
    _fields_ = [("struct_size", ctypes.c_uint32), ("reserved", ctypes.c_uint32), ("arena", ctypes.c_void_p), ("arena_bytes", ctypes.c_uint64),
                ("weights", ctypes.c_void_p), ("weights_bytes", ctypes.c_uint64), ("parallel_for", ctypes.c_void_p), ("ctx", ctypes.c_void_p)]


class Model(ctypes.Structure):
    """tenon_model of runtime.h"""
    _fields_ = [("struct_size", ctypes.c_uint32), ("abi", ctypes.c_uint32), ("name", ctypes.c_char_p),
                ("inputs", ctypes.POINTER(ctypes.POINTER(TensorInfo))), ("outputs", ctypes.POINTER(ctypes.POINTER(TensorInfo))),
                ("arena_bytes", ctypes.c_uint64), ("arena_alignment", ctypes.c_uint64), ("weights_bytes", ctypes.c_uint64),
                ("weights_alignment", ctypes.c_uint64), ("run", ctypes.c_void_p)]


def infos(list_):
    found = []
    while list_[len(found)]:
        found.append(list_[len(found)].contents)
    return found


def write_c(model, feeds, folder, target="host", weights="inline", threads=1):
    """tenon's C of the model, and the shared object that the C compiler made of it. Returns the latter's path."""
    shutil.rmtree(folder, ignore_errors=True)
    shapes = [w for word in shape_words(feeds) for w in ("--shape", word)]
    done = subprocess.run([TENON, "compile", model, "--emit", "c", "--name", "model", "--target", target, "--weights", weights,
                           "--threads", str(threads), *shapes, "-o", folder],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise SubjectError(done.stderr.strip().splitlines()[0])
    shared = os.path.join(folder, "model.so")
    pool = [os.path.join(folder, "tenon_pool.c"), "-pthread"] if threads > 1 else []
    compile_shared(os.path.join(folder, "model.c"), shared, "-I", folder, *pool)
    return shared


class CompiledC(Subject):
    """The shared object of write_c, through the uniform struct of runtime.h; weights that are not in it lie beside it."""
    key, name = "c", "tenon C"

    def __init__(self, shared, feeds, threads=1):
        library = ctypes.CDLL(shared)
        query = library.model_model
        query.restype, query.argtypes = ctypes.POINTER(Model), [ctypes.c_uint32]
        self.model = model = query(1).contents
        self.inputs, self.results = Arrays.fed(infos(model.inputs), feeds), Arrays.empty(infos(model.outputs))
        self.arena = aligned(model.arena_bytes, max(model.arena_alignment, 1))
        self.weights = aligned(model.weights_bytes, max(model.weights_alignment, 1))
        if model.weights_bytes:
            self.weights[:] = np.fromfile(os.path.join(os.path.dirname(shared), "model.weights"), np.uint8)
        self.env = Env(ctypes.sizeof(Env), 0, self.arena.ctypes.data, model.arena_bytes, self.weights.ctypes.data, model.weights_bytes, None, None)
        if threads > 1:
            library.tenon_pool_new.restype = ctypes.c_void_p
            self.pool, self.end_pool = ctypes.c_void_p(library.tenon_pool_new(threads)), library.tenon_pool_free
            self.env.parallel_for, self.env.ctx = address(library.tenon_pool_for), self.pool
        self.bind(model.run, [ctypes.addressof(x) for x in (self.inputs.list, self.results.list, self.env)])

    def outputs(self):
        return self.results.copies()

    def close(self):
        if self.env.ctx:
            self.end_pool(self.pool)


# ---- the machine ----

class Machine(Subject):
    """A kernel of repeat.c over floats of 0.5. `work` is what a call does: floating-point operations, or bytes read."""

    def __init__(self, kernel, n_floats, steps):
        library = repeat_library()
        self.floats = aligned(4 * n_floats, 64).view(np.float32)
        self.floats[:] = 0.5
        self.steps, self.out = ctypes.c_int64(steps), aligned(4 * library.machine_step(), 64)
        self.bind(address(getattr(library, kernel)), [self.floats.ctypes.data, ctypes.addressof(self.steps), self.out.ctypes.data])


class Arithmetic(Machine):
    key, name = "peak", "multiply-adds"

    def __init__(self, steps=1 << 14, cores=1):
        """`work` is that of so many cores, each of which does as much."""
        step = repeat_library().machine_step()
        super().__init__("machine_multiply_add", 2 * step, steps)
        self.work = 2 * step * steps * cores


class Reading(Machine):
    key, name = "bandwidth", "reading"

    def __init__(self, bytes_):
        step = repeat_library().machine_step()
        steps = -(-bytes_ // (4 * step))
        super().__init__("machine_read", step * steps, steps)
        self.work = 4 * step * steps


class Nothing(Machine):
    """What a call costs by itself."""
    key, name = "nothing", "an empty function"

    def __init__(self):
        super().__init__("machine_nothing", 1, 0)
