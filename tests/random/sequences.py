"""Recurrent networks and attention. The functions are as in contractions.py."""
import numpy as np
from onnx import helper

from net import F32

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
FUNCTIONS = {"RNN": 1, "GRU": 2, "LSTM": 3}
# Without parameters, so that ONNX Runtime takes them as the specification says.
CHOICES = ("Sigmoid", "Tanh", "Relu", "Softsign", "HardSigmoid")


def recurrent(net, x=None):
    if x is not None or net.dtype != F32:
        return None
    op = net.pick("LSTM", "LSTM", "GRU", "GRU", "RNN")
    direction = net.pick("forward", "forward", "reverse", "bidirectional")
    directions = 2 if direction == "bidirectional" else 1
    steps, batch, width, hidden = net.pick(1, 2, 3, 5, 7), net.pick(1, 1, 2, 3, 5), net.size(40), net.size(33)
    attributes = {"hidden_size": hidden}
    if directions == 2 or direction == "reverse" or net.chance(0.3):
        attributes["direction"] = direction
    # LSTM's last activation is clipped, too, by the specification, but not by ONNX Runtime.
    if op != "LSTM" and net.chance(0.15):
        attributes["clip"] = net.pick(0.3, 1.0)
    if net.chance(0.2):
        attributes["activations"] = [net.pick(*CHOICES) for _ in range(directions * FUNCTIONS[op])]
    if op == "GRU" and net.chance(0.4):
        attributes["linear_before_reset"] = 1
    if op == "LSTM" and net.chance(0.1):
        attributes["input_forget"] = 1
    batch_first = net.opset >= 14 and net.chance(0.2)
    small = lambda *shape: net.weight(shape, -0.6, 0.6)
    g = GATES[op]
    inputs = [net.feed((batch, steps, width) if batch_first else (steps, batch, width), special=None), small(directions, g * hidden, width), small(directions, g * hidden, hidden)]
    inputs.append(small(directions, 2 * g * hidden) if net.chance(0.7) else None)
    inputs.append(net.feed_array(net.rng.integers(1, steps, batch, endpoint=True).astype(np.int32)) if net.chance(0.25) else None)
    state = (batch, directions, hidden) if batch_first else (directions, batch, hidden)
    inputs.append(small(*state) if net.chance(0.4) else None)
    if op == "LSTM":
        inputs.append(small(*state) if net.chance(0.4) else None)
        inputs.append(small(directions, 3 * hidden) if net.chance(0.2) else None)
    while inputs[-1] is None:
        inputs.pop()
    net.sums(steps * (width + hidden))
    outputs = net.pick(1, 2, GATES[op] == 4 and 3 or 2)
    if batch_first:
        made = batch_first_node(net, op, inputs, outputs, attributes)
    else:
        made = net.add(op, inputs, outputs, **attributes)
    if outputs > 1:
        net.keep(*made[1:])
        return made[0]
    return made


def batch_first_node(net, op, inputs, outputs, attributes):
    """layout=1, which ONNX Runtime lacks: its model has Transpose nodes around one with layout=0."""
    made = net.add(op, inputs, outputs, reference=False, layout=1, **attributes)
    made = made if isinstance(made, list) else [made]
    names = [v.name if v else "" for v in inputs]
    for k in (0, 5, 6):
        if k < len(inputs) and inputs[k]:
            net.reference_nodes.append(helper.make_node("Transpose", [names[k]], [names[k] + "_steps"], perm=[1, 0, 2]))
            names[k] += "_steps"
    net.reference_nodes.append(helper.make_node(op, names, [v.name + "_steps" for v in made], **attributes))
    for k, v in enumerate(made):
        net.reference_nodes.append(helper.make_node("Transpose", [v.name + "_steps"], [v.name], perm=[1, 0, 2] if k else [2, 0, 1, 3]))
    return made if outputs > 1 else made[0]


def attention(net, x=None):
    if x is not None or net.opset < 23 or net.dtype != F32:
        return spelled_attention(net, x)
    batch, kv_heads, size, value_size = net.pick(1, 1, 2, 3), net.pick(1, 1, 2, 3), net.pick(1, 2, 4, 5, 8, 16, 17), net.pick(1, 3, 8, 16)
    heads = kv_heads * net.pick(1, 1, 2, 3)
    queries, keys = net.size(40), net.size(40)
    flat = net.chance(0.4)
    attributes = {"q_num_heads": heads, "kv_num_heads": kv_heads} if flat else {}
    tensor = lambda n, steps, width: net.feed((batch, steps, n * width) if flat else (batch, n, steps, width), special=None)
    inputs = [tensor(heads, queries, size), tensor(kv_heads, keys, size), tensor(kv_heads, keys, value_size), None, None, None]
    past = net.size(9) if net.chance(0.25) else 0
    if past:
        inputs[4:6] = [net.feed((batch, kv_heads, past, width), special=None) for width in (size, value_size)]
    if net.chance(0.4):
        shape = (*net.pick((), (1, 1), (batch, 1), (1, heads), (batch, heads)), queries, past + keys)
        if net.chance(0.4):
            mask = net.rng.random(shape) < 0.7
            mask[..., 0] = True
            inputs[3] = net.feed_array(mask)
        else:
            inputs[3] = net.feed(shape, special=None)
    if net.chance(0.3):
        attributes["is_causal"] = 1
    if net.chance(0.3):
        attributes["scale"] = net.pick(0.25, 1.0)
    if net.chance(0.2):
        attributes["softcap"] = net.pick(1.5, 5.0)
    while inputs[-1] is None:
        inputs.pop()
    net.sums(size + past + keys)
    # ONNX Runtime's kernel is of another opinion on masks of fewer keys and on softcap.
    net.by_reference = True
    outputs = 3 if past and net.chance(0.6) else 1
    made = net.add("Attention", inputs, outputs, **attributes)
    if outputs == 1:
        return made
    net.keep(*made[1:])
    return made[0]


def spelled_attention(net, x=None):
    """Of its own projections or of three inputs, as exporters write it; with a mask, a scale on either side, heads split and joined."""
    if x is not None and (x.rank != 3 or x.dtype != net.dtype or x.count * x.shape[-1] > net.budget):
        return None
    heads, width = net.pick(1, 2, 3), net.pick(1, 2, 4, 5, 8, 16)
    if x is None:
        x = net.feed((net.pick(1, 1, 2), net.size(33), net.size(24)), special=None)
    batch, steps, features = x.shape
    def head(perm):
        y = net.add("MatMul", [x, net.weight((features, heads * width), length=features)])
        if net.chance():
            y = net.add("Add", [y, net.weight((heads * width,))])
        y = net.add("Reshape", [y, net.ints(0, 0, heads, width) if net.chance() else net.ints(batch, steps, heads, width)])
        return net.add("Transpose", [y], perm=perm)
    factor = net.constant(np.array(1 / np.sqrt(width) if net.chance() else np.sqrt(width), net.dtype))
    scaled = lambda v: net.add("Mul" if net.constants[factor.name] <= 1 else "Div", [v, factor])
    before = net.chance(0.3)
    q = head([0, 2, 1, 3])
    scores = net.add("MatMul", [scaled(q) if before else q, head([0, 2, 3, 1])])
    if not before:
        scores = scaled(scores)
    if net.chance():
        scores = net.add("Add", [scores, net.feed(net.pick((steps, steps), (batch, 1, 1, steps), (1, heads, steps, steps)), special=None)])
    net.sums(features + width + steps)
    y = net.add("MatMul", [net.add("Softmax", [scores], axis=3 if net.opset < 11 or net.chance() else -1), head([0, 2, 1, 3])])
    y = net.add("Transpose", [y], perm=[0, 2, 1, 3])
    return net.add("Reshape", [y, net.ints(batch, -1, heads * width)])
