#!/usr/bin/env python3
"""docs/adding-an-operator.md: its diff applies to a copy of the project, which then builds and runs the operator's test cases."""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import ROOT, Checks, run, scratch  # noqa: E402

NOT_COPIED = shutil.ignore_patterns("build", ".git", "*.onnx", "*.npz")


def main():
    checks = Checks()
    folder = scratch("adding")
    copy, tree, cases = (os.path.join(folder, name) for name in ("copy", "build", "cases"))
    shutil.copytree(ROOT, copy, symlinks=True, ignore=NOT_COPIED)
    text = open(os.path.join(ROOT, "docs", "adding-an-operator.md")).read()
    diffs = re.findall(r"^```diff\n(.*?)^```", text, re.S | re.M)
    checks.equal("one diff in the document", len(diffs), 1)
    patch = os.path.join(folder, "change.diff")
    with open(patch, "w") as f:
        f.write("".join(diffs))
    operator = re.search(r'^\+ *\.name = "(\w+)"', diffs[0], re.M)[1]
    applied = run(["patch", "-p1", "--fuzz=0", "-i", patch], cwd=copy)
    if not checks.check("the diff applies", applied.status == 0, applied.last):
        checks.finish()
    made = run(["cmake", "-G", "Ninja", "-S", copy, "-B", tree, "-DCMAKE_BUILD_TYPE=Release", "-DTENON_LLVM=OFF", "-DTENON_TESTS=OFF"])
    built = run(["cmake", "--build", tree], timeout=900) if made.status == 0 else made
    if checks.check("it builds", built.status == 0, built.last):
        command = os.path.join(tree, "bin", "tenon")
        listed = run([command, "ops", operator])
        checks.check("tenon ops knows it", listed.status == 0 and operator in listed.out, listed.last)
        written = run([sys.executable, os.path.join(copy, "tests", "ops", "make_cases.py"), cases, "--only", operator])
        checks.check("it has test cases", written.status == 0 and os.path.isdir(os.path.join(cases, operator)), written.last)
        for case in sorted(os.listdir(os.path.join(cases, operator))):
            data = os.path.join(cases, operator, case)
            done = run([command, "check", os.path.join(data, "model.onnx"), data, "--backend", "interp"])
            checks.check(f"{operator} {case} passes", done.status == 0, done.last)
    checks.finish()


if __name__ == "__main__":
    main()
