#!/usr/bin/env python3
"""Runs the unit tests of a build tree and counts cmocka's cases. usage: run_unit.py [BUILD_DIR]"""
import glob
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, ROOT, Checks, run  # noqa: E402


def count(checks, build, env=None, timeout=900):
    """Runs every unit test program of a build tree and adds its cases to the checks."""
    programs = sorted(p for p in glob.glob(os.path.join(build, "tests", "test_*")) if os.access(p, os.X_OK) and os.path.isfile(p))
    checks.check("unit tests are built", bool(programs), f"none in {build}/tests")
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = list(pool.map(lambda p: run([p], cwd=ROOT, env=env, timeout=timeout), programs))
    for program, result in zip(programs, results):
        text = result.out + result.err
        ok, bad = re.search(r"\[  PASSED  \] (\d+) test", text), re.search(r"\[  FAILED  \] (\d+) test", text)
        checks.passed += int(ok[1]) if ok else 0
        checks.failed += int(bad[1]) if bad else 0
        if result.status != 0:
            for line in text.splitlines():
                if re.search(r"\[  (FAILED|ERROR)|error:|ERROR: |runtime error|SUMMARY", line):
                    print("  " + line[:300])
            if not bad:
                checks.check(os.path.basename(program), False, result.last)


if __name__ == "__main__":
    checks = Checks()
    count(checks, sys.argv[1] if len(sys.argv) > 1 else BUILD)
    checks.finish()
