"""Models that ONNX Runtime's quantiser makes, and how one is compared with it node by node."""
import os

import numpy as np
import onnx
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from onnx_models import unoptimised

# What makes quantised values.
MAKERS = ("QuantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm", "QLinearAdd", "QLinearMul", "QLinearConcat", "QLinearAveragePool",
          "QLinearGlobalAveragePool", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax")
# Name, what the quantiser is asked for.
FORMS = {
    "qdq-int8": {"quant_format": QuantFormat.QDQ, "activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8},
    "qdq-uint8-channel": {"quant_format": QuantFormat.QDQ, "activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8, "per_channel": True},
    "qoperator-uint8": {"quant_format": QuantFormat.QOperator, "activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8},
    "qoperator-int8-channel": {"quant_format": QuantFormat.QOperator, "activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8, "per_channel": True},
    "dynamic": {"dynamic": True, "weight_type": QuantType.QInt8},
    "dynamic-channel": {"dynamic": True, "weight_type": QuantType.QUInt8, "per_channel": True},
}


class Reader(CalibrationDataReader):
    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


def quantise(model, form, feeds, folder):
    """The path of the quantised model."""
    words = dict(FORMS[form])
    os.makedirs(folder, exist_ok=True)
    ready, to = os.path.join(folder, "ready.onnx"), os.path.join(folder, f"{form}.onnx")
    if not os.path.exists(ready):
        quant_pre_process(model, ready, skip_symbolic_shape=True)
    if words.pop("dynamic", False):
        quantize_dynamic(ready, to, **words)
    else:
        quantize_static(ready, to, Reader(feeds), **words)
    return to


def cut(model, feed):
    """The model taken apart where values are quantised: each such value is an output, and its readers read an input of its own. So a step of
    difference at one node says nothing of the next. Returns the model, its feed with ONNX Runtime's values, and their names."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    made = [n.output[0] for n in model.graph.node if n.op_type in MAKERS]
    exposed = onnx.ModelProto.FromString(model.SerializeToString())
    have = {o.name for o in exposed.graph.output}
    exposed.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in made if name not in have)
    s = unoptimised(exposed)
    values = dict(zip([o.name for o in s.get_outputs()], s.run(None, feed)))
    feeds = dict(feed)
    read = {name for n in model.graph.node for name in n.input}
    for name in made:
        if name not in read:
            continue
        kind = helper.np_dtype_to_tensor_dtype(values[name].dtype)
        feeds[name + "__in"] = values[name]
        for n in model.graph.node:
            for k, x in enumerate(n.input):
                if x == name:
                    n.input[k] = name + "__in"
        model.graph.input.append(helper.make_tensor_value_info(name + "__in", kind, values[name].shape))
        if name not in have:
            model.graph.output.append(helper.make_tensor_value_info(name, kind, values[name].shape))
    return model, feeds, {o.name: values[o.name] for o in model.graph.output if o.name in values}
