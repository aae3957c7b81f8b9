#!/usr/bin/env python3
"""Writes several ONNX models into one folder so that they share one file of weights (ONNX external data).

    share_weights.py OUT_DIR NAME=MODEL.onnx [NAME=MODEL.onnx ...]

OUT_DIR/NAME.onnx is MODEL.onnx with each initializer of 1,024 bytes and more moved to OUT_DIR/weights.bin. Equal bytes are stored
once, whatever their names. Offsets are multiples of 4,096 for tensors of a page and more, so that they can be mapped, else of 64.
The same models in the same order write the same bytes.
"""
import hashlib
import os
import sys

import onnx
from onnx import TensorProto

SMALLEST = 1024


def place(blob, seen, data):
    """The offset of `data` in the growing file, adding it where it is new."""
    key = hashlib.sha256(data).digest()
    if key not in seen:
        alignment = 4096 if len(data) >= 4096 else 64
        blob.extend(bytes(-len(blob) % alignment))
        seen[key] = len(blob)
        blob.extend(data)
    return seen[key]


def move_out(tensor, blob, seen):
    data = tensor.raw_data
    offset = place(blob, seen, data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "weights.bin"), ("offset", str(offset)), ("length", str(len(data)))):
        tensor.external_data.add(key=key, value=value)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    out, blob, seen = sys.argv[1], bytearray(), {}
    os.makedirs(out, exist_ok=True)
    for word in sys.argv[2:]:
        name, path = word.split("=", 1)
        model = onnx.load(path)
        for tensor in model.graph.initializer:
            if len(tensor.raw_data) >= SMALLEST:
                move_out(tensor, blob, seen)
        with open(os.path.join(out, name + ".onnx"), "wb") as f:
            f.write(model.SerializeToString(deterministic=True))
    with open(os.path.join(out, "weights.bin"), "wb") as f:
        f.write(blob)


if __name__ == "__main__":
    main()
