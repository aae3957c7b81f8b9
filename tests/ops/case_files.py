"""The cases of make_cases.py as files: models, and their expected outputs by onnxruntime or the reference."""
import json
import os

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

NEWEST_OF_ORT = 24


class Const:
    """An input that the model holds as an initializer."""

    def __init__(self, array):
        self.array = np.asarray(array)


def element_type(array):
    return helper.np_dtype_to_tensor_dtype(array.dtype)


def build_model(op, inputs, opset, n_outputs, domain, attributes, output_types, shapes=None):
    names, graph_inputs, initializers = [], [], []
    for k, x in enumerate(inputs):
        name = "" if x is None else f"x{k}"
        names.append(name)
        if isinstance(x, Const):
            initializers.append(numpy_helper.from_array(x.array, name))
        elif x is not None:
            graph_inputs.append(helper.make_tensor_value_info(name, element_type(x), x.shape))
    outputs = [f"y{k}" for k in range(n_outputs)]
    node = helper.make_node(op, names, outputs, name=op.lower(), domain=domain, **attributes)
    types = output_types or [TensorProto.UNDEFINED] * n_outputs
    infos = [helper.make_tensor_value_info(y, t, s) for y, t, s in zip(outputs, types, shapes or [None] * n_outputs)]
    graph = helper.make_graph([node], op, graph_inputs, infos, initializers)
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=8 if opset < 19 else 10)


def run_onnxruntime(model, feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def declared_types(model, first):
    """What onnx infers; for operators of other domains, the type of the first input."""
    inferred = onnx.shape_inference.infer_shapes(model)
    return [o.type.tensor_type.elem_type or element_type(first) for o in inferred.graph.output]


def expected(case):
    op, inputs, opset, outputs, reference, domain, declared, want, attributes = case
    feeds = {f"x{k}": x for k, x in enumerate(inputs) if x is not None and not isinstance(x, Const)}
    if want is not None:
        types = [element_type(y) for y in want]
        shapes = [y.shape for y in want] if declared else None
        return build_model(op, inputs, opset, outputs, domain, attributes, types, shapes), feeds, want, types
    draft = build_model(op, inputs, opset, outputs, domain, attributes, None)
    types = declared_types(draft, inputs[0].array if isinstance(inputs[0], Const) else inputs[0])
    model = build_model(op, inputs, opset, outputs, domain, attributes, types)
    results = None
    if not reference and opset <= NEWEST_OF_ORT:
        try:
            results = run_onnxruntime(model, feeds)
        except Exception:
            pass
    if results is None:
        results = ReferenceEvaluator(model).run(None, feeds)
    if declared:
        model = build_model(op, inputs, opset, outputs, domain, attributes, types, [np.shape(y) for y in results])
    return model, feeds, results, types


def write_tensor(path, array, name, elem):
    array = np.asarray(array)
    wanted = helper.tensor_dtype_to_np_dtype(elem) if elem else array.dtype
    if array.dtype != wanted:
        array = array.view(wanted) if array.dtype.itemsize == wanted.itemsize and array.dtype.kind in "uV" else array.astype(wanted)
    with open(path, "wb") as f:
        f.write(numpy_helper.from_array(array, name).SerializeToString())


def write_case(folder, case):
    model, feeds, results, types = expected(case)
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data, exist_ok=True)
    onnx.save(model, os.path.join(folder, "model.onnx"))
    for k, (name, array) in enumerate(feeds.items()):
        write_tensor(os.path.join(data, f"input_{k}.pb"), array, name, None)
    for k, array in enumerate(results):
        write_tensor(os.path.join(data, f"output_{k}.pb"), array, f"y{k}", types[k])
    # The reference rounds to bfloat16 between its steps.
    with open(os.path.join(folder, "data.json"), "w") as f:
        json.dump({"rtol": 2**-6 if TensorProto.BFLOAT16 in types else 1e-3, "atol": 1e-5}, f)
