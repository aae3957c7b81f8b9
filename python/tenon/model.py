"""A model compiled for this machine: numpy arrays in and out."""
from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from ._library import lib
from .context import DONE, Handle

if TYPE_CHECKING:
    from .graph import _Opened

# By number of ONNX's TensorProto.DataType; types that numpy lacks are the unsigned integers of their width.
DTYPES = {1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 9: "?", 10: "f2", 11: "f8", 12: "u4", 13: "u8", 16: "u2", 17: "u1", 18: "u1",
          19: "u1", 20: "u1", 21: "u1", 22: "u1", 23: "u1", 24: "u1", 25: "u1", 26: "u1"}
PACKED = {21, 22, 23, 25, 26}  # 4 and 2 bits: several in a byte


_at = ctypes.addressof
_byte: Callable[[Any], ctypes.c_char] = ctypes.c_char.from_buffer


def _address(array: npt.NDArray[Any]) -> int:
    """Where a contiguous array's elements lie. The short way is for arrays that may be written to and have elements."""
    try:
        return _at(_byte(array))
    except (TypeError, ValueError):
        return int(array.__array_interface__["data"][0])


class Tensor:
    """An input or output: `name`, `dtype`, `shape`. Types of 4 and 2 bits are packed as in TensorProto: `shape` is a vector of bytes, `dims` the model's."""
    __slots__ = ("name", "dtype", "shape", "dims", "element_type")

    def __init__(self, raw: Any) -> None:
        self.name: str = raw.name.decode()
        self.element_type: int = raw.element_type
        self.dtype = np.dtype(DTYPES[raw.element_type])
        self.dims: Tuple[int, ...] = tuple(raw.dims[i] for i in range(raw.rank))
        self.shape: Tuple[int, ...] = (raw.bytes,) if raw.element_type in PACKED else self.dims

    def __repr__(self) -> str:
        return f"{self.name}: {self.dtype}{list(self.shape)}"

    def take(self, value: npt.ArrayLike) -> npt.NDArray[Any]:
        """`value` as an array that can be read in place; a copy only where it is not contiguous."""
        if not isinstance(value, np.ndarray):
            value = np.asarray(value, self.dtype)
        if value.dtype != self.dtype:
            raise TypeError(f"input '{self.name}' is {self.dtype}, not {value.dtype}: convert it with .astype")
        if value.shape != self.shape:
            raise ValueError(f"input '{self.name}' has shape {self.shape}, not {value.shape}")
        return np.ascontiguousarray(value).reshape(self.shape)


class Model:
    """Compiled code. `inputs` and `outputs` list its tensors; `run` runs it. For one thread at a time: others wait."""

    def __init__(self, graph: _Opened, code: ctypes.c_void_p) -> None:
        self._graph, self._code = graph, Handle(graph.context, code, lib.code_free)
        self._lock = graph.context.lock
        self.inputs = [Tensor(lib.code_input(code, i)) for i in range(lib.code_inputs(code))]
        self.outputs = [Tensor(lib.code_output(code, i)) for i in range(lib.code_outputs(code))]
        self._in, self._out = (ctypes.c_void_p * max(1, len(side)) for side in (self.inputs, self.outputs))
        self._names = {t.name: i for i, t in enumerate(self.inputs)}

    def _ordered(self, values: Sequence[Any], named: Mapping[str, Any]) -> Sequence[Any]:
        if len(values) == 1 and isinstance(values[0], dict):
            named, values = {**values[0], **named}, ()
        if not named:
            if len(values) != len(self.inputs):
                raise TypeError(f"the model has {len(self.inputs)} inputs ({', '.join(self._names)}), not {len(values)}")
            return values
        unknown = [n for n in named if n not in self._names]
        missing = [n for n in self._names if n not in named]
        if values or unknown or missing:
            raise TypeError(f"inputs are {', '.join(self._names)}: give all of them in order, or all by name"
                            + (f"; there is no {', '.join(map(repr, unknown))}" if unknown else "") + (f"; {', '.join(missing)} missing" if missing else ""))
        return [named[n] for n in self._names]

    def run(self, *values: Any, **named: npt.ArrayLike) -> Dict[str, npt.NDArray[Any]]:
        """Outputs by name, for all inputs in their order, by name, or as one dict.

        An array of the input's type and shape is read where it is; outputs are new arrays. InvalidError where the data hold an index
        that is out of range, or the like.
        """
        if named or len(values) != len(self.inputs) or (values and type(values[0]) is dict):
            values = tuple(self._ordered(values, named))
        inputs, outputs, keep = self._in(), self._out(), []
        for i, (tensor, value) in enumerate(zip(self.inputs, values)):
            if type(value) is not np.ndarray or value.dtype != tensor.dtype or value.shape != tensor.shape or not value.flags.c_contiguous:
                value = tensor.take(value)
                keep.append(value)
            inputs[i] = _address(value)
        results = {}
        for i, tensor in enumerate(self.outputs):
            result = results[tensor.name] = np.empty(tensor.shape, tensor.dtype)
            outputs[i] = _address(result)
        with self._lock:
            code = self._code.value
            if lib.code_run(code, inputs, outputs) != DONE:
                self._graph.context.call(lib.code_run, code, inputs, outputs)
        return results

    def close(self) -> None:
        """Frees the code; running it then is a ValueError."""
        self._code.close()

    def __repr__(self) -> str:
        return f"<tenon.Model {', '.join(map(repr, self.inputs))} -> {', '.join(map(repr, self.outputs))}>"
