#!/usr/bin/env python3
"""The backend suite of the onnx package through `tenon check --suite` on three back ends: each case has to pass, or to stand in
known_failures.txt and not to pass; and it has to end alike everywhere. README.md's figure has to be what came out.

usage: test_conformance.py [--update]     --update writes the list (reasons of cases that stay are kept) and README.md's figure
"""
import importlib.metadata
import json
import os
import re
import resource
import sys
import time

import onnx

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import ROOT, SCRATCH, Checks, cached, run, tenon  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
MAKER = os.path.join(HERE, "make_suite.py")
KNOWN = os.path.join(HERE, "known_failures.txt")
README = os.path.join(ROOT, "README.md")
FIGURE = re.compile(r"[\d,]+ of the [\d,]+ cases")
# The C is as `--emit c` writes it: vector headers cost the compiler four times as much as all the rest.
WAYS = {"interp": (), "jit": (), "c": ("--target", "generic")}
RESULTS = {"pass", "fail", "unsupported", "invalid", "crash", "timeout"}
HEADER = """\
# The cases of the ONNX backend suite that tenon does not pass, on any back end, and why. `test_conformance.py --update` writes this
# file; reasons of cases that stay are kept. "later:" is what the design leaves for another time.
"""
CONTROL_FLOW = {"If", "Loop", "Scan"}
RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
DATA_SIZED = {"Compress", "NonMaxSuppression", "NonZero", "Unique"}


def make(folder):
    made = run([sys.executable, MAKER, os.path.join(folder, "cases")], timeout=600)
    if made.status != 0:
        raise SystemExit(f"make_suite.py: {made.last}")


def suite():
    folder = os.path.join(SCRATCH, "onnx_suite")
    cached(folder, open(MAKER).read() + importlib.metadata.version("onnx"), make)
    return os.path.join(folder, "cases")


def check_suite(folder, backend, *words):
    """The exit status, and the JSON."""
    file = os.path.join(SCRATCH, f"suite_{backend}.json")
    begin, before = time.time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = tenon("check", "--suite", folder, "--backend", backend, *words, "--json", file, timeout=1400)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.status not in (0, 1, 4):
        raise SystemExit(f"check --suite --backend {backend}: {done.last}")
    print(f"{backend}: {time.time() - begin:.0f} s, user {after.ru_utime - before.ru_utime:.0f} s, system {after.ru_stime - before.ru_stime:.0f} s")
    with open(file, encoding="utf-8") as f:
        return done.status, json.load(f)


# ---- the list ----

def read_known():
    """Names and reasons, and the lines that are neither."""
    known, wrong = {}, []
    for line in open(KNOWN, encoding="utf-8"):
        line = line.rstrip("\n")
        name, colon, reason = line.partition(": ")
        if line.startswith("#"):
            continue
        if not colon or not reason.strip() or name in known:
            wrong.append(line)
        known[name] = reason
    return known, wrong


def kinds(model):
    """Kinds of the values that go in and out."""
    infos = [*model.graph.input, *model.graph.output]
    found = {info.type.WhichOneof("value") for info in infos}
    if any(info.type.tensor_type.elem_type == onnx.TensorProto.STRING for info in infos):
        found.add("string")
    return found


def reason(folder, case):
    """Why a case does not pass, from its model and from what is said of it."""
    model = onnx.load(os.path.join(folder, case["name"], "model.onnx"), load_external_data=False)
    ops, domains = {n.op_type for n in model.graph.node}, {n.domain for n in model.graph.node}
    found = re.search(r"\((\w+)-\d+\): error\[([\w-]+)\]", case["message"])
    op, error = (found[1], found[2]) if found else ("", "")
    if any("training" in d for d in domains) or op == "Dropout":
        return "later: training"
    if "ai.onnx.ml" in domains:
        return "later: ai.onnx.ml"
    if "string" in kinds(model):
        return "later: string"
    if kinds(model) != {"tensor_type"} or any("Sequence" in o or "Optional" in o for o in ops):
        return "later: sequence"
    if ops & CONTROL_FLOW:
        return "later: control flow"
    if ops & RANDOM:
        return "random numbers: the expected values are those of one generator"
    if error in ("not-constant", "unknown-shape") or op in DATA_SIZED:
        return "later: run-time shape"
    if op == "ImageDecoder":
        return "ImageDecoder takes the formats of image files, for which tenon has no decoders"
    if error == "unsupported-operator":
        return f"there is no operator {op} yet"
    return case["message"].replace("test_data_set_0: ", "")


def update(folder):
    _, made = check_suite(folder, "interp")
    known = read_known()[0] if os.path.exists(KNOWN) else {}
    with open(KNOWN, "w", encoding="utf-8") as f:
        f.write(HEADER)
        for case in made["cases"]:
            if case["result"] != "pass":
                f.write(f"{case['name']}: {known.get(case['name']) or reason(folder, case)}\n")
    text = open(README, encoding="utf-8").read()
    with open(README, "w", encoding="utf-8") as f:
        f.write(FIGURE.sub(figure(made), text))
    print(f"{made['passed']} of {made['total']} pass")


def figure(made):
    return f"{made['passed']:,} of the {made['total']:,} cases"


# ---- the test ----

def test_form(checks, backend, status, made):
    cases = made["cases"]
    names, results = [c["name"] for c in cases], [c["result"] for c in cases]
    checks.check(f"{backend}: there are cases, in order", len(cases) > 2000 and names == sorted(set(names)), f"{len(cases)} cases")
    checks.check(f"{backend}: results", set(results) <= RESULTS, str(set(results)))
    checks.check(f"{backend}: totals", made["total"] == len(cases) and made["passed"] == results.count("pass"))
    checks.check(f"{backend}: by operator", sum(o["total"] for o in made["operators"]) == made["total"]
                 and sum(o["passed"] for o in made["operators"]) == made["passed"])
    want = 1 if set(results) - {"pass", "unsupported"} else 4 if "unsupported" in results else 0
    checks.equal(f"{backend}: exit status", status, want)
    for c in cases:
        checks.check(f"{backend}: {c['name']}: valid, no crash, in time", c["result"] in ("pass", "fail", "unsupported"),
                     f"{c['result']}: {c['message']}")


def test_known(checks, backend, made, known):
    for c in made["cases"]:
        listed = c["name"] in known
        if c["result"] == "pass":
            checks.check(f"{backend}: {c['name']}", not listed, "passes now: take it out of known_failures.txt (--update)")
        else:
            checks.check(f"{backend}: {c['name']}", listed, f"{c['result']}: {c['message']}")


def main():
    folder = suite()
    if sys.argv[1:] == ["--update"]:
        update(folder)
        return
    checks = Checks()
    known, wrong = read_known()
    checks.equal("known_failures.txt: lines NAME: REASON, each name once", wrong, [])
    checks.equal("known_failures.txt is sorted", list(known), sorted(known))
    results = {}
    for backend, words in WAYS.items():
        status, made = check_suite(folder, backend, *words)
        test_form(checks, backend, status, made)
        test_known(checks, backend, made, known)
        checks.equal(f"{backend}: every known failure is a case", sorted(set(known) - {c["name"] for c in made["cases"]}), [])
        for c in made["cases"]:
            results.setdefault(c["name"], {})[backend] = c["result"]
    for name, by in results.items():
        checks.check(f"{name}: the same on every back end", len(by) == len(WAYS) and len(set(by.values())) == 1, str(by))
    checks.equal("README.md's figure", FIGURE.findall(open(README, encoding="utf-8").read()), [figure(made)])
    checks.finish()


if __name__ == "__main__":
    main()
