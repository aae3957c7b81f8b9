#!/usr/bin/env python3
"""tenon draw: golden DOT of a small model, the shipped models, scopes and --depth, --diff against the graphs' own difference, odd names, a missing
module. `--update-golden` rewrites small.dot and small_diff.dot."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, MODELS, TENON, Checks, run, scratch, tenon  # noqa: E402
from samples import SHIPPED  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = scratch("draw")
BERT = os.path.join(MODELS, "bert-tiny-imdb")
CNN = os.path.join(MODELS, "mnist-cnn", "model.onnx")
SVG = "{http://www.w3.org/2000/svg}"
F = TensorProto.FLOAT
info = helper.make_tensor_value_info
# What report/picture_colors.c fills the boxes of a picture of two models with.
FILLS = {"#fafbfc": "same", "#ffd3d0": "removed", "#c6f3d0": "added", "#ffedb0": "changed"}
DEAD = ["-p", "dead_inputs:drop=labels,bind=attention_mask=1,token_type_ids=0"]


def path(name):
    return os.path.join(FOLDER, name)


def save(name, nodes, inputs, outputs, constants=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(np.asarray(a), n) for n, a in constants])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path(name))
    return path(name)


def draw(checks, name, *words, to=None):
    """The report of a drawing, and its file's bytes."""
    to = path(to or re.sub(r"\W", "_", name) + ".svg")
    done = tenon("draw", *words, "--json", "-o", to)
    if not checks.check(f"{name}: drawn", done.status == 0 and "error" not in done.err and "warning" not in done.err, done.last):
        return {}, b""
    with open(to, "rb") as f:
        return json.loads(done.out), f.read()


class Picture:
    """An SVG file as what it shows: a tooltip and a fill for each box, a tooltip for each edge and frame."""

    def __init__(self, data):
        self.boxes, self.edges, self.frames = {}, [], []
        self.root = ElementTree.fromstring(data)
        for group in self.root.iter(SVG + "g"):
            kind, title = group.get("class"), group.findtext(SVG + "title")
            shape = next((e for e in group if e.tag in (SVG + "path", SVG + "polygon")), None)
            if kind == "node":
                self.boxes[group.get("id")] = (title, shape.get("fill"))
            elif kind == "edge":
                self.edges.append(title)
            elif kind == "cluster":
                self.frames.append(title)

    def names(self, state):
        """The first lines of the tooltips of the nodes that have this state's color."""
        return sorted(tip.split("\n")[0] for tip, fill in self.boxes.values() if FILLS.get(fill) == state)


def texts(data):
    return ["".join(t.itertext()) for t in ElementTree.fromstring(data).iter(SVG + "text")]


# ---- golden ----

def small_model(name, scale, add=True):
    """Two scopes, a node outside of all, a scope of one node, constants of all sorts."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"], name="/net/block/dense/MatMul"),
             helper.make_node("Add", ["a", "b"], ["c"], name="/net/block/dense/Add"),
             helper.make_node("Relu", ["c"], ["d"], name="/net/block/act/Relu_1"),
             helper.make_node("Mul", ["d", "scale"], ["e"], name="/net/Mul"),
             helper.make_node("Transpose", ["e"], ["y"], name="/net/out/Transpose", perm=[1, 0])]
    if not add:
        nodes[1:3] = [helper.make_node("Relu", ["a"], ["d"], name="/net/block/act/Relu_1")]
    rng = np.random.default_rng(0)
    return save(name, nodes, [info("x", F, ["n", 3])], [info("y", F, None)],
                [("w", rng.standard_normal((3, 4)).astype(np.float32)), ("b", np.arange(4, dtype=np.float32)), ("scale", np.float32(scale))])


def test_golden(checks, update):
    old, new = small_model("small.onnx", 0.5), small_model("small_new.onnx", 2, add=False)
    for golden, words in (("small.dot", [old]), ("small_diff.dot", [new, "--diff", old])):
        _, made = draw(checks, golden, *words, to=golden)
        if update:
            with open(os.path.join(HERE, golden), "wb") as f:
                f.write(made)
        with open(os.path.join(HERE, golden), "rb") as f:
            checks.check(f"{golden}: as it was", made == f.read(), "see the file in build/tests/scratch/draw; --update-golden rewrites it")
        checks.check(f"{golden}: the same twice", draw(checks, golden + " again", *words, to="again.dot")[1] == made)
    done = tenon("compile", old, "--emit", "dot", text=False)
    checks.check("--emit dot: what draw writes", done.status == 0 and done.out == open(path("small.dot"), "rb").read())
    svg = [draw(checks, f"svg {i}", old)[1] for i in range(2)]
    checks.check("SVG: the same twice, nothing of Graphviz's version", svg[0] == svg[1] and b"enerated by" not in svg[0])


# ---- the shipped models ----

def unquote(name):
    return re.sub(r'\\(x[0-9a-f]{2}|.)', lambda m: m[1] if m[1][0] != "x" else chr(int(m[1][1:], 16)), name)


def graph_of(*words):
    """Of the graph in its text form: nodes by their first output (operator, name, line), inputs, outputs, constants that are used."""
    done = tenon("compile", *words, "--emit", "graph")
    value = r'%(?:"((?:[^"\\]|\\.)*)"|([\w./-]+))'
    nodes, constants, used = {}, {}, set()
    inputs = dict((a or b, t) for a, b, t in re.findall(value + r": (\S+\])", done.out.splitlines()[0]))
    for line in done.out.splitlines()[1:]:
        line = line.strip()
        if line.startswith("const "):
            m = re.match("const " + value + r": (\S+) = (.*)", line)
            constants[m[1] or m[2]] = m[3] + m[4]
        elif line.startswith("%"):
            m = re.match(value + r".*? = \W*(?:\"[^\"]*\"::)?(\w+)-\d+\(", line)
            name = re.search(r' name "((?:[^"\\]|\\.)*)"', line)
            reads = line.split(" = ", 1)[1]
            used.update(a or b for a, b in re.findall(value, reads))
            nodes[m[1] or m[2]] = (m[3], unquote(name[1]) if name else "", re.sub(r" source \d+", "", line))
    # What a node reads of constants is part of it.
    for output, (op, name, line) in nodes.items():
        reads = [a or b for a, b in re.findall(value, line.split(" = ", 1)[1])]
        nodes[output] = (op, name, line + " reads " + str([constants.get(n) for n in reads]))
    outputs = re.findall(r' as "((?:[^"\\]|\\.)*)"', done.out.splitlines()[-2])
    return nodes, inputs, outputs, {c: t for c, t in constants.items() if c in used}


def test_shipped(checks):
    for name, model, _ in SHIPPED:
        begin = time.time()
        made, data = draw(checks, name, model)
        if not data:
            continue
        checks.check(f"{name}: in time", time.time() - begin < 20, f"{time.time() - begin:.1f} s")
        nodes, inputs, outputs, _ = graph_of(model)
        picture = Picture(data)
        checks.equal(f"{name}: boxes", len(picture.boxes), len(nodes) + len(inputs) + len(outputs))
        checks.equal(f"{name}: what JSON counts", (made["boxes"], made["nodes"], made["edges"], made["closed_scopes"]),
                     (len(picture.boxes), len(nodes), len(picture.edges), 0))
        tips = [tip.split("\n") for tip, _ in picture.boxes.values()]
        missing = [n for op, n, _ in nodes.values() if not any(t[0] == n and t[1].startswith(op + "-") for t in tips if len(t) > 1)]
        checks.check(f"{name}: each node by its name and operator", not missing, str(missing[:3]))
        checks.check(f"{name}: nothing is a link", b"xlink:title" not in data and b"<a " not in data)
    for ending, magic in (("png", b"\x89PNG\r\n"), ("pdf", b"%PDF-1")):
        made, data = draw(checks, ending, CNN, to=f"cnn.{ending}")
        checks.check(f"{ending}: is one", data.startswith(magic) and made["bytes"] == len(data))


def test_facts(checks):
    """What a picture says of a Conv: tooltip, weights, edges' shapes, multiply-accumulates, a color by what operators do."""
    _, data = draw(checks, "facts", CNN, "--dim", "batch=1")
    picture = Picture(data)
    conv = [(t, f) for t, f in picture.boxes.values() if t.startswith("/3/Conv\n")]
    wanted = ["Conv-22, node 3 of the file", "W: f32[32,16,3,3] 3.weight", "pads=[1, 1, 1, 1]", "parameters: 4640",
              f"multiply-accumulates: {14 * 14 * 32 * 16 * 9}"]
    checks.check("tooltip of a Conv", conv and all(w in conv[0][0].split("\n") for w in wanted), str(conv))
    checks.check("its weights in the box", "W f32[32,16,3,3]" in texts(data))
    checks.check("edges say name and shape", "/2/MaxPool_output_0 f32[1,16,14,14]" in picture.edges, str(picture.edges))
    checks.check("and are labelled", any(t.strip() == "f32[1,16,14,14]" for t in texts(data)))
    fills = {op: {f for t, f in picture.boxes.values() if f"\n{op}-" in t} for op in ("Conv", "Gemm", "Relu", "MaxPool", "Flatten")}
    checks.check("a color for each sort of operator", fills["Conv"] == fills["Gemm"] and len(set().union(*fills.values())) == 4, str(fills))
    head = " ".join(texts(data))
    checks.check("head and legend", "10 nodes" in head and "multiply-accumulate" in head and "look-up" not in head, head[:200])


# ---- scopes ----

def test_depth(checks):
    model = os.path.join(BERT, "static_1x128.onnx")
    full, _ = draw(checks, "depth: all", model)
    before, last = 0, None
    for depth in range(0, 8):
        made, data = draw(checks, f"depth {depth}", model, "--depth", depth)
        picture = Picture(data)
        inside = sum(int(m[1]) for m in (re.match(r"(\d+) nodes ·", t) for t in texts(data)[1:]) if m) - made["nodes"]
        open_nodes = made["boxes"] - made["closed_scopes"] - 4  # three inputs, an output
        checks.equal(f"depth {depth}: each node is a box or inside of one", inside + open_nodes, made["nodes"])
        checks.check(f"depth {depth}: as many boxes as before, or more", before <= made["boxes"] == len(picture.boxes), f"{before}, {made['boxes']}")
        before, last = made["boxes"], made
    checks.equal("depth 7: all", {**last, "file": ""}, {**full, "file": ""})
    one, data = draw(checks, "depth 1: frames", model, "--depth", 1)
    checks.equal("depth 1: bert, and the classifier's node", (one["closed_scopes"], one["boxes"]), (1, 6))
    _, data = draw(checks, "depth 3: frames", model, "--depth", 3)
    picture = Picture(data)
    checks.equal("depth 3: frames", sorted(picture.frames), ["bert", "bert/embeddings", "bert/encoder", "bert/pooler"])
    checks.check("depth 3: layers are boxes that list what is in them",
                 any(t.startswith("bert/encoder/layer.0\nMatMul /m/bert/encoder/layer.0/attention") for t, _ in picture.boxes.values()))


def ladder(name, rungs):
    """Scopes of three nodes one after the other, each of which reads what the first node made, too."""
    nodes = [helper.make_node("Neg", ["x"], ["m"], name="/first")]
    last = "x"
    for i in range(rungs):
        nodes += [helper.make_node("Relu", [last], [f"a{i}"], name=f"/rungs/rung.{i}/Relu"), helper.make_node("Add", [f"a{i}", "m"], [f"b{i}"], name=f"/rungs/rung.{i}/Add"),
                  helper.make_node("Tanh", [f"b{i}"], [f"c{i}"], name=f"/rungs/rung.{i}/Tanh")]
        last = f"c{i}"
    return save(name, nodes, [info("x", F, [2])], [info(last, F, [2])])


def png_height(name):
    with open(path(name), "rb") as f:
        return int.from_bytes(f.read(24)[20:24], "big")


def test_large(checks):
    """What would take Graphviz long is closed of itself, and Ctrl-C is heard while it works."""
    made, _ = draw(checks, "large: 30 rungs", ladder("ladder30.onnx", 30))
    checks.equal("large: 30 rungs are open", (made["closed_scopes"], made["boxes"]), (0, 93))
    large = ladder("ladder300.onnx", 300)
    begin = time.time()
    made, _ = draw(checks, "large: 300 rungs", large)
    checks.check("large: 300 rungs, in seconds", made["nodes"] == 901 and made["closed_scopes"] == 1 and time.time() - begin < 20, str(made)[:200])
    nodes = [helper.make_node("Neg", [f"v{i}"], [f"v{i + 1}"], name=f"n{i}") for i in range(900)]
    done = tenon("draw", save("chain.onnx", nodes, [info("v0", F, [2])], [info("v900", F, [2])]), "-o", path("chain.png"))
    checks.check("large: a PNG that is too high has fewer dots, and a warning says so", done.status == 0 and done.err.count("\n") == 1
                 and "chain.png: warning[drawing]: too large for a PNG" in done.err and 30000 < png_height("chain.png") < 32767, done.err)
    begin = time.time()
    child = subprocess.Popen([TENON, "draw", large, "--depth", "99", "-o", path("never.svg")], stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)
    running = child.poll() is None
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=60)[1]
    checks.check("large: Ctrl-C ends it", running and child.returncode == -signal.SIGINT and "error[stopped]" in said and time.time() - begin < 20,
                 f"{running}, {child.returncode}, {said}")
    checks.check("large: nothing is left behind", not os.path.exists(path("never.svg")))


def test_names_without_slashes(checks):
    def chain(name, names):
        nodes = [helper.make_node("Relu" if i % 2 else "Neg", [f"v{i}"], [f"v{i + 1}"], name=n) for i, n in enumerate(names)]
        return save(name, nodes, [info("v0", F, [2])], [info(f"v{len(names)}", F, [2])])

    made, data = draw(checks, "dots", chain("dots.onnx", ["net.a.Neg", "net.a.Relu", "net.b.Neg", "net.b.Relu", "tail.1"]))
    checks.equal("dots: frames", sorted(Picture(data).frames), ["net", "net.a", "net.b"])
    made, data = draw(checks, "flat", chain("flat.onnx", ["Neg_0", "Relu_1", "Neg_2"]), "--depth", 1)
    checks.equal("flat: no frames, no scopes", (Picture(data).frames, made["closed_scopes"], made["boxes"]), ([], 0, 5))
    deep = "/".join(["s"] * 3000)
    made, data = draw(checks, "deep", chain("deep.onnx", [deep + "/Neg", deep + "/Relu", "Neg"]))
    checks.equal("deep: boxes", made.get("boxes"), 5)


# ---- differences ----

def difference(before, after):
    """(removed, added, changed) nodes by their first output's name, inputs, outputs and constants."""
    sets = []
    for x, y in zip(before, after):
        x, y = ({n: n for n in s} if isinstance(s, list) else s for s in (x, y))
        # A node that has been made of another's is that, whatever its number in the file.
        sets.append(({n for n in x if n not in y}, {n for n in y if n not in x}, {n for n in x if n in y and x[n] != y[n]}))
    return sets


def report_sets(made, kind):
    return [sorted(b["name"] for b in made[state] if b["kind"] == kind) for state in ("removed", "added", "changed")]


def check_difference(checks, name, made, before, after):
    nodes, inputs, outputs, constants = difference(before, after)
    named = [sorted((before[0] | after[0])[n][1] for n in s) for s in nodes]
    checks.equal(f"{name}: nodes", report_sets(made, "node"), named)
    for kind, sets in (("input", inputs), ("output", outputs), ("constant", constants)):
        checks.equal(f"{name}: {kind}s", report_sets(made, kind), [sorted(s) for s in sets])
    return named


def test_dead_inputs(checks):
    bound = ["--dim", "batch=1", "--dim", "sequence=128"]
    for name, dims in (("labels", bound), ("static_1x128_labels", [])):
        model = os.path.join(BERT, name + ".onnx")
        before, after = graph_of(model, *dims), graph_of(model, *DEAD, *dims)
        made, data = draw(checks, name, model, *DEAD, *dims, "--diff", model)
        removed, added, changed = check_difference(checks, name, made, before, after)
        checks.check(f"{name}: it is a difference", len(removed) > 8 and not added and len(changed) == 3, f"{len(removed)}, {added}, {changed}")
        checks.equal(f"{name}: inputs that went", report_sets(made, "input"), [["attention_mask", "labels", "token_type_ids"], [], []])
        picture = Picture(data)
        red = [f"input {i} i64[1{'' if i == 'labels' else ',128'}]".replace(f" {i} ", f" {i}: ") for i in ("attention_mask", "labels", "token_type_ids")]
        checks.equal(f"{name}: what is red", picture.names("removed"), sorted(removed + red + ["output loss: f32[]"]))
        checks.equal(f"{name}: what is amber", picture.names("changed"), changed)
        checks.equal(f"{name}: what is green", picture.names("added"), [])
        checks.check(f"{name}: far nodes are put together", made["closed_scopes"] > 5 and made["boxes"] < made["nodes"])
        checks.check(f"{name}: what has changed stands in the box and in the tooltip", "attn_mask: Expand → nothing" in texts(data) and
                     any("changed: B was /m/bert/embeddings/token_type_embeddings/Gather_output_0" in t for t, _ in picture.boxes.values()))
        opened, _ = draw(checks, f"{name}, opened", model, *DEAD, *dims, "--diff", model, "--depth", 99)
        checks.equal(f"{name}: --depth 99 opens all", (opened["closed_scopes"], opened["boxes"]), (0, len(before[0]) + 4 + 2))
        # The way back, between two files: what went comes.
        smaller = path("smaller.onnx")
        tenon("compile", model, *DEAD, *dims, "--emit", "onnx", "-o", smaller)
        back, data = draw(checks, f"{name}, back", model, *dims, "--diff", smaller)
        checks.equal(f"{name}: back, nodes", report_sets(back, "node"), [[], removed, changed])
        checks.equal(f"{name}: back, what is green", len(Picture(data).names("added")), len(removed) + 4)
        none, data = draw(checks, f"{name}, itself", model, *dims, "--diff", model)
        checks.equal(f"{name}: against itself", [none[s] for s in ("removed", "added", "changed")], [[], [], []])
        checks.equal(f"{name}: against itself, all as before", none["same"], len(before[0]))


def test_changes(checks):
    old = small_model("old.onnx", 0.5)

    def changed(name, edit):
        model = onnx.load(old)
        edit(model.graph)
        onnx.save(model, path(name + ".onnx"))
        made, _ = draw(checks, f"changes: {name}", path(name + ".onnx"), "--diff", old)
        return {b["name"]: b["changes"] for b in made["changed"] if b["kind"] == "node"}, made

    def attribute(graph):
        graph.node[4].attribute[0].ints[:] = [0, 1]

    got, _ = changed("scale", lambda g: g.initializer[2].CopyFrom(numpy_helper.from_array(np.float32(2), "scale")))
    checks.equal("changes: a constant", got, {"/net/Mul": ["B: 0.5 → 2"]})
    got, _ = changed("weights", lambda g: g.initializer[0].CopyFrom(numpy_helper.from_array(np.ones((3, 4), np.float32), "w")))
    checks.equal("changes: weights", got, {"/net/block/dense/MatMul": ["B: other contents"]})
    got, _ = changed("operator", lambda g: setattr(g.node[2], "op_type", "Sigmoid"))
    checks.equal("changes: an operator", got, {"/net/block/act/Relu_1": ["was Relu"]})
    got, made = changed("type", lambda g: setattr(g.input[0].type.tensor_type.shape.dim[0], "dim_value", 5))
    checks.check("changes: types", "gives: f32[n,4] → f32[5,4]" in got.get("/net/block/dense/MatMul", []) and len(got) == 5, str(got))
    checks.equal("changes: an input's type", [b["changes"] for b in made["changed"] if b["kind"] == "input"], [["was f32[n,3]"]])
    got, _ = changed("rename", lambda g: [setattr(n, "name", "") for n in g.node])
    checks.equal("changes: names of nodes are no change", got, {})


# ---- odd names ----

ODD = ['say "hi"', "a<b>&c;", "&lt;é ü → 漢字", "back\\N slash\\", "two\nlines", "tab\there", "</svg>", "#{}[]|", "x" * 20000, "%s%n", "--", "\x01\x7f"]


def test_odd_names(checks):
    nodes = [helper.make_node("Relu" if i % 2 else "Neg", [f"v{i}" if i else ODD[0]], [f"v{i + 1}" if i + 1 < len(ODD) else ODD[1]], name=f"/s/{n}")
             for i, n in enumerate(ODD)]
    model = save("odd.onnx", nodes, [info(ODD[0], F, [2])], [info(ODD[1], F, [2])])
    for words in ([], ["--depth", "0"], ["--diff", CNN]):
        made, data = draw(checks, f"odd {words}", model, *words)
        picture = Picture(data) if checks.check(f"odd {words}: is XML", data != b"") else None
    made, data = draw(checks, "odd", model)
    tips = [t.split("\n") for t, _ in Picture(data).boxes.values()]
    clean = [re.sub("[\x00-\x09\x0b-\x1f\x7f]", "?", f"/s/{n}") for n in ODD]
    missing = [n[:40] for n in clean if not any("\n".join(t).startswith(n + "\n") for t in tips)]
    checks.check("odd: each name in its tooltip", not missing, f"{missing} of {[t[0][:40] for t in tips]}")
    checks.check("odd: ends", any(t[0] == f"input {ODD[0]}: f32[2]" for t in tips) and any(t[0] == f"output {ODD[1]}: f32[2]" for t in tips), str(tips)[:300])
    for ending in ("png", "pdf", "dot"):
        draw(checks, f"odd {ending}", model, to=f"odd.{ending}")


def test_odd_graphs(checks):
    passed = save("passed.onnx", [helper.make_node("Neg", ["x"], ["y"])], [info("x", F, [2]), info("unused", F, [2])],
                  [info("y", F, [2]), info("x", F, [2]), info("c", F, [])], [("c", np.float32(3))])
    made, _ = draw(checks, "inputs and constants as outputs", passed)
    checks.equal("inputs and constants as outputs", (made["boxes"], made["edges"]), (6, 3))
    twice = save("twice.onnx", [helper.make_node("Mul", ["x", "x"], ["y"])], [info("x", F, [2])], [info("y", F, [2])])
    checks.equal("read twice, one edge", draw(checks, "twice", twice)[0]["edges"], 2)
    none = save("none.onnx", [], [info("x", F, [2])], [info("x", F, [2])])
    checks.equal("no node at all", draw(checks, "none", none)[0]["boxes"], 2)
    checks.equal("no node at all, one box", draw(checks, "none 0", none, "--depth", 0)[0]["boxes"], 2)


# ---- what may be missing ----

def test_missing(checks):
    empty = scratch("draw-empty")
    done = tenon("draw", CNN, "-o", path("x.png"), env={"GVBINDIR": empty})
    checks.check("Graphviz without plugins", done.status == 5 and "error[drawing]" in done.err and done.out == "", done.err)
    checks.check("nothing is written then", not os.path.exists(path("x.png")))
    # A copy without the module.
    folder = scratch("draw-copy")
    os.makedirs(os.path.join(folder, "lib"))
    shutil.copytree(os.path.join(BUILD, "bin"), os.path.join(folder, "bin"))
    for name in os.listdir(os.path.join(BUILD, "lib")):
        if name.startswith("libtenon.so"):
            shutil.copy(os.path.join(BUILD, "lib", name), os.path.join(folder, "lib", name), follow_symlinks=False)
    def copy(*words):
        return run([os.path.join(folder, "bin", "tenon"), *words], env={"LD_LIBRARY_PATH": os.path.join(folder, "lib")})

    done = copy("draw", CNN, "-o", path("x.svg"))
    checks.check("without the module", done.status == 5 and "error[no-drawing]" in done.err and "-o FILE.dot" in done.err, done.err)
    done = copy("draw", CNN, "-o", path("x.dot"))
    checks.check("without the module: DOT", done.status == 0 and os.path.getsize(path("x.dot")) > 1000, done.err)
    done = copy("doctor")
    checks.check("without the module: doctor says so", re.search(r"^MISSING +drawing", done.out, re.M) is not None, done.out)


if __name__ == "__main__":
    checks = Checks()
    test_golden(checks, sys.argv[1:] == ["--update-golden"])
    test_shipped(checks)
    test_facts(checks)
    test_depth(checks)
    test_large(checks)
    test_names_without_slashes(checks)
    test_dead_inputs(checks)
    test_changes(checks)
    test_odd_names(checks)
    test_odd_graphs(checks)
    test_missing(checks)
    checks.finish()
