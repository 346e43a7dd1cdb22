"""The part of os that needs no operating system: paths, and random bytes. There are no files and no
environment; what needs them raises PermissionError."""

import abc
import sys
from _writ import urandom

name = "posix"
linesep = "\n"
environ = {}
curdir, pardir, sep, altsep, extsep, pathsep, defpath, devnull = ".", "..", "/", None, ".", ":", "/bin", "/dev/null"
error = OSError
supports_dir_fd = supports_effective_ids = supports_fd = supports_follow_symlinks = frozenset()


def fspath(path):
    if isinstance(path, (str, bytes)):
        return path
    try:
        path = type(path).__fspath__(path)
    except AttributeError:
        raise TypeError(f"expected str, bytes or os.PathLike object, not {type(path).__name__}") from None
    if isinstance(path, (str, bytes)):
        return path
    raise TypeError(f"expected __fspath__() to return str or bytes, not {type(path).__name__}")


class PathLike(abc.ABC):
    """What fspath accepts besides text and bytes."""

    __slots__ = ()

    @abc.abstractmethod
    def __fspath__(self):
        raise NotImplementedError

    @classmethod
    def __subclasshook__(cls, subclass):
        return hasattr(subclass, "__fspath__") if cls is PathLike else NotImplemented


def fsencode(filename):
    filename = fspath(filename)
    return filename.encode("utf-8", "surrogateescape") if isinstance(filename, str) else filename


def fsdecode(filename):
    filename = fspath(filename)
    return filename.decode("utf-8", "surrogateescape") if isinstance(filename, bytes) else filename


def getenv(key, default=None):
    return environ.get(key, default)


def getcwd():
    return "/"


def getpid():
    return 1


def cpu_count():
    return 1


def strerror(code):
    return f"error {code}"


def _denied(what):
    def denied(*args, **kwargs):
        raise PermissionError(f"os.{what}: this tool runs Python without files, processes and a network")

    denied.__name__ = denied.__qualname__ = what
    return denied


for _name in """access chdir chmod chown close dup execv fstat kill link listdir lstat makedirs mkdir open
        pipe popen read readlink remove removedirs rename renames replace rmdir scandir stat symlink system
        truncate unlink utime walk write""".split():
    globals()[_name] = _denied(_name)
del _name

sys.modules["posix"] = sys.modules[__name__]
import posixpath as path

sys.modules["os.path"] = path
