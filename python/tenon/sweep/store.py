"""Points that have been measured: a file of JSON lines, each written whole and flushed, so that a sweep may end at any moment and go on."""
import contextlib
import errno
import fcntl
import hashlib
import json
import os
from typing import Dict, Iterator, Mapping, Optional, Union

from .statistics import Point

Path = Union[str, "os.PathLike[str]"]


@contextlib.contextmanager
def told(path: Path, what: str) -> Iterator[None]:
    """What the system refuses in here is an OSError that says where, and that it "cannot be written"."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"cannot be {what}: {error.strerror or error}", error.filename or os.fspath(path)) from None


def _sum(point: Point) -> str:
    """Of all that a line says."""
    return hashlib.sha256(json.dumps(point, sort_keys=True).encode()).hexdigest()[:16]


def _read(line: bytes) -> Optional[Point]:
    """The point of a line; None where the line is not, to the letter, as it was written."""
    try:
        point = json.loads(line)
        return point if isinstance(point, dict) and point.pop("sum") == _sum(point) else None
    except (ValueError, KeyError, RecursionError):
        return None


class Store:
    """points.jsonl of a folder, for one sweep at a time. `keys` says for each pass on what it is measured: a line with another key stays, and is left alone."""

    def __init__(self, folder: str, keys: Mapping[Optional[str], str]) -> None:
        self.path, self.keys = os.path.join(folder, "points.jsonl"), keys
        self.known: Dict[Optional[str], Point] = {}
        with told(self.path, "written"):
            os.makedirs(folder, exist_ok=True)
            self.file = open(self.path, "ab+", buffering=0)
            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OSError(errno.EAGAIN, "another sweep is at work in the folder: name another by -o") from None
            self.file.seek(0)
            text = self.file.read()
        for point in map(_read, text.split(b"\n")):
            if point is not None and point["sweep"] == keys.get(point["pass"]):
                self.known[point["pass"]] = point
        if text and not text.endswith(b"\n"):
            self._write(b"\n")

    def _write(self, data: bytes) -> None:
        with told(self.path, "written"):
            while data:
                data = data[self.file.write(data):]
            os.fsync(self.file.fileno())

    def add(self, point: Point) -> Point:
        """Keeps it; when this returns it is on the disk."""
        point = {"sweep": self.keys[point["pass"]], **point}
        self.known[point["pass"]] = point
        self._write(json.dumps({**point, "sum": _sum(point)}).encode() + b"\n")
        return point
