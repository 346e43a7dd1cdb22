"""What a call runs around the code: where prints go, and how an error is told."""

import builtins
import io
import random
import sys
import _writ

NAME = "<code>"


class Stream:
    """sys.stdout and sys.stderr: both end up in the answer."""

    encoding, errors, newlines, closed = "utf-8", "backslashreplace", None, False

    def __init__(self, name):
        self.name, self.mode = name, "w"

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if not _writ.write(text):
            raise OutputFull
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        pass

    def close(self):
        pass

    def isatty(self):
        return False

    def readable(self):
        return False

    def writable(self):
        return True

    def seekable(self):
        return False


class Nothing(Stream):
    """sys.stdin: it is at its end."""

    def __init__(self):
        self.name, self.mode = "<stdin>", "r"

    def read(self, size=-1):
        return ""

    def readline(self, size=-1):
        return ""

    def readable(self):
        return True

    def writable(self):
        return False

    def __iter__(self):
        return iter(())


class OutputFull(BaseException):
    """Ends code that prints without an end."""


def nothing_to_read(prompt="", /):
    raise EOFError("there is nobody to ask: put the values into the code")


def no_files(file, *args, **kwargs):
    raise PermissionError(f"open: this tool runs Python without files and a network: {file!r}")


def seed(self, a=None, version=2, *, plain=random.Random.seed):
    """Seeds a generator, with the host's randomness unless a value is given: the interpreter's own would be
    that of the capture, the same in every call."""
    plain(self, int.from_bytes(_writ.urandom(32), "big") if a is None else a, version)


def prepare():
    """Runs once, before the interpreter is captured. What is imported by now is there at once in a call; the
    rest is imported by the code that asks for it, since the work of a capture is bounded."""
    sys.stdout = sys.__stdout__ = Stream("<stdout>")
    sys.stderr = sys.__stderr__ = Stream("<stderr>")
    sys.stdin = sys.__stdin__ = Nothing()
    builtins.input = nothing_to_read
    builtins.open = io.open = no_files
    sys.path[:] = []
    sys.argv[:] = [""]
    import collections, datetime, functools, itertools, json, math, re, string, textwrap
    explain(ValueError("warm"), "")
    random.Random.seed = seed
    random.seed = random._inst.seed
    random.seed(0)  # begin gives every call a seed of its own


def begin():
    """Runs before the code of a call. A generator that was seeded while the interpreter was made would give
    every call the same numbers."""
    random.seed()


def explain(error, source):
    """Tells an error as the interpreter would, or returns None when the code ended itself with success."""
    if isinstance(error, SystemExit):
        code = error.code
        return None if code is None or code == 0 else f"SystemExit: {code}"
    if isinstance(error, OutputFull):
        return "the code was ended: it printed too much"
    import linecache, traceback

    linecache.cache[NAME] = (len(source), None, source.splitlines(True), NAME)
    frames = error.__traceback__
    return "".join(traceback.format_exception(type(error), error, frames, limit=-40)).rstrip("\n")
