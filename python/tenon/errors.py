"""What goes wrong, as exceptions: the messages are those of the command, word for word."""


class Error(Exception):
    """A call of tenon's failed. `messages` has every diagnostic, `status` the exit status that the command would end with."""
    status = None

    def __init__(self, messages):
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


BY_STATUS = {kind.status: kind for kind in (DifferError, UsageError, InvalidError, UnsupportedError, ResourceError)}
