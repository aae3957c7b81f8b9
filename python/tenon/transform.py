"""Passes written in Python:

    @tenon.transform(keeps_numbers=True)
    def no_identity(graph, nodes=tenon.Option("*", selector=True, help="only these")):
        \"\"\"Identity is removed\"\"\"
        for node in graph.nodes:
            if node.op == "Identity" and nodes(node):
                node.output.replace(node.inputs[0])
                node.erase()

    tenon.load("model.onnx").pipeline("quantize:weight_width=4", no_identity(nodes="encoder/*"))

They stand in a pipeline like any other: on a copy of the graph, which is verified afterwards; a failure leaves the model as it was. Each is a tenon_pass of
plugin.h, made in this process.
"""
from __future__ import annotations

import ctypes
import functools
import inspect
import math
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union, overload

import numpy as np

from . import _plugin as abi
from . import _spelling as spelling
from . import editing
from ._spelling import to_bytes
from .errors import Error, PassError, RefusedError

if TYPE_CHECKING:
    from .context import Context

NUMBERS = {abi.INT: "N", abi.FLOAT: "X", abi.BOOL: "YES", abi.STRING: "TEXT", abi.ENUM: "WORD", abi.LIST: "TEXT,...", abi.FLOATS: "X,...", abi.SELECTOR: "SELECTOR"}


def _text(thing: object) -> str:
    """Its text, even where that cannot be had."""
    try:
        return str(thing)
    except BaseException as error:  # noqa: B902 - a __str__ may raise anything
        return f"(its text raises {type(error).__name__})"


def failed(context: Context, graph: Optional[editing.Graph], error: BaseException) -> int:
    """Says why a pass or criterion has failed, and gives the code for it."""
    context.cause = error
    if not isinstance(error, Exception):  # such as KeyboardInterrupt and SystemExit: they are no failures, and raised again
        context.signals.raised = context.signals.raised or error
    if isinstance(error, RefusedError):
        return error.status
    status, id, node, text = abi.INVALID, "python-pass", None, f"{type(error).__name__}: {_text(error)}"
    if isinstance(error, PassError):
        status, id, text = error.status, _text(error.id), _text(error)
        node = error.node._at if isinstance(error.node, editing.Node) and error.node._graph is graph else None
    elif isinstance(error, Error) and error.status in (2, 3, 4, 5):
        status = error.status
    elif isinstance(error, (MemoryError, OSError)):
        status = abi.RESOURCE
    elif isinstance(error, NotImplementedError):
        status = abi.UNSUPPORTED
    if graph is not None:
        graph._d.error(graph._host, node, id.encode(errors="replace"), b"%s", text.replace("\0", " ").encode(errors="replace"))
    return status


def called(context: Context, open_graph: Callable[[], editing.Graph], work: Callable[[editing.Graph], object], note: Optional[str] = None) -> int:
    """What the library calls: work on a graph that ends with it. Whatever is raised becomes a failure, with the note."""
    graph = None
    try:
        graph = open_graph()
        context.signals.within_python(work, graph)
        return abi.OK
    except BaseException as error:  # noqa: B902 - nothing may pass through C
        code = failed(context, graph, error)
        if graph is not None and note is not None:
            graph._d.note(graph._host, b"%s", note.encode(errors="replace"))
        return code
    finally:
        if graph is not None:
            graph._end()


class Described(NamedTuple):
    """What there is to say of a function."""
    name: str
    doc: str
    where: str


def plain(what: str, function: Any) -> None:
    """Raises a TypeError where this is no function that runs when it is called."""
    if not callable(function):
        raise TypeError(f"{what} is a function, not {function!r}")
    if any(kind(function) for kind in (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)):
        raise TypeError(f"{function!r}: {what} is a plain function; with yield or async nothing in it would be run")


def described(what: str, function: Any, name: Optional[str]) -> Described:
    """The function of a pass or criterion, or a TypeError that says why it cannot be one."""
    plain(what, function)
    own = function.func if isinstance(function, functools.partial) else function
    name = getattr(own, "__name__", "<unnamed>") if name is None else name
    to_bytes(name, f"the name of {what}")
    if name.startswith("<"):
        raise TypeError(f"{function!r} has no name for {what}: give it one, name=\"my-name\"")
    code = getattr(own, "__code__", None)
    return Described(name, own.__doc__ or "", f"{code.co_filename}:{code.co_firstlineno}" if code else "Python")


class Option:
    """An option of a pass: its default (whose type is the option's: bool, int, float, str, a list of texts or of floats), a line of help, the range of a
    number, the choices of a text; or, with selector=True, nodes: a callable that says whether it selects a node. A selector is given as a text, or several as
    a list."""

    def __init__(self, default: Any, help: str = "", least: Optional[float] = None, most: Optional[float] = None, choices: Optional[Sequence[str]] = None,
                 selector: bool = False) -> None:
        default = default.item() if isinstance(default, np.generic) else default
        self.default, self.help, self.choices, self.kind = default, help, choices, self._kind(default, choices, selector)
        if (least is not None or most is not None) and self.kind not in (abi.INT, abi.FLOAT):
            raise TypeError("least and most are for numbers")
        self.least, self.most = self._bounds(least, most)

    @staticmethod
    def _kind(default: Any, choices: Optional[Sequence[str]], selector: bool) -> int:
        if selector or choices is not None:
            if not isinstance(default, str):
                raise TypeError(f"the default of a selector or of choices is a text, not {default!r}")
            if choices is not None and default not in choices:
                raise ValueError(f"the default {default!r} is none of the choices")
            return abi.SELECTOR if selector else abi.ENUM
        if isinstance(default, (list, tuple)):
            return abi.FLOATS if default and not isinstance(default[0], str) else abi.LIST
        for kind, name in ((bool, abi.BOOL), (int, abi.INT), (float, abi.FLOAT), (str, abi.STRING)):
            if isinstance(default, kind):
                return name
        raise TypeError(f"the default of an option is a bool, an int, a float, a text or a list, not {default!r}")

    @staticmethod
    def _bounds(least: Optional[float], most: Optional[float]) -> Tuple[float, float]:
        if least is None and most is None:
            return 0.0, 0.0  # any
        wide = float(2**53)
        return -wide if least is None else float(least), wide if most is None else float(most)

    def _spell(self, name: str, value: Any) -> str:
        """The value as the command's -p has it."""
        if isinstance(value, (list, tuple)):
            return f"{name}={','.join(self._spell_one(name, v) for v in value) or '[]'}"
        return f"{name}={self._spell_one(name, value)}"

    @staticmethod
    def _spell_one(name: str, value: Any) -> str:
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name}: a finite number, not {value!r}")
        if isinstance(value, str):
            return spelling.item(value, f"option {name}")
        if not isinstance(value, (int, float)):
            raise TypeError(f"{name}: {value!r} is neither a number nor a text")
        return str(value)

    def _read(self, graph: editing.Graph, name: str, node: Optional[int]) -> Any:
        """What was given for the pass (node None) or for the node."""
        o, host, key = graph._o, graph._host, name.encode()
        if self.kind == abi.SELECTOR:
            return lambda n: bool(o.selects(host, key, graph._own(n, editing.Node)))
        if self.kind in (abi.LIST, abi.FLOATS):
            if not o.given(host, key):
                return list(self.default)
            item = o.number if self.kind == abi.FLOATS else o.item
            found = [item(host, key, node, i) for i in range(o.count(host, key, node))]
            return found if self.kind == abi.FLOATS else [graph._text(t) for t in found]
        if self.kind in (abi.STRING, abi.ENUM):
            found = o.text(host, key, node)
            return self.default if found is None else graph._text(found)
        found = {abi.BOOL: o.boolean, abi.INT: o.integer, abi.FLOAT: o.real}[self.kind](host, key, node)
        return bool(found) if self.kind == abi.BOOL else found


class Request:
    """A pass with options, for a pipeline."""

    def __init__(self, transform: Transform, text: str) -> None:
        self.transform, self.text = transform, text

    def __repr__(self) -> str:
        return f"<tenon pass {self.text}>"


class Transform:
    """A pass written in Python. Called with options it gives what a pipeline takes; `function` is the function itself."""

    def __init__(self, function: Callable[..., object], name: Optional[str], help: Optional[str], stage: str, flags: int, after: Iterable[str], before: Iterable[str]) -> None:
        own = described("a pass", function, name)
        words = inspect.cleandoc(own.doc).partition("\n")
        self.function, self.name, self.where, self.stage, self.flags = function, own.name, own.where, stage, flags
        self.help, self.doc, self.after, self.before = help or words[0] or "a pass written in Python", words[2].strip(), list(after), list(before)
        for text in (self.help, self.doc, stage):
            to_bytes(text, f"{self.name}: a text of the pass")
        self.options = self._read_options()
        self.__doc__, self.__wrapped__ = own.doc, function

    def _read_options(self) -> Dict[str, Option]:
        parameters = list(inspect.signature(self.function).parameters.values())
        if not parameters:
            raise TypeError(f"{self.name}: a pass takes the graph")
        options: Dict[str, Option] = {}
        for p in parameters[1:]:
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) or p.default is p.empty:
                raise TypeError(f"{self.name}: option '{p.name}' needs a default, which says what it is")
            options[p.name] = p.default if isinstance(p.default, Option) else Option(p.default)
        return options

    def __call__(self, **options: Any) -> Request:
        """The pass with these options. A pipeline takes the Transform itself, too."""
        unknown = [n for n in options if n not in self.options]
        if unknown:
            raise TypeError(f"pass '{self.name}' has no option {', '.join(map(repr, unknown))}; there are {', '.join(self.options) or 'none'}")
        if options and self.stage != "edit":
            raise TypeError(f"pass '{self.name}' is of stage \"{self.stage}\" and runs by itself, with its defaults: it cannot be given options; one of stage \"edit\" can")
        words = ",".join(self.options[n]._spell(n, v) for n, v in options.items())
        return Request(self, f"{self.name}:{words}" if words else self.name)

    # ---- as a plugin ----

    def _c_option(self, name: str, o: Option) -> abi.Option:
        default = None if o.kind in (abi.LIST, abi.FLOATS) or o.default == "" else to_bytes(o.default, name) if isinstance(o.default, str) else o._spell_one(name, o.default).encode()
        return abi.Option(ctypes.sizeof(abi.Option), o.kind, name.encode(), NUMBERS[o.kind].encode(), to_bytes(o.help or name, "a help text"), default, o.least, o.most,
                          abi.texts(o.choices) if o.choices is not None else None)

    def _plugin(self, context: Context) -> abi.Plugin:
        """A tenon_plugin with this pass alone, for one context; whoever takes it keeps it."""
        options = [self._c_option(n, o) for n, o in self.options.items()]
        one = abi.Pass(ctypes.sizeof(abi.Pass), self.flags, self.name.encode(), self.help.encode(), self.stage.encode(), abi.texts(self.after),
                       abi.texts(self.before), abi.pointers(abi.Option, options), abi.RUN(functools.partial(self._run, context)), self.doc.encode() or None)
        return abi.Plugin(ctypes.sizeof(abi.Plugin), abi.ABI, self.name.encode(), b"1.0", abi.pointers(abi.Pass, [one]), None, None, None, None)

    def _run(self, context: Context, host: int, _: object, at: int) -> int:
        """Called by the library. Whatever is raised becomes the pass's failure."""
        return called(context, lambda: editing.Graph(host, at, context, self.options),
                      lambda graph: self.function(graph, **{n: graph.option(n) for n in self.options}))


@overload
def transform(function: Callable[..., object]) -> Transform: ...
@overload
def transform(function: None = None, *, name: Optional[str] = None, help: Optional[str] = None, stage: str = "edit", keeps_numbers: bool = False,
              changes_inputs: bool = False, after: Iterable[str] = (), before: Iterable[str] = ()) -> Callable[[Callable[..., object]], Transform]: ...
@overload
def transform(function: Callable[..., object], *, name: Optional[str] = None, help: Optional[str] = None, stage: str = "edit", keeps_numbers: bool = False,
              changes_inputs: bool = False, after: Iterable[str] = (), before: Iterable[str] = ()) -> Transform: ...
def transform(function: Optional[Callable[..., object]] = None, *, name: Optional[str] = None, help: Optional[str] = None, stage: str = "edit", keeps_numbers: bool = False,
              changes_inputs: bool = False, after: Iterable[str] = (), before: Iterable[str] = ()) -> Union[Transform, Callable[[Callable[..., object]], Transform]]:
    """Makes a pass of a function of the graph (tenon.editing.Graph) and options, each with a default or a tenon.Option.

    The docstring's first line is its help, the rest what `tenon passes NAME` says. stage "edit" runs where a pipeline has it, "clean-up" with the built-in
    passes, until nothing changes, `after` and `before` those of these names. keeps_numbers promises that outputs keep their values, which
    verify_passes=True proves; changes_inputs says that what is fed afterwards is not what was fed before.
    """
    if function is None:
        return functools.partial(transform, name=name, help=help, stage=stage, keeps_numbers=keeps_numbers, changes_inputs=changes_inputs, after=after,
                                 before=before)
    flags = (abi.KEEPS_NUMBERS if keeps_numbers else 0) | (abi.CHANGES_INPUTS if changes_inputs else 0)
    return Transform(function, name, help, stage, flags, after, before)
