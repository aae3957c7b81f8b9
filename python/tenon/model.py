"""A model compiled for this machine: numpy arrays in and out."""
from __future__ import annotations

import ctypes
import math
import struct
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, NoReturn, Sequence, Tuple

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


_at, _code_run, _empty, _ndarray = ctypes.addressof, lib.code_run, np.empty, np.ndarray
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

    def _convert(self, value: npt.ArrayLike) -> npt.NDArray[Any]:
        """Numbers and lists of them, where this type can hold them: floats are rounded, nothing else changes."""
        try:
            given = np.asarray(value)
        except ValueError as error:
            raise ValueError(f"input '{self.name}': {error}") from None
        if given.dtype.kind not in "biuf":
            raise TypeError(f"input '{self.name}' takes an array of {self.dtype}, or numbers, not {value!r:.80}")
        with np.errstate(all="ignore"):
            made = given.astype(self.dtype)
        kept = np.isfinite(made) == np.isfinite(given) if self.dtype.kind == "f" else made == given
        if not kept.all():
            raise TypeError(f"input '{self.name}' is {self.dtype}, which cannot hold {given[~kept].flat[0]}")
        return made

    def take(self, value: npt.ArrayLike) -> npt.NDArray[Any]:
        """`value` as an array that can be read in place; a copy only where it is not contiguous."""
        if not isinstance(value, np.ndarray):
            value = self._convert(value)
        if value.dtype != self.dtype:
            raise TypeError(f"input '{self.name}' is {self.dtype}, not {value.dtype}: convert it with .astype")
        if value.shape != self.shape:
            raise ValueError(f"input '{self.name}' has shape {self.shape}, not {value.shape}")
        return np.ascontiguousarray(value).reshape(self.shape)


class Model:
    """Compiled code. `inputs` and `outputs` list its tensors; `run` runs it. For one thread at a time: others wait."""

    def __init__(self, graph: _Opened, code: Handle) -> None:
        self._graph, self._code, self._lock = graph, code, graph.context.lock
        self.inputs = [Tensor(lib.code_input(code.value, i)) for i in range(lib.code_inputs(code.value))]
        self.outputs = [Tensor(lib.code_output(code.value, i)) for i in range(lib.code_outputs(code.value))]
        # Lists of addresses, as bytes: packing costs less than an array of ctypes.
        self._inputs_at, self._outputs_at = (struct.Struct(f"{len(side)}P").pack for side in (self.inputs, self.outputs))
        self._wanted = [(t.dtype, t.shape, t) for t in self.inputs]
        self._made = [(t.name, t.shape, t.dtype, math.prod(t.shape)) for t in self.outputs]
        self._n_inputs = len(self.inputs)
        self._names = {t.name: i for i, t in enumerate(self.inputs)}

    def _ordered(self, values: Sequence[Any], named: Mapping[str, Any]) -> Sequence[Any]:
        if len(values) == 1 and isinstance(values[0], Mapping):
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
        """Outputs by name, for all inputs in their order, by name, or as one mapping.

        An array of the input's type and shape is read where it is; outputs are new arrays. InvalidError where the data hold an index
        that is out of range, or the like.
        """
        if named or len(values) != self._n_inputs or (values and type(values[0]) is not _ndarray and isinstance(values[0], Mapping)):
            values = tuple(self._ordered(values, named))
        # In short steps: this is what a call costs beside the model's own time. bench/call.py measures it.
        addresses, places, keep, results = [], [], [], {}
        for value, (dtype, shape, tensor) in zip(values, self._wanted):
            if type(value) is _ndarray and value.dtype is dtype and value.shape == shape:
                try:
                    addresses.append(_at(_byte(value)))
                    continue
                except (TypeError, ValueError):
                    pass  # read-only, not contiguous, or without elements
            value = tensor.take(value)
            keep.append(value)
            addresses.append(_address(value))
        for name, shape, dtype, elements in self._made:
            results[name] = result = _empty(shape, dtype)
            places.append(_at(_byte(result)) if elements else _address(result))
        inputs, outputs = self._inputs_at(*addresses), self._outputs_at(*places)
        with self._lock:
            code = self._code._handle or self._code.value
            if _code_run(code, inputs, outputs) != DONE:
                self._graph.context.call(_code_run, code, inputs, outputs)
        return results

    def close(self) -> None:
        """Frees the code; running it then is a ValueError."""
        self._code.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Model cannot be copied or pickled: it is code in this process. Its Graph can: compile it where it is to run")

    def __repr__(self) -> str:
        return f"<tenon.Model {', '.join(map(repr, self.inputs))} -> {', '.join(map(repr, self.outputs))}>"
