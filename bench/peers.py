"""The runtimes that tenon is measured against, through the C interfaces of the shared libraries in their Python packages.

Both get one thread (or --threads), float32 arithmetic, their full optimisation, and inputs and outputs that stay where they are.
"""
import ctypes
import glob
import importlib.util
import os

import numpy as np
import onnx

from subjects import NUMPY_TYPES, Subject, SubjectError, address, pointers


def library_in(package, pattern):
    """The shared library of a Python package, which is not imported."""
    spec = importlib.util.find_spec(package)
    found = sorted(glob.glob(os.path.join(os.path.dirname(spec.origin), pattern))) if spec and spec.origin else []
    if not found:
        raise SubjectError(f"the Python package {package} is not installed" if spec is None else f"no {pattern} in the package {package}")
    return found[0]


def reference(model, feeds):
    """{output: array} by ONNX Runtime without optimisation."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds)))


# ---- ONNX Runtime ----

# Places in OrtApi, which only grows at its end, with the kinds of the arguments: p pointer, s text, i int, z size.
ORT_API = {
    "GetErrorMessage": (2, "p"), "CreateEnv": (3, "isp"), "CreateSession": (7, "pspp"), "Run": (9, "pppppppp"), "CreateSessionOptions": (10, "p"),
    "SetSessionLogSeverityLevel": (22, "pi"), "SetSessionGraphOptimizationLevel": (23, "pi"), "SetIntraOpNumThreads": (24, "pi"),
    "SetInterOpNumThreads": (25, "pi"), "SessionGetOutputCount": (31, "pp"), "SessionGetOutputName": (37, "pzpp"),
    "CreateTensorWithDataAsOrtValue": (49, "ppzpzip"), "GetTensorMutableData": (51, "pp"), "GetTensorElementType": (60, "pp"),
    "GetDimensionsCount": (61, "pp"), "GetDimensions": (62, "ppz"), "GetTensorTypeAndShape": (65, "pp"), "CreateCpuMemoryInfo": (69, "iip"),
    "AllocatorFree": (76, "pp"), "GetAllocatorWithDefaultOptions": (78, "p"),
    "ReleaseEnv": (92, "p"), "ReleaseStatus": (93, "p"), "ReleaseMemoryInfo": (94, "p"), "ReleaseSession": (95, "p"), "ReleaseValue": (96, "p"),
    "ReleaseTensorTypeAndShapeInfo": (99, "p"), "ReleaseSessionOptions": (100, "p"),
}
ORT_VERSION, ORT_LOG_FATAL, ORT_OPTIMISE_ALL, ORT_ARENA_ALLOCATOR, ORT_MEMORY_DEFAULT = 12, 4, 99, 1, 0
KINDS = {"p": ctypes.c_void_p, "s": ctypes.c_char_p, "i": ctypes.c_int, "z": ctypes.c_size_t}


class OrtApiBase(ctypes.Structure):
    _fields_ = [("GetApi", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32)), ("GetVersionString", ctypes.CFUNCTYPE(ctypes.c_char_p))]


class OrtApi:
    """OrtApi's functions as methods; a status that is an error is raised."""

    def __init__(self):
        base = ctypes.CDLL(library_in("onnxruntime", "capi/libonnxruntime.so.*")).OrtGetApiBase
        base.restype = ctypes.POINTER(OrtApiBase)
        self.version = base().contents.GetVersionString().decode()
        self._table = ctypes.cast(base().contents.GetApi(ORT_VERSION), ctypes.POINTER(ctypes.c_void_p))

    def address(self, name):
        return self._table[ORT_API[name][0]]

    def function(self, name, result):
        return ctypes.CFUNCTYPE(result, *(KINDS[k] for k in ORT_API[name][1]))(self.address(name))

    def __getattr__(self, name):
        if name.startswith("Release"):
            return self.function(name, None)

        def call(*arguments):
            status = self.function(name, ctypes.c_void_p)(*arguments)
            if status:
                text = self.function("GetErrorMessage", ctypes.c_char_p)(status).decode().splitlines()[0]
                self.ReleaseStatus(status)
                raise SubjectError(f"ONNX Runtime: {name}: {text}")
        return call

    def made(self, name, *arguments):
        """What a function hands out through its last argument."""
        made = ctypes.c_void_p()
        getattr(self, name)(*arguments, ctypes.addressof(made))
        return made.value


class OnnxRuntime(Subject):
    """OrtApi::Run on a session with bound values."""
    key, name = "onnxruntime", "ONNX Runtime"

    @staticmethod
    def version():
        return OrtApi().version

    def __init__(self, model, feeds, threads=1):
        self.api = api = OrtApi()
        self.env = api.made("CreateEnv", ORT_LOG_FATAL, b"bench")
        options = api.made("CreateSessionOptions")
        api.SetIntraOpNumThreads(options, threads)
        api.SetInterOpNumThreads(options, 1)
        api.SetSessionGraphOptimizationLevel(options, ORT_OPTIMISE_ALL)
        api.SetSessionLogSeverityLevel(options, ORT_LOG_FATAL)
        self.session = api.made("CreateSession", self.env, model.encode(), options)
        api.ReleaseSessionOptions(options)
        self.arrays = {name: np.asarray(array, order="C") for name, array in feeds.items()}
        self.names = self._output_names()
        texts = [[n.encode() for n in names] for names in (self.arrays, self.names)]
        self.texts = [(ctypes.c_char_p * max(len(t), 1))(*t) for t in texts]
        self.values = pointers([self._value(a) for a in self.arrays.values()])
        # Values that are NULL are made by the first run; the later ones write to them.
        self.results = pointers([None] * len(self.names))
        inputs, outputs = (ctypes.addressof(t) for t in self.texts)
        self.bind(api.address("Run"), [self.session, None, inputs, ctypes.addressof(self.values), len(self.arrays), outputs, len(self.names),
                                       ctypes.addressof(self.results)])
        api.Run(*self._arguments)

    def _output_names(self):
        api, count, names = self.api, ctypes.c_size_t(), []
        allocator = api.made("GetAllocatorWithDefaultOptions")
        api.SessionGetOutputCount(self.session, ctypes.addressof(count))
        for i in range(count.value):
            text = api.made("SessionGetOutputName", self.session, i, allocator)
            names.append(ctypes.string_at(text).decode())
            api.AllocatorFree(allocator, text)
        return names

    def _value(self, array):
        api = self.api
        element_type = next(k for k, t in NUMPY_TYPES.items() if array.dtype == t)
        memory = api.made("CreateCpuMemoryInfo", ORT_ARENA_ALLOCATOR, ORT_MEMORY_DEFAULT)
        dims = (ctypes.c_int64 * max(array.ndim, 1))(*array.shape)
        value = api.made("CreateTensorWithDataAsOrtValue", memory, array.ctypes.data, array.nbytes, ctypes.addressof(dims), array.ndim, element_type)
        api.ReleaseMemoryInfo(memory)
        return value

    def _array(self, value):
        api, rank, element_type = self.api, ctypes.c_size_t(), ctypes.c_int()
        shape = api.made("GetTensorTypeAndShape", value)
        api.GetDimensionsCount(shape, ctypes.addressof(rank))
        api.GetTensorElementType(shape, ctypes.addressof(element_type))
        dims = (ctypes.c_int64 * max(rank.value, 1))()
        api.GetDimensions(shape, ctypes.addressof(dims), rank.value)
        api.ReleaseTensorTypeAndShapeInfo(shape)
        made = np.empty(dims[: rank.value], NUMPY_TYPES[element_type.value])
        ctypes.memmove(made.ctypes.data, api.made("GetTensorMutableData", value), made.nbytes)
        return made

    def outputs(self):
        return {name: self._array(value) for name, value in zip(self.names, self.results)}

    def close(self):
        for value in [*self.values, *self.results]:
            self.api.ReleaseValue(value)
        self.api.ReleaseSession(self.session)
        self.api.ReleaseEnv(self.env)


# ---- OpenVINO ----

OPENVINO_SETTINGS = {"NUM_STREAMS": "1", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32",
                     "ENABLE_CPU_PINNING": "NO"}


class OpenVinoVersion(ctypes.Structure):
    _fields_ = [("number", ctypes.c_char_p), ("description", ctypes.c_char_p)]


class OpenVinoShape(ctypes.Structure):
    _fields_ = [("rank", ctypes.c_int64), ("dims", ctypes.POINTER(ctypes.c_int64))]


def openvino_library():
    library = ctypes.CDLL(library_in("openvino", "libs/libopenvino_c.so*"))
    library.ov_get_last_err_msg.restype = ctypes.c_char_p
    for name in ("core", "model", "compiled_model", "infer_request", "tensor"):
        getattr(library, f"ov_{name}_free").argtypes = [ctypes.c_void_p]
    return library


class OpenVino(Subject):
    """ov_infer_request_infer on the CPU, synchronous, on the request's own tensors."""
    key, name = "openvino", "OpenVINO"

    @staticmethod
    def version():
        found = OpenVinoVersion()
        openvino_library().ov_get_openvino_version(ctypes.byref(found))
        return found.number.decode()

    def __init__(self, model, feeds, threads=1):
        self.lib, self.held = openvino_library(), []
        self.model_outputs = onnx.load(model, load_external_data=False).graph.output
        core = self._made("core", "ov_core_create")
        read = self._made("model", "ov_core_read_model", core, model.encode(), None)
        settings = [word.encode() for pair in {**OPENVINO_SETTINGS, "INFERENCE_NUM_THREADS": str(threads)}.items() for word in pair]
        # The new object comes before the settings, which are variadic.
        compiled = ctypes.c_void_p()
        self._good("ov_core_compile_model", core, read, b"CPU", ctypes.c_size_t(len(settings)), ctypes.byref(compiled), *settings)
        self.held.append(("compiled_model", compiled))
        self.request = self._made("infer_request", "ov_compiled_model_create_infer_request", compiled)
        for name, array in feeds.items():
            place, size, _ = self._tensor(name)
            if size != array.nbytes:
                raise SubjectError(f"OpenVINO: input {name} has {size} bytes, not {array.nbytes}")
            ctypes.memmove(place, np.asarray(array, order="C").ctypes.data, size)
        self.bind(address(self.lib.ov_infer_request_infer), [self.request.value])

    def _good(self, function, *arguments):
        if getattr(self.lib, function)(*arguments) != 0:
            text = (self.lib.ov_get_last_err_msg() or b"").decode().strip() or "failed"
            raise SubjectError(f"OpenVINO: {function}: {text.splitlines()[-1]}")

    def _made(self, kind, function, *arguments):
        made = ctypes.c_void_p()
        self._good(function, *arguments, ctypes.byref(made))
        self.held.append((kind, made))
        return made

    def _tensor(self, name):
        """Address, bytes and dimensions of a tensor."""
        tensor, place, size, shape = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_size_t(), OpenVinoShape()
        self._good("ov_infer_request_get_tensor", self.request, name.encode(), ctypes.byref(tensor))
        self._good("ov_tensor_data", tensor, ctypes.byref(place))
        self._good("ov_tensor_get_byte_size", tensor, ctypes.byref(size))
        self._good("ov_tensor_get_shape", tensor, ctypes.byref(shape))
        dims = shape.dims[: shape.rank] if shape.rank else []
        self.lib.ov_shape_free(ctypes.byref(shape))
        self.lib.ov_tensor_free(tensor)
        return place.value, size.value, dims

    def outputs(self):
        made = {}
        for output in self.model_outputs:
            place, size, dims = self._tensor(output.name)
            array = made[output.name] = np.empty(dims, NUMPY_TYPES[output.type.tensor_type.elem_type])
            if size != array.nbytes:
                raise SubjectError(f"OpenVINO: output {output.name} has {size} bytes, not {array.nbytes}")
            ctypes.memmove(array.ctypes.data, place, size)
        return made

    def close(self):
        for kind, made in reversed(self.held):
            getattr(self.lib, f"ov_{kind}_free")(made)


PEERS = {kind.key: kind for kind in (OnnxRuntime, OpenVino)}
