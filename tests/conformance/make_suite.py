#!/usr/bin/env python3
"""Writes the backend suite of the installed onnx package to a folder, in the layout that the package itself once shipped:

    DIR/KIND/CASE/model.onnx
    DIR/KIND/CASE/test_data_set_N/input_K.pb, output_K.pb

KIND is node, simple, pytorch-converted or pytorch-operator. The package holds the first two as Python that makes the models and
their data, the others as files. Every run writes the same bytes.

usage: make_suite.py DIR
"""
import os
import shutil
import sys
import warnings

import numpy as np
import onnx
import onnx.backend.test
import onnx.backend.test.case.model
import onnx.backend.test.case.node
from onnx import numpy_helper

SHIPPED = os.path.join(os.path.dirname(onnx.backend.test.__file__), "data")
SHIPPED_KINDS = ("pytorch-converted", "pytorch-operator")
# What onnx 1.23.2 has; a change is to be noticed, since the list of known failures goes by the cases.
EXPECTED = {"node": 1884, "simple": 26, "pytorch-converted": 82, "pytorch-operator": 35}


def as_proto(value, info):
    """The message that a data set holds for a value; `info` says which kind of value it is."""
    kind = info.type.WhichOneof("value")
    if isinstance(value, onnx.TensorProto):
        return value
    if kind == "sequence_type":
        return numpy_helper.from_list(value, info.name)
    if kind == "optional_type":
        return numpy_helper.from_optional(value, info.name)
    if kind == "map_type":
        return numpy_helper.from_dict(value, info.name)
    return numpy_helper.from_array(np.asarray(value), info.name)


def write_proto(path, message):
    with open(path, "wb") as f:
        f.write(message.SerializeToString(deterministic=True))


def write_case(folder, case):
    os.makedirs(folder)
    write_proto(os.path.join(folder, "model.onnx"), case.model)
    graph = case.model.graph
    for number, (inputs, outputs) in enumerate(case.data_sets):
        data_set = os.path.join(folder, f"test_data_set_{number}")
        os.mkdir(data_set)
        for role, values, infos in (("input", inputs, graph.input), ("output", outputs, graph.output)):
            for k, value in enumerate(values):  # there may be fewer than infos: initializers that are inputs, too, come last
                write_proto(os.path.join(data_set, f"{role}_{k}.pb"), as_proto(value, infos[k]))


def generated():
    """The cases that are Python. Those that draw random numbers seed numpy's global state, each before it does."""
    warnings.simplefilter("ignore", RuntimeWarning)  # casts that overflow and divisions by zero on purpose
    yield from onnx.backend.test.case.node.collect_testcases()
    yield from (case for case in onnx.backend.test.case.model.collect_testcases() if case.kind == "simple")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.splitlines()[-1])
    out = sys.argv[1]
    if os.path.exists(out):
        sys.exit(f"make_suite.py: {out} exists: name a folder that does not")
    count = dict.fromkeys(EXPECTED, 0)
    for case in generated():
        write_case(os.path.join(out, case.kind, case.name), case)
        count[case.kind] += 1
    for kind in SHIPPED_KINDS:
        for name in sorted(os.listdir(os.path.join(SHIPPED, kind))):
            if os.path.exists(os.path.join(SHIPPED, kind, name, "model.onnx")):
                shutil.copytree(os.path.join(SHIPPED, kind, name), os.path.join(out, kind, name))
                count[kind] += 1
    print(f"onnx {onnx.__version__}: " + ", ".join(f"{kind} {n}" for kind, n in count.items()) + f": {sum(count.values())} cases")
    if count != EXPECTED:
        sys.exit(f"make_suite.py: expected {EXPECTED}: this is another version of onnx than tests/requirements.txt names")


if __name__ == "__main__":
    main()
