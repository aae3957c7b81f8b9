#!/usr/bin/env python3
"""Damages small model files at random and compiles them: every exit status must be one of the contract's, with a message where it is not 0.

usage: damage_models.py [--seconds S] [--seed N] TENON

TENON should be built with sanitizers. A file that ends it otherwise, or that takes longer than 20 seconds, is kept and named.
"""
import argparse
import glob
import os
import random
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def seeds():
    paths = glob.glob(os.path.join(ROOT, "tests", "**", "*.onnx"), recursive=True) + glob.glob(os.path.join(ROOT, "models", "*", "*.onnx"))
    return [open(p, "rb").read() for p in sorted(paths) if 0 < os.path.getsize(p) < 100_000]


def damage(dice, files):
    data = bytearray(dice.choice(files))
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(data)) if data else 0
        kind = dice.randrange(5)
        if kind == 0 and data:
            data[at] ^= 1 << dice.randrange(8)
        elif kind == 1 and data:
            data[at] = dice.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            del data[at: at + dice.randint(1, 16)]
        elif kind == 3:
            data[at:at] = data[at: at + dice.randint(1, 64)]
        else:
            other = dice.choice(files)
            begin = dice.randrange(len(other))
            data[at: at + 8] = other[begin: begin + dice.randint(1, 64)]
    return bytes(data)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("tenon")
    options = parser.parse_args()
    dice, files = random.Random(options.seed), seeds()
    passed = failed = 0
    folder = tempfile.mkdtemp(prefix="tenon-fuzz-")
    print(f"seed {options.seed}, {len(files)} files to damage, kept in {folder} where one fails")
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        path = os.path.join(folder, f"{passed + failed}.onnx")
        with open(path, "wb") as f:
            f.write(damage(dice, files))
        try:
            done = subprocess.run([options.tenon, "compile", path, "--emit", "loops", "-o", os.devnull], capture_output=True, timeout=20)
            good = 0 <= done.returncode <= 5 and (done.returncode == 0 or b"error[" in done.stderr) and b"Sanitizer" not in done.stderr
            why = f"status {done.returncode}: {done.stderr[:300].decode(errors='replace')}"
        except subprocess.TimeoutExpired:
            good, why = False, "not done after 20 seconds"
        if good:
            passed += 1
            os.unlink(path)
        else:
            failed += 1
            print(f"FAILED {path}: {why}")
    if not failed:
        os.rmdir(folder)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
