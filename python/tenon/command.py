"""The command `tenon` of an installed package: its program takes over the process."""
import os
import sys


def main():
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "tenon")
    os.execv(program, [program, *sys.argv[1:]])
