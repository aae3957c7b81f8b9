"""The shipped models, their sample inputs, and the hash that tests/codegen/harness.c prints."""
import glob
import os

import numpy as np
import onnx
from onnx import numpy_helper

from checks import MODELS

BERT = os.path.join(MODELS, "bert-tiny-imdb")
TINY = os.path.join(MODELS, "mlperf-tiny")
# Name, model file, folder of data sets.
SHIPPED = [
    ("mnist-mlp", os.path.join(MODELS, "mnist-mlp", "model.onnx"), os.path.join(MODELS, "mnist-mlp")),
    ("mnist-cnn", os.path.join(MODELS, "mnist-cnn", "model.onnx"), os.path.join(MODELS, "mnist-cnn")),
    *((f"bert-{name}", os.path.join(BERT, name + ".onnx"), os.path.join(BERT, name))
      for name in ("static_1x128", "static_1x128_labels", "dynamic", "labels")),
    *((name, os.path.join(TINY, name, "model.onnx"), os.path.join(TINY, name)) for name in (
        "resnet8", "resnet8_bn", "resnet8_int8_qdq", "kws_dscnn_bn", "kws_dscnn_int8_qdq", "sww_bn", "sww_int8_qdq",
        "ad_autoencoder", "ad_autoencoder_bn", "ad_autoencoder_int8_qdq", "vww_mobilenetv1_025", "vww_bn", "vww_mobilenetv1_025_int8_qdq")),
]


def tensor(path):
    made = onnx.TensorProto()
    with open(path, "rb") as f:
        made.ParseFromString(f.read())
    return numpy_helper.to_array(made)


def inputs(model, data_set):
    """(name, array) of each input of a data set, in the model's order."""
    graph = onnx.load(model, load_external_data=False).graph
    constants = {t.name for t in graph.initializer}
    names = [i.name for i in graph.input if i.name not in constants]
    return [(name, tensor(os.path.join(data_set, f"input_{i}.pb"))) for i, name in enumerate(names)]


def outputs(data_set):
    return [tensor(p) for p in sorted(glob.glob(os.path.join(data_set, "output_*.pb")))]


def shape_options(pairs):
    """--shape for every input, as its data has it."""
    return [word for name, array in pairs if array.ndim for word in ("--shape", f"{name}={'x'.join(map(str, array.shape))}")]


# Element types below a byte, by their ml_dtypes names, in bits.
NARROW = {"int4": 4, "uint4": 4, "float4_e2m1fn": 4, "int2": 2, "uint2": 2}


def fed(array):
    """The array as an .npy file that tenon takes: types that NumPy lacks as ones that it has, with the same numbers."""
    name = array.dtype.name
    if name in NARROW and "int" in name:
        return array.astype(np.int8 if name.startswith("int") else np.uint8)
    return array.astype(np.float32) if array.dtype.kind == "V" or name == "bfloat16" else array


def packed(data, dtype):
    """The bytes of elements, one or more bytes each, as a compiled model has them: those below a byte lie side by side, the first lowest."""
    bits = NARROW.get(np.dtype(dtype).name)
    if bits is None:
        return data
    per_byte = 8 // bits
    elements = np.frombuffer(data, np.uint8) & ((1 << bits) - 1)
    rows = np.pad(elements, (0, -elements.size % per_byte)).reshape(-1, per_byte)
    return (rows << np.arange(0, 8, bits, dtype=np.uint8)).astype(np.uint8).sum(axis=1, dtype=np.uint8).tobytes()


def output_types(model):
    """(name, dtype) of each output."""
    return [(o.name, onnx.helper.tensor_dtype_to_np_dtype(o.type.tensor_type.elem_type))
            for o in onnx.load(model, load_external_data=False).graph.output]


def hash_of(array):
    """FNV-1a over the bytes; every NaN of a float array counts as the same."""
    data = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8).copy()
    if array.dtype == np.float32:
        data[np.repeat(np.isnan(array.reshape(-1)), 4)] = 0xFF
    h = 14695981039346656037
    for byte in data.tolist():
        h = ((h ^ byte) * 1099511628211) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"
