"""What is measured: one model in ONNX Runtime, in tenon's JIT, and as C that tenon wrote, each called in this process."""
import ctypes
import os
import shutil
import subprocess

import numpy as np
import onnx

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("TENON_BUILD", os.path.join(ROOT, "build"))
TENON = os.path.join(BUILD, "bin", "tenon")
NUMPY_TYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_, 11: np.float64}


def input_names(model):
    graph = onnx.load(model, load_external_data=False).graph
    constants = {t.name for t in graph.initializer}
    return [i.name for i in graph.input if i.name not in constants]


def shape_words(feeds):
    return [f"{name}={'x'.join(map(str, array.shape))}" for name, array in feeds.items() if array.ndim]


class OnnxRuntime:
    """One thread, everything bound before the call."""
    name = "ONNX Runtime"

    def __init__(self, model, feeds):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        self.names = [o.name for o in self.session.get_outputs()]
        for name, array in feeds.items():
            self.binding.bind_cpu_input(name, array)
        for name, array in zip(self.names, self.session.run(None, feeds)):
            self.binding.bind_ortvalue_output(name, onnxruntime.OrtValue.ortvalue_from_numpy(array))

    def call(self):
        self.session.run_with_iobinding(self.binding)

    def outputs(self):
        return dict(zip(self.names, self.binding.copy_outputs_to_cpu()))


class Tensor(ctypes.Structure):
    """tenon_tensor of tenon.h"""
    _fields_ = [("name", ctypes.c_char_p), ("element_type", ctypes.c_int), ("rank", ctypes.c_int),
                ("dims", ctypes.POINTER(ctypes.c_int64)), ("bytes", ctypes.c_size_t)]


class Pointers:
    """Arrays and the pointers to them that a model's run takes."""

    def __init__(self, arrays):
        self.arrays = arrays
        self.list = (ctypes.c_void_p * max(len(arrays), 1))(*[a.ctypes.data for a in arrays])


def empty_output(element_type, dims):
    return np.empty(dims, NUMPY_TYPES[element_type])


class Jit:
    """tenon's JIT through libtenon."""
    name = "tenon JIT"

    def __init__(self, model, feeds, target="host"):
        self.lib = lib = ctypes.CDLL(os.path.join(BUILD, "lib", "libtenon.so"))
        for function in (lib.tenon_code_input, lib.tenon_code_output):
            function.restype, function.argtypes = Tensor, [ctypes.c_void_p, ctypes.c_size_t]
        lib.tenon_code_inputs.restype = lib.tenon_code_outputs.restype = ctypes.c_size_t
        lib.tenon_message.restype = ctypes.c_char_p
        lib.tenon_message.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self.context = self._made(lib.tenon_context_new, None)
        options = self._made(lib.tenon_options_new, self.context)
        for key, value in [("target", target), *(("shape", w) for w in shape_words(feeds))]:
            self._good(lib.tenon_options_set(options, key.encode(), value.encode()))
        graph = self._made(lib.tenon_graph_open, self.context, model.encode(), options)
        self.code = self._made(lib.tenon_code_new, graph)
        inputs = [lib.tenon_code_input(self.code, i) for i in range(lib.tenon_code_inputs(self.code))]
        outputs = [lib.tenon_code_output(self.code, i) for i in range(lib.tenon_code_outputs(self.code))]
        self.inputs = Pointers([feeds[t.name.decode()] for t in inputs])
        self.names = [t.name.decode() for t in outputs]
        self.results = Pointers([empty_output(t.element_type, t.dims[: t.rank]) for t in outputs])
        self.run = lib.tenon_code_run

    def _good(self, status):
        if status != 0:
            raise RuntimeError(self.lib.tenon_message(self.context, 0).decode())

    def _made(self, function, *arguments):
        made = ctypes.c_void_p()
        status = function(*[a if a is None or isinstance(a, (bytes, ctypes.c_void_p)) else ctypes.c_void_p(a) for a in arguments], ctypes.byref(made))
        if function is self.lib.tenon_context_new and status != 0:
            raise RuntimeError("no context")
        self._good(status)
        return made

    def call(self):
        self._good(self.run(self.code, self.inputs.list, self.results.list))

    def outputs(self):
        return {n: a.copy() for n, a in zip(self.names, self.results.arrays)}


class TensorInfo(ctypes.Structure):
    """tenon_tensor_info of runtime.h"""
    _fields_ = [("struct_size", ctypes.c_uint32), ("element_type", ctypes.c_int32), ("name", ctypes.c_char_p),
                ("dims", ctypes.POINTER(ctypes.c_int64)), ("bytes", ctypes.c_uint64), ("rank", ctypes.c_int32), ("alignment", ctypes.c_uint32)]


class Env(ctypes.Structure):
    """tenon_env of runtime.h"""
    _fields_ = [("struct_size", ctypes.c_uint32), ("reserved", ctypes.c_uint32), ("arena", ctypes.c_void_p), ("arena_bytes", ctypes.c_uint64),
                ("weights", ctypes.c_void_p), ("weights_bytes", ctypes.c_uint64), ("parallel_for", ctypes.c_void_p), ("ctx", ctypes.c_void_p)]


Run = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(Env))


class Model(ctypes.Structure):
    """tenon_model of runtime.h"""
    _fields_ = [("struct_size", ctypes.c_uint32), ("abi", ctypes.c_uint32), ("name", ctypes.c_char_p),
                ("inputs", ctypes.POINTER(ctypes.POINTER(TensorInfo))), ("outputs", ctypes.POINTER(ctypes.POINTER(TensorInfo))),
                ("arena_bytes", ctypes.c_uint64), ("arena_alignment", ctypes.c_uint64), ("weights_bytes", ctypes.c_uint64),
                ("weights_alignment", ctypes.c_uint64), ("run", Run)]


def infos(list_):
    found = []
    while list_[len(found)]:
        found.append(list_[len(found)].contents)
    return found


def aligned(size, alignment):
    block = np.empty(size + alignment, np.uint8)
    first = -block.ctypes.data % alignment
    return block[first: first + max(size, 1)]


def write_c(model, feeds, folder, prefix="model", target="host", compiler="gcc", level="-O2"):
    """tenon's C of the model, and the shared object that the C compiler made of it. Returns the latter's path."""
    shutil.rmtree(folder, ignore_errors=True)
    shapes = [w for word in shape_words(feeds) for w in ("--shape", word)]
    subprocess.run([TENON, "compile", model, "--emit", "c", "--name", prefix, "--target", target, *shapes, "-o", folder], check=True)
    shared = os.path.join(folder, prefix + ".so")
    subprocess.run([compiler, level, "-fPIC", "-shared", "-I", folder, os.path.join(folder, prefix + ".c"), "-o", shared], check=True)
    return shared


class CompiledC:
    """The shared object of write_c, through the uniform struct of runtime.h."""
    name = "tenon C"

    def __init__(self, shared, feeds, prefix="model"):
        self.lib = ctypes.CDLL(shared)
        query = getattr(self.lib, prefix + "_model")
        query.restype, query.argtypes = ctypes.POINTER(Model), [ctypes.c_uint32]
        self.model = query(1).contents
        outputs = infos(self.model.outputs)
        self.inputs = Pointers([feeds[t.name.decode()] for t in infos(self.model.inputs)])
        self.names = [t.name.decode() for t in outputs]
        self.results = Pointers([empty_output(t.element_type, t.dims[: t.rank]) for t in outputs])
        self.arena = aligned(self.model.arena_bytes, max(self.model.arena_alignment, 1))
        self.env = Env(ctypes.sizeof(Env), 0, self.arena.ctypes.data, self.model.arena_bytes, None, 0, None, None)
        # A plain function pointer with prepared arguments: the least that a call through ctypes can cost.
        address = ctypes.cast(self.model.run, ctypes.c_void_p).value
        self.run = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(address)
        self.arguments = [ctypes.c_void_p(ctypes.addressof(x)) for x in (self.inputs.list, self.results.list, self.env)]

    def call(self):
        status = self.run(*self.arguments)
        if status != 0:
            raise RuntimeError(f"run returned {status}")

    def outputs(self):
        return {n: a.copy() for n, a in zip(self.names, self.results.arrays)}
