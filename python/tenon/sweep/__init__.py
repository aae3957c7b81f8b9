"""tenon sweep: a pass with many options, each model measured on labelled samples, the best one marked.

    tenon sweep MODEL --data FILE --pass quantize --over data_width=2..16 --and frac=half,mse -o FOLDER
"""
import argparse
import json
import os
import shutil
import signal
import sys
import time
from typing import Any, Dict, List, NoReturn, Optional, Sequence

from .. import errors
from . import statistics
from .grid import Axis, Settings, job, number, points
from .identity import keys
from .statistics import Point
from .store import Store, told
from .table import tables
from .workers import measured

DETAILS = """\
Values: FIRST..LAST (2..16, 0.1..0.9: by steps of the last digit), FIRST..LAST..STEP, or VALUE,VALUE. OPTION,OPTION=... gives several options the same value.
FILE of --settings has a setting a line: items of the pass, then options of tenon eval where it needs some: data_width=8,weight_width=8 --skip fuse-attention
What has been measured stands in FOLDER/points.jsonl, one JSON object a line; the same command goes on where it was ended, however that was.
The best point, of one-standard-error: the smallest model (bits of weights that are not zero, then of data) whose accuracy cannot be told from the best one's:
on the same samples, the mean difference is within its standard error. Of derivative: the least |d accuracy / d value| times value, zeros left out."""


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="tenon sweep", description=__doc__.splitlines()[0].partition(": ")[2], epilog=DETAILS,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", metavar="MODEL", help="an ONNX file")
    p.add_argument("--data", metavar="FILE", required=True, help="labelled samples, as of tenon eval")
    p.add_argument("--pass", dest="pass_text", metavar="NAME[:ITEMS]", required=True, help="the pass, and options that stay")
    rows = p.add_mutually_exclusive_group(required=True)
    rows.add_argument("--over", metavar="OPTION=VALUES", help="what goes along the curve")
    rows.add_argument("--settings", metavar="FILE", help="settings of several options, a line each, in place of --over: a table without curves")
    p.add_argument("--and", dest="others", metavar="OPTION=VALUES", action="append", default=[], help="a curve for each value; may be given several times")
    p.add_argument("--best", choices=sorted(statistics.RULES), default="one-standard-error", help="which point is marked (default: one-standard-error)")
    p.add_argument("-o", dest="folder", metavar="FOLDER", default="sweep", help="for points.jsonl, table.md, sweep.svg and sweep.png (default: %(default)s)")
    p.add_argument("--jobs", type=int, metavar="N", default=len(os.sched_getaffinity(0)), help="points at once (default: the cores)")
    p.add_argument("--limit", type=int, metavar="N", help="only the first samples")
    p.add_argument("--label", metavar="ARRAY", default="label", help="the array with the right classes (default: label)")
    p.add_argument("--map", metavar="INPUT=ARRAY", action="append", default=[], help="where the names of input and array differ")
    p.add_argument("--scale", metavar="INPUT=X", action="append", default=[], help="a factor of an input's data")
    p.add_argument("-p", metavar="PASS[:ITEMS]", action="append", default=[], help="a pass that runs first, in the model as it is, too")
    for name, metavar in (("dim", "NAME=N"), ("shape", "INPUT=1x128"), ("skip", "PASS"), ("plugin", "FILE.so")):
        p.add_argument(f"--{name}", metavar=metavar, action="append", default=[], help="as of tenon eval")
    for name, metavar in (("target", "TARGET"), ("backend", "BACKEND"), ("float", "any|none"), ("int", "best|force")):
        p.add_argument(f"--{name}", metavar=metavar, help="as of tenon eval")
    p.add_argument("--json", action="store_true", help="one JSON object on stdout, and nothing else there")
    a = p.parse_args(words)
    try:
        with told(a.settings or "", "read"):
            a.axes = [Settings(a.settings) if a.settings else Axis(a.over), *map(Axis, a.others)]
    except ValueError as error:
        p.error(str(error))
    names = [n for axis in a.axes for n in axis.names]
    for what, wrong in (("--jobs is at least 1", a.jobs < 1), ("--limit is at least 1", a.limit is not None and a.limit < 1),
                        ("an option is swept twice", len(set(names)) < len(names)),
                        ("--best derivative goes over numbers", a.best == "derivative" and any(number(v) is None for v in a.axes[0].values)),
                        ("--map and --scale are INPUT=...", any("=" not in w for w in a.map + a.scale)),
                        *((f"--scale {w}: expected a number", number(w.rpartition("=")[2]) is None) for w in a.scale)):
        if wrong:
            p.error(what)
    return a


def _nowhere(fd: int, flags: int = os.O_WRONLY) -> None:
    """What is written there from now on is lost."""
    opened = os.open(os.devnull, flags)
    os.dup2(opened, fd)
    if opened != fd:
        os.close(opened)
    os.set_inheritable(fd, True)


def _streams() -> None:
    """Those that were closed are open, so that no other file gets their place; an output that is closed still takes nothing. Names may have any bytes."""
    for fd, name, flags in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_RDONLY), (2, "stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            _nowhere(fd, flags)
            setattr(sys, name, open(fd, "r" if fd == 0 else "w", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _print(text: str) -> None:
    """On stdout, at once."""
    try:
        with told("standard output", "written"):
            print(text, end="", flush=True)
    except OSError:
        _nowhere(1)
        raise


def _say(text: str, end: str = "\n") -> None:
    """On stderr; where that takes nothing, the work goes on."""
    try:
        print(text, end=end, file=sys.stderr, flush=True)
    except OSError:
        _nowhere(2)


def _setup(a: argparse.Namespace) -> Dict[str, Any]:
    """What the processes that measure are told."""
    options = {name: getattr(a, name) for name in ("dim", "shape", "skip", "plugin", "target", "backend", "float", "int", "p") if getattr(a, name)}
    return {"model": os.path.abspath(a.model), "data": os.path.abspath(a.data), "limit": a.limit, "label": a.label, "map": a.map, "scale": a.scale,
            "options": options}


def _time(seconds: float) -> str:
    whole = int(seconds + 0.5)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}" if whole >= 3600 else f"{whole // 60}:{whole % 60:02}"


class Progress:
    """A line on stderr for each point that is done, with the time that is left; on a terminal it is always the same line."""

    def __init__(self, total: int, done: int) -> None:
        self.total, self.done, self.fresh, self.begin, self.terminal = total, done, 0, time.monotonic(), sys.stderr.isatty()

    def step(self, text: str) -> None:
        """One more is done."""
        self.done, self.fresh = self.done + 1, self.fresh + 1
        gone = time.monotonic() - self.begin
        line = f"{self.done} of {self.total}: {text}; {_time(gone)} gone, {_time(gone / self.fresh * (self.total - self.done))} left"
        width = shutil.get_terminal_size().columns - 1
        _say(f"\r\x1b[K{line[-width:]}" if self.terminal else line, end="" if self.terminal else "\n")

    def end(self) -> None:
        """All are."""
        if self.terminal and self.fresh:
            _say("")


def _measure(a: argparse.Namespace, setup: Dict[str, Any], store: Store, asked: Sequence[Dict[str, Any]]) -> Dict[Optional[str], str]:
    """Measures what is not known. Failures by pass."""
    jobs = [job for job in asked if job["pass"] not in store.known]
    progress = Progress(len(asked), len(asked) - len(jobs))
    failed: Dict[Optional[str], str] = {}
    for answer in measured(setup, jobs, a.jobs):
        if "error" in answer:
            failed[answer["pass"]] = answer["error"]
        else:
            store.add(answer)
        label = ",".join(axis.spell(v) for axis, v in zip(a.axes, answer["values"])) or "as it is"
        progress.step(f"{label}: " + ("failed" if "error" in answer else f"{100 * answer['accuracy']:.2f} %"))
    progress.end()
    return failed


def _draw(a: argparse.Namespace, reference: Point, found: Sequence[Point], best: Optional[Point]) -> List[str]:
    if a.settings:
        return []
    try:
        from .plot import draw
        return draw(a.axes, a.pass_text.partition(":")[0], reference, found, best, a.best, a.folder)
    except ImportError:
        _say("tenon sweep: the curves need matplotlib: pip install matplotlib")
        return []


def _run(a: argparse.Namespace) -> int:
    setup = _setup(a)
    asked = [{"pass": None, "values": [], "request": None, "options": {}}, *(job(a.pass_text, a.axes, values) for values in points(a.axes))]
    store = Store(a.folder, keys(setup, asked))
    failed = _measure(a, setup, store, asked)
    for text, why in sorted(failed.items(), key=lambda f: f[0] is not None)[:1]:
        _say(f"tenon sweep: {len(failed)} of {len(asked)} failed; {text or 'the model as it is'}:\n{why}")
    if None in failed or len(failed) == len(asked) - 1:
        return 3
    return _tell(a, store, asked[1:], list(failed))


def _tell(a: argparse.Namespace, store: Store, asked: Sequence[Dict[str, Any]], failed: Sequence[Optional[str]]) -> int:
    """The table, the curves, JSON."""
    reference = store.known[None]
    found = [{**store.known[job["pass"]], "values": job["values"]} for job in asked if job["pass"] in store.known]
    found = [{**p, "against": statistics.against(reference, p)} for p in found]
    best = statistics.RULES[a.best](found)
    table, path = tables(a.axes, a.pass_text, reference, found, best, a.best), os.path.join(a.folder, "table.md")
    if not a.json:
        _print(table)
    with told(path, "written"), open(path, "w", encoding="utf-8", errors="backslashreplace") as f:
        f.write(table)
    drawn = _draw(a, reference, found, best)
    if a.json:
        shown = [{k: v for k, v in p.items() if k not in ("right", "margins", "sweep")} for p in [reference, *found]]
        _print(json.dumps({"reference": shown[0], "points": shown[1:], "rule": a.best, "best": best and best["pass"], "failed": failed, "files": drawn}, indent=1) + "\n")
    else:
        _print(f"\nIn {a.folder}: {', '.join(['points.jsonl', 'table.md', *map(os.path.basename, drawn)])}\n")
    return 3 if failed else 0


def main() -> NoReturn:
    """The command. What goes wrong becomes a line and a status here."""
    try:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        _streams()
        status: Optional[int] = _run(_arguments(sys.argv[1:]))
    except KeyboardInterrupt:
        _say("\ntenon sweep: ended; the same command goes on from here")
        status = 130
    except errors.Error as error:
        _say(str(error))
        status = error.status
    except OSError as error:
        _say(f"tenon sweep: {error.filename}: {error.strerror}")
        status = 5
    sys.exit(status)
