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

    def __call__(self, text: str, number: int) -> Exception:
        """Return the exception for a use of an unmodelled feature. `text` says which feature is not modelled.
        `number` is the errno that a Linux without this feature returns.
        """
        if self._raises:
            return NotModelled(f"{text}; Linux without it returns {error_name(number)}")
        if text not in self._said:
            self._said.add(text)
            self._log.warn(f"simkernel: {text}: {error_name(number)}")
        return os_error(number)

    def missing(self, directory: str, names: Sequence[str]) -> Exception:
        """Return the error for a file in /proc or /sys that the machine lacks. If Linux has the file,
        simkernel reports that the file is not modelled. Otherwise, return ENOENT.
        """
        path = known_file(directory, names)
        return os_error(ENOENT) if path is None else self(f"{path} is not modelled", ENOENT)
