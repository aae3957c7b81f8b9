"""Small models made of nodes, and ONNX Runtime as the judge of what they compute."""
import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper


def save_model(path, nodes, inputs, outputs, constants=(), opset=17, ir_version=8):
    """A model of these nodes; constants are pairs of a name and numbers. Returns the path."""
    graph = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(np.asarray(a), n) for n, a in constants])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version), path)
    return path


def unoptimised(model):
    """A session that computes each node as it stands, on one thread. The model: a path, its bytes, or a ModelProto."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    given = model if isinstance(model, (str, bytes)) else model.SerializeToString()
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def first_outputs(model, samples):
    """The first output for each sample of the first input, flat, as doubles."""
    session = unoptimised(model)
    name = session.get_inputs()[0].name
    return np.stack([session.run(None, {name: s})[0].reshape(-1) for s in samples]).astype(np.float64)
