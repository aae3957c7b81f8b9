"""tenon as a backend of the onnx package (onnx.backend.base), which needs to be installed:

    import onnx, tenon.onnx_backend
    outputs = tenon.onnx_backend.run_model(onnx.load("model.onnx"), [image])
    rep = tenon.onnx_backend.prepare(model); rep.run([image]); rep.run([another])

ONNX's own tests run on it: onnx.backend.test.BackendTest(tenon.onnx_backend.Backend).
"""
import os
import shutil
import tempfile
import weakref
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np
import numpy.typing as npt
import onnx
import onnx.checker
import onnx.helper
import onnx.numpy_helper
from onnx.backend.base import Backend as _Base
from onnx.backend.base import BackendRep, namedtupledict

from .graph import Graph, load
from .model import Model, Tensor


def _array(value: Any) -> npt.NDArray[Any]:
    """What is fed as an array of numbers."""
    if isinstance(value, onnx.TensorProto):
        value = onnx.numpy_helper.to_array(value)
    if isinstance(value, (list, tuple, dict)) or value is None:
        raise TypeError(f"inputs are tensors, not {type(value).__name__}")
    return np.asarray(value)


def _ordered(inputs: Any, names: Sequence[str]) -> List[npt.NDArray[Any]]:
    """Arrays of these names, from a mapping, a list in their order, or one array."""
    listed = ", ".join(names)
    if isinstance(inputs, Mapping):
        if set(inputs) != set(names):
            raise TypeError(f"inputs are {listed}; given {', '.join(map(str, inputs)) or 'none'}")
        inputs = [inputs[n] for n in names]
    elif not isinstance(inputs, (list, tuple)):
        inputs = [inputs]
    if len(inputs) != len(names):
        raise TypeError(f"there are {len(names)} inputs ({listed}), not {len(inputs)}")
    return [_array(x) for x in inputs]


def _feed(tensor: Tensor, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An array of the types that onnx gives its tensors as the bytes that tenon reads, with numpy's types."""
    wanted = onnx.helper.tensor_dtype_to_np_dtype(tensor.element_type)
    if array.dtype != wanted:
        raise TypeError(f"input '{tensor.name}' is {wanted}, not {array.dtype}")
    if array.dtype == tensor.dtype:
        return array
    raw = onnx.numpy_helper.from_array(np.ascontiguousarray(array)).raw_data
    return np.frombuffer(raw, tensor.dtype).reshape(tensor.shape)


def _result(tensor: Tensor, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The other way round."""
    wanted = onnx.helper.tensor_dtype_to_np_dtype(tensor.element_type)
    if array.dtype == wanted:
        return array
    return onnx.numpy_helper.to_array(onnx.TensorProto(data_type=tensor.element_type, dims=tensor.dims, raw_data=array.tobytes()))


class Rep(BackendRep):
    """A model made ready: compiled for the shapes of the inputs when they first come. The model lies in a file while this lives."""

    def __init__(self, graph: Graph, inputs: List[str], outputs: List[str]) -> None:
        self._graph, self._inputs, self._outputs, self._compiled = graph, inputs, outputs, dict[Any, Model]()

    def _code(self, arrays: Sequence[npt.NDArray[Any]]) -> Model:
        shapes = tuple(a.shape for a in arrays)
        if shapes not in self._compiled:
            bound = {name: shape for name, shape in zip(self._inputs, shapes) if shape}  # a scalar has nothing to bind
            self._compiled[shapes] = self._graph.options(shape=bound).compile()
        return self._compiled[shapes]

    def run(self, inputs: Any, **kwargs: Any) -> Tuple[Any, ...]:
        """Outputs in their order, also by name, for a list of arrays or TensorProtos, a dict, or one array."""
        arrays = _ordered(inputs, self._inputs)
        code = self._code(arrays)
        by_name = dict(zip(self._inputs, arrays))
        found = code.run({t.name: _feed(t, by_name[t.name]) for t in code.inputs})
        results = [_result(t, found[t.name]) for t in code.outputs]
        named: Tuple[Any, ...] = namedtupledict("Outputs", self._outputs)(*results)
        return named


class Backend(_Base):
    """The backend. `options` are tenon's for every model, such as {"backend": "interp"}."""
    options: Dict[str, Any] = {}

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """CPU alone."""
        return device.split(":")[0] == "CPU"

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """Can the model be read, all its operators included?"""
        try:
            return cls.prepare(model, device, **kwargs) is not None
        except (ValueError, NotImplementedError):
            return False

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> Rep:
        """A Rep of a ModelProto. What tenon cannot do is a tenon.UnsupportedError."""
        if not isinstance(model, onnx.ModelProto):
            raise TypeError(f"a model is an onnx.ModelProto, not {model!r:.80}; tenon.load reads files")
        if not cls.supports_device(device):
            raise ValueError(f"there is no device {device}: tenon compiles for CPUs")
        held = {t.name for t in model.graph.initializer} | {t.values.name for t in model.graph.sparse_initializer}
        inputs = [i.name for i in model.graph.input if i.name not in held]
        folder = tempfile.mkdtemp(prefix="tenon-")
        try:
            path = os.path.join(folder, "model.onnx")
            onnx.save(model, path)
            rep = Rep(load(path, **cls.options), inputs, [o.name for o in model.graph.output])
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        weakref.finalize(rep, shutil.rmtree, folder, ignore_errors=True)
        return rep

    @classmethod
    def run_node(cls, node: onnx.NodeProto, inputs: Any, device: str = "CPU", outputs_info: Any = None, **kwargs: Any) -> Tuple[Any, ...]:
        """Outputs of one operator, for its inputs in their order or by name. opset_version= says of which opset; else the newest that onnx knows."""
        version = kwargs.pop("opset_version", onnx.defs.onnx_opset_version())
        names = [n for n in node.input if n]
        arrays: Dict[str, npt.NDArray[Any]] = {}
        for name, array in zip(names, _ordered(inputs, names)):
            if arrays.setdefault(name, array).tobytes() != array.tobytes():
                raise ValueError(f"{node.op_type} has the input '{name}' twice, and the two arrays are not the same")
        infos = [onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in arrays.items()]
        outputs = [onnx.helper.make_empty_tensor_value_info(n) for n in node.output if n]
        graph = onnx.helper.make_graph([node], "node", infos, outputs)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid(node.domain, version)])
        return cls.prepare(model, device, **kwargs).run(arrays)


prepare, run_model, run_node = Backend.prepare, Backend.run_model, Backend.run_node
supports_device, is_compatible = Backend.supports_device, Backend.is_compatible
