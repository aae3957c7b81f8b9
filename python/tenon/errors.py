"""What goes wrong, as exceptions: the messages are those of the command, word for word."""
from typing import Dict, Iterable, Optional, Sequence, Type


class Error(Exception):
    """A call of tenon's failed. `messages` has every diagnostic, `status` the exit status that the command would end with."""
    status: Optional[int] = None

    def __init__(self, messages: Iterable[str]) -> None:
        self.messages = list(messages)
        super().__init__("\n".join(self.messages) or "tenon failed without a message")


class UsageError(Error, ValueError):
    """An option, a name or a combination of them makes no sense."""
    status = 2


class InvalidError(Error, ValueError):
    """A file or data that is not valid."""
    status = 3


class UnsupportedError(Error, NotImplementedError):
    """Valid, but not supported: an operator, a type, a version."""
    status = 4


class ResourceError(Error, OSError):
    """The machine lacks something: a file, memory, a program."""
    status = 5


class DifferError(Error):
    """Outputs differ, of back ends that must agree to the bit."""
    status = 1


class Warning(UserWarning):  # noqa: A001
    """What tenon warns of."""


BY_STATUS: Dict[Optional[int], Type[Error]] = {kind.status: kind for kind in (DifferError, UsageError, InvalidError, UnsupportedError, ResourceError)}


class DeadError(ReferenceError):
    """A node, value or graph is used that is there no longer: it was removed, or its pass has returned."""


class ThreadError(RuntimeError):
    """A graph is used by another thread than its pass's."""


class PassError(Exception):
    """For passes written in Python to raise: the pass fails with this message, at the node. status says of what kind: 2 wrong usage, 3 the model is not
    valid, 4 not supported, 5 the machine lacks something."""

    def __init__(self, message: str, node: object = None, id: str = "python-pass", status: int = 3) -> None:
        if status not in (2, 3, 4, 5):
            raise ValueError(f"status is 2, 3, 4 or 5, not {status!r}")
        super().__init__(message)
        self.node, self.id, self.status = node, id, status


class RefusedError(Exception):
    """tenon has refused a change of a graph, and said why: the pass has failed, even where it catches this."""

    def __init__(self, messages: Sequence[str], status: int = 3) -> None:
        super().__init__("\n".join(messages) or "refused")
        self.status = status
