"""Measures points in a process of its own: jobs on stdin, results on stdout, both JSON lines. It ends with its stdin, so with whoever started it.

usage: python -m tenon.sweep.measure
"""
import json
import os
import sys
import time

import numpy as np


class Samples:
    """Labelled samples as the model's inputs take them."""

    def __init__(self, setup):
        arrays = np.load(setup["data"])
        maps, scales = ({k: v for k, _, v in (w.rpartition("=") for w in setup[name])} for name in ("map", "scale"))
        self.names, self.scales, limit = maps, {k: float(v) for k, v in scales.items()}, setup["limit"]
        label = setup["label"]
        if label not in arrays.files:
            raise ValueError(f"{setup['data']} has no array '{label}' with the right classes; it has {', '.join(arrays.files)}")
        self.labels = np.int64(arrays[label][:limit]).reshape(-1)
        self.arrays, self.bound = {n: arrays[n][:limit] for n in arrays.files if n != label}, None
        if not len(self.labels):
            raise ValueError(f"{setup['data']} has no samples")

    def array(self, name):
        array = self.arrays.get(self.names.get(name, name))
        if array is None:
            raise ValueError(f"there is no array for the input '{name}': --map {name}=ARRAY names one of {', '.join(self.arrays)}")
        return array

    def shapes(self, model):
        """Of one sample, for inputs with dimensions that are not known and an array of as many: what binds them."""
        if self.bound is None:
            inputs = model.visit(lambda g: [(v.name, v.shape) for v in g.inputs])
            unknown = [(n, len(shape)) for n, shape in inputs if shape and any(isinstance(d, str) for d in shape)]
            self.bound = {n: (1, *self.array(n).shape[1:]) for n, rank in unknown if self.array(n).ndim == rank}
        return self.bound

    def feed(self, tensor):
        array = self.array(tensor.name)
        scaled = array * self.scales[tensor.name] if tensor.name in self.scales else array
        return np.ascontiguousarray(scaled.astype(tensor.dtype)).reshape(-1, *tensor.shape)


def measure(setup, samples, text):
    """What the model is with the pass as `text` has it (None: as it is): accuracy, which samples are right, and how large it is."""
    import tenon
    begin = time.monotonic()
    base = tenon.load(setup["model"], **setup["options"])
    graph = base.options(shape=samples.shapes(base))
    graph = graph.pipeline(text) if text else graph
    totals = graph.inspect()["totals"]
    code = graph.compile()
    feeds, name = [(t.name, samples.feed(t)) for t in code.inputs], code.outputs[0].name
    n = len(samples.labels)
    found = np.array([code.run({k: x[i] for k, x in feeds})[name].reshape(-1).argmax() for i in range(n)])
    right = found == samples.labels
    from .statistics import pack, wilson
    return {"samples": n, "correct": int(right.sum()), "accuracy": float(right.mean()), "ci95": [float(x) for x in wilson(int(right.sum()), n)], "right": pack(right),
            "size": {"weights": totals["weight_bits"] * (1 - totals["sparsity"]), "data": totals["data_bits"]}, "seconds": round(time.monotonic() - begin, 3)}


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what else is printed goes to stderr
    setup, samples = json.loads(sys.stdin.readline()), None
    for line in sys.stdin:
        job = json.loads(line)
        try:
            samples = samples or Samples(setup)
            answer = measure(setup, samples, job["pass"])
        except KeyboardInterrupt:
            return
        except Exception as error:  # one point that fails is no reason for the others to
            answer = {"error": str(error) or type(error).__name__}
        try:
            print(json.dumps({**job, **answer}), file=answers, flush=True)
        except BrokenPipeError:
            return


if __name__ == "__main__":
    main()
