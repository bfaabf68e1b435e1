"""Errors for behaviour of Linux that simkernel does not model.

simkernel never pretends to have executed an operation that it does not model.
"""

from __future__ import annotations

from collections.abc import Sequence

from simkernel.engine import NotModelled
from simkernel.kernel.lib.known import known_file
from simkernel.kernel.lib.log import Log
from simkernel.uapi.errno import ENOENT, error_name, os_error


class Unmodelled:
    """A factory of the exceptions that are raised if a program or module uses unmodelled behaviour.

    If `raises` is true, the exception is NotModelled, so that tests notice it.  Otherwise the exception is
    the errno of a Linux kernel built without the feature, and the first use is logged.
    """

    def __init__(self, log: Log, raises: bool) -> None:
        self._log = log
        self._raises = raises
        self._said: set[str] = set()

    def __call__(self, what: str, number: int) -> Exception:
        """Return the exception for a use of the unmodelled feature `what`. `number` is the errno that a Linux
        without this feature returns.
        """
        if self._raises:
            return NotModelled(f"{what} is not modelled; Linux without it returns {error_name(number)}")
        if what not in self._said:
            self._said.add(what)
            self._log.warn(f"simkernel: {what} is not modelled: {error_name(number)}")
        return os_error(number)

    def missing(self, directory: str, names: Sequence[str]) -> Exception:
        """Return the error for a missing file in /proc or /sys. If Linux has the file, the error says that it
        is not modelled; otherwise the error is ENOENT.
        """
        path = known_file(directory, names)
        return os_error(ENOENT) if path is None else self(path, ENOENT)
