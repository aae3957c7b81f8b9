#!/usr/bin/env python3
"""Options of passes from -p and from pipeline files, overrides for some nodes; --verify-passes catches a pass that changes the numbers."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import MODELS, ROOT, Checks, run, scratch, tenon  # noqa: E402

CNN = os.path.join(MODELS, "mnist-cnn", "model.onnx")
FOLDER = scratch("pipeline")
PROBE = os.path.join(FOLDER, "probe.so")
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]


def build_probe():
    return run(["cc", "-std=c99", *WARNINGS, "-shared", "-fPIC", "-fvisibility=hidden", "-I", os.path.join(ROOT, "plugins", "include"),
                os.path.join(ROOT, "tests", "plugins", "probe.c"), "-o", PROBE])


def marks(done):
    """The annotations of pass mark by operator."""
    return [(op, note) for op, note in re.findall(r" = (\w+)-\d+\(.*note \"mark\" \"([^\"]*)\"", done.out)]


def file(name, text):
    path = os.path.join(FOLDER, name)
    with open(path, "w") as f:
        f.write(text)
    return path


def graph(*words):
    return tenon("compile", CNN, "--emit", "graph", "-o", "-", *words)


def test_options(checks):
    done = graph("--plugin", PROBE, "-p", "mark:nodes=op:Conv,bits=4,deep,words=a,b=c,\"d,e\",way=right")
    checks.check("-p mark", done.status == 0, done.last)
    checks.equal("options of -p", set(marks(done)), {("Conv", "bits 4, rate 0.5, deep, [a], [b=c], [d,e], right")})
    text = """
plugins = ["probe.so"]
[[pass]]
name = "mark"
nodes = ["op:Conv", "op:Gemm"]
bits = 4
deep = true
words = {a = 1, b = "x", c = 0.25}
[[pass.override]]
select = "op:Gemm"
bits = 2
deep = false
[[pass.override]]
select = ["re:^/3/[A-Z]onv$", "re:^nothing"]
rate = 1
"""
    done = graph("--pipeline", file("good.toml", text))
    checks.check("--pipeline", done.status == 0, done.last)
    checks.equal("a pattern that selects nothing is a warning", done.err, f"tenon: warning[no-node]: {FOLDER}/good.toml: line 13: 'select=re:^nothing' selects no node of the model\n")
    words = "[a=1], [b=x], [c=0.25]"
    got = sorted(set(marks(done)))
    want = [("Conv", f"bits 4, rate 0.5, deep, {words}"), ("Conv", f"bits 4, rate 1, deep, {words}"), ("Gemm", f"bits 2, rate 0.5, flat, {words}")]
    checks.equal("options and overrides of a pipeline file", got, want)
    for asked in (("-p", "mark:nodes=op:Conv,bits=4,words=[]"), ("--pipeline", file("empty.toml", '[[pass]]\nname = "mark"\nnodes = "op:Conv"\nbits = 4\nwords = []'))):
        checks.equal(f"an empty list by {asked[0]}", set(marks(graph("--plugin", PROBE, *asked, "--isolate"))), {("Conv", "bits 4, rate 0.5, flat")})


def test_order(checks):
    one = file("one.toml", 'plugins = ["probe.so"]\nskip = ["cse"]\n[[pass]]\nname = "twice"\n[[pass]]\nname = "mark"\nbits = 3\n')
    done = tenon("compile", CNN, "-p", "input:type=uint8", "--pipeline", one, "-p", "honest", "--print-pipeline")
    rows = [line.split() for line in done.out.splitlines() if line.startswith("  ")]
    checks.equal("-p and --pipeline in their order", [r[0] for r in rows][:4], ["input", "twice", "mark", "honest"])
    checks.check("skip of a pipeline file", ["cse", "(left", "out)"] in rows, done.last)


def test_bad_files(checks):
    cases = [("x = 1", "line 1: expected plugins, skip or [[pass]], found 'x'", 2),
             ("\n[[pass]]\nbits = 1\n", "line 2: a pass without a name", 2),
             ("[[pass]\n", "line 1: ", 2),
             ('[[pass]]\nname = "mrak"', "line 1: pass mrak: there is no such pass", 2),
             ('[[pass]]\nname = "mark"\n\nbits = 1', "line 4: pass mark: 'bits=1': expected a number from 2 to 16", 2),
             ('[[pass]]\nname = "mark"\nbist = 8', "line 3: pass mark: 'bist': there is no such option", 2),
             ('[[pass]]\nname = "mark"\nbits = [4, 5]', "line 3: pass mark: 'bits': takes one value", 2),
             ('[[pass]]\nname = "mark"\nbits = 1979-05-27', "line 3: dates and times mean nothing here", 2),
             ('[[pass]]\nname = "mark"\n[[pass.override]]\nbits = 4', "line 3: an override without select", 2),
             ('[[pass]]\nname = "mark"\n[[pass.override]]\nselect = "re:("', "line 3: select: '(' is not a regular expression", 2),
             ('[[pass]]\nname = "mark"\nwords = [["a"]]', "line 3: an array has no place here", 2),
             ('[[pass]]\nname = "mark"\nbits = []', "line 3: pass mark: 'bits=': needs a value", 2),
             ('skip = ["cze"]', "--skip cze: there is no such pass", 2),
             ('plugins = ["absent.so"]', "absent.so: error[plugin]: the plugin cannot be loaded", 5)]
    conv = marks(graph("--plugin", PROBE, "-p", "mark:nodes=op:Conv"))
    checks.check("the model has convolutions", len(conv) == 2, conv)
    cases += [('[[pass]]\nname = "mark"\n\nnodes = ["op:Conv", "nobody"]', "bad14.toml: line 4: pass mark: 'nodes=nobody': the model has no node of this name", 2),
              ('[[pass]]\nname = "mark"\nnodes = ["Conv"]', "'nodes=Conv': the model has no node of this name\nnote: op:Conv selects by operator", 2),
              ('[[pass]]\nname = "mark"\n[[pass.override]]\nselect = ["op:Conv", "/3/Conw"]\nbits = 4', "line 3: 'select=/3/Conw': the model has no node of this name\nnote: did you mean '/3/Conv'?", 2)]
    for i, (text, says, status) in enumerate(cases):
        done = graph("--plugin", PROBE, "--pipeline", file(f"bad{i}.toml", text))
        checks.check(f"pipeline file {text!r}", done.status == status and says in done.err, done.err)
    done = graph("--pipeline", os.path.join(FOLDER, "none.toml"))
    checks.check("no such pipeline file", done.status == 5 and "no such file" in done.err, done.err)


def test_price(checks):
    asked = ("inspect", CNN, "--json", "--plugin", PROBE, "-p", "price")
    for target, where in (("x86-64-v3", "wide"), ("x86-64", "narrow")):
        made = json.loads(tenon(*asked, "--dim", "batch=2", "--target", target).out)
        checks.equal(f"tenon.cost/1 says what inspect says, {where}", made["passes"][0][where], made["totals"]["predicted"]["cycles"])
    done = tenon(*asked)
    checks.check("tenon.cost/1: a dimension that is not known", done.status != 0 and "unknown-shape" in done.err, done.err)


def test_proof(checks):
    cnn = ("inspect", CNN, "--dim", "batch=2", "--plugin", PROBE, "--verify-passes")
    for asked in ("honest", "twice", "mark"):
        done = tenon(*cnn, "-p", asked)
        checks.check(f"--verify-passes lets '{asked}' pass", done.status == 0 and done.err == "", done.err)
    done = tenon(*cnn, "-p", "liar")
    says = re.search(r"^tenon: error\[pass-changed-numbers\]: pass 'liar' has to keep the numbers, but output '\w+' has \S+ at element 0, which was \S+$", done.err, re.M)
    checks.check("--verify-passes catches a liar", done.status == 3 and says is not None, done.err)
    done = tenon("inspect", CNN, "--dim", "batch=2", "--plugin", PROBE, "-p", "liar")
    checks.check("only --verify-passes looks", done.status == 0, done.last)
    for name in ("kws_dscnn_int8_qdq", "resnet8_bn", "sww_bn"):
        done = tenon("inspect", os.path.join(MODELS, "mlperf-tiny", name, "model.onnx"), "--verify-passes", *(["--dim", "batch=1"] if name.endswith("bn") else []))
        checks.check(f"{name}: the clean-up keeps the numbers", done.status == 0 and done.err == "", done.err)
    for name in ("dynamic", "static_1x128", "labels"):
        bound = [] if name == "static_1x128" else ["--shape", "input_ids=2x8"]
        done = tenon("inspect", os.path.join(MODELS, "bert-tiny-imdb", f"{name}.onnx"), "--verify-passes", *bound)
        checks.check(f"bert {name}: the clean-up keeps the numbers", done.status == 0 and done.err == "", done.err)


def main():
    checks = Checks()
    built = build_probe()
    if checks.check("the probe plugin builds", built.status == 0, built.err):
        test_options(checks)
        test_order(checks)
        test_bad_files(checks)
        test_price(checks)
    test_proof(checks)
    checks.finish()


main()
