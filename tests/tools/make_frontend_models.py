#!/usr/bin/env python3
"""Writes the small models that tests/unit/test_frontend.c imports.

Good ones go to tests/frontend, bad ones to tests/errors/frontend. They are committed, so that the tests need no Python; run this
again (with the `onnx` package) after a change here. The same onnx version writes the same bytes.
usage: make_frontend_models.py [TESTS_DIR]
"""
import os
import sys

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper

FLOAT = TensorProto.FLOAT


def node(op, inputs, outputs, name="", domain="", **attributes):
    return helper.make_node(op, inputs, outputs, name=name, domain=domain, **attributes)


def info(name, shape=(2, 3), elem=FLOAT):
    return helper.make_tensor_value_info(name, elem, shape)


def tensor(name, dims, values, elem=FLOAT, raw=False):
    return helper.make_tensor(name, elem, dims, values, raw=raw)


def model(nodes, inputs=None, outputs=None, initializers=(), opset=17, functions=(), domains=(), ir=8, value_info=()):
    graph = helper.make_graph(nodes, "g", inputs if inputs is not None else [info("x")],
                              outputs if outputs is not None else [info("y")], list(initializers), value_info=list(value_info))
    imports = [] if opset is None else [helper.make_opsetid("", opset)]
    imports += [helper.make_opsetid(d, 1) for d in domains]
    made = helper.make_model(graph, opset_imports=imports, functions=list(functions), producer_name="make_frontend_models")
    if opset is None:
        del made.opset_import[:]
    made.ir_version = ir
    return made


def function(domain, name, inputs, outputs, nodes, attributes=(), defaults=(), opset=17, domains=()):
    imports = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains]
    return helper.make_function(domain, name, list(inputs), list(outputs), nodes, imports, attributes=list(attributes),
                                attribute_protos=list(defaults))


def refer(made, name, to, kind):
    """Gives a node of a function body an attribute that is the caller's."""
    a = AttributeProto()
    a.name, a.ref_attr_name, a.type = name, to, kind
    made.attribute.append(a)
    return made


def external(name, dims, location, elem=FLOAT, **entries):
    t = TensorProto()
    t.name, t.data_type, t.data_location = name, elem, TensorProto.EXTERNAL
    t.dims.extend(dims)
    for key, value in {"location": location, **entries}.items():
        e = t.external_data.add()
        e.key, e.value = key, str(value)
    return t


# ---- good models ----

ELEMENTS = [  # data type, typed field, entries of that field for 5 elements, raw bytes
    ("FLOAT", "float_data", [1, -2.5, 0, 3e38, float("inf")], None),
    ("UINT8", "int32_data", [0, 1, 127, 128, 255], bytes([0, 1, 127, 128, 255])),
    ("INT8", "int32_data", [0, 1, 127, -128, -1], bytes([0, 1, 127, 128, 255])),
    ("UINT16", "int32_data", [0, 1, 32767, 32768, 65535], None),
    ("INT16", "int32_data", [0, 1, 32767, -32768, -1], None),
    ("INT32", "int32_data", [0, 1, 2**31 - 1, -2**31, -1], None),
    ("INT64", "int64_data", [0, 1, 2**63 - 1, -2**63, -1], None),
    ("BOOL", "int32_data", [0, 1, 1, 0, 1], bytes([0, 1, 255, 0, 2])),
    ("FLOAT16", "int32_data", [0x3c00, 0xc000, 0x7bff, 0x7c00, 1], None),
    ("DOUBLE", "double_data", [1, -2.5, 0, 1e300, 0.1], None),
    ("UINT32", "uint64_data", [0, 1, 2**31, 2**32 - 1, 7], None),
    ("UINT64", "uint64_data", [0, 1, 2**63, 2**64 - 1, 7], None),
    ("BFLOAT16", "int32_data", [0x3f80, 0xc000, 0x7f7f, 0x7f80, 1], None),
    ("FLOAT8E4M3FN", "int32_data", [0x38, 0xb8, 0x7e, 1, 0], bytes([0x38, 0xb8, 0x7e, 1, 0])),
    ("FLOAT8E4M3FNUZ", "int32_data", [0x40, 0xc0, 0x7f, 1, 0], None),
    ("FLOAT8E5M2", "int32_data", [0x3c, 0xbc, 0x7b, 0x7c, 0], None),
    ("FLOAT8E5M2FNUZ", "int32_data", [0x40, 0xc0, 0x7f, 1, 0], None),
    ("UINT4", "int32_data", [0x21, 0xf3, 0x05], bytes([0x21, 0xf3, 0x05])),
    ("INT4", "int32_data", [0x21, 0xf3, 0x08], bytes([0x21, 0xf3, 0x08])),
    ("FLOAT4E2M1", "int32_data", [0x21, 0xf3, 0x05], bytes([0x21, 0xf3, 0x05])),
    ("FLOAT8E8M0", "int32_data", [127, 128, 126, 254, 0], None),
    ("UINT2", "int32_data", [0xe4, 0x02], bytes([0xe4, 0x02])),
    ("INT2", "int32_data", [0xe4, 0x03], bytes([0xe4, 0x03])),
]
WIDTHS = {"FLOAT": "<f4", "UINT16": "<u2", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "DOUBLE": "<f8", "UINT32": "<u4",
          "UINT64": "<u8", "FLOAT16": "<u2", "BFLOAT16": "<u2"}


def types():
    tensors = []
    for kind, field, entries, raw in ELEMENTS:
        for form in ("typed", "raw"):
            t = TensorProto()
            t.name, t.data_type = f"{kind.lower()}_{form}", getattr(TensorProto, kind)
            t.dims.append(5)
            if form == "typed":
                getattr(t, field).extend(entries)
            else:
                t.raw_data = raw if raw is not None else np.array(entries, dtype=WIDTHS.get(kind, "<u1")).tobytes()
            tensors.append(t)
    empty = TensorProto()
    empty.name, empty.data_type = "nothing", FLOAT
    empty.dims.extend([0, 7])
    return model([node("Relu", ["x"], ["y"])], initializers=tensors + [empty, tensor("scalar", [], [4.0])], opset=25, ir=13)


def functions():
    scale = AttributeProto()
    scale.name, scale.type, scale.f = "scale", AttributeProto.FLOAT, 0.5
    constant = refer(node("Constant", [], ["s"]), "value_float", "scale", AttributeProto.FLOAT)
    inner = function("f", "Scaled", ["a", "b"], ["r"],
                     [node("Clip", ["m", "b"], ["r"], name="last"), node("Mul", ["a", "s"], ["m"]), constant], defaults=[scale])
    handed_down = refer(node("Scaled", ["t"], ["u"], name="inner", domain="f"), "scale", "gain", AttributeProto.FLOAT)
    outer = function("f", "Twice", ["a"], ["u", "a"], [node("Add", ["a", "a"], ["t"]), handed_down], attributes=["gain"], domains=["f"])
    nodes = [node("Twice", ["x"], ["p", "q"], name="first", domain="f", gain=3.0), node("Twice", ["p"], ["r"], domain="f"),
             node("Add", ["r", "q"], ["y"])]
    return model(nodes, functions=[inner, outer], domains=["f"])


def symbols():
    inputs = [info("x", ("batch", "seq", 4)), info("past", ("batch", "seq+1", 4)), info("odd", ("batch-size", "2*seq", None)),
              info("free", None)]
    nodes = [node("Relu", ["x"], ["y"]), node("Relu", ["past"], ["p"]), node("Relu", ["odd"], ["o"])]
    return model(nodes, inputs=inputs, outputs=[info("y", ("batch", "seq", 4)), info("p", ("batch", "later", 4)), info("o", None)])


def old_opset():
    nodes = [node("Relu", ["s"], ["y"]), node("Squeeze", ["d"], ["s"], axes=[1]), node("Add", ["x", "w"], ["d"])]
    return model(nodes, inputs=[info("x", (2, 1, 3))], initializers=[tensor("w", [3], [1, 2, 3])], opset=7, ir=3)


def names():
    odd = ["*/", "a::b", "int", '{"a": [1, "b\\n"]}', "größe \u202e tab\tnewline\n", "%s%n", "$(x)`y`", "../x", "x y", "-"]
    nodes = [node("Relu", [a], [b], name=b) for a, b in zip(["/* x"] + odd, odd + ["y\\"])]
    return model(nodes, inputs=[info("/* x", ("*/ n", 3))], outputs=[info("y\\", ("*/ n", 3))])


def constants():
    nodes = [node("Constant", [], ["a"], value=tensor("", [2, 3], range(6), raw=False)),
             node("Constant", [], ["b"], value_float=1.5), node("Constant", [], ["c"], value_floats=[1.0, 2.0, 3.0]),
             node("Constant", [], ["i"], value_int=-7), node("Constant", [], ["j"], value_ints=[1, 2]),
             node("Add", ["x", "a"], ["d"]), node("Add", ["d", "b"], ["e"]), node("Add", ["e", "c"], ["f"]), node("Add", ["f", "w"], ["y"])]
    return model(nodes, inputs=[info("x"), info("w", (3,))], initializers=[tensor("w", [3], [1, 2, 3])])


def linear():
    """Something to quantise."""
    nodes = [node("MatMul", ["x", "w"], ["a"]), node("Add", ["a", "b"], ["c"]), node("Relu", ["c"], ["d"]), node("MatMul", ["d", "v"], ["y"])]
    tensors = [tensor("w", [3, 2], [0.5, -1.25, 2, 0.75, -0.3, 1]), tensor("b", [2], [0.1, -0.2]), tensor("v", [2, 3], [1, 2, 3, -4, 5, 0.6])]
    return model(nodes, initializers=tensors)


def external_data():
    tensors = [external("w", [2, 3], "external.bin", offset=8, length=24), external("v", [2], "external.bin"),
               external("none", [0], "external.bin", offset=32)]
    return model([node("Add", ["x", "w"], ["y"])], initializers=tensors)


# ---- bad models ----

def changed(made, change):
    change(made)
    return made


def with_tensor(change):
    t = tensor("w", [3], [1, 2, 3])
    change(t)
    return model([node("Add", ["x", "w"], ["y"])], initializers=[t])


def raw_tensor(dims, raw, elem=FLOAT):
    def change(t):
        del t.dims[:], t.float_data[:]
        t.dims.extend(dims)
        t.data_type, t.raw_data = elem, raw
    return with_tensor(change)


def bad_models():
    relu = [node("Relu", ["x"], ["y"])]
    add = node("Add", ["x", "w"], ["y"])
    f = function("f", "F", ["a"], ["r"], [node("Relu", ["a"], ["r"])])
    yield "cycle", model([node("Add", ["x", "b"], ["a"], name="one"), node("Relu", ["a"], ["b"], name="two"), node("Relu", ["b"], ["y"])])
    yield "undefined_input", model([node("Add", ["x", "w"], ["a"], name="first"), node("Add", ["v", "w"], ["y"], name="second")])
    yield "undefined_output", model(relu, outputs=[info("y"), info("z")])
    yield "no_outputs", model(relu, outputs=[])
    yield "duplicate_value", model([node("Relu", ["x"], ["y"]), node("Relu", ["x"], ["y"], name="again")])
    yield "duplicate_output", model([node("Relu", ["x"], ["y"])], outputs=[info("y"), info("y")])
    yield "duplicate_initializer", model([add], initializers=[tensor("w", [3], [1, 2, 3]), tensor("w", [1], [4])])
    yield "wrong_shape", model([add], initializers=[tensor("w", [4], [1, 2, 3, 4])])
    yield "wrong_declared_type", model([add], inputs=[info("x"), info("w", (4,))], initializers=[tensor("w", [3], [1, 2, 3])])
    yield "negative_input", model(relu, inputs=[info("x", (2, -3))])
    yield "huge_input", model(relu, inputs=[info("x", (2**31, 2**31, 2**31))])
    yield "short_raw", raw_tensor([3], b"12345678901")
    yield "negative_dim", raw_tensor([3, -1], b"123456789012")
    yield "overflow", raw_tensor([2**40, 2**40], b"123456789012")
    yield "zero_overflow", raw_tensor([0, 2**40, 2**40], b"")
    yield "short_typed", with_tensor(lambda t: t.float_data.pop())
    yield "wrong_field", with_tensor(lambda t: setattr(t, "data_type", TensorProto.INT64))
    yield "both_data", with_tensor(lambda t: setattr(t, "raw_data", b"123456789012"))
    yield "no_type", with_tensor(lambda t: t.ClearField("data_type"))
    yield "unknown_type", with_tensor(lambda t: setattr(t, "data_type", 99))
    yield "complex", with_tensor(lambda t: setattr(t, "data_type", TensorProto.COMPLEX64))
    yield "out_of_range", model([add], initializers=[changed(tensor("w", [1], [1], TensorProto.INT8), lambda t: t.int32_data.__setitem__(0, 256))])
    yield "strings", model([add, node("Constant", [], ["s"], value_string="text")],
                           initializers=[helper.make_tensor("w", TensorProto.STRING, [1], [b"text"])])
    yield "many_dims", raw_tensor([1] * 17, b"1234")
    yield "sparse", changed(model(relu), lambda m: m.graph.sparse_initializer.add().values.CopyFrom(tensor("s", [1], [1])))
    yield "sequence_input", model(relu, inputs=[info("x"), helper.make_tensor_sequence_value_info("s", FLOAT, None)])
    yield "untyped_input", changed(model(relu), lambda m: m.graph.input[0].ClearField("type"))
    yield "unsupported_operators", model(
        [node("Nonsense", ["x"], ["a"], name="n1"), node("F", ["a"], ["b"], domain="f"), node("Reluu", ["b"], ["c"], name="n3"),
         node("F", ["c"], ["d"], domain="f"), node("Add", ["d", "w"], ["y"]), node("Special", ["x"], ["z"], domain="com.example")],
        functions=[function("f", "F", ["a"], ["r"], [node("Missing", ["a"], ["r"], name="inside")])], domains=["f", "com.example"])
    yield "new_opset", model(relu, opset=29)
    yield "no_opset", model(relu, opset=None)
    yield "zero_opset", changed(model(relu), lambda m: m.opset_import.add(domain="f", version=0))
    yield "new_ir", model(relu, ir=15)
    yield "foreign_domain", model([node("Relu", ["x"], ["y"], domain="com.example")])
    yield "too_new_operator", model([node("Squeeze", ["x"], ["z"]), node("Later", ["x"], ["y"])], opset=12)
    yield "if", model([node("If", ["c"], ["y"], name="branch", then_branch=helper.make_graph([], "t", [], []),
                            else_branch=helper.make_graph([], "e", [], []))], inputs=[info("x"), info("c", (), TensorProto.BOOL)])
    yield "sub_graph", model([node("Relu", ["x"], ["y"], body=helper.make_graph([], "t", [], []))])
    yield "attribute_twice", model([changed(node("Squeeze", ["x"], ["y"], axes=[0]), lambda n: n.attribute.append(n.attribute[0]))],
                                   inputs=[info("x", (1, 2, 3))], opset=11)
    yield "attribute_reference", model([refer(node("Squeeze", ["x"], ["y"]), "axes", "a", AttributeProto.INTS)], opset=11)
    yield "no_operator", model([node("", ["x"], ["y"], name="blank")])
    yield "bad_constants", model([node("Constant", [], ["a"]), node("Constant", [], ["b"], value_int=1, value_float=1.0),
                                  node("Constant", [], ["c"], odd=1), node("Relu", ["a"], ["y"])])
    yield "recursive", model([node("F", ["x"], ["y"], domain="f")], domains=["f"], functions=[
        function("f", "F", ["a"], ["r"], [node("G", ["a"], ["r"], domain="f")], domains=["f"]),
        function("f", "G", ["a"], ["r"], [node("F", ["a"], ["r"], domain="f")], domains=["f"])])
    yield "duplicate_function", model([node("F", ["x"], ["y"], domain="f")], domains=["f"], functions=[f, f])
    yield "function_arity", model([node("F", ["x", "x"], ["y"], domain="f"), node("F", ["x"], ["a", "b"], domain="f")], domains=["f"],
                                  functions=[f])
    yield "function_body", model([node("F", ["x"], ["a"], domain="f"), node("F", ["a"], ["y"], domain="f")], domains=["f"], functions=[
        function("f", "F", ["a"], ["r", "s"], [node("Add", ["a", "gone"], ["t"])])])
    yield "function_cycle", model([node("F", ["x"], ["y"], domain="f")], domains=["f"], functions=[
        function("f", "F", ["a"], ["r"], [node("Add", ["a", "r"], ["t"]), node("Relu", ["t"], ["r"])])])
    # Each doubles the calls of the one before: 2^30 nodes.
    chain = [function("f", "F0", ["a"], ["r"], [node("Relu", ["a"], ["r"])])]
    for i in range(1, 31):
        chain.append(function("f", f"F{i}", ["a"], ["r"], [node(f"F{i - 1}", ["a"], ["b"], domain="f"),
                                                           node(f"F{i - 1}", ["b"], ["r"], domain="f")], domains=["f"]))
    yield "function_bomb", model([node("F30", ["x"], ["y"], domain="f")], domains=["f"], functions=chain)
    for name, t in [("missing", external("w", [3], "gone.bin")), ("short", external("w", [3], "external.bin", offset=28, length=12)),
                    ("past_end", external("w", [3], "external.bin", offset=2**62)), ("length", external("w", [3], "external.bin", length=13)),
                    ("number", external("w", [3], "external.bin", offset="-4")), ("parent", external("w", [3], "../frontend/external.bin")),
                    ("absolute", external("w", [3], "/etc/passwd")), ("unnamed", external("w", [3], "")),
                    ("folder", external("w", [3], "."))]:
        yield "external_" + name, model([add], initializers=[t])


FILES = {"empty": b"", "png": b"\x89PNG\r\n\x1a\n" + bytes(64), "text": b"This is not a model.\n", "zip": b"PK\x03\x04" + bytes(40),
         "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "noise": bytes(range(255, 0, -1)),
         "no_graph": b"\x08\x08\x12\x01x", "zero_byte": b"\x08\x08\x12\x03a\0b", "group": b"\x08\x08\x0b\x0c"}


def write(folder, name, data):
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def main():
    tests = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    good, bad = os.path.join(tests, "frontend"), os.path.join(tests, "errors", "frontend")
    os.makedirs(good, exist_ok=True)
    os.makedirs(bad, exist_ok=True)
    for make in (types, functions, symbols, old_opset, names, constants, external_data):
        write(good, make.__name__ + ".onnx", make().SerializeToString(deterministic=True))
    write(os.path.join(tests, "diff"), "linear.onnx", linear().SerializeToString(deterministic=True))
    for folder in (good, bad):
        write(folder, "external.bin", np.arange(8, dtype="<f4").tobytes())
    for name, made in bad_models():
        write(bad, name + ".onnx", made.SerializeToString(deterministic=True))
    for name, data in FILES.items():
        write(bad, name + ".onnx", data)
    for name in ("sequence", "optional"):
        value = [np.zeros(1, np.float32)] if name == "sequence" else np.zeros(1, np.float32)
        maker = onnx.numpy_helper.from_list if name == "sequence" else onnx.numpy_helper.from_optional
        write(bad, name + ".pb", maker(value, name).SerializeToString())
    write(bad, "empty_optional.pb", b"\x0a\x0eoptional_input\x10\x00")
    write(bad, "short.pb", tensor("t", [2], [1, 2]).SerializeToString()[:-4])
    write(good, "tensor.pb", tensor("input ids", [2, 2], [1, 2, 3, -4], TensorProto.INT64).SerializeToString())


main()
