"""What is swept: options of a pass with their values, and the points that these make."""
import decimal
import itertools
import math
import shlex
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

MOST = 100_000
# Options of tenon eval that a setting may have: may they be given several times?
SETTABLE = {"dim": True, "shape": True, "skip": True, "plugin": True, "freeze": True, "pipeline": True, "target": False, "backend": False, "float": False, "int": False,
            "schedule": False, "tune": False, "isolate": False, "verify-passes": False}


class Axis:
    """An option, or several that take the same value, and the values: "data_width=2..16", "data_width,weight_width=2..8", "sparsity=0.1..0.9..0.2",
    "frac=half,mse"."""

    def __init__(self, text: str) -> None:
        names, equals, values = text.partition("=")
        self.names = names.split(",")
        if not equals or not all(self.names) or not values:
            raise ValueError(f"'{text}' is not OPTION=FIRST..LAST or OPTION=VALUE,VALUE")
        self.values = self._range(text, values) if ".." in values else values.split(",")
        if not all(self.values):
            raise ValueError(f"'{text}' has an empty value")
        self.values = list(dict.fromkeys(self.values))

    @staticmethod
    def _range(text: str, values: str) -> List[str]:
        """From the first to the last, by steps of the last digit that is written, or as given."""
        try:
            ends = [decimal.Decimal(x) for x in values.split("..")]
        except decimal.InvalidOperation:
            raise ValueError(f"'{text}': FIRST..LAST or FIRST..LAST..STEP has numbers") from None
        if len(ends) not in (2, 3) or not all(x.is_finite() for x in ends):
            raise ValueError(f"'{text}': a range is FIRST..LAST or FIRST..LAST..STEP")
        first, last = ends[:2]
        step = ends[2] if len(ends) == 3 else decimal.Decimal(1).scaleb(min(0, *(int(x.as_tuple().exponent) for x in ends)))
        if step <= 0 or last < first:
            raise ValueError(f"'{text}': the first is above the last, or the step is not above 0")
        if (last - first) / step > MOST:
            raise ValueError(f"'{text}': more than {MOST:,} values")
        return [format(first + i * step, "f") for i in range(int((last - first) / step) + 1)]

    @property
    def title(self) -> str:
        """What tables and curves call it."""
        return ", ".join(self.names)

    def spell(self, value: str) -> str:
        """The value as items of the pass."""
        return ",".join(f"{n}={value}" for n in self.names)

    def options(self, value: str) -> Dict[str, Any]:
        """More options of tenon eval that come with the value."""
        return {}


class Settings:
    """The lines of a file: items of the pass, and more options of tenon eval for some: "data_width=8,weight_width=8 --skip fuse-attention". What follows a # is a
    comment."""

    names, title = ["setting"], "setting"

    def __init__(self, path: str) -> None:
        try:
            with open(path, encoding="utf-8") as file:
                self._lines = dict(filter(None, (self._parse(f"{path}:{number}", line) for number, line in enumerate(file, 1))))
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is no text in UTF-8: {error.reason}") from None
        self.values = list(self._lines)
        if not self.values:
            raise ValueError(f"{path} has no settings: a line has items of the pass, as data_width=8,weight_width=8")

    @staticmethod
    def _parse(where: str, line: str) -> Optional[Tuple[str, Tuple[str, Dict[str, Any]]]]:
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        if not words:
            return None
        text, items = shlex.join(words), "" if words[0].startswith("--") else words.pop(0)
        options: Dict[str, Any] = {}
        while words:
            word, equals, value = words.pop(0).partition("=")
            name = word[2:]
            if not word.startswith("--") or not name:
                raise ValueError(f"{where}: '{word}' is no option: a line is ITEMS [--OPTION VALUE]...")
            if name not in SETTABLE:
                raise ValueError(f"{where}: {word} is none of a setting's options: {', '.join('--' + n for n in SETTABLE)}")
            if name in options and not SETTABLE[name]:
                raise ValueError(f"{where}: {word} is given twice")
            if not equals and words and not words[0].startswith("--"):
                equals, value = "=", words.pop(0)
            options.setdefault(name, []).append(value if equals else None)
        return text, (items, {n: True if v == [None] else v for n, v in options.items()})

    def spell(self, value: str) -> str:
        """The value as items of the pass."""
        return self._lines[value][0]

    def options(self, value: str) -> Dict[str, Any]:
        """More options of tenon eval that come with the value."""
        return self._lines[value][1]


Axes = Sequence[Union[Axis, Settings]]


def number(text: str) -> Optional[float]:
    """The value as a number; None where it is none that is finite."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def request(pass_text: str, axes: Axes, values: Sequence[str]) -> str:
    """The pass as -p has it, with these values."""
    name, _, items = pass_text.partition(":")
    words = [items, *(axis.spell(v) for axis, v in zip(axes, values))]
    return f"{name}:" + ",".join(filter(None, words))


def job(pass_text: str, axes: Axes, values: Sequence[str]) -> Dict[str, Any]:
    """A point to be measured: what it is called, its values, the pass as -p has it, more options of tenon eval."""
    text = request(pass_text, axes, values)
    options: Dict[str, Any] = {}
    for axis, value in zip(axes, values):
        options.update(axis.options(value))
    words = [f"--{n}" + ("" if v is True else f" {one}") for n, v in options.items() for one in (v if v is not True else [v])]
    return {"pass": " ".join([text, *words]), "values": list(values), "request": text, "options": options}


def points(axes: Axes) -> List[Tuple[str, ...]]:
    """Every combination of values; the first axis varies fastest, so that each series is soon seen whole."""
    return [tuple(reversed(v)) for v in itertools.product(*(a.values for a in reversed(axes)))]
