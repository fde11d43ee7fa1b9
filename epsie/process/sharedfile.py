"""Files that other processes of this host and user read, and that nobody leaves behind."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import IO, Any


class SharedFile:
    """A file without a name, that others find among those that this process has opened.

    So the system removes it when the last process that has it opened ends, however it ends. Where
    processes cannot be looked into, it has a name in the temporary directory, until it is closed or
    this process exits.

    Parameters
    ----------
    *pieces : bytes
        What it holds.

    Raises
    ------
    OSError
        If it cannot be made.
    """

    def __init__(self, *pieces: bytes) -> None:
        self._owner = os.getpid()
        self._name = ""
        self._file: IO[Any] = tempfile.TemporaryFile()  # noqa: SIM115
        self.path = f"/proc/{self._owner}/fd/{self._file.fileno()}"
        """The path at which others find it. Later another may be there."""
        if not self._is_there():
            self._file.close()
            descriptor, self._name = tempfile.mkstemp(prefix="epsie-")
            self._file = os.fdopen(descriptor, "w+b")
            self.path = self._name
        try:
            self._file.writelines(pieces)
            self._file.flush()
        except BaseException:
            self.close()
            raise

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._file.fileno()))
        except OSError:
            return False

    def overwrite(self, data: bytes) -> None:
        """Write over its beginning."""
        self._file.seek(0)
        self._file.write(data)
        self._file.flush()

    def close(self) -> None:
        """Close it. One with a name is removed, by the process that made it."""
        if self._name and os.getpid() == self._owner:
            Path(self._name).unlink(missing_ok=True)
        self._file.close()


def opened(path: str) -> IO[bytes]:
    """Open a file of another process.

    Raises
    ------
    OSError
        If it cannot be. On another host something else may be there: only what is a file is opened.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise FileNotFoundError(f"{path} is no file")
    return open(path, "rb")
