#!/usr/bin/env python3
"""Builds everything with clang; warnings are errors there as with gcc."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, CLANG, ROOT, Checks, run  # noqa: E402

checks = Checks()
tree = os.path.join(BUILD, "clang")
made = run(["cmake", "-G", "Ninja", "-S", ROOT, "-B", tree, "-DCMAKE_BUILD_TYPE=Debug", f"-DCMAKE_C_COMPILER={CLANG}"])
if checks.check("clang: configured", made.status == 0, made.last):
    # -k 0: all that is wrong in one run
    built = run(["cmake", "--build", tree, "--", "-k", "0"], timeout=1400)
    for line in built.out.splitlines():
        if "error:" in line:
            print("  " + line)
    checks.check("clang: built without warnings", built.status == 0, built.last)
checks.finish()
