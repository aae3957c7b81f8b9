#!/usr/bin/env python3
"""Writes single-node models with inputs and expected outputs, in the layout of the ONNX conformance suites.

    make_cases.py OUT [--seed N] [--only OP[,OP...]]

Each case is OUT/<operator>/<number>/model.onnx with test_data_set_0/input_<i>.pb and output_<i>.pb, and the tolerances in
data.json. Expected outputs come from
onnxruntime without optimisation, or from onnx.reference where onnxruntime lacks the operator's version or element type.
The same seed writes the same cases. The cases of a family are listed in the function of that name, below.
"""
import argparse
import os
import sys

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from case_files import Const, write_case

F32, F64, F16, BF16 = np.float32, np.float64, np.float16, ml_dtypes.bfloat16
NEWEST = 28


def ints(*values):
    return Const(np.array(values, np.int64))


class Cases:
    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.list = []

    def add(self, op, inputs, opset=17, outputs=1, reference=False, domain="", declared=False, want=None, **attributes):
        """inputs: arrays, Const, or None where absent. outputs: a number, or a list with False for an absent one. declared: the model
        says the outputs' shapes. want: the outputs, where neither onnxruntime nor the reference has this form."""
        self.list.append((op, inputs, opset, outputs, reference, domain, declared, want, attributes))

    def real(self, *shape, dtype=F32, low=-3.0, high=3.0):
        return self.random.uniform(low, high, shape).astype(dtype)

    def whole(self, *shape, dtype=np.int64, low=-10, high=10):
        return self.random.integers(low, high, shape, endpoint=True).astype(dtype)

    def any(self, dtype, *shape):
        if dtype == np.bool_:
            return self.random.integers(0, 2, shape).astype(np.bool_)
        if np.issubdtype(dtype, np.integer):
            return self.whole(*shape, dtype=dtype, low=0 if np.issubdtype(dtype, np.unsignedinteger) else -10, high=10)
        return self.real(*shape, dtype=dtype)

    def chance(self):
        return bool(self.random.integers(0, 2))

    def pick(self, *choices):
        return choices[int(self.random.integers(0, len(choices)))]


FLOATS = (F32, F64, F16, BF16)
NUMBERS = (F32, F64, F16, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)
MOVED = NUMBERS + (np.bool_, BF16)


# ---- families ----

def elementwise(c):
    shapes = [((3, 4), (3, 4)), ((2, 3, 4), (4,)), ((4,), (2, 3, 4)), ((2, 1, 4), (3, 1)), ((), (2, 3)), ((1,), ()), ((0, 3), (1, 3)), ((5, 67), (67,))]
    for op in ("Add", "Sub", "Mul", "Div"):
        for x, y in shapes:
            c.add(op, [c.real(*x), c.real(*y, low=0.5)])
        for dtype in NUMBERS + (BF16,):
            y = np.maximum(np.abs(c.any(dtype, 3, 4).astype(F32)), 1).astype(dtype)
            c.add(op, [c.any(dtype, 3, 4), y], reference=dtype == BF16)
    for op in ("Min", "Max"):
        c.add(op, [c.real(3, 4), c.real(4), c.real(3, 1)])
        c.add(op, [c.real(5)])
        c.add(op, [np.array([np.nan, 1, np.nan, 2], F32), np.array([1, np.nan, np.nan, 3], F32)])
        for dtype in NUMBERS:
            c.add(op, [c.any(dtype, 3, 4), c.any(dtype, 3, 4)], reference=dtype in (np.int8, np.int16, np.uint8, np.uint16))
    for op in ("Sum", "Mean"):
        c.add(op, [c.real(3, 4), c.real(4), c.real(3, 1)])
        c.add(op, [c.real(3, 4, dtype=F16), c.real(4, dtype=F16)])
        c.add(op, [c.real(2)])
    for exponent in (0.0, 1.0, 2.0, 3.0, 4.0, 0.5, -1.5, 5.0):
        c.add("Pow", [c.real(3, 4, low=0.1), Const(np.array(exponent, F32))])
    c.add("Pow", [c.real(3, 4, low=0.1), c.real(4)])
    c.add("Pow", [c.real(4), Const(np.array([2], np.int64))])
    c.add("Pow", [c.whole(3, 4, dtype=np.int32, low=-5, high=5), c.whole(4, dtype=np.int32, low=0, high=6)])
    c.add("Pow", [c.whole(3, 4, dtype=np.int64, low=-5, high=5), c.whole(4, dtype=np.int64, low=0, high=9)])
    c.add("Pow", [c.whole(3, 4, dtype=np.int32, low=1, high=5), c.real(4, low=0.2)])
    c.add("Pow", [c.real(3, 4, dtype=F64, low=0.1), c.real(4, dtype=F64)])
    for fmod in (0, 1):
        for dtype in (np.int8, np.int32, np.int64, np.uint8, np.uint32):
            c.add("Mod", [c.any(dtype, 50), (c.pick(1, 3, 7) * np.ones(50)).astype(dtype)], fmod=fmod)
    c.add("Mod", [c.whole(40, dtype=np.int32), np.full(40, c.pick(-3, 4), np.int32)])
    c.add("Mod", [c.real(50, low=-100, high=100), c.real(50, low=0.3)], fmod=1)
    c.add("Mod", [c.real(50, low=-1e6, high=1e6), c.real(50, low=0.3)], fmod=1)
    for dtype in (np.uint8, np.uint16, np.uint32, np.uint64):
        for direction in ("LEFT", "RIGHT"):
            c.add("BitShift", [c.any(dtype, 3, 4), c.whole(3, 4, dtype=dtype, low=0, high=7)], direction=direction)
    for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
        for dtype in (np.int32, np.uint8, np.int64):
            c.add(op, [c.any(dtype, 3, 4), c.any(dtype, 4)], opset=18)
    c.add("BitwiseNot", [c.whole(3, 4, dtype=np.int32)], opset=18)
    for op in ("Neg", "Abs", "Sign", "Relu"):
        for dtype in (F32, F64, np.int8, np.int32, np.int64):
            if (op, dtype) != ("Relu", np.int64):
                c.add(op, [c.any(dtype, 3, 4)])
    c.add("Abs", [c.whole(4, dtype=np.uint8, low=0)])
    c.add("Sign", [np.array([np.nan, -0.0, 0.0, np.inf, -np.inf], F32)], reference=True)


def unary(c):
    ranges = {
        "Sqrt": (0, 9), "Reciprocal": (0.2, 5), "Log": (1e-3, 50), "Exp": (-20, 20), "Erf": (-5, 5), "Tanh": (-10, 10), "Sigmoid": (-20, 20),
        "Sin": (-20, 20), "Cos": (-20, 20), "Tan": (-1.5, 1.5), "Sinh": (-5, 5), "Cosh": (-5, 5), "Asinh": (-50, 50), "Acosh": (1, 50),
        "Atanh": (-0.999, 0.999), "Asin": (-1, 1), "Acos": (-1, 1), "Atan": (-50, 50), "Floor": (-5, 5), "Ceil": (-5, 5), "Round": (-5, 5),
        "Softplus": (-30, 30), "HardSwish": (-5, 5), "Softsign": (-5, 5),
    }
    for op, (low, high) in ranges.items():
        c.add(op, [c.real(5, 37, low=low, high=high)])
        c.add(op, [c.real(37, low=low, high=high, dtype=F64)], reference=True)
        c.add(op, [c.real(37, low=low, high=high, dtype=F16)])
        c.add(op, [c.real(37, low=low, high=high, dtype=BF16)], reference=True, opset=22)
    for op in ("Sinh", "Asinh", "Atan", "Atanh", "Asin", "Erf", "Tanh"):
        c.add(op, [np.array([1e-6, -1e-6, 0.0, -0.0, 1e-20, 0.01], F32)])
    for op in ("Exp", "Log", "Tanh", "Sigmoid", "Erf", "Relu", "Softplus", "Sqrt", "Floor"):
        c.add(op, [np.array([np.inf, -np.inf, np.nan, 0.0, 1.0], F32)], reference=True)
    c.add("Round", [np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 1e9], F32)])
    c.add("Mish", [c.real(5, 7, low=-8, high=8)], opset=18)
    c.add("Gelu", [c.real(5, 37, low=-6, high=6)], opset=20)
    c.add("Gelu", [c.real(5, 37, low=-6, high=6)], opset=20, approximate="tanh")
    c.add("Swish", [c.real(5, 37, low=-6, high=6)], opset=24, alpha=1.7, reference=True)


def activations(c):
    x = lambda: c.real(4, 33, low=-5, high=5)
    for op, attributes in (("LeakyRelu", {"alpha": 0.2}), ("Elu", {"alpha": 1.5}), ("Selu", {"alpha": 1.2, "gamma": 2.0}), ("Celu", {"alpha": 0.7}),
                           ("ThresholdedRelu", {"alpha": 1.3}), ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}), ("Shrink", {"lambd": 1.5, "bias": 0.3})):
        c.add(op, [x()])
        c.add(op, [x()], **attributes)
    c.add("Shrink", [c.whole(20, dtype=np.int32)], lambd=3.0, bias=1.0)
    c.add("PRelu", [c.real(2, 3, 4), c.real(4)])
    c.add("PRelu", [c.real(2, 3, 4), c.real(3, 1)])
    c.add("PRelu", [c.real(2, 3, 4), c.real(1)])
    c.add("Clip", [x(), Const(np.array(-1, F32)), Const(np.array(2, F32))])
    c.add("Clip", [x(), None, Const(np.array(2, F32))])
    c.add("Clip", [x(), np.array(-1, F32)])
    c.add("Clip", [x()])
    c.add("Clip", [x(), Const(np.array(2, F32)), Const(np.array(-2, F32))])
    c.add("Clip", [x()], opset=7, min=-1.0, max=1.5)
    c.add("Clip", [x()], opset=10, max=1.5)
    for dtype in (np.int8, np.int32, np.uint8, np.int64, F16):
        c.add("Clip", [c.any(dtype, 9), np.array(2, dtype), np.array(6, dtype)])
    for opset in (7, 10):
        c.add("Dropout", [x()], opset=opset, ratio=0.3)
    c.add("Dropout", [x(), Const(np.array(0.4, F32)), Const(np.array(False))], outputs=2)
    c.add("Dropout", [x()], opset=13)


def comparisons(c):
    for op in ("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"):
        for dtype in (F32, F64, np.int32, np.int64, np.uint8, np.int8) + ((np.bool_,) if op == "Equal" else ()):
            c.add(op, [c.any(dtype, 5, 6), c.any(dtype, 6)])
        c.add(op, [np.array([1, np.nan, np.inf, -0.0], F32), np.array([np.nan, np.nan, np.inf, 0.0], F32)])
    for op in ("And", "Or", "Xor"):
        c.add(op, [c.any(np.bool_, 5, 6), c.any(np.bool_, 6)])
    c.add("Not", [c.any(np.bool_, 5, 6)])
    for dtype in (F32, np.int64, np.uint8, F16, np.bool_):
        c.add("Where", [c.any(np.bool_, 3, 1), c.any(dtype, 3, 4), c.any(dtype, 1, 4)], reference=dtype in (F16, np.bool_))
    special = np.array([np.nan, np.inf, -np.inf, 1.0], F32)
    c.add("IsNaN", [special])
    c.add("IsInf", [special])
    c.add("IsInf", [special], detect_negative=0)
    c.add("IsInf", [special], detect_positive=0)
    c.add("IsInf", [special], detect_positive=0, detect_negative=0)


def casts(c):
    kinds = [F32, F64, F16, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, np.bool_]
    for source in kinds:
        for to in kinds:
            x = c.any(source, 20) if source not in (F32, F64, F16) else c.real(20, dtype=source, low=0 if np.issubdtype(to, np.unsignedinteger) else -9, high=9)
            if np.issubdtype(to, np.unsignedinteger) and np.issubdtype(source, np.signedinteger):
                x = np.abs(x)
            c.add("Cast", [x], to=helper.np_dtype_to_tensor_dtype(np.dtype(to)), reference=True)
    c.add("Cast", [c.real(40, low=-1e4, high=1e4)], to=TensorProto.BFLOAT16, reference=True, opset=19)
    c.add("Cast", [c.real(40, dtype=BF16)], to=TensorProto.FLOAT, reference=True, opset=19)
    c.add("CastLike", [c.real(8), c.whole(3, dtype=np.int32)], opset=19, reference=True)
    small = np.array([0, 1, -1, 0.3, 447, 448, 449, 463, 465, 500, 1e6, -1e6, np.inf, -np.inf, np.nan, 1e-4, 57344, 61440, 61441, 60000, 239, 240, 247, 248, 249], F32)
    for to in (TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E4M3FNUZ, TensorProto.FLOAT8E5M2, TensorProto.FLOAT8E5M2FNUZ):
        for saturate in (0, 1):
            c.add("Cast", [small], to=to, saturate=saturate, reference=True, opset=19)
    c.add("BitCast", [c.real(8)], to=TensorProto.INT32, opset=26, reference=True)


def constants(c):
    c.add("Shape", [c.real(2, 0, 5)])
    c.add("Shape", [c.real(2, 3, 4, 5)], start=1, end=-1)
    c.add("Shape", [c.real(2, 3, 4, 5)], start=-9, end=9)
    c.add("Shape", [c.real(2, 3)], start=2, end=1)
    c.add("Shape", [c.real()])
    c.add("Size", [c.real(2, 3, 4)])
    c.add("ConstantOfShape", [ints(2, 3)])
    c.add("ConstantOfShape", [ints(2, 3)], value=numpy_helper.from_array(np.array([7], np.int64)))
    c.add("ConstantOfShape", [ints(4)], value=numpy_helper.from_array(np.array([True])))
    c.add("ConstantOfShape", [ints(4)], value=numpy_helper.from_array(np.array([1.5], F16)))
    c.add("ConstantOfShape", [Const(np.zeros(0, np.int64))])
    for start, limit, delta, dtype in ((0, 10, 3, np.int64), (10, 0, -3, np.int64), (1, 1, 1, np.int32), (0.5, 3.0, 0.7, F32), (3, -1, -0.5, F64), (5, 2, 1, np.int64)):
        c.add("Range", [Const(np.array(v, dtype)) for v in (start, limit, delta)])
    for k in (-1, 0, 2):
        c.add("EyeLike", [c.whole(3, 5, dtype=np.int32)], k=k, dtype=TensorProto.FLOAT)
    c.add("EyeLike", [c.real(4, 4)])


def shapes(c):
    for new in ((4, 6), (2, -1), (0, 0, 4), (24,), (-1, 2, 2, 2), (1, 24, 1), (3, 8), (0, -1)):
        c.add("Reshape", [c.real(2, 3, 4), ints(*new)])
    for dtype in MOVED:
        c.add("Reshape", [c.any(dtype, 2, 6), ints(3, 4)])
    c.add("Reshape", [c.real(0, 3), ints(3, 0)], allowzero=1)
    c.add("Reshape", [c.real(1, 1), Const(np.zeros(0, np.int64))])
    c.add("Reshape", [c.real(6, 35), ints(10, 21)])
    c.add("Reshape", [c.real(2, 3, 4, 5), ints(6, 20)])
    c.add("Reshape", [c.real(12, 10), ints(3, 4, 2, 5)])
    for axis in (0, 1, 2, 3, -1, -2):
        c.add("Flatten", [c.real(2, 3, 4)], axis=axis)
    c.add("Flatten", [c.real(2, 3, 4, 5)])
    c.add("Flatten", [c.real(3, 4)], opset=9, axis=0)
    c.add("Squeeze", [c.real(1, 3, 1, 4)])
    c.add("Squeeze", [c.real(1, 3, 1, 4), ints(0, -2)])
    c.add("Squeeze", [c.real(1, 3, 1, 4)], opset=11, axes=[2])
    c.add("Squeeze", [c.real(1, 3, 1, 4)], opset=7, axes=[0, 2])
    c.add("Unsqueeze", [c.real(3, 4), ints(0, -1)])
    c.add("Unsqueeze", [c.real(3, 4), ints(3, 1)])
    c.add("Unsqueeze", [c.real(3, 4)], opset=7, axes=[1])
    c.add("Unsqueeze", [c.real(), ints(0)])
    c.add("Identity", [c.real(3, 4)])
    c.add("Identity", [c.real()])


def movement(c):
    c.add("Transpose", [c.real(2, 3, 4)])
    for perm in ((0, 2, 1), (2, 0, 1), (1, 0, 2), (1, 2, 0)):
        c.add("Transpose", [c.real(2, 3, 4)], perm=list(perm))
    c.add("Transpose", [c.real(2, 3, 4, 5)], perm=[0, 2, 1, 3])
    c.add("Transpose", [c.real(1, 9, 17, 3)], perm=[0, 3, 1, 2])
    for dtype in MOVED:
        c.add("Transpose", [c.any(dtype, 3, 5)])
    c.add("Expand", [c.real(3, 1), ints(2, 1, 6)])
    c.add("Expand", [c.real(3, 1), ints(3, 4)])
    c.add("Expand", [c.real(2, 3, 4), ints(1)])
    c.add("Expand", [c.real(), ints(2, 2)])
    c.add("Tile", [c.real(2, 3), ints(2, 2)])
    c.add("Tile", [c.real(2, 3), ints(1, 3)])
    c.add("Tile", [c.real(2, 3), ints(0, 3)])
    for axis in (0, 1, 2, -1):
        shapes_ = [[2, 3, 4] for _ in range(3)]
        for k, s in enumerate(shapes_):
            s[axis] = k + 1
        c.add("Concat", [c.real(*s) for s in shapes_], axis=axis)
    c.add("Concat", [c.real(3)], axis=0)
    c.add("Concat", [c.real(0, 3), c.real(2, 3)], axis=0)
    c.add("Concat", [c.whole(3), c.whole(1)], axis=0, opset=7)
    c.add("Split", [c.real(6, 4)], opset=13, outputs=3)
    c.add("Split", [c.real(6, 4), ints(1, 3)], opset=13, outputs=2, axis=1)
    c.add("Split", [c.real(6, 4)], opset=11, outputs=2, axis=-1, split=[1, 3])
    c.add("Split", [c.real(6, 4)], opset=7, outputs=2)
    c.add("Split", [c.real(7, 4)], opset=18, outputs=3, num_outputs=3)
    c.add("Split", [c.real(7, 2), ints(2, 0, 5)], opset=18, outputs=3)
    for mode in ("DCR", "CRD"):
        c.add("DepthToSpace", [c.real(2, 8, 3, 4)], blocksize=2, mode=mode)
    c.add("DepthToSpace", [c.real(1, 9, 2, 2)], opset=7, blocksize=3)
    c.add("SpaceToDepth", [c.real(2, 3, 4, 6)], blocksize=2)
    for upper in (0, 1):
        for k in (None, ints(1), ints(-1), ints(5), Const(np.array(-2, np.int64))):
            c.add("Trilu", [c.real(2, 4, 5)] + ([k] if k else []), upper=upper)
    c.add("Trilu", [c.whole(4, 4), np.array(1, np.int64)])


def slices(c):
    x = lambda: c.real(5, 6, 7)
    c.add("Slice", [x(), ints(1, 2), ints(4, 5)])
    c.add("Slice", [x(), ints(-3), ints(100), ints(-1)])
    c.add("Slice", [x(), ints(0, 1), ints(5, 6), ints(0, 2), ints(2, 3)])
    c.add("Slice", [x(), ints(-1, 5), ints(-100, 0), ints(0, 1), ints(-1, -2)])
    c.add("Slice", [x(), ints(4), ints(-2**63), ints(0), ints(-1)])
    c.add("Slice", [x(), ints(0), ints(2**63 - 1), ints(1), ints(4)])
    c.add("Slice", [x(), ints(3), ints(2), ints(1)])
    c.add("Slice", [x(), ints(20), ints(30), ints(1)])
    c.add("Slice", [x(), Const(np.array([1], np.int32)), Const(np.array([3], np.int32)), Const(np.array([2], np.int32))])
    c.add("Slice", [x()], opset=7, starts=[1, -3], ends=[3, 100], axes=[0, 2])
    c.add("Slice", [x()], opset=9, starts=[1], ends=[-1])
    for _ in range(12):
        axes = c.random.permutation(3)[: c.pick(1, 2, 3)]
        n = len(axes)
        steps = c.random.choice([-3, -2, -1, 1, 2, 3], n)
        c.add("Slice", [x(), ints(*c.random.integers(-9, 9, n)), ints(*c.random.integers(-9, 9, n)), ints(*axes), ints(*steps)])
    for mode in ("constant", "reflect", "edge"):
        c.add("Pad", [c.real(4, 5), ints(1, 2, 2, 1)], mode=mode)
        c.add("Pad", [c.real(2, 4, 5), ints(0, 1, 0, 0, 0, 3)], mode=mode)
    c.add("Pad", [c.real(4, 5), ints(1, 2, 2, 1), Const(np.array(7, F32))])
    c.add("Pad", [c.real(4, 5), ints(1, 2, 2, 1), np.array(7, F32)])
    c.add("Pad", [c.real(4, 5), ints(-1, 2, 2, -1)])
    c.add("Pad", [c.real(4, 5), ints(2, 1), None, ints(-1)], opset=18)
    c.add("Pad", [c.real(4, 5), ints(3, 6, 4, 7)], opset=19, mode="wrap")
    c.add("Pad", [c.whole(3, 3, dtype=np.int32), ints(1, 1, 1, 1), Const(np.array(9, np.int32))])
    c.add("Pad", [c.real(1, 2, 3, 3)], opset=7, pads=[0, 0, 1, 1, 0, 0, 1, 1], value=0.5)
    c.add("Pad", [c.real(1, 2, 3, 3)], opset=10, pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="reflect")


def gathers(c):
    for axis in (0, 1, -1):
        x = c.real(4, 5, 6)
        n = x.shape[axis]
        c.add("Gather", [x, c.whole(2, 3, low=-n, high=n - 1)], axis=axis)
        c.add("Gather", [x, Const(c.whole(3, low=-n, high=n - 1))], axis=axis)
    c.add("Gather", [c.real(4, 5), Const(np.array(2, np.int64))], axis=1)
    c.add("Gather", [c.real(4, 5), np.array(-1, np.int32)])
    c.add("Gather", [c.whole(7), Const(np.array([0, 3], np.int32))])
    c.add("Gather", [c.real(30, 16), c.whole(1, 20, low=0, high=29)])
    c.add("Gather", [c.any(np.bool_, 4, 5), c.whole(3, low=0, high=3)])
    for axis in (0, 1, 2):
        x = c.real(3, 4, 5)
        n = x.shape[axis]
        c.add("GatherElements", [x, c.whole(2, 3, 4, low=-n, high=n - 1)], axis=axis)
    c.add("GatherND", [c.real(3, 4, 5), c.whole(6, 2, low=-3, high=2)])
    c.add("GatherND", [c.real(3, 4, 5), c.whole(2, 3, 3, low=0, high=2)])
    c.add("GatherND", [c.real(3, 4, 5), c.whole(3, 2, 1, low=0, high=3)], batch_dims=1)
    c.add("GatherND", [c.real(2, 3, 4), c.whole(2, 3, 1, low=0, high=3)], batch_dims=2)
    for axis in (-1, 0, 1):
        c.add("OneHot", [c.whole(3, 4, low=-6, high=7), Const(np.array(5, np.int64)), np.array([0.5, 2], F32)], axis=axis)
    c.add("OneHot", [c.real(4, low=0, high=4).round(), Const(np.array([5], F32)), np.array([0, 1], F32)])
    for axis in (0, 1, -1):
        for reduction, opset in (("none", 16), ("add", 16), ("mul", 16), ("max", 18), ("min", 18)):
            x = c.real(4, 5)
            index = np.stack([c.random.permutation(4)[:2] for _ in range(5)], 1) if axis == 0 else np.stack([c.random.permutation(5)[:2] for _ in range(4)])
            c.add("ScatterElements", [x, index.astype(np.int64), c.real(*index.shape)], axis=axis, reduction=reduction, opset=opset)
    c.add("ScatterElements", [c.real(3, 3), np.array([[-1, 0], [1, -2]], np.int64), c.real(2, 2)], axis=1, opset=13)
    c.add("ScatterElements", [c.whole(6), np.array([1, 1, 1, 2], np.int64), c.whole(4)], axis=0, opset=18, reduction="add")
    for reduction, opset in (("none", 16), ("add", 16), ("mul", 16), ("max", 18), ("min", 18)):
        c.add("ScatterND", [c.real(4, 5, 6), np.array([[1], [3]], np.int64), c.real(2, 5, 6)], reduction=reduction, opset=opset)
        c.add("ScatterND", [c.real(4, 5), np.array([[[1, 2], [-1, 0]], [[0, 0], [2, -2]]], np.int64), c.real(2, 2)], reduction=reduction, opset=opset)
    c.add("ScatterND", [c.real(8), np.array([[1], [1], [7]], np.int64), c.real(3)], reduction="add", opset=18)


def matrices(c):
    for a, b in (((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)), ((5, 1, 3, 4), (2, 4, 6)), ((4,), (4,)), ((4,), (4, 5)), ((3, 4), (4,)),
                 ((2, 3, 4), (4,)), ((4,), (2, 4, 5)), ((1, 33), (33, 65)), ((37, 64), (64, 48)), ((128, 128), (128, 2)), ((2, 0), (0, 3)), ((9, 100), (100, 17)), ((0, 3), (3, 2))):
        c.add("MatMul", [c.real(*a), c.real(*b)])
        c.add("MatMul", [c.real(*a), Const(c.real(*b))])
    for dtype in (F64, F16, np.int32, np.int64, np.uint32, np.uint64):
        c.add("MatMul", [c.any(dtype, 5, 7), c.any(dtype, 7, 6)])
    c.add("MatMul", [c.real(5, 7, dtype=BF16), c.real(7, 6, dtype=BF16)], reference=True)
    for trans_a in (0, 1):
        for trans_b in (0, 1):
            a = (7, 9) if trans_a else (9, 7)
            b = (11, 7) if trans_b else (7, 11)
            bias = c.pick((11,), (9, 11), (9, 1), (1,), (), (1, 11))
            c.add("Gemm", [c.real(*a), c.real(*b), c.real(*bias)], transA=trans_a, transB=trans_b)
            c.add("Gemm", [c.real(*a), Const(c.real(*b)), Const(c.real(11))], transA=trans_a, transB=trans_b, alpha=0.5, beta=2.0)
    c.add("Gemm", [c.real(1, 64), Const(c.real(30, 64)), Const(c.real(30))], transB=1)
    c.add("Gemm", [c.real(3, 4), c.real(4, 5)])
    c.add("Gemm", [c.real(3, 4), c.real(4, 5), c.real(5)], beta=0.0)
    c.add("Gemm", [c.real(3, 4), c.real(4, 5), c.real(5)], opset=7)
    c.add("Gemm", [c.whole(3, 4, dtype=np.int32), c.whole(4, 5, dtype=np.int32), c.whole(5, dtype=np.int32)], reference=True)
    for za, zb in ((None, None), (np.array(3, np.uint8), np.array(5, np.uint8)), (np.array(128, np.uint8), c.any(np.uint8, 6))):
        c.add("MatMulInteger", [c.whole(4, 33, dtype=np.uint8, low=0, high=255), c.whole(33, 6, dtype=np.uint8, low=0, high=255)] + ([za, zb] if za is not None else []))
    c.add("MatMulInteger", [c.whole(4, 5, dtype=np.uint8, low=0, high=255), c.whole(5, 6, dtype=np.int8, low=-128, high=127)])


def convolutions(c):
    def conv(x, channels, kernel, bias=True, group=1, **attributes):
        w = c.real(channels, x[1] // group, *kernel)
        weights = Const(w) if c.chance() else w
        c.add("Conv", [c.real(*x), weights] + ([c.real(channels)] if bias else []), group=group, **attributes)

    conv((1, 1, 28, 28), 8, (3, 3), pads=[1, 1, 1, 1])
    conv((2, 3, 9, 11), 4, (3, 3))
    conv((2, 3, 9, 11), 4, (3, 3), strides=[2, 2], pads=[1, 1, 1, 1])
    conv((1, 3, 10, 10), 5, (3, 2), dilations=[2, 3], pads=[1, 0, 2, 1])
    conv((1, 4, 9, 8), 6, (3, 3), group=2, pads=[1, 1, 1, 1])
    conv((1, 6, 9, 8), 6, (3, 3), group=6, pads=[1, 1, 1, 1], bias=False)
    conv((1, 4, 9, 8), 8, (3, 3), group=4, strides=[2, 1])
    conv((1, 8, 7, 7), 16, (1, 1))
    conv((1, 8, 7, 7), 16, (1, 1), strides=[2, 2], bias=False)
    conv((2, 3, 20), 4, (5,), pads=[2, 2])
    conv((1, 2, 5, 6, 7), 3, (2, 3, 2), strides=[1, 2, 1])
    conv((1, 3, 8, 8), 4, (8, 8))
    conv((1, 16, 30, 1), 16, (3, 1), pads=[2, 0, 0, 0])
    for auto_pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        for stride in (1, 2, 3):
            conv((1, 3, 10, 9), 4, (3, 4), auto_pad=auto_pad, strides=[stride, stride])
    conv((1, 3, 10, 9), 4, (3, 3), auto_pad="SAME_UPPER", opset=7)
    c.add("Conv", [c.real(1, 3, 6, 6, dtype=F16), c.real(4, 3, 3, 3, dtype=F16)])
    c.add("Conv", [c.real(1, 3, 6, 6, dtype=F64), c.real(4, 3, 3, 3, dtype=F64)], reference=True)
    for _ in range(15):
        rank = c.pick(1, 2, 2, 2, 3)
        group = c.pick(1, 1, 2, 3)
        kernel = [c.pick(1, 2, 3, 5) for _ in range(rank)]
        dilations = [c.pick(1, 1, 2) for _ in range(rank)]
        sizes = [(k - 1) * d + 1 + c.pick(0, 1, 4, 7) for k, d in zip(kernel, dilations)]
        pads = [int(p) for p in c.random.integers(0, 3, 2 * rank)]
        conv((c.pick(1, 2), group * c.pick(1, 2, 5), *sizes), group * c.pick(1, 2, 8, 17), kernel, c.chance(), group, dilations=dilations, pads=pads,
             strides=[c.pick(1, 1, 2, 3) for _ in range(rank)])
    c.add("ConvInteger", [c.whole(1, 2, 6, 7, dtype=np.uint8, low=0, high=255), c.whole(3, 2, 3, 3, dtype=np.uint8, low=0, high=255), np.array(7, np.uint8)], pads=[1, 1, 1, 1])
    c.add("ConvInteger", [c.whole(1, 2, 6, 7, dtype=np.uint8, low=0, high=255), c.whole(3, 2, 3, 3, dtype=np.uint8, low=0, high=255)])
    for attributes in ({}, {"strides": [2, 2]}, {"strides": [2, 3], "pads": [1, 1, 1, 2]}, {"dilations": [2, 2]}, {"strides": [2, 2], "output_padding": [1, 1]},
                       {"strides": [2, 2], "output_shape": [9, 10]}, {"group": 2}, {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, {"auto_pad": "SAME_LOWER", "strides": [2, 2]}):
        c.add("ConvTranspose", [c.real(1, 4, 4, 5), c.real(4, 3, 3, 3), c.real(3 * attributes.get("group", 1))], **attributes)
    c.add("ConvTranspose", [c.real(2, 3, 7), c.real(3, 2, 4)], strides=[3])
    for attributes in ({"strides": [2, 2], "dilations": [2, 2]}, {"strides": [3, 2], "dilations": [2, 3], "pads": [1, 0, 2, 1]}, {"strides": [4, 4]},
                       {"strides": [5, 4]}, {"strides": [4, 1], "pads": [1, 1, 1, 1]}, {"strides": [2, 2], "group": 2, "output_padding": [1, 0]}):
        c.add("ConvTranspose", [c.real(1, 4, 3, 5), c.real(4, 3, 3, 2), c.real(3 * attributes.get("group", 1))], **attributes)
    c.add("ConvTranspose", [c.real(1, 16, 6, 5), c.real(16, 24, 4, 4), c.real(24)], strides=[2, 2], pads=[1, 1, 1, 1])
    c.add("ConvTranspose", [c.real(1, 3, 4, 3, 4), c.real(3, 5, 2, 3, 2)], strides=[2, 1, 2])


def pools(c):
    settings = [
        dict(kernel_shape=[2, 2], strides=[2, 2]), dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]), dict(kernel_shape=[3, 2]),
        dict(kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), dict(kernel_shape=[2, 2], strides=[3, 3], pads=[1, 0, 1, 1], ceil_mode=1),
        dict(kernel_shape=[3, 3], auto_pad="SAME_UPPER", strides=[2, 2]), dict(kernel_shape=[2, 2], auto_pad="SAME_LOWER"), dict(kernel_shape=[2, 2], auto_pad="VALID", strides=[2, 1]),
        dict(kernel_shape=[5, 5], strides=[1, 1], pads=[2, 2, 2, 2]),
    ]
    for s in settings:
        for op in ("MaxPool", "AveragePool"):
            c.add(op, [c.real(2, 3, 9, 10)], **s)
        c.add("AveragePool", [c.real(2, 3, 9, 10)], count_include_pad=1, **s)
        c.add("MaxPool", [c.real(2, 3, 9, 10)], outputs=2, **s)
        if "ceil_mode" not in s:
            c.add("LpPool", [c.real(2, 3, 9, 10)], opset=18, **s)
    c.add("MaxPool", [c.real(1, 2, 12, 12)], kernel_shape=[3, 3], dilations=[2, 2], pads=[1, 1, 1, 1])
    c.add("MaxPool", [c.real(1, 2, 12, 12)], kernel_shape=[2, 2], dilations=[3, 2], outputs=2, storage_order=1)
    c.add("MaxPool", [c.real(1, 2, 12)], kernel_shape=[3], strides=[2])
    c.add("MaxPool", [c.real(1, 2, 5, 6, 7)], kernel_shape=[2, 3, 2], outputs=2)
    c.add("MaxPool", [c.whole(1, 2, 6, 6, dtype=np.int8, low=-128, high=-100)], kernel_shape=[2, 2], pads=[1, 1, 1, 1])
    c.add("MaxPool", [c.whole(1, 2, 6, 6, dtype=np.uint8, low=0, high=255)], kernel_shape=[2, 2])
    c.add("MaxPool", [c.real(1, 1, 6, 6)], kernel_shape=[2, 2], opset=7)
    c.add("AveragePool", [c.real(1, 2, 12, 12)], kernel_shape=[3, 3], dilations=[2, 2], pads=[2, 2, 2, 2], opset=19)
    c.add("AveragePool", [c.real(1, 2, 12, 12)], kernel_shape=[3, 3], dilations=[2, 2], pads=[2, 2, 2, 2], opset=19, count_include_pad=1)
    c.add("AveragePool", [c.real(1, 2, 12)], kernel_shape=[4])
    c.add("LpPool", [c.real(1, 2, 8)], kernel_shape=[4], p=3, opset=18)
    c.add("LpPool", [c.real(1, 2, 8)], kernel_shape=[4], p=1, opset=18)
    for op in ("GlobalAveragePool", "GlobalMaxPool"):
        for x in ((2, 3, 4, 5), (1, 2, 7), (1, 2, 3, 4, 5)):
            c.add(op, [c.real(*x)])
    c.add("GlobalLpPool", [c.real(2, 3, 4, 5)], p=2)
    c.add("GlobalLpPool", [c.real(2, 3, 4, 5)], p=3)


def normalizations(c):
    for op in ("Softmax", "LogSoftmax", "Hardmax"):
        for axis in (0, 1, 2, -1):
            c.add(op, [c.real(3, 4, 5)], axis=axis)
        c.add(op, [c.real(2, 37, low=-50, high=50)])
        c.add(op, [c.real(2, 9, dtype=F64)], reference=True)
        c.add(op, [c.real(2, 9, dtype=F16)], reference=op == "Hardmax")
        for axis in (0, 1, 2):
            c.add(op, [c.real(3, 4, 5)], opset=11, axis=axis)
        c.add(op, [c.real(3, 4, 5)], opset=7)
    for axis in (-1, 1, 0, -2):
        x = c.real(2, 3, 16)
        tail = x.shape[axis:]
        c.add("LayerNormalization", [x, c.real(*tail), c.real(*tail)], axis=axis)
        c.add("LayerNormalization", [x, Const(c.real(*tail))], axis=axis, epsilon=0.1)
    c.add("LayerNormalization", [c.real(2, 3, 128), c.real(128), c.real(128)], outputs=3)
    c.add("LayerNormalization", [c.real(2, 3, 64, dtype=F16), c.real(64, dtype=F16), c.real(64, dtype=F16)])
    for axis in (-1, 1):
        x = c.real(2, 3, 16)
        c.add("RMSNormalization", [x, c.real(*x.shape[axis:])], axis=axis, opset=23, reference=True)
    c.add("InstanceNormalization", [c.real(2, 3, 4, 5), c.real(3), c.real(3)], epsilon=0.01)
    c.add("InstanceNormalization", [c.real(2, 3, 40), c.real(3), c.real(3)])
    c.add("GroupNormalization", [c.real(2, 6, 4, 5), c.real(6), c.real(6)], num_groups=3, opset=21)
    c.add("GroupNormalization", [c.real(2, 6, 4, 5), c.real(3), c.real(3)], num_groups=3, opset=18)
    for opset in (7, 9, 14, 15):
        c.add("BatchNormalization", [c.real(2, 3, 4, 5)] + [Const(c.real(3, low=0.2)) for _ in range(4)], opset=opset)
        c.add("BatchNormalization", [c.real(2, 3)] + [c.real(3, low=0.2) for _ in range(4)], opset=opset, epsilon=0.01)
    c.add("BatchNormalization", [c.real(2, 3, 4)] + [c.real(3, low=0.2) for _ in range(4)], training_mode=1, outputs=3, opset=15)
    c.add("LRN", [c.real(2, 7, 3, 3)], size=3)
    c.add("LRN", [c.real(2, 7, 3, 3)], size=5, alpha=0.5, beta=0.6, bias=2.0)
    c.add("MeanVarianceNormalization", [c.real(2, 3, 4, 5)])
    c.add("MeanVarianceNormalization", [c.real(2, 3, 4, 5)], axes=[1, -1])
    for p in (1, 2):
        c.add("LpNormalization", [c.real(3, 4, 5)], p=p)
        c.add("LpNormalization", [c.real(3, 4, 5)], p=p, axis=1)
    c.add("LpNormalization", [np.zeros((2, 3), F32)], reference=True, opset=22)


def reductions(c):
    attribute_ops = ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare")
    for op in attribute_ops + ("ReduceSum",):
        low = 0.2 if op == "ReduceLogSum" else -3
        for keepdims in (0, 1):
            for axes in ((0,), (1,), (-1,), (0, 2), (1, 2), (0, 1, 2)):
                c.add(op, [c.real(3, 4, 5, low=low), ints(*axes)], opset=18, keepdims=keepdims)
            c.add(op, [c.real(3, 4, 5, low=low)], opset=18, keepdims=keepdims)
        c.add(op, [c.real(3, 4, low=low)], opset=18, noop_with_empty_axes=1) if op not in ("ReduceLogSum", "ReduceLogSumExp", "ReduceL1", "ReduceL2", "ReduceSumSquare") else None
        c.add(op, [c.real(3, 4, 5, low=low)], opset=11, axes=[1], keepdims=0)
        c.add(op, [c.real(3, 4, 5, low=low)], opset=7, axes=[0, 1])
        c.add(op, [c.real(low=low)], opset=18)
        c.add(op, [c.real(3, 100, low=low), ints(1)], opset=18)
        for dtype in (F64, np.int32, np.int64):
            if op not in ("ReduceLogSum", "ReduceLogSumExp") or dtype == F64:
                c.add(op, [np.abs(c.any(dtype, 3, 4)) if op == "ReduceLogSum" else c.any(dtype, 3, 4), ints(1)], opset=18, reference=True)
        c.add(op, [c.real(3, 40, low=low, dtype=F16), ints(1)], opset=18)
    for op in ("ReduceMax", "ReduceMin"):
        c.add(op, [c.any(np.int8, 3, 4), ints(1)], opset=18)
        c.add(op, [c.any(np.bool_, 3, 4), ints(1)], opset=20)
    for op in ("ArgMax", "ArgMin"):
        for axis in (0, 1, -1):
            for keepdims in (0, 1):
                c.add(op, [c.whole(4, 5, 6, dtype=F32, low=0, high=3)], axis=axis, keepdims=keepdims)
                c.add(op, [c.whole(4, 5, 6, dtype=F32, low=0, high=3)], axis=axis, keepdims=keepdims, select_last_index=1)
        c.add(op, [c.whole(4, 5, dtype=np.int32)])
        c.add(op, [c.real(4, 5)], opset=7)
    for op in ("CumSum", "CumProd"):
        for axis in (0, 1, -1):
            for exclusive in (0, 1):
                c.add(op, [c.real(3, 4, 5), Const(np.array(axis, np.int64))], exclusive=exclusive, reverse=int(c.chance()), opset=26 if op == "CumProd" else 17,
                      reference=op == "CumProd")
    c.add("CumSum", [c.whole(9, dtype=np.int32), Const(np.array([0], np.int32))], reverse=1, exclusive=1)


def losses(c):
    for weight in (False, True):
        for reduction in ("none", "sum", "mean"):
            for shape in ((5, 4), (2, 4, 3), (2, 4, 3, 2)):
                for ignore in (False, True):
                    target = c.whole(shape[0], *shape[2:], low=0, high=3)
                    attributes = {"reduction": reduction}
                    if ignore:
                        target.flat[0] = attributes["ignore_index"] = c.pick(2, -1)
                    inputs = [c.real(*shape), target] + ([c.real(4, low=0.1)] if weight else [])
                    c.add("NegativeLogLikelihoodLoss", inputs, opset=13, **attributes)
                    c.add("SoftmaxCrossEntropyLoss", inputs, opset=13, outputs=c.pick(1, 2), **attributes)


def quantization(c):
    u8, i8 = np.uint8, np.int8
    for dtype in (u8, i8):
        zero = np.array(c.pick(0, 3, 100), dtype)
        c.add("QuantizeLinear", [c.real(4, 33, low=-40, high=40), np.array(0.25, F32), zero])
        c.add("DequantizeLinear", [c.any(dtype, 4, 33), np.array(0.25, F32), zero])
        c.add("DequantizeLinear", [c.any(dtype, 2, 3, 4), Const(c.real(3, low=0.1)), Const(c.any(dtype, 3))], axis=1)
        c.add("QuantizeLinear", [c.real(2, 3, 4, low=-40, high=40), Const(c.real(3, low=0.1)), Const(c.any(dtype, 3))], axis=1)
    c.add("QuantizeLinear", [np.array([0.5, 1.5, 2.5, -0.5, -1.5, 1e9, -1e9], F32), np.array(1, F32)])
    c.add("QuantizeLinear", [c.real(20, low=-1e5, high=1e5), np.array(0.7, F32), np.array(5, np.int16)], opset=21)
    c.add("QuantizeLinear", [c.real(20, low=-1e5, high=1e5), np.array(0.7, F32), np.array(5, np.uint16)], opset=21)
    c.add("QuantizeLinear", [c.real(20), np.array(0.7, F32)], opset=21, output_dtype=TensorProto.INT8)
    c.add("QuantizeLinear", [c.real(4, 6), c.real(2, 6, low=0.1), c.any(i8, 2, 6)], opset=21, axis=0, block_size=2)
    c.add("DequantizeLinear", [c.whole(5, dtype=np.int32, low=-1000, high=1000), np.array(0.01, F32)])
    c.add("DequantizeLinear", [c.any(i8, 4, 6), c.real(2, 6, low=0.1), c.any(i8, 2, 6)], opset=21, axis=0, block_size=2)
    c.add("DequantizeLinear", [c.any(i8, 4, 6), np.array(0.25, F16)], opset=19)
    c.add("DynamicQuantizeLinear", [c.real(4, 7)], outputs=3)
    c.add("DynamicQuantizeLinear", [c.real(4, 7, low=1, high=5)], outputs=3)
    c.add("DynamicQuantizeLinear", [c.real(4, 7, low=-5, high=-1)], outputs=3)
    scale = lambda: np.array(0.02, F32)
    x, w = c.whole(4, 9, dtype=u8, low=0, high=255), c.whole(9, 5, dtype=u8, low=0, high=255)
    c.add("QLinearMatMul", [x, scale(), np.array(120, u8), w, scale(), np.array(130, u8), np.array(0.5, F32), np.array(100, u8)])
    image, kernel = c.whole(1, 2, 6, 7, dtype=u8, low=0, high=255), c.whole(3, 2, 3, 3, dtype=u8, low=0, high=255)
    c.add("QLinearConv", [image, scale(), np.array(120, u8), kernel, scale(), np.array(130, u8), np.array(0.4, F32), np.array(100, u8)], pads=[1, 1, 1, 1])
    c.add("QLinearConv", [c.whole(1, 2, 6, 7, dtype=i8, low=-128, high=127), scale(), np.array(3, i8), c.whole(3, 2, 3, 3, dtype=i8, low=-128, high=127),
                          c.real(3, low=0.01, high=0.03), np.zeros(3, i8), np.array(0.4, F32), np.array(-5, i8), c.whole(3, dtype=np.int32, low=-999, high=999)])


def resizing(c):
    absent = None
    for mode in ("nearest", "linear", "cubic"):
        for coordinates in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"):
            opset = 19 if coordinates == "half_pixel_symmetric" else 13
            for sizes in ((1, 2, 8, 6), (1, 2, 3, 2), (1, 2, 7, 5)):
                c.add("Resize", [c.real(1, 2, 4, 3), absent, absent, ints(*sizes)], mode=mode, coordinate_transformation_mode=coordinates, opset=opset)
    # Two of the neighbours along the first axis are the same one.
    c.add("Resize", [np.linspace(-3, 3, 144, dtype=F32).reshape(1, 2, 8, 9), absent, Const(np.array([1.0002441, 1, 0.4, 0.5], F32))], mode="linear", antialias=1, opset=18, reference=True)
    for nearest in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"):
        c.add("Resize", [c.real(1, 2, 4, 3), absent, Const(np.array([1, 1, 2, 1.7], F32))], mode="nearest", nearest_mode=nearest, opset=13)
        c.add("Resize", [c.real(1, 2, 4, 6), absent, Const(np.array([1, 1, 0.5, 0.6], F32))], mode="nearest", nearest_mode=nearest, coordinate_transformation_mode="asymmetric", opset=13)
    c.add("Resize", [c.real(1, 2, 4, 3), absent, Const(np.array([1, 1, 2, 2], F32))], mode="linear", opset=11)
    c.add("Resize", [c.real(1, 2, 4, 3), Const(np.array([1, 1, 2, 3], F32))], mode="nearest", opset=10)
    c.add("Resize", [c.real(1, 2, 4, 3), absent, Const(np.array([2, 3], F32))], axes=[2, 3], mode="linear", opset=18)
    c.add("Resize", [c.real(1, 2, 8, 9), absent, Const(np.array([1, 1, 0.4, 0.5], F32))], mode="linear", antialias=1, opset=18)
    c.add("Resize", [c.real(1, 2, 8, 9), absent, Const(np.array([1, 1, 0.4, 0.5], F32))], mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1, opset=13)
    c.add("Resize", [c.real(1, 1, 4, 4), Const(np.array([0, 0, 0.4, 0.6, 1, 1, 0.6, 0.8], F32)), absent, ints(1, 1, 3, 3)], mode="linear",
          coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=10.0, opset=13)
    for policy in ("not_larger", "not_smaller"):
        c.add("Resize", [c.real(1, 2, 4, 6), absent, absent, ints(7, 8)], axes=[2, 3], keep_aspect_ratio_policy=policy, opset=18, reference=True)
    c.add("Upsample", [c.real(1, 2, 3, 4), Const(np.array([1, 1, 2, 3], F32))], opset=9)
    c.add("Upsample", [c.real(1, 2, 3, 4)], opset=7, scales=[1.0, 1.0, 2.0, 2.0])


def selection(c):
    for axis in (0, 1, -1):
        for largest in (0, 1):
            c.add("TopK", [c.real(4, 5, 6), ints(3)], axis=axis, largest=largest, outputs=2)
    c.add("TopK", [c.whole(4, 9, dtype=np.int64, low=0, high=4), ints(5)], outputs=2)
    c.add("TopK", [c.real(4, 9), ints(9)], outputs=2, opset=10)
    c.add("ReverseSequence", [c.real(4, 5, 3), np.array([1, 4, 2, 4, 3], np.int64)])
    c.add("ReverseSequence", [c.real(4, 5), np.array([1, 5, 2, 3], np.int64)], batch_axis=0, time_axis=1)
    for equation, shapes_ in (("ij,jk->ik", ((3, 4), (4, 5))), ("bij,bjk->bik", ((2, 3, 4), (2, 4, 5))), ("ij->ji", ((3, 4),)), ("ij->i", ((3, 4),)), ("ii->i", ((4, 4),)),
                              ("i,i", ((4,), (4,))), ("...ij,...jk->...ik", ((2, 3, 4), (4, 5))), ("bhqd,bhkd->bhqk", ((1, 2, 3, 4), (1, 2, 5, 4))), ("ij,kl->ijkl", ((2, 3), (4, 2)))):
        c.add("Einsum", [c.real(*s) for s in shapes_], equation=equation)


def recurrent(c):
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}
    steps, batch, size, hidden = 5, 3, 4, 6

    def add(op, directions=1, bias=True, lengths=None, state=False, peephole=False, outputs=None, **attributes):
        g = gates[op]
        small = lambda *shape: c.real(*shape, low=-0.7, high=0.7)
        inputs = [c.real(steps, batch, size), Const(small(directions, g * hidden, size)), Const(small(directions, g * hidden, hidden))]
        inputs.append(Const(small(directions, 2 * g * hidden)) if bias else None)
        inputs.append(None if lengths is None else np.array(lengths, np.int32))
        inputs.append(small(directions, batch, hidden) if state else None)
        if op == "LSTM":
            inputs.append(small(directions, batch, hidden) if state else None)
            inputs.append(Const(small(directions, 3 * hidden)) if peephole else None)
        while inputs[-1] is None:
            inputs.pop()
        c.add(op, inputs, outputs=outputs or (3 if op == "LSTM" else 2), hidden_size=hidden, **attributes)

    for op in gates:
        add(op)
        add(op, bias=False, outputs=1)
        add(op, state=True, direction="reverse")
        add(op, 2, state=True, direction="bidirectional")
        add(op, lengths=(5, 2, 3), state=True)
        add(op, 2, lengths=(1, 5, 4), direction="bidirectional")
        add(op, clip=0.4)
        add(op, opset=7)
    add("GRU", linear_before_reset=1)
    add("GRU", 2, linear_before_reset=1, direction="bidirectional", state=True)
    add("LSTM", peephole=True, state=True)
    add("LSTM", input_forget=1)
    add("LSTM", activations=["HardSigmoid", "Softsign", "Relu"], activation_alpha=[0.25], activation_beta=[0.4])
    add("RNN", activations=["Affine"], activation_alpha=[0.5], activation_beta=[0.1])
    add("RNN", activations=["LeakyRelu"], activation_alpha=[0.3])


def sampling(c):
    for mode in ("nearest", "bilinear", "bicubic"):
        for padding in ("zeros", "border", "reflection"):
            for corners in (0, 1):
                c.add("GridSample", [c.real(2, 3, 5, 6), c.real(2, 4, 3, 2, low=-1.7, high=1.7)], opset=16, mode=mode, padding_mode=padding, align_corners=corners)
    c.add("GridSample", [c.real(1, 2, 3, 4, 5), c.real(1, 2, 3, 2, 3, low=-1.2, high=1.2)], opset=20, mode="linear")
    for corners in (0, 1):
        c.add("AffineGrid", [c.real(2, 2, 3), ints(2, 3, 4, 5)], opset=20, align_corners=corners)
        c.add("AffineGrid", [c.real(1, 3, 4), ints(1, 2, 3, 4, 2)], opset=20, align_corners=corners)
        c.add("AffineGrid", [c.real(2, 2, 3), np.array([2, 3, 4, 5])], opset=20, declared=True, align_corners=corners)
    for shape in ((4, 9), (6, 6), (5, 7), (2, 3)):
        c.add("CenterCropPad", [c.real(5, 7), ints(*shape)], opset=18)
    c.add("CenterCropPad", [c.real(2, 5, 7), ints(8, 3)], opset=18, axes=[-1, 1])
    for op in ("HannWindow", "HammingWindow", "BlackmanWindow"):
        for periodic in (0, 1):
            c.add(op, [Const(np.array(11, np.int64))], periodic=periodic)


def attentions(c):
    heads = lambda n, steps, size=8: c.real(2, n, steps, size)
    for attributes in ({}, {"is_causal": 1}, {"scale": 0.3}, {"softcap": 2.0}):
        c.add("Attention", [heads(3, 4), heads(3, 6), heads(3, 6, 5)], opset=24, reference=True, **attributes)
        c.add("Attention", [c.real(2, 4, 24), c.real(2, 6, 24), c.real(2, 6, 24)], opset=24, reference=True, q_num_heads=3, kv_num_heads=3, **attributes)
    c.add("Attention", [heads(6, 4), heads(2, 4), heads(2, 4)], opset=24, reference=True, is_causal=1)
    c.add("Attention", [heads(3, 4), heads(3, 6), heads(3, 6), c.any(np.bool_, 4, 6)], opset=24, reference=True)
    c.add("Attention", [heads(3, 4), heads(3, 6), heads(3, 6), c.real(2, 1, 4, 6)], opset=24, reference=True, outputs=4, qk_matmul_output_mode=2)
    c.add("Attention", [heads(3, 2), heads(3, 2), heads(3, 2), None, heads(3, 5), heads(3, 5)], opset=24, reference=True, outputs=3, is_causal=1)
    c.add("Attention", [heads(3, 3), heads(3, 6), heads(3, 6), None, None, None, np.array([4, 6], np.int64)], opset=24, reference=True, is_causal=1)
    c.add("Attention", [heads(3, 5), heads(3, 5), heads(3, 5)], opset=25, reference=True, left_window_size=1, right_window_size=1)
    for interleaved in (0, 1):
        for turned, size in ((0, 8), (4, 8)):
            half = (turned or size) // 2
            c.add("RotaryEmbedding", [heads(3, 4, size), c.real(10, half), c.real(10, half), c.whole(2, 4, low=0, high=9)], opset=23, reference=True,
                  interleaved=interleaved, rotary_embedding_dim=turned)
        c.add("RotaryEmbedding", [c.real(2, 4, 24), c.real(2, 4, 4), c.real(2, 4, 4)], opset=23, reference=True, interleaved=interleaved, num_heads=3)
    def linear(rule, tokens, heads=(2, 2), state=False, gates=None, shared=False, scale=0.0):
        q_heads, kv_heads = heads
        inputs = [c.real(2, tokens, 4 * q_heads), c.real(2, tokens, 4 * kv_heads), c.real(2, tokens, 3 * kv_heads)]
        inputs.append(c.real(2, kv_heads, 4, 3) if state else None)
        inputs.append(c.real(2, tokens, gates or kv_heads * 4, low=-1, high=0) if "gated" in rule else None)
        inputs.append(c.real(2, tokens, 1 if shared else kv_heads, low=0, high=1) if "delta" in rule else None)
        c.add("LinearAttention", inputs, opset=27, outputs=2, reference=True, update_rule=rule, q_num_heads=q_heads, kv_num_heads=kv_heads, scale=scale)
    for rule in ("linear", "gated", "delta", "gated_delta"):
        linear(rule, 5)
        linear(rule, 1, state=True, scale=0.3)
    linear("gated_delta", 4, heads=(6, 2), state=True, gates=2)
    linear("gated_delta", 3, heads=(4, 1), shared=True)
    for activation in ("none", "silu"):
        for bias in (None, c.real(3)):
            for past in (None, c.real(2, 3, 3)):
                c.add("CausalConvWithState", [c.real(2, 3, 7), c.real(3, 1, 4), bias, past], opset=27, outputs=2, reference=True, activation=activation)
    c.add("CausalConvWithState", [c.real(2, 3, 2), c.real(3, 1, 5)], opset=27, outputs=2, reference=True)
    c.add("CausalConvWithState", [c.real(2, 3, 4), c.real(3, 1, 1)], opset=27, outputs=2, reference=True)
    c.add("SwiGLU", [c.real(3, 4), c.real(3, 4)], opset=28, reference=True, alpha=1.5)


def bounds_from_data(c):
    """What decides the shape is data; the model declares what comes of it."""
    whole = lambda *x: np.array(x, np.int64)
    x = c.real(5, 6, 7)
    for starts, ends, axes, steps in (((1, 2), (4, 99), (0, 1), (1, 2)), ((-2, -1), (-99, 0), (-1, 0), (-2, -1)), ((0,), (3,), (-2,), None),
                                      ((2, 0, -3), (-1, 99, 99), None, None), ((3,), (1,), (1,), (1,)), ((99,), (-99,), (2,), (-3,))):
        c.add("Slice", [x, whole(*starts), whole(*ends), None if axes is None else whole(*axes), None if steps is None else whole(*steps)], declared=True)
    c.add("Slice", [x, whole(1), whole(3), ints(2)], declared=True)
    c.add("Slice", [x, ints(-3), np.array([6], np.int64), whole(1), ints(2)], declared=True)
    for mode in ("constant", "reflect", "edge", "wrap"):
        c.add("Pad", [c.real(3, 4), whole(1, 2, 0, 3)], declared=True, opset=19, mode=mode)
        c.add("Pad", [c.real(3, 4), whole(2, 1), None, whole(-1)], declared=True, opset=19, mode=mode)
    c.add("Pad", [c.real(3, 4), whole(1, -1, 0, 2), np.array(7, F32)], declared=True)
    for depth in (np.array(5, np.int64), np.array([5], F32)):
        c.add("OneHot", [c.whole(2, 3, low=-7, high=7), depth, np.array([2, 9], np.int32)], declared=True, axis=0)
    for dtype in (np.int16, np.int32, np.int64, F32, F64):
        for start, limit, delta in ((1, 10, 3), (5, -6, -4), (3, 3, 1), (4, 1, 2)):
            c.add("Range", [np.array(n, dtype) for n in (start, limit, delta)], declared=True)


def resized_by_data(c):
    """Resize and Upsample whose scales, sizes or region are fed."""
    scales, whole = lambda *x: np.array(x, F32), lambda *x: np.array(x, np.int64)
    for mode in ("nearest", "linear", "cubic"):
        for coordinates in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"):
            opset = 19 if coordinates == "half_pixel_symmetric" else 13
            for factors in ((1, 1, 2, 1.7), (1, 1, 0.6, 0.4)):
                c.add("Resize", [c.real(1, 2, 5, 6), None, scales(*factors)], declared=True, mode=mode, coordinate_transformation_mode=coordinates, opset=opset,
                      reference=coordinates == "align_corners")  # onnxruntime takes the size for input times scale
            c.add("Resize", [c.real(1, 2, 5, 6), None, None, whole(1, 2, 7, 4)], declared=True, mode=mode, coordinate_transformation_mode=coordinates,
                  opset=opset)
    for nearest in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"):
        c.add("Resize", [c.real(1, 2, 4, 3), None, scales(1, 1, 2, 1.7)], declared=True, nearest_mode=nearest, opset=13)
    for mode in ("linear", "cubic"):
        c.add("Resize", [c.real(8, 9), None, scales(0.4, 0.5)], declared=True, mode=mode, antialias=1, opset=18)
        c.add("Resize", [c.real(8, 9), None, None, whole(3, 12)], declared=True, mode=mode, antialias=1, opset=18)
    c.add("Resize", [c.real(8, 9), None, scales(0.4, 0.5)], declared=True, mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1, opset=13)
    c.add("Resize", [c.real(1, 2, 4, 3), None, scales(3, 2)], declared=True, axes=[-1, 2], mode="linear", opset=18)
    for dtype in (F64, F16, np.int32, np.uint8):
        c.add("Resize", [c.any(dtype, 4, 5), None, scales(2, 1.5)], declared=True, mode="nearest", opset=13)
    c.add("Resize", [c.real(4, 5, dtype=F64), None, scales(2, 1.5)], declared=True, mode="linear", opset=13, reference=True)
    for roi in (scales(0.4, 0.6, 0.6, 0.8), scales(-0.2, 0.1, 1.3, 0.9)):
        for sizes in ((3, 3), (1, 5)):
            c.add("Resize", [c.real(4, 4), roi, None, whole(*sizes)], declared=True, mode="linear", coordinate_transformation_mode="tf_crop_and_resize",
                  extrapolation_value=10.0, opset=13)
    for policy in ("not_larger", "not_smaller"):
        c.add("Resize", [c.real(1, 2, 4, 6), None, None, whole(7, 8)], declared=True, axes=[2, 3], keep_aspect_ratio_policy=policy, opset=18, reference=True)
    for mode in ("nearest", "linear"):
        c.add("Upsample", [c.real(1, 2, 3, 4), scales(1, 1, 2, 3)], declared=True, opset=9, mode=mode)


def signals(c):
    whole = lambda x: np.array(x, np.int64)
    for parts in (1, 2):
        x = c.real(2, 6, 5, parts)
        for attributes in ({}, {"inverse": 1}) + (({"onesided": 1},) if parts == 1 else ({"inverse": 1, "onesided": 1},)):
            for axis in (1, -2):
                for length in (None, 5, 8, 3):
                    fixed = None if length is None else Const(whole(length))
                    if attributes.get("inverse") and parts == 1:
                        continue
                    c.add("DFT", [x, fixed], opset=19, reference=True, axis=axis, **attributes)
                    c.add("DFT", [x, fixed, Const(whole(axis))], opset=20, reference=True, **attributes)
                    c.add("DFT", [x, None if length is None else whole(length), whole(axis)], opset=20, reference=True, declared=True, **attributes)
    c.add("DFT", [c.real(3, 7, 1)], opset=20, reference=True)
    c.add("DFT", [c.real(3, 7, 1, dtype=F64)], opset=17, reference=True)
    for parts in (1, 2):
        signal, window = c.real(2, 30, parts), c.real(8, low=0, high=1)
        for onesided in (1, 0) if parts == 1 else (0,):
            c.add("STFT", [signal, Const(whole(5)), Const(window)], reference=True, onesided=onesided)
            c.add("STFT", [signal, whole(3), window], reference=True, declared=True, onesided=onesided)
            c.add("STFT", [signal, whole(3), None, whole(7)], reference=True, declared=True, onesided=onesided)
            c.add("STFT", [signal, whole(30), window, whole(8)], reference=True, declared=True, onesided=onesided)
    for op in ("HannWindow", "HammingWindow", "BlackmanWindow"):
        for periodic in (0, 1):
            c.add(op, [whole(10)], declared=True, periodic=periodic)
        c.add(op, [whole(7)], declared=True, reference=True, periodic=0, output_datatype=TensorProto.DOUBLE)
    for numbers in ((8, 16, 8192, 0, 4096), (5, 65, 16000, 20, 7600), (20, 16, 8000, 100, 3000)):
        inputs = [np.array(x, np.int64) for x in numbers[:3]] + [np.array(x, F32) for x in numbers[3:]]
        c.add("MelWeightMatrix", inputs, reference=True, declared=True)
        c.add("MelWeightMatrix", [Const(x) for x in inputs], reference=True, output_datatype=TensorProto.DOUBLE)


def pieces(c):
    """What puts together, scatters and samples between elements."""
    whole = lambda *x: np.array(x, np.int64)
    for image, block, columns, attributes in (((5, 5), (1, 5), 5, {}), ((5, 6), (2, 3), 16, {}), ((7, 7), (2, 2), 12, {"strides": [2, 3], "pads": [0, 1, 1, 2]}),
                                              ((6, 6), (2, 2), 20, {"dilations": [1, 2], "pads": [0, 0, 0, 0]}), ((3, 4, 5), (1, 2, 3), 27, {}),
                                              ((9,), (3,), 7, {})):
        x = c.real(2, 3 * int(np.prod(block)), columns)
        c.add("Col2Im", [x, ints(*image), ints(*block)], opset=18, reference=len(image) == 1, **attributes)
        c.add("Col2Im", [x, whole(*image), whole(*block)], opset=18, declared=True, reference=len(image) == 1, **attributes)
    places = np.array([[[[0, 3], [9, 11]]], [[[16, 18], [25, 31]]]], np.int64)
    c.add("MaxUnpool", [c.real(2, 1, 2, 2), places], kernel_shape=[2, 2], strides=[2, 2], opset=11)
    c.add("MaxUnpool", [c.real(2, 1, 2, 2), places, whole(2, 1, 5, 6)], declared=True, reference=True, kernel_shape=[2, 2], strides=[2, 2], opset=11)
    c.add("MaxUnpool", [c.real(2, 1, 2, 2), places, ints(2, 1, 4, 5)], reference=True, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 1, 0], opset=9)
    c.add("MaxUnpool", [c.real(1, 2, 3), whole(0, 2, 4, 6, 7, 11).reshape(1, 2, 3)], reference=True, kernel_shape=[2], strides=[2])
    for dtype in (F32, F64):
        c.add("Det", [c.real(4, 4, dtype=dtype)], opset=11)
    half = c.real(4, 4, dtype=F16)
    c.add("Det", [half], opset=22, want=[np.linalg.det(half.astype(np.float64)).astype(F16)])
    c.add("Det", [c.real(2, 3, 3, 3)], opset=11)
    c.add("Det", [np.array([[0, 2, 1], [3, 0, 1], [1, 1, 0]], F32)], opset=11)
    c.add("Det", [np.array([[1, 2], [2, 4]], F32)], opset=11)
    c.add("Det", [np.ones((2, 0, 0), F32)], opset=11, reference=True)
    data = c.real(3, 5)
    c.add("Scatter", [data, np.argsort(c.real(3, 5), 0)[:2], c.real(2, 5)], opset=10, axis=0)
    c.add("Scatter", [data, np.argsort(c.real(3, 5), 1)[:, :3], c.real(3, 3)], opset=9, axis=-1)
    for mode in ("linear", "circular"):
        for index in (None, whole(1, 0)) + ((whole(4, 3),) if mode == "circular" else ()):
            c.add("TensorScatter", [c.real(2, 3, 5, 4), c.real(2, 3, 2, 4), index], opset=24, reference=True, mode=mode)
        c.add("TensorScatter", [c.real(2, 5, 4), c.real(2, 3, 4), Const(whole(2, 0))], opset=24, reference=True, mode=mode, axis=1)
        c.add("TensorScatter", [c.whole(2, 5, dtype=np.int8), c.whole(2, 5, dtype=np.int8)], opset=24, reference=True, mode=mode, axis=-1)
    rois = np.array([[0, 0, 5, 4], [1.5, 2, 7, 9.5], [-3, -2, 4, 3], [2, 3, 2.2, 3.1]], F32)
    for mode in ("avg", "max"):
        for place in ("half_pixel", "output_half_pixel"):
            for ratio in (0, 2):
                c.add("RoiAlign", [c.real(2, 3, 8, 9), rois, whole(1, 0, 1, 0)], opset=16, reference=True, mode=mode, coordinate_transformation_mode=place,
                      sampling_ratio=ratio, output_height=3, output_width=2, spatial_scale=0.75)
    c.add("RoiAlign", [c.real(2, 3, 8, 9), rois, whole(1, 0, 1, 0)], opset=10, output_height=2, output_width=2)
    deform = dict(opset=19, reference=True)
    offset = lambda groups, *shape: c.real(shape[0], groups * 2 * 6, *shape[1:], low=-1.5, high=1.5)
    c.add("DeformConv", [c.real(2, 4, 6, 7), c.real(3, 4, 2, 3), offset(1, 2, 5, 5)], **deform)
    c.add("DeformConv", [c.real(2, 4, 6, 7), c.real(6, 2, 2, 3), offset(2, 2, 5, 5), c.real(6)], group=2, offset_group=2, **deform)
    c.add("DeformConv", [c.real(1, 4, 6, 7), c.real(3, 4, 2, 3), offset(4, 1, 4, 2), None, c.real(1, 24, 4, 2)], offset_group=4, strides=[2, 3],
          pads=[1, 0, 2, 1], dilations=[2, 2], kernel_shape=[2, 3], **deform)


def grams(c):
    pool = dict(ngram_counts=[0, 4, 10], ngram_indexes=[0, 1, 2, 3, 4, 5, 6], pool_int64s=[2, 3, 5, 4, 5, 6, 7, 8, 6, 7], min_gram_length=1, max_gram_length=2)
    weights = [0.5, 1.5, 2.0, 0.25, 3.0, 1.0, 0.75]
    for mode in ("TF", "IDF", "TFIDF"):
        for skip in (0, 1, 5):
            for dtype in (np.int32, np.int64):
                c.add("TfIdfVectorizer", [c.whole(12, dtype=dtype, low=2, high=8)], reference=mode == "TF", mode=mode, max_skip_count=skip, **pool)
                c.add("TfIdfVectorizer", [c.whole(3, 9, dtype=dtype, low=2, high=8)], reference=True, mode=mode, max_skip_count=skip, weights=weights, **pool)
    pool.update(min_gram_length=2, ngram_indexes=[6, 5, 4, 3, 2, 8, 0])
    c.add("TfIdfVectorizer", [c.whole(3, 9, low=2, high=8)], reference=True, mode="TF", max_skip_count=2, **pool)
    c.add("TfIdfVectorizer", [c.whole(3, 1, low=2, high=8)], reference=True, mode="TF", max_skip_count=2, **pool)
    pool = dict(ngram_counts=[0, 0, 0], ngram_indexes=[1, 0], pool_int64s=[1, 2, 1, 2, 2, 1], min_gram_length=3, max_gram_length=3)
    c.add("TfIdfVectorizer", [c.whole(40, low=1, high=2)], reference=True, mode="TF", max_skip_count=1, **pool)


def not_numbers(c):
    """ArgMax and ArgMin of rows with NaNs: the first of them, as numpy says."""
    x = c.real(6, 9)
    x[0], x[1, 4], x[2, [2, 7]], x[3, 8], x[4, [0, 5]], x[5] = np.nan, np.nan, np.nan, np.inf, [np.inf, np.nan], -np.inf
    for dtype in (F32, F64, F16):
        for op in ("ArgMax", "ArgMin"):
            for last in (0, 1):
                c.add(op, [x.astype(dtype)], reference=True, axis=1, keepdims=0, select_last_index=last)
                c.add(op, [x.T.astype(dtype)], reference=True, axis=0, select_last_index=last)


def splitmix(seed, places, dtype):
    """Numbers in [0, 1) as compiler/ops/random.c defines them."""
    bits = np.frombuffer(np.float64(np.float32(seed)).tobytes(), np.uint64)
    x = (places.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + bits
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(F64) * 2.0**-53 if dtype == F64 else (x >> np.uint64(40)).astype(F32) * F32(2.0**-24)


def random_numbers(c):
    """No other runtime has the same numbers: they are made again here, and their distribution is looked at."""
    places = np.arange(6000, dtype=np.uint64)
    for dtype in (F32, F64, F16, BF16):
        elem, wide = helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), F64 if dtype == F64 else F32
        u, v, w = splitmix(3.5, places, wide), splitmix(3.5, 2 * places, wide), splitmix(3.5, 2 * places + 1, wide)
        even, bell = (wide(-2) + u * wide(6)).reshape(20, 300).astype(dtype), np.sqrt(-2 * np.log(1 - v)) * np.cos(w * wide(2 * np.pi))
        assert abs(u.mean() - 0.5) < 0.02 and abs(u.std() - 12**-0.5) < 0.01 and abs(bell.mean()) < 0.03 and abs(bell.std() - 1) < 0.03
        bell = (wide(1) + wide(0.5) * bell).reshape(20, 300).astype(dtype)
        like = c.real(20, 300, dtype=dtype)
        c.add("RandomUniform", [], opset=22, want=[even], shape=[20, 300], dtype=elem, low=-2.0, high=4.0, seed=3.5)
        c.add("RandomNormal", [], opset=22, want=[bell], shape=[20, 300], dtype=elem, mean=1.0, scale=0.5, seed=3.5)
        c.add("RandomUniformLike", [like], opset=22, want=[even], low=-2.0, high=4.0, seed=3.5)
        c.add("RandomNormalLike", [c.whole(20, 300)], opset=22, want=[bell], dtype=elem, mean=1.0, scale=0.5, seed=3.5)
    c.add("RandomUniform", [], opset=7, want=[splitmix(0, places[:5], F32)], shape=[5], seed=0.0)
    chances = c.real(4, 50, low=0.0, high=1.0)
    ones = splitmix(-7, places[:200], F32).reshape(4, 50) < chances
    c.add("Bernoulli", [chances], opset=15, want=[ones.astype(F32)], seed=-7.0)
    c.add("Bernoulli", [chances], opset=22, want=[ones], seed=-7.0, dtype=TensorProto.BOOL)
    c.add("Bernoulli", [np.array([0, 1] * 8, F32)], opset=22, want=[np.array([0, 1] * 8, np.int32)], dtype=TensorProto.INT32)
    logs, noise = c.real(2, 5), -np.log(-np.log(splitmix(2, places[:4000], F32))).reshape(2, 400, 5)
    chosen = (logs[:, None] + noise).argmax(2)
    share = np.exp(logs) / np.exp(logs).sum(1, keepdims=True)
    assert np.abs(np.stack([np.bincount(row, minlength=5) / 400 for row in chosen]) - share).max() < 0.1
    c.add("Multinomial", [logs], opset=22, want=[chosen.astype(np.int64)], sample_size=400, dtype=TensorProto.INT64, seed=2.0)


def old_forms(c):
    """Operators of opset 6 and before, in numpy's words."""
    x, y = c.real(2, 3, 4, 5), c.real(3, 4, low=0.5)
    spread = y[:, :, None]
    for op, fn in (("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply), ("Div", np.divide)):
        c.add(op, [x, y], opset=6, want=[fn(x, spread)], broadcast=1, axis=1)
        c.add(op, [x, y], opset=1, want=[fn(x, spread)], broadcast=1, axis=-3, consumed_inputs=[0, 0])
        c.add(op, [x, y[0, :3]], opset=6, want=[fn(x, y[0, :3, None, None])], broadcast=1, axis=1)
        c.add(op, [x, x[0, 0]], opset=6, want=[fn(x, x[0, 0])], broadcast=1)
        c.add(op, [x, x + 9], opset=6, want=[fn(x, x + 9)])
    c.add("Pow", [np.abs(x), y], opset=1, want=[np.power(np.abs(x), spread)], broadcast=1, axis=1)
    bits, few = c.any(np.bool_, 2, 3, 4), c.any(np.bool_, 3)
    for op, fn in (("And", np.logical_and), ("Or", np.logical_or), ("Xor", np.logical_xor)):
        c.add(op, [bits, few], opset=6, want=[fn(bits, few[:, None])], broadcast=1, axis=1)
    for op, fn in (("Less", np.less), ("Greater", np.greater)):
        c.add(op, [x, y], opset=6, want=[fn(x, spread)], broadcast=1, axis=1)
    whole = c.whole(2, 3, dtype=np.int32, low=0, high=2)
    c.add("Equal", [whole, whole[:, 0]], opset=6, want=[whole == whole[:, :1]], broadcast=1, axis=0)
    slope = c.real(3, low=0, high=1)
    c.add("PRelu", [x, slope], opset=6, want=[np.where(x < 0, slope[:, None, None] * x, x)])
    c.add("PRelu", [x, slope[:1]], opset=1, want=[np.where(x < 0, slope[0] * x, x)], consumed_inputs=[0, 0])
    a, b = c.real(4, 3), c.real(3, 5)
    c.add("Gemm", [a, b, b[0]], opset=6, want=[a @ b + b[0]], broadcast=1)
    parts = [c.real(3, low=0.5) for _ in range(4)]
    normal = [p[:, None, None] for p in parts]
    for opset in (1, 6):
        c.add("BatchNormalization", [x, *parts], opset=opset, want=[(x - normal[2]) / np.sqrt(normal[3] + F32(1e-5)) * normal[0] + normal[1]],
              is_test=1, spatial=1)
    c.add("Dropout", [x], opset=6, want=[x], is_test=1, ratio=0.3)
    c.add("Reshape", [x], opset=1, want=[x.reshape(6, 20)], shape=[6, -1])
    c.add("Pad", [a], opset=1, want=[np.pad(a, ((1, 0), (2, 3)), constant_values=F32(0.5))], paddings=[1, 2, 0, 3], value=0.5)
    c.add("Tile", [a, Const(np.array(2, F32)), Const(np.array(1, F32))], opset=1, want=[np.tile(a, (1, 2))])
    c.add("Concat", [a, a], opset=1, want=[np.concatenate([a, a], 1)])
    c.add("Upsample", [x], opset=1, want=[x.repeat(2, 2).repeat(3, 3)], height_scale=2.0, width_scale=3.0, mode="nearest")
    c.add("Cast", [x], opset=1, want=[x.astype(np.int32)], to="INT32")
    c.add("Cast", [whole], opset=1, want=[whole.astype(F32)], to="FLOAT")
    c.add("GlobalLpPool", [x], opset=1, want=[np.sqrt((x * x).sum((2, 3), keepdims=True))], p=2.0)
    c.add("Selu", [x], opset=1, want=[np.where(x > 0, x, F32(1.6732) * (np.exp(x) - 1)) * F32(1.0507)])
    c.add("Selu", [x], opset=1, want=[np.where(x > 0, x, np.exp(x) - 1) * F32(2)], alpha=1.0, gamma=2.0)
    c.add("Clip", [x], opset=1, want=[np.clip(x, F32(-1), F32(0.5))], min=-1.0, max=0.5)


def narrow(c):
    """Elements of 4 and 2 bits, f4e2m1 and f8e8m0."""
    reals = np.concatenate([c.real(30, low=-9, high=9), np.array([0.25, 0.75, 1.25, -1.75, 2.5, 3.5, -5, 7, 0, -0.0, 1e6], F32)])
    for name in ("int4", "uint4", "int2", "uint2"):
        small = getattr(ml_dtypes, name)
        low, high = int(ml_dtypes.iinfo(small).min), int(ml_dtypes.iinfo(small).max)
        whole = c.whole(3, 7, dtype=np.int32, low=low, high=high)
        number = helper.np_dtype_to_tensor_dtype(np.dtype(small))
        for dtype in (F32, F16, F64, np.int8, np.int32, np.uint8):
            c.add("Cast", [whole.astype(small)], opset=28, want=[whole.astype(dtype)], to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
            wide = c.whole(5, 3, dtype=np.int32, low=0 if dtype == np.uint8 else -20, high=20)
            wrapped = ((wide - low) % (high - low + 1) + low).astype(small)
            c.add("Cast", [wide.astype(dtype)], opset=28, want=[wrapped], to=number)
        c.add("CastLike", [whole.astype(F32), np.zeros(1, small)], opset=25, want=[whole.astype(small)])
        c.add("Reshape", [whole.astype(small), ints(7, 3)], opset=25, want=[whole.reshape(7, 3).astype(small)])
        c.add("Transpose", [whole.astype(small)], opset=25, want=[whole.T.copy().astype(small)], perm=[1, 0])
        c.add("Identity", [whole.astype(small)], opset=25, want=[whole.astype(small)])
        c.add("Unsqueeze", [whole.astype(small), ints(0)], opset=25, want=[whole[None].astype(small)])
        zero = np.array([low + 1, 0, high], np.int32)
        scale = np.array([0.5, 1.5, 2], F32)
        x = c.real(3, 7, low=-12, high=12)
        y = np.clip(np.rint(x / scale[:, None]) + zero[:, None], low, high)
        for const in (lambda v: v, Const):
            c.add("QuantizeLinear", [x, const(scale), const(zero.astype(small))], opset=25, want=[y.astype(np.int32).astype(small)], axis=0)
            c.add("DequantizeLinear", [whole.astype(small), const(scale), const(zero.astype(small))], opset=25,
                  want=[((whole - zero[:, None]) * scale[:, None]).astype(F32)], axis=0)
        c.add("DequantizeLinear", [Const(whole.astype(small)), scale[:1]], opset=25, want=[(whole * scale[0]).astype(F32)])
    e2m1, e8m0 = ml_dtypes.float4_e2m1fn, ml_dtypes.float8_e8m0fnu
    exact = reals.astype(e2m1)
    c.add("Cast", [reals], opset=28, want=[exact], to=TensorProto.FLOAT4E2M1)
    c.add("Cast", [reals.astype(F16)], opset=28, want=[reals.astype(F16).astype(e2m1)], to=TensorProto.FLOAT4E2M1)
    for dtype in (F32, F16, F64, np.int32):
        c.add("Cast", [exact], opset=28, want=[exact.astype(F32).astype(dtype)], to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
    c.add("QuantizeLinear", [reals, np.array(1.5, F32), np.zeros((), e2m1)], opset=25, want=[(reals / F32(1.5)).astype(e2m1)])
    c.add("DequantizeLinear", [exact, np.array(1.5, F32)], opset=25, want=[exact.astype(F32) * F32(1.5)])
    powers = np.array([1, 1.4, 1.5, 1.6, 2, 0.3, 1e-38, 5e-39, 9e-39, 3e38, 700], F32)
    exponents = {"down": np.floor(np.log2(powers.astype(F64))), "up": np.ceil(np.log2(powers.astype(F64)))}
    middle = 1.5 * 2.0 ** exponents["down"]
    exponents["nearest"] = np.where(powers >= middle, exponents["down"] + 1, exponents["down"])
    for mode, exponent in exponents.items():
        code = np.clip(exponent + 127, 0, 254).astype(np.uint8).view(e8m0)
        c.add("Cast", [powers], opset=28, want=[code], to=TensorProto.FLOAT8E8M0, round_mode=mode)
        c.add("Cast", [code], opset=28, want=[code.astype(F32)], to=TensorProto.FLOAT)
    c.add("DequantizeLinear", [c.whole(2, 8, dtype=np.int8), np.array([[1, 2], [0.5, 4]], F32).astype(e8m0)], opset=28, reference=True, axis=1, block_size=4,
          output_dtype=TensorProto.FLOAT)


FAMILIES = (elementwise, unary, activations, comparisons, casts, constants, shapes, movement, slices, gathers, matrices, convolutions, pools, normalizations,
            reductions, losses, quantization, resizing, selection, recurrent, sampling, attentions,
            bounds_from_data, resized_by_data, signals, pieces, grams, not_numbers, random_numbers, old_forms, narrow)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    only = set(filter(None, options.only.split(",")))
    cases = Cases(options.seed)
    for family in FAMILIES:
        family(cases)
    counts, failed = {}, 0
    for case in cases.list:
        op = case[0]
        counts[op] = counts.get(op, 0) + 1
        if only and op not in only:
            continue
        try:
            write_case(os.path.join(options.out, op, f"{counts[op]:03d}"), case)
        except Exception as problem:
            failed += 1
            print(f"no expected output for {op} {counts[op]} (opset {case[2]}, {case[-1]}): {str(problem).splitlines()[0][:150]}", file=sys.stderr)
    written = sum(n for op, n in counts.items() if not only or op in only) - failed
    print(f"{written} cases of {len(counts)} operators written to {options.out}, {failed} without expected outputs")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
