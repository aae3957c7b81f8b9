#!/usr/bin/env python3
"""Single-node models of every operator, each on every back end, against onnxruntime's or the reference's outputs."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import ROOT, SCRATCH, Checks, cached, run, tenon  # noqa: E402

MAKER = os.path.join(ROOT, "tests", "ops", "make_cases.py")


def make(folder):
    made = run([sys.executable, MAKER, folder])
    if made.status != 0:
        raise SystemExit(f"make_cases.py: {made.last}")


def main():
    checks = Checks()
    folder = os.path.join(SCRATCH, "op_cases")
    cached(folder, open(MAKER).read(), make)
    report = os.path.join(SCRATCH, "op_cases.json")
    done = tenon("check", "--suite", folder, "--backend", "all", "--json", report, timeout=580)
    if checks.check("tenon check --suite", os.path.exists(report) and done.status in (0, 1, 4), done.last):
        for case in json.load(open(report))["cases"]:
            checks.check(case["name"], case["result"] == "pass", f"{case['result']}: {case.get('message', '')}")
    checks.finish()


if __name__ == "__main__":
    main()
