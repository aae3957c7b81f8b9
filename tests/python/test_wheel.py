#!/usr/bin/env python3
"""The wheel: built by pip, installed into a fresh environment with numpy alone; the Python of README and docs, the tour and the command run there."""
import glob
import os
import re
import subprocess
import sys
import venv

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import MODELS, ROOT, Checks, run, scratch  # noqa: E402

FOLDER = scratch("wheel")
# What belongs to this environment, and not to the fresh one.
CLEAN = {k: v for k, v in os.environ.items() if k not in ("TENON_LIBRARY", "PYTHONPATH", "VIRTUAL_ENV")}


def examples():
    """(file and number, code) of the Python in README.md and docs."""
    for path in [os.path.join(ROOT, "README.md"), *sorted(glob.glob(os.path.join(ROOT, "docs", "*.md")))]:
        with open(path, encoding="utf-8") as f:
            for number, code in enumerate(re.findall(r"```python\n(.*?)```", f.read(), re.S)):
                yield f"{os.path.relpath(path, ROOT)} {number}", code


def main():
    checks = Checks()
    wheels, place = os.path.join(FOLDER, "wheels"), os.path.join(FOLDER, "environment")
    made = run([sys.executable, "-m", "pip", "wheel", ROOT, "--no-deps", "-q", "-w", wheels], timeout=800, cwd=FOLDER)
    found = glob.glob(os.path.join(wheels, "tenon-*.whl"))
    if checks.check("pip wheel", made.status == 0 and len(found) == 1, made.err[-600:]):
        venv.create(place, with_pip=True, clear=True)
        python = os.path.join(place, "bin", "python")
        put = run([python, "-m", "pip", "install", "-q", "numpy", found[0]], cwd=FOLDER)
        checks.check("installed with numpy", put.status == 0, put.err[-600:])
        have = run([python, "-m", "pip", "list", "--format=freeze"], cwd=FOLDER).out.split("\n")
        checks.equal("and nothing else", sorted(p.partition("==")[0] for p in have if p and p.partition("==")[0] not in ("pip", "setuptools", "wheel")), ["numpy", "tenon"])
        there = run([python, "-c", "import tenon; print(tenon.__file__)"], cwd=FOLDER)
        checks.check("it is the installed one", there.status == 0 and there.out.startswith(place), there.last)
        codes = dict(examples())
        checks.check("README and docs have examples", {"README.md 0", "README.md 1", "docs/plugins.md 0"} <= set(codes), codes)
        for name, code in codes.items():
            done = subprocess.run([python, "-c", code], cwd=ROOT, env=CLEAN, capture_output=True, text=True, timeout=300)
            checks.check(f"the example {name}", done.returncode == 0 and done.stderr == "", done.stderr[-600:])
        command = run([os.path.join(place, "bin", "tenon"), "inspect", os.path.join(MODELS, "mnist-mlp", "model.onnx"), "--dim", "batch=1"], cwd=FOLDER)
        checks.check("the command", command.status == 0 and "Gemm" in command.out, command.last)
        tour = run([python, os.path.join(ROOT, "tests", "python", "run_tour.py")], cwd=ROOT)
        checks.check("the tour", tour.status == 0 and "weights rounded" in tour.out, tour.err[-600:])
        sweep = run([os.path.join(place, "bin", "tenon"), "sweep", os.path.join(MODELS, "mnist-mlp", "model.onnx"), "--data", os.path.join(MODELS, "mnist-cnn", "test_10000.npz"),
                     "--limit", "50", "--pass", "quantize:data_width=0", "--over", "weight_width=7..8", "-o", os.path.join(FOLDER, "sweep")], cwd=FOLDER, env={"PATH": "/usr/bin:/bin"})
        checks.check("tenon sweep", sweep.status == 0 and "| 8 |" in sweep.out and "pip install matplotlib" in sweep.err, sweep.err[-600:])
        plugin = run([os.path.join(place, "bin", "tenon"), "passes", "quantize"], cwd=FOLDER)
        checks.check("its plugins", plugin.status == 0 and place in plugin.out, plugin.last)
    checks.finish()


if __name__ == "__main__":
    main()
