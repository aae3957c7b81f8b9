"""The models of single operators that several tests go through."""
import os
import sys

from checks import ROOT, SCRATCH, cached, run

FOLDER = os.path.join(ROOT, "tests", "ops")
MAKER, FILES = os.path.join(FOLDER, "make_cases.py"), ("make_cases.py", "case_files.py")


def make(folder):
    made = run([sys.executable, MAKER, folder], timeout=300)
    if made.status != 0:
        raise SystemExit(f"make_cases.py: {made.last}")


def operator_cases():
    """Their folder: OPERATOR/NUMBER/model.onnx with its data. Written once."""
    return cached(os.path.join(SCRATCH, "op_cases"), "".join(open(os.path.join(FOLDER, name)).read() for name in FILES), make)
