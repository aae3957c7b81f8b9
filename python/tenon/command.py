"""The command `tenon` of an installed package: its program takes over the process."""
import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Ends only where the program cannot be started."""
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "tenon")
    # The program looks for others, such as tenon-sweep, in PATH.
    path = os.pathsep.join([os.path.dirname(os.path.abspath(sys.argv[0])), os.environ.get("PATH", os.defpath)])
    os.execve(program, [program, *sys.argv[1:]], {**os.environ, "PATH": path})
