"""Points that have been measured: a file of JSON lines, each written whole and flushed, so that a sweep may end at any moment and go on."""
import fcntl
import hashlib
import json
import os
from typing import Dict, Optional, Union

from .statistics import Point

Path = Union[str, "os.PathLike[str]"]


def digest(path: Path) -> str:
    """Of a file's contents."""
    found = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            found.update(block)
    return found.hexdigest()[:16]


class Store:
    """points.jsonl of a folder, for one sweep at a time. A line belongs to the sweep `key`, which says on what it was measured; those of others stay, and are left
    alone. BlockingIOError where another sweep is at work there."""

    def __init__(self, folder: str, key: str) -> None:
        os.makedirs(folder, exist_ok=True)
        self.path, self.key = os.path.join(folder, "points.jsonl"), key
        self.known: Dict[Optional[str], Point] = {}
        self.file = open(self.path, "ab+", buffering=0)
        fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.file.seek(0)
        text = self.file.read()
        for line in text.split(b"\n"):
            try:
                point = json.loads(line)
                if point["sweep"] == key:
                    self.known[point["pass"]] = point
            except (ValueError, KeyError, TypeError):
                pass  # the end of a line that was being written, or none of ours
        if text and not text.endswith(b"\n"):
            self._write(b"\n")

    def _write(self, data: bytes) -> None:
        while data:
            data = data[self.file.write(data):]
        os.fsync(self.file.fileno())

    def add(self, point: Point) -> Point:
        """Keeps it; when this returns it is on the disk."""
        point = {"sweep": self.key, **point}
        self.known[point["pass"]] = point
        self._write(json.dumps(point).encode() + b"\n")
        return point
