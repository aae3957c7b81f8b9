"""Starts the command. As a program, by its path, it is there before the package is: so Ctrl-C, and what is missing, are a line from the beginning."""
import os
import sys
from typing import NoReturn


def _ended(*_: object) -> NoReturn:
    """At once: what is being imported may make another error of an exception."""
    os.write(2, b"\ntenon sweep: ended; the same command goes on from here\n")
    os._exit(130)


def start() -> NoReturn:
    """Reads the package, and calls it."""
    import signal
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, _ended)
    if not __package__:
        sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    try:
        from tenon.sweep import main
    except (ImportError, OSError) as error:
        print(f"tenon sweep: {sys.executable} cannot read the package: {error}; PYTHON names another Python, one with numpy", file=sys.stderr)
        sys.exit(5)
    signal.signal(signal.SIGINT, before)
    main()


try:
    start()
except KeyboardInterrupt:
    _ended()
