#!/usr/bin/env python3
"""Runs the cells of docs/tour.ipynb, one after the other, with whatever tenon this Python has."""
import json
import os

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "tour.ipynb")
names = {}
with open(PATH, encoding="utf-8") as file:
    cells = [c for c in json.load(file)["cells"] if c["cell_type"] == "code"]
for number, cell in enumerate(cells):
    exec(compile("".join(cell["source"]), f"tour.ipynb, cell {number}", "exec"), names)
