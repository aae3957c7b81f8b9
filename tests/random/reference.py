"""What a net has to give, and how far a result may be from it.

The judge is ONNX Runtime without optimisation, or the reference evaluator of onnx; in the next wider float type where it has the
operators there. The limits come from the net itself: how far its results move when its inputs and weights change by
about what a sum of that length may lose, and how far the judge's results in both types are apart.
"""
import numpy as np
from onnx.reference import ReferenceEvaluator

from net import F16, F32, F64, noise_of
from onnx_models import unoptimised

# The types in which a net of this type is judged, the best first. ONNX Runtime has few operators for double.
TYPES = {np.dtype(F16): (F32, F16), np.dtype(F32): (F64, F32), np.dtype(F64): (F64, F32)}
PERTURBED = 3
SLACK = 8


def resolution(dtype):
    return float(np.finfo(dtype).eps)


class Judge:
    """Runs a net with its floats of this type, which may be another than its own."""

    def __init__(self, net, dtype, may_evaluate):
        self.net, self.dtype = net, np.dtype(dtype)
        self.step = max(resolution(net.dtype), resolution(dtype)) * (2 + np.sqrt(net.length))
        model, self.noisy = net.reference_model(dtype)
        if net.by_reference:
            self.ready = ReferenceEvaluator(model)
            return
        try:
            self.ready = unoptimised(model)
        except Exception:
            if not may_evaluate:
                raise
            self.ready = ReferenceEvaluator(model)

    def factors(self, shape, rng):
        return np.asarray(1 + self.step * rng.uniform(-1, 1, shape)).astype(self.dtype)

    def run(self, rng=None):
        """The results; with a generator, of inputs, weights and values between the nodes that are a little off."""
        feeds = dict(self.net.arrays)
        for name, array in feeds.items():
            if array.dtype == self.net.dtype:
                feeds[name] = array.astype(self.dtype)
                if rng is not None:
                    feeds[name] = np.asarray(feeds[name] * self.factors(array.shape, rng))
        for v in self.noisy:
            feeds[noise_of(v.name)] = np.ones((), self.dtype) if rng is None else self.factors(v.shape, rng)
        return [np.asarray(y) for y in self.ready.run(None, feeds)]


def judges(net):
    """The best judge and a second one, which may be the same: a wider type, then the net's own, then a narrower one."""
    found = []
    for dtype in TYPES[net.dtype]:
        try:
            judge = Judge(net, dtype, dtype == TYPES[net.dtype][-1])
            judge.run()
            found.append(judge)
        except Exception:
            if dtype == TYPES[net.dtype][-1] and not found:
                raise
    return found[0], found[-1]


def stored(x, dtype):
    """As double, but infinite where the type of the output overflows."""
    narrow = x.astype(dtype)
    return np.where(np.isfinite(narrow), x.astype(np.float64), narrow.astype(np.float64))


class Expected:
    """Of one output: the values, a second opinion on those that are no numbers, and limits."""

    def __init__(self, dtype, values, others, limits):
        self.dtype, self.values, self.others, self.limits = dtype, values, others, limits

    def wrong(self, have):
        """A text that says where `have` is wrong, or None."""
        if have.dtype != self.dtype or have.shape != self.values.shape:
            return f"is {have.dtype}{list(have.shape)}, expected {self.dtype}{list(self.values.shape)}"
        with np.errstate(all="ignore"):
            near = np.abs(have.astype(np.float64) - self.values.astype(np.float64)) <= self.limits
            same = (have == self.values) | (have == self.others)
            nan = np.isnan(have) & (np.isnan(self.values) | np.isnan(self.others))
        beyond = ~(near & (self.limits > 0) | same | nan)
        if not beyond.any():
            return None
        at = tuple(int(k) for k in np.argwhere(beyond)[0])
        return f"{beyond.sum()} of {beyond.size} elements: [{','.join(map(str, at))}] is {have[at]!s}, expected {self.values[at]!s} within {self.limits[at]:.3g}"


def limits_of(judge, dtype, values, moved):
    """moved: what the judge gives where all is a little off, and what another judge gives."""
    finite = lambda x: np.where(np.isfinite(x), x, 0)
    size = np.abs(finite(values))
    far = np.max([finite(np.abs(m - values)) for m in moved], axis=0)
    typical = np.median(far) if far.size else 0.0
    # ONNX Runtime's Sigmoid for float is 0 below -18, say.
    least = resolution(dtype) * size.max(initial=0) if judge.dtype == judge.net.dtype and not judge.net.special else 0.0
    tiny = float(np.finfo(dtype).smallest_subnormal) * (8 + judge.net.length)
    return SLACK * (np.maximum(far, typical) + judge.step * size + least) + tiny


def expected(net, rng):
    """One Expected for each output of the net."""
    with np.errstate(all="ignore"):
        best, second = judges(net)
        values, others = best.run(), second.run()
        moved = [best.run(rng) for _ in range(PERTURBED)]
        made = []
        for k, v in enumerate(net.outputs):
            if values[k].shape != v.shape:
                raise RuntimeError(f"the judge gives {list(values[k].shape)} for {v.name}, inferred is {list(v.shape)}")
            if v.dtype.kind == "f":
                real, other = stored(values[k], v.dtype), stored(others[k], v.dtype)
                limits = limits_of(best, v.dtype, real, [stored(m[k], v.dtype) for m in moved] + [other])
                made.append(Expected(v.dtype, real, other, limits))
            else:
                made.append(Expected(v.dtype, values[k], others[k], np.full(v.shape, float(net.steps))))
    return made
