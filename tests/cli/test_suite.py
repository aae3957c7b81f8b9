#!/usr/bin/env python3
"""tenon check --suite: what becomes of each kind of case, exit statuses, JSON, crashes and hangs, Ctrl-C."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, TENON, Checks, gone, run, scratch, tenon, workers  # noqa: E402

FOLDER = scratch("suite")
HOSTILE = os.path.join(BUILD, "tests", "hostile.so")
ALL = os.path.join(FOLDER, "all")
X = np.array([1, -2, 3], np.float32)


def write_case(name, nodes, outputs, inputs=(X,), elem=TensorProto.FLOAT, folder=ALL):
    """A case that computes y from x (and x1, ...); `outputs` is the expected y of each data set."""
    where = os.path.join(folder, name)
    names = ["x", "x1", "x2"][:len(inputs)]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(n, elem, x.shape) for n, x in zip(names, inputs)],
                              [helper.make_tensor_value_info("y", elem, inputs[0].shape)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    os.makedirs(where)
    onnx.save(model, os.path.join(where, "model.onnx"))
    for k, y in enumerate(outputs):
        data = os.path.join(where, f"test_data_set_{k}")
        os.mkdir(data)
        for name_of, value in [*((f"input_{i}.pb", x) for i, x in enumerate(inputs)), ("output_0.pb", y)]:
            with open(os.path.join(data, name_of), "wb") as f:
                f.write(numpy_helper.from_array(value).SerializeToString())


def node(op, *inputs, **attributes):
    return helper.make_node(op, inputs or ["x"], ["y"], **attributes)


def make_cases():
    """What each case is, and a part of what is said of it."""
    near = np.exp(X) * np.float32(1 + 5e-4)
    write_case("deep/er/test_abs", [node("Abs")], [np.abs(X), np.abs(X)])
    write_case("test_exp_near", [node("Exp")], [near])
    write_case("test_exp_wrong", [node("Exp")], [np.exp(X), np.exp(X) + 1])
    write_case("test_exp_shape", [node("Exp")], [np.exp(X)[:2]])
    write_case("test_relu_two_nodes", [helper.make_node("Neg", ["x"], ["n"]), node("Relu", "n")], [np.maximum(-X, 0)])
    write_case("test_unknown", [node("Nonsense")], [X])
    write_case("no data", [node("Abs")], [])
    bf16 = X.astype(ml_dtypes.bfloat16)
    write_case("test_abs_bf16", [node("Abs")], [np.abs(bf16) * ml_dtypes.bfloat16(1 + 2**-7)], (bf16,), TensorProto.BFLOAT16)
    os.makedirs(os.path.join(ALL, "broken"))
    with open(os.path.join(ALL, "broken", "model.onnx"), "wb") as f:
        f.write(b"no model")
    os.makedirs(os.path.join(ALL, "empty"))
    os.symlink(ALL, os.path.join(ALL, "loop"))  # is not entered
    return {"broken": ("invalid", "not an ONNX model"), "deep/er/test_abs": ("pass", None), "no data": ("invalid", "error[no-data]"),
            "test_abs_bf16": ("pass", None), "test_exp_near": ("pass", None), "test_exp_shape": ("fail", "output 'y' is 3, expected 2"),
            "test_exp_wrong": ("fail", "test_data_set_1: largest error 1"), "test_relu_two_nodes": ("pass", None),
            "test_unknown": ("unsupported", "main/node 0")}


def part(name, *cases):
    """A folder with only these of the cases."""
    folder = scratch(os.path.join("suite", name))
    for case in cases:
        shutil.copytree(os.path.join(ALL, case), os.path.join(folder, case))
    return folder


def results(file):
    made = json.load(open(file))
    return made, {c["name"]: c["result"] for c in made["cases"]}


def test_kinds(checks, want):
    file = os.path.join(FOLDER, "all.json")
    done = tenon("check", "--suite", ALL, "--json", file)
    made, found = results(file)
    checks.equal("results", found, {name: is_ for name, (is_, _) in want.items()})
    checks.equal("in order", list(found), sorted(found))
    for c in made["cases"]:
        said = want[c["name"]][1]
        checks.check(f"{c['name']}: message", c["message"] is None if said is None else said in c["message"], str(c["message"]))
        checks.check(f"{c['name']}: ms", c["ms"] >= 0)
    checks.equal("passed, total", (made["passed"], made["total"]), (4, 9))
    ops = {o["op"]: (o["passed"], o["total"]) for o in made["operators"]}
    checks.equal("operators", ops, {"": (0, 1), "Abs": (2, 3), "Exp": (1, 3), "Nonsense": (0, 1), "Relu": (1, 1)})
    checks.equal("status", done.status, 1)
    lines = done.out.splitlines()
    checks.check("the table", lines[0].split() == ["operator", "passed", "total"] and "Exp            1      3" in done.out, done.out)
    checks.check("the totals", "4 pass, 2 fail, 1 unsupported, 2 invalid (jit, " in done.out, done.out)
    checks.equal("a line for each that does not pass", [line.split(":")[0] for line in lines[-5:]],
                 ["broken", "no data", "test_exp_shape", "test_exp_wrong", "test_unknown"])
    again = tenon("check", "--suite", ALL)
    checks.equal("the same text again", again.out, done.out)
    plain = json.loads(tenon("check", "--suite", ALL + "/", "--json").out)
    checks.equal("--json to stdout", [(c["name"], c["result"], c["message"]) for c in plain["cases"]], [(c["name"], c["result"], c["message"]) for c in made["cases"]])
    one = json.loads(tenon("check", "--suite", os.path.join(ALL, "test_exp_near"), "--json").out)
    checks.equal("a folder that is a case", [(c["name"], c["result"]) for c in one["cases"]], [(".", "pass")])


def test_status(checks):
    good, unsupported = part("good", "test_exp_near", "deep"), part("unsupported", "test_exp_near", "test_unknown")
    for name, folder, words, status, said in (
            ("all pass", good, (), 0, ""), ("one is unsupported", unsupported, (), 4, ""), ("one is invalid", part("invalid", "broken", "deep"), (), 1, ""),
            ("--rtol", good, ("--rtol", "1e-5"), 1, ""), ("bfloat16", part("bf16", "test_abs_bf16"), (), 0, ""), ("bfloat16, --rtol", part("bf16", "test_abs_bf16"), ("--rtol", "1e-3"), 1, ""), ("--atol", part("wrong", "test_exp_wrong"), ("--atol", "2"), 0, ""),
            ("interp", good, ("--backend", "interp"), 0, ""), ("a pass", good, ("-p", "input:type=uint8"), 1, ""),
            ("missing", os.path.join(FOLDER, "nowhere"), (), 5, "nowhere: error[file]: cannot be read: No such file or directory"),
            ("empty", os.path.join(ALL, "empty"), (), 5, "error[no-cases]"), ("a file", os.path.join(ALL, "broken", "model.onnx"), (), 5, "Not a directory"),
            ("no such pass", good, ("-p", "nonsense"), 2, "every case"), ("no such target", good, ("--target", "pdp11"), 2, "pdp11"),
            ("no compiler", good, ("--backend", "c"), 5, "error[no-compiler]"), ("--stop-after", good, ("--stop-after", "bind"), 2, "not for --suite"),
            ("a model, too", good, ("x.onnx",), 2, "there is no MODEL"), ("a word that is no FILE", good, ("--json", "--backend", "jit", "x"), 2, "there is no MODEL"),
            ("FILE cannot be written", good, ("--json", "/nowhere/x"), 5, "--json /nowhere/x: cannot be written")):
        done = tenon("check", "--suite", folder, *words, env={"CC": "no-such-compiler"})
        checks.check(f"{name}: status {status}", done.status == status and said in done.err and (said != "" or done.err == ""), f"{done.status}: {done.err}")
    done = tenon("run", os.path.join(good, "test_exp_near", "model.onnx"), "--suite", good)
    checks.check("only check has it", done.status == 2 and "has no option --suite" in done.err, done.err)
    done = tenon("check", "--json", "-", "--suite", good)
    checks.check("--json - is stdout", json.loads(done.out)["passed"] == 2, done.out[:100])


def test_harm(checks, want):
    """Where a plugin harms its process, that is the result of each case that gets so far; the others end as without it."""
    for harm, result, said in (("crash in run", "crash", "crashed: signal 11 (Segmentation fault)"), ("hang in run", "timeout", "was not done after 1 seconds"),
                               ("eat-at-once in run", "crash", "its limit of 256 MiB of memory refused it"),
                               ("exit in run", "crash", "ended its process, with status 0, before it was done"),
                               ("crash in load", "crash", "crashed: signal 11"), ("", None, None)):
        mark = f"suite-{harm.replace(' ', '-')}-{os.getpid()}"
        temporary = scratch(os.path.join("suite", "tmp"))
        done = run([TENON, "check", "--suite", ALL, "--json", "--plugin", HOSTILE, "-p", "hostile", "--isolate=seconds=1,memory=256"],
                   env={"HARM": harm, "TENON_TEST_MARK": mark, "TMPDIR": temporary})
        cases = json.loads(done.out)["cases"] if done.out else []
        harmed = {c["name"] for c in cases if c["result"] == result}
        loaded = set(want) if harm.endswith("load") else {n for n, (r, _) in want.items() if r in ("pass", "fail") or n == "no data"}
        checks.equal(f"{harm}: whom it harms", harmed, loaded if harm else set())
        checks.check(f"{harm}: message", all(said in c["message"] for c in cases if c["result"] == result), str(cases)[:300])
        others = {c["name"]: c["result"] for c in cases if c["name"] not in harmed}
        checks.equal(f"{harm}: the others", others, {n: r for n, (r, _) in want.items() if n not in harmed})
        checks.check(f"{harm}: status, nothing left", done.status == 1 and gone(mark, 3) and os.listdir(temporary) == [], f"{done.status} {os.listdir(temporary)}")


def test_ends(checks):
    """Ctrl-C ends the run at once, and no worker outlives tenon."""
    for name, number in (("Ctrl-C", signal.SIGINT), ("tenon is killed", signal.SIGKILL)):
        mark = f"suite-end{int(number)}-{os.getpid()}"
        temporary = scratch(os.path.join("suite", "tmp"))
        child = subprocess.Popen([TENON, "check", "--suite", ALL, "--plugin", HOSTILE, "-p", "hostile"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 env={**os.environ, "HARM": "hang in run", "TENON_TEST_MARK": mark, "TMPDIR": temporary})
        for _ in range(200):
            if len(workers(mark)) >= 2:
                break
            time.sleep(0.05)
        time.sleep(0.3)
        begin = time.time()
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
        checks.check(f"{name}: ends at once", child.returncode == -number and time.time() - begin < 10 and out == "", f"{child.returncode}: {out}")
        checks.check(f"{name}: no worker is left", gone(mark, 3))
        checks.check(f"{name}: what is said", number == signal.SIGKILL or ("error[stopped]" in err and os.listdir(temporary) == []), err)


def main():
    checks = Checks()
    want = make_cases()
    test_kinds(checks, want)
    test_status(checks)
    test_harm(checks, want)
    test_ends(checks)
    checks.finish()


main()
