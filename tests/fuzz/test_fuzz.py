#!/usr/bin/env python3
"""The fuzz targets on their corpora, and damaged models through everything, under sanitizers. The same inputs each time: what is damaged at random
has a fixed seed. `./dev fuzz` goes on with others."""
import glob
import io
import os
import random
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
from checks import BUILD, ROOT, Checks, run, scratch, tenon  # noqa: E402
from damage import damage, damage_bytes, damage_text  # noqa: E402
from damage_models import operator_cases  # noqa: E402

DAMAGED = 1500  # files for each target
MODELS_DAMAGED = 1000
TREE = os.path.join(BUILD, "asan")
SANITIZERS = {"ASAN_OPTIONS": "allocator_may_return_null=1:detect_leaks=1"}


def read(pattern):
    paths = sorted(glob.glob(os.path.join(ROOT, pattern), recursive=True))
    return [open(p, "rb").read() for p in paths if os.path.getsize(p) < 20_000]


def graph_texts():
    """The graphs of the tests of passes: each file has some, divided by lines of dashes and comments."""
    texts = b"\n---\n".join(read("tests/passes/*.graph") + read("plugins/example/tests/*.graph")).split(b"\n---\n")
    return [b"\n".join(line for line in text.splitlines() if not line.startswith(b"#")) for text in texts]


def loop_texts():
    models = sorted(glob.glob(os.path.join(operator_cases(), "**", "model.onnx"), recursive=True))[::40]
    texts = [tenon("compile", p, "--emit", "loops", "--target", target, text=False).out for p in models for target in ("generic", "x86-64-v3")]
    return [text for text in texts if text]


def arrays():
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    zips = [io.BytesIO(), io.BytesIO()]
    np.savez(zips[0], x=x, label=np.arange(2))
    np.savez_compressed(zips[1], x=x.astype(np.float64), y=np.asfortranarray(x.astype(np.int8)))
    kinds = ("<f4", "<f2", "<i8", "|u1", "|b1", ">f4", "<c8", "|S3")
    single = [io.BytesIO() for _ in kinds]
    for kind, f in zip(kinds, single):
        np.save(f, np.zeros((2, 2), kind))
    return [f.getvalue() for f in zips + single]


OPTIONS = [b"input:type=uint8,scale=0.00392157,mean=1,2", b'input:name="x,y",layout=nhwc', b"expand", b"input:mean=1e400", b"no-such:x=1", b":", b'a:"']
TUNE = [b"tenon-tune 1\n" + b"".join(lines) for lines in (
    [], [b'"x86-64-v4" threads 1 "8x8 sum 3 of 1" along 1 rows_along 0 lanes 8 vectors 1 tail 8 rows 4 default_us 1.5 tuned_us 1.25\n'],
    [b'"z80" threads 2 "8 sum 3 of 1" along 0 lanes 1 vectors 2 tail 1 rows 1 panels 1 default_us 1e3 tuned_us 0\n'],
    [b'# a comment\n', b'"a\\x01" threads 0 "k" along 2 rows_along 1 runs_on 0 lanes 16 vectors 8 tail 8 rows 14 default_us 0 tuned_us 0\n'],
    [b'"a" threads 1 "k" along 0 lanes 7\n'], [b'"a" threads 1 "k\n'], [b'"a" threads 1 "k" along 0 lanes 8 vectors 1 tail 8 rows 1 default_us 1e400\n'])]
TARGETS = [  # name, seeds, how they are damaged
    ("import", lambda: read("tests/errors/frontend/*.onnx") + read("tests/frontend/*.onnx"), damage),
    ("graph_text", graph_texts, damage_text),
    ("loop_text", loop_texts, damage_text),
    ("options", lambda: OPTIONS, damage_text),
    ("tune", lambda: TUNE, damage_text),
    ("npz", arrays, lambda dice, data, other: damage_bytes(dice, data)),
]


def fill(folder, seeds, change):
    dice = random.Random(1)
    for k, data in enumerate(seeds + [change(dice, dice.choice(seeds), dice.choice(seeds)) for _ in range(DAMAGED)]):
        with open(os.path.join(folder, f"{k:05}"), "wb") as f:
            f.write(data)


def main():
    checks = Checks()
    configured = run(["cmake", "--preset", "asan", "-B", TREE], cwd=ROOT)
    targets = [f"fuzz_{name}" for name, _, _ in TARGETS]
    built = run(["cmake", "--build", TREE, "--target", *targets, "run_models"], timeout=1500) if configured.status == 0 else configured
    if checks.check("built with sanitizers", built.status == 0, built.last):
        for name, seeds, change in TARGETS:
            folder, kept = scratch("fuzz_" + name), os.path.join(HERE, "corpus", name)
            seeds = seeds()
            checks.check(f"{name}: there are seeds", len(seeds) > 6, f"{len(seeds)}")
            fill(folder, seeds, change)
            done = run([os.path.join(TREE, "tests", "fuzz", "fuzz_" + name), folder, *([kept] if os.path.isdir(kept) else [])], env=SANITIZERS)
            checks.check(name, done.status == 0 and "runtime error" not in done.err, f"status {done.status}\n" + done.err[-1500:])
        # What fuzzing the import does not reach, since it lies in lowering.
        kept = sorted(glob.glob(os.path.join(HERE, "corpus", "import", "*.onnx")))
        done = subprocess.run([os.path.join(TREE, "tests", "fuzz", "run_models")], input="\n".join(kept) + "\n", capture_output=True, text=True,
                              env={**os.environ, **SANITIZERS})
        checks.equal("corpus: models through everything", (done.returncode, len(done.stdout.splitlines())), (0, len(kept)))
        done = run([sys.executable, os.path.join(HERE, "damage_models.py"), "--count", str(MODELS_DAMAGED), os.path.join(TREE, "tests", "fuzz", "run_models")],
                   timeout=900)
        print(done.out, end="")
        checks.check("damaged models", done.status == 0, done.last)
    checks.finish()


if __name__ == "__main__":
    main()
