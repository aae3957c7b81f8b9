"""tenon/plugin.h through ctypes: what a pass declares, and the host's interfaces that the package uses. Functions are called with the interpreter's lock
held: so no two threads are in a graph."""
import ctypes
from ctypes import CFUNCTYPE, POINTER, PYFUNCTYPE, Structure, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint32, c_void_p
from typing import Any, Dict, Iterable, Sequence, Tuple

from ._spelling import to_bytes

ABI = 1 << 16
KEEPS_NUMBERS, CHANGES_INPUTS = 1, 2
OK, USAGE, INVALID, UNSUPPORTED, RESOURCE = 0, 2, 3, 4, 5
BOOL, INT, FLOAT, ENUM, STRING, LIST, FLOATS, SELECTOR = range(8)
MATCH_MAX = 16

TEXTS, PTR, INTS = POINTER(c_char_p), c_void_p, POINTER(c_int64)
RUN = CFUNCTYPE(c_int, PTR, PTR, PTR)


class Option(Structure):
    """tenon_option"""
    _fields_ = [("struct_size", c_uint32), ("kind", c_int), ("name", c_char_p), ("argument", c_char_p), ("help", c_char_p), ("default_value", c_char_p),
                ("least", c_double), ("most", c_double), ("choices", TEXTS)]


class Pass(Structure):
    """tenon_pass"""
    _fields_ = [("struct_size", c_uint32), ("flags", c_uint32), ("name", c_char_p), ("help", c_char_p), ("stage", c_char_p), ("after", TEXTS), ("before", TEXTS),
                ("options", POINTER(POINTER(Option))), ("run", RUN), ("doc", c_char_p)]


SCORE = CFUNCTYPE(c_int, PTR, PTR, PTR, PTR, c_int, PTR, c_int64, POINTER(c_double))
EACH = CFUNCTYPE(c_int, PTR, c_int64, POINTER(PTR))


class Criterion(Structure):
    """tenon_criterion"""
    _fields_ = [("struct_size", c_uint32), ("name", c_char_p), ("help", c_char_p), ("score", SCORE)]


class Plugin(Structure):
    """tenon_plugin"""
    _fields_ = [("struct_size", c_uint32), ("abi", c_uint32), ("name", c_char_p), ("version", c_char_p), ("passes", POINTER(POINTER(Pass))), ("open", PTR),
                ("close", PTR), ("licence", c_char_p), ("criteria", POINTER(POINTER(Criterion)))]


class Use(Structure):
    """tenon_use"""
    _fields_ = [("node", PTR), ("index", c_int)]


class Change(Structure):
    """tenon_change"""
    _fields_ = [("node", PTR), ("input", c_int), ("value", PTR), ("attributes", c_char_p)]


class Match(Structure):
    """tenon_match"""
    _fields_ = [("struct_size", c_uint32), ("n_values", c_int), ("n_nodes", c_int), ("values", PTR * MATCH_MAX), ("nodes", PTR * MATCH_MAX), ("is_private", c_int)]


class Host(Structure):
    """tenon_plugin_host"""
    _fields_ = [("struct_size", c_uint32), ("abi", c_uint32), ("version", c_char_p), ("get_interface", PYFUNCTYPE(PTR, PTR, c_char_p)), ("scratch", PTR)]


def _interface(name: str, functions: Dict[str, Tuple[Any, ...]]) -> Any:
    """A struct of functions in their order: name: (result, arguments...)."""
    fields = [("struct_size", c_uint32)] + [(n, PYFUNCTYPE(*types)) for n, types in functions.items()]
    return type(name, (Structure,), {"_fields_": fields})


Diag = _interface("Diag", {
    "error": (None, PTR, PTR, c_char_p, c_char_p, c_char_p), "warning": (None, PTR, PTR, c_char_p, c_char_p, c_char_p), "note": (None, PTR, c_char_p, c_char_p),
    "nearest": (c_char_p, PTR, c_char_p, TEXTS, c_size_t)})
OptionValues = _interface("OptionValues", {
    "given": (c_int, PTR, c_char_p), "boolean": (c_int, PTR, c_char_p, PTR), "integer": (c_int64, PTR, c_char_p, PTR), "real": (c_double, PTR, c_char_p, PTR),
    "text": (c_char_p, PTR, c_char_p, PTR), "count": (c_size_t, PTR, c_char_p, PTR), "item": (c_char_p, PTR, c_char_p, PTR, c_size_t),
    "number": (c_double, PTR, c_char_p, PTR, c_size_t), "selects": (c_int, PTR, c_char_p, PTR),
    "given_for": (c_int, PTR, c_char_p, PTR)})
TensorData = _interface("TensorData", {
    "element_type": (c_int, PTR), "rank": (c_int, PTR), "dims": (INTS, PTR), "count": (c_int64, PTR), "bytes": (c_size_t, PTR), "data": (PTR, PTR),
    "real": (c_double, PTR, c_int64), "integer": (c_int64, PTR, c_int64), "make": (PTR, PTR, PTR, c_int, c_int, INTS, PTR)})
Report = _interface("Report", {
    "line": (None, PTR, c_char_p, c_char_p), "begin_object": (None, PTR, c_char_p), "begin_list": (None, PTR, c_char_p), "end": (None, PTR),
    "text": (None, PTR, c_char_p, c_char_p), "integer": (None, PTR, c_char_p, c_int64), "real": (None, PTR, c_char_p, c_double)})
GraphWork = _interface("GraphWork", {
    "name": (c_char_p, PTR), "inputs": (c_int, PTR), "input": (PTR, PTR, c_int), "outputs": (c_int, PTR), "output": (PTR, PTR, c_int),
    "output_name": (c_char_p, PTR, c_int), "nodes": (c_int, PTR), "first": (PTR, PTR), "next": (PTR, PTR), "previous": (PTR, PTR), "first_value": (PTR, PTR),
    "next_value": (PTR, PTR), "find_value": (PTR, PTR, c_char_p), "find_node": (PTR, PTR, c_char_p),
    "op": (c_char_p, PTR), "domain": (c_char_p, PTR), "node_name": (c_char_p, PTR), "node_inputs": (c_int, PTR), "node_input": (PTR, PTR, c_int),
    "node_outputs": (c_int, PTR), "node_output": (PTR, PTR, c_int), "has_attribute": (c_int, PTR, c_char_p), "attribute_int": (c_int64, PTR, c_char_p),
    "attribute_float": (c_double, PTR, c_char_p), "attribute_text": (c_char_p, PTR, c_char_p), "attribute_ints": (INTS, PTR, c_char_p, POINTER(c_size_t)),
    "annotation": (c_char_p, PTR, c_char_p),
    "value_name": (c_char_p, PTR), "element_type": (c_int, PTR), "rank": (c_int, PTR), "dim": (c_int64, PTR, c_int), "dim_text": (c_char_p, PTR, PTR, c_int),
    "type_text": (c_char_p, PTR, PTR), "is_input": (c_int, PTR), "constant": (PTR, PTR), "producer": (PTR, PTR), "uses": (c_int, PTR), "use": (Use, PTR, c_int),
    "build": (PTR, PTR, PTR, PTR, c_char_p, POINTER(PTR), c_int, c_char_p, c_int), "insert_after": (PTR, PTR, PTR, PTR, c_char_p, c_char_p),
    "insert_before": (PTR, PTR, PTR, PTR, c_int, c_char_p, c_char_p), "add_constant": (PTR, PTR, PTR, c_char_p, PTR), "add_input": (PTR, PTR, PTR, c_char_p, c_char_p),
    "add_output": (c_int, PTR, PTR, PTR, c_char_p),
    "set_input": (c_int, PTR, PTR, c_int, PTR), "set_output": (c_int, PTR, PTR, c_int, PTR), "set_attributes": (c_int, PTR, PTR, c_char_p),
    "set_node_name": (c_int, PTR, PTR, c_char_p), "annotate": (c_int, PTR, PTR, c_char_p, c_char_p), "replace_all_uses": (c_int, PTR, PTR, PTR, PTR),
    "move_before": (c_int, PTR, PTR, PTR, PTR), "make_constant": (c_int, PTR, PTR, PTR, PTR), "bind_input": (c_int, PTR, PTR, PTR, PTR),
    "erase": (c_int, PTR, PTR, PTR), "remove_value": (c_int, PTR, PTR, PTR), "remove_output": (c_int, PTR, PTR, c_int),
    "match": (c_int, PTR, PTR, c_char_p, POINTER(Match)), "extract": (PTR, PTR, PTR, POINTER(PTR), c_int, POINTER(PTR), c_int), "print": (c_char_p, PTR, PTR),
    "clean_up": (c_int, PTR, PTR), "change": (c_int, PTR, PTR, POINTER(Change), c_int)})
OpInfo = _interface("OpInfo", {"axis": (c_int, PTR, PTR, c_int, c_int)})
Eval = _interface("Eval", {
    "open": (PTR, PTR, c_char_p, TEXTS, TEXTS), "count": (c_int64, PTR, PTR, PTR), "run": (c_int, PTR, PTR, PTR, c_int64, c_int64, POINTER(PTR), c_int, EACH, PTR),
    "array": (PTR, PTR, PTR, c_char_p)})
Criteria = _interface("Criteria", {"score": (c_int, PTR, c_char_p, PTR, PTR, c_int, PTR, c_int64, PTR)})
Cost = _interface("Cost", {"macs": (c_int64, PTR, PTR), "cycles": (c_double, PTR, PTR, c_char_p)})

INTERFACES = {"graph": (b"tenon.graph/1", GraphWork), "tensor": (b"tenon.tensor/1", TensorData), "option": (b"tenon.option/1", OptionValues),
              "diag": (b"tenon.diag/1", Diag), "report": (b"tenon.report/1", Report), "opinfo": (b"tenon.opinfo/1", OpInfo), "eval": (b"tenon.eval/1", Eval),
              "criterion": (b"tenon.criterion/1", Criteria), "cost": (b"tenon.cost/1", Cost)}


# Functions of the graph that change it.
CHANGING = {"build", "insert_after", "insert_before", "add_constant", "add_input", "add_output", "set_input", "set_output", "set_attributes", "set_node_name", "annotate",
            "replace_all_uses", "move_before", "make_constant", "bind_input", "erase", "remove_value", "remove_output", "clean_up", "change"}


class Fixed:
    """The graph's functions but for those that change it."""

    def __init__(self, functions: Any) -> None:
        self._functions = functions

    def __getattr__(self, name: str) -> Any:
        if name in CHANGING:
            raise TypeError("a criterion cannot change the graph")
        return getattr(self._functions, name)


def interfaces(host: int) -> Dict[str, Any]:
    """The interfaces of a tenon_plugin_host at this address, by name."""
    ask = Host.from_address(host).get_interface
    return {name: kind.from_address(ask(host, id)) for name, (id, kind) in INTERFACES.items()}


def texts(words: Iterable[str]) -> Any:
    """A NULL-terminated list of texts."""
    spelled = [to_bytes(w, "a word") for w in words]
    return (c_char_p * (len(spelled) + 1))(*spelled, None)


def pointers(kind: Any, items: Sequence[Any]) -> Any:
    """A NULL-terminated list of pointers to structs, which the caller keeps."""
    return (POINTER(kind) * (len(items) + 1))(*(ctypes.pointer(i) for i in items))
