"""Measures points in a process of its own: jobs on stdin, results on stdout, both JSON lines. It ends with its stdin, so with whoever started it.

usage: python -m tenon.sweep.measure
"""
import json
import math
import os
import queue
import sys
import threading
import time
import zipfile
from typing import Any, Dict, Optional, Tuple

import numpy as np

import tenon
from tenon.editing import Array, Graph, Node, Value
from tenon.model import DTYPES

from .statistics import pack, pack_bits, wilson


class Samples:
    """Labelled samples as the model's inputs take them."""

    def __init__(self, setup: Dict[str, Any]) -> None:
        if not zipfile.is_zipfile(setup["data"]):
            raise ValueError(f"{setup['data']} is no .npz file")
        maps, scales = ({k: v for k, _, v in (w.rpartition("=") for w in setup[name])} for name in ("map", "scale"))
        self.names, self.scales, self.limit = maps, {k: float(v) for k, v in scales.items()}, setup["limit"]
        self.path, label = setup["data"], setup["label"]
        try:
            self.file = np.load(self.path)
        except Exception as error:  # whatever zipfile says of what is damaged
            raise ValueError(f"{self.path} cannot be read: {error}") from None
        self.there = [n for n in self.file.files if n != label]
        self.arrays: Dict[str, Array] = {}
        if label not in self.file.files:
            raise ValueError(f"{self.path} has no array '{label}' with the right classes; it has {', '.join(self.file.files)}")
        given = self._read(label)
        self.labels = given.astype(np.int64).reshape(-1)
        if len(self.labels) != len(given) or not np.array_equal(self.labels, given.reshape(-1)):
            raise ValueError(f"the array '{label}' of {self.path} has not one whole number for each sample")
        if not len(self.labels):
            raise ValueError(f"{self.path} has no samples")
        self.bound: Optional[Dict[str, Tuple[int, ...]]] = None

    def _read(self, name: str) -> Array:
        """The array of this name, once."""
        if name not in self.arrays:
            try:
                array = self.file[name][:self.limit]
            except Exception as error:  # whatever numpy, zipfile and zlib say of what is damaged, or is no array
                raise ValueError(f"the array '{name}' of {self.path} cannot be read: {error}") from None
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
                raise ValueError(f"the array '{name}' of {self.path} has no numbers")
            self.arrays[name] = array
        return self.arrays[name]

    def array(self, name: str) -> Array:
        """That of the input."""
        array = self.names.get(name, name)
        if array not in self.there:
            raise ValueError(f"there is no array for the input '{name}': --map {name}=ARRAY names one of {', '.join(self.there)}")
        return self._read(array)

    def shapes(self, model: tenon.Graph) -> Dict[str, Tuple[int, ...]]:
        """Of one sample, for inputs with dimensions that are not known and an array of as many: what binds them."""
        if self.bound is None:
            inputs = model.visit(lambda g: [(v.name, v.shape) for v in g.inputs])
            unknown = [(n, len(shape)) for n, shape in inputs if shape and any(isinstance(d, str) for d in shape)]
            self.bound = {n: (1, *self.array(n).shape[1:]) for n, rank in unknown if self.array(n).ndim == rank}
        return self.bound

    def feed(self, tensor: tenon.Tensor) -> Array:
        """The data of an input, as it takes them."""
        array = self.array(tensor.name)
        scaled = array * self.scales[tensor.name] if tensor.name in self.scales else array
        if len(scaled) != len(self.labels):
            raise ValueError(f"there are {len(scaled)} samples for the input '{tensor.name}', and {len(self.labels)} labels")
        made = np.ascontiguousarray(scaled.astype(tensor.dtype)).reshape(len(scaled), *tensor.shape)
        if tensor.dtype.kind in "iu" and not np.array_equal(made.reshape(scaled.shape), scaled):
            raise ValueError(f"the input '{tensor.name}' is {tensor.dtype}, and its data have numbers that are not whole or too large for that")
        return made


PACKED = {21: 4, 22: 4, 23: 4, 25: 2, 26: 2}  # bits of the types that numpy sees in bytes


def _bits(node: Optional[Node], codes: Value) -> int:
    """Of a number of these codes: those that the quantiser has used, else those of the type."""
    width = node.annotation("tenon.width") if node is not None and node.op == "DequantizeLinear" else None
    return int(width) if width else PACKED.get(codes.element_type) or np.dtype(DTYPES.get(codes.element_type, "f4")).itemsize * 8


def _elements(value: Value) -> int:
    return math.prod(d for d in value.shape or () if isinstance(d, int))


def _not_zero(value: Value, constant: Array) -> int:
    bits = PACKED.get(value.element_type)
    if bits:
        constant = (constant[:, None] >> np.arange(0, 8, bits, dtype=np.uint8)) & (2**bits - 1)
    return int(np.count_nonzero(constant))


def _weights(value: Value, constant: Array) -> int:
    """Bits of a constant's numbers; zeros count where zero has another code than 0."""
    nodes = [n for n, i in value.uses if n is not None and i == 0 and n.op == "DequantizeLinear"]
    node = nodes[0] if nodes else None
    has_zero_point = node is not None and len(node.inputs) > 2 and node.inputs[2] is not None
    return (_elements(value) if has_zero_point else _not_zero(value, constant)) * _bits(node, value)


def _data(value: Value, producer: Node) -> int:
    """Bits of what a node computes: of a quantised value, the bits of its codes, once."""
    codes = producer.inputs[0] if producer.op == "DequantizeLinear" else value
    read_as_codes = any(n is not None and i == 0 and n.op == "DequantizeLinear" for n, i in value.uses)
    if codes is None or codes.constant is not None or producer.op == "QuantizeLinear" or read_as_codes:
        return 0
    return _elements(value) * _bits(producer, codes)


def size_of(graph: Graph) -> Dict[str, int]:
    """Bits of the weights that are not zero, and of what the nodes compute."""
    weights = data = 0
    for value in graph.values:
        producer, constant = value.producer, value.constant
        if producer is not None:
            data += _data(value, producer)
        elif constant is not None and value.uses:
            weights += _weights(value, constant)
    return {"weights": weights, "data": data}


def _margin(row: Array, label: Any) -> float:
    """The output of the sample's class less the best of the others."""
    own, row[label] = row[label], -np.inf
    return float(own - row.max())


def measure(setup: Dict[str, Any], samples: Samples, request: Optional[str], options: Dict[str, Any]) -> Dict[str, Any]:
    """What the model is with the pass as -p has it (None: as it is) and more options: accuracy, which samples are right and by how much, and how large it is."""
    begin = time.monotonic()
    size: Dict[str, int] = {}
    base = tenon.load(setup["model"], **setup["options"])
    look = tenon.transform(lambda graph: size.update(size_of(graph)), name="sweep-size")
    graph = base.options(**{"shape": samples.shapes(base), **options}).pipeline(*([request] if request else []), look)
    code = graph.compile()
    feeds, name, n = [(t.name, samples.feed(t)) for t in code.inputs], code.outputs[0].name, len(samples.labels)
    unknown = {*samples.names, *samples.scales} - {t.name for t in code.inputs}
    if unknown:
        raise ValueError(f"there is no input '{sorted(unknown)[0]}' for --map and --scale; there are {', '.join(t.name for t in code.inputs)}")
    classes = int(np.prod(code.outputs[0].shape))
    if classes < 2 or not 0 <= samples.labels.min() <= samples.labels.max() < classes:
        raise ValueError(f"the output '{name}' has {classes} numbers, and the labels go from {samples.labels.min()} to {samples.labels.max()}: "
                         "accuracy needs a number for each class")
    right, margins = np.empty(n, bool), np.empty(n, np.float32)
    for i, label in enumerate(samples.labels):
        row = code.run({k: x[i] for k, x in feeds})[name].reshape(-1).astype(np.float64)
        right[i] = row.argmax() == label
        margins[i] = _margin(row, label)
    correct = int(right.sum())
    return {"samples": n, "correct": correct, "accuracy": correct / n, "ci95": [float(x) for x in wilson(correct, n)], "right": pack_bits(right),
            "margins": pack(margins), "size": size, "seconds": round(time.monotonic() - begin, 3)}


def _listen(jobs: "queue.Queue[Dict[str, Any]]") -> None:
    for line in sys.stdin:
        jobs.put(json.loads(line))
    os._exit(0)  # whoever started this has gone, or has no more jobs


def main() -> None:
    """Answers jobs until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what else is printed goes to stderr
    jobs: "queue.Queue[Dict[str, Any]]" = queue.Queue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    try:
        setup, samples = jobs.get(), None
        while True:
            job = jobs.get()
            try:
                samples = samples or Samples(setup)
                answer = measure(setup, samples, job.pop("request"), job.pop("options"))
            except Exception as error:  # one point that fails is no reason for the others to
                answer = {"error": str(error) or type(error).__name__}
            print(json.dumps({**job, **answer}), file=answers, flush=True)
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(130)


if __name__ == "__main__":
    main()
