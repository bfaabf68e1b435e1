"""A program within a program: to try something in another process, or as another user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from simkernel.uapi.errno import error_name

ORDINARY: Final = 1000
"""A user without rights."""


async def child(app: Any, program: Callable[..., Any], *arguments: Any, uid: int = 0) -> Any:
    """What `program(app, ...)` returns in a process of user `uid`, or the name of the errno that it got.

    It inherits the open descriptors.
    """
    results: list[Any] = []

    async def run(app: Any) -> None:
        if uid:
            await app.setgid(uid)
            await app.setuid(uid)
        try:
            results.append(await program(app, *arguments))
        except OSError as error:
            results.append(error_name(error.errno or 0))

    pid = await app.spawn(run, name="another")
    while True:
        try:
            await app.waitpid(pid)
            return results[0]
        except InterruptedError:  # it has sent a signal
            continue
