"""modprobe, insmod, rmmod and lsmod, as kmod's programs do them: out of system calls.

That a module's dependencies are loaded first is user space's work: the kernel only finds, or does
not find, the symbols that the module imports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from simkernel.uapi.errno import EAGAIN, EBUSY, EEXIST, ENOENT, os_error

if TYPE_CHECKING:
    from simkernel.application.app import App

Resolve = Callable[[str], tuple[str, ...]]

LIVE = "Live"
"""What /proc/modules calls a module that is loaded and neither coming nor going."""


MODULES = "/proc/modules"


class Modules:
    """The commands of kmod(8), for one program."""

    def __init__(self, app: App, resolve: Resolve) -> None:
        self._app = app
        self._resolve = resolve

    async def modprobe(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Load `name`, a module or an alias, after its dependencies.  FileNotFoundError if nothing has it."""
        try:
            needed = self._resolve(name)
        except LookupError as unknown:
            raise os_error(ENOENT, f"Module {name} not found: {unknown}") from None
        live = {module["name"] for module in await self.lsmod() if module["state"] == LIVE}
        for each in needed:
            if each not in live:
                await self._load(each, parameter_line(parameters) if each == needed[-1] else "")

    async def _load(self, name: str, parameters: str) -> None:
        """Load a module; that another was faster is fine."""
        try:
            await self._app.call("finit_module", name, parameters)
        except FileExistsError as error:
            if error.errno != EEXIST:
                raise

    async def insmod(self, path: str, parameters: Mapping[str, Any]) -> None:
        """Load one module.  FileExistsError if it is loaded."""
        await self._app.call("finit_module", path, parameter_line(parameters))

    async def rmmod(self, name: str) -> None:
        """Unload a module.  EBUSY while it is used, where delete_module(2) itself says EAGAIN."""
        try:
            await self._app.call("delete_module", name)
        except OSError as error:
            if error.errno != EAGAIN:
                raise
            users = [" ".join(module["users"]) for module in await self.lsmod() if module["name"] == name]
            by = f" by: {users[0]}" if users and users[0] else ""
            raise os_error(EBUSY, f"Module {name} is in use{by}") from None

    async def lsmod(self) -> list[Mapping[str, Any]]:
        """The loaded modules, the newest first."""
        text = (await self._app.read_file(MODULES)).decode()
        return [parse_module(line) for line in text.splitlines()]


async def modprobe(app: App, name: str) -> None:
    """The program that the kernel runs when it wants a module: `modprobe -q -- NAME`."""
    try:
        await app.modprobe(name)
    except OSError:
        await app.exit(1)


def parse_module(line: str) -> Mapping[str, Any]:
    """A line of /proc/modules: name, size, references, users, state, taints."""
    name, size, references, users, state, _, *flags = line.split(" ")
    return {
        "name": name,
        "size": int(size),
        "references": int(references),
        "users": tuple(user for user in users.split(",") if user not in ("", "-", "[permanent]")),
        "state": state,
        "taints": flags[0].strip("()+-") if flags else "",
    }


def parameter_line(parameters: Mapping[str, Any]) -> str:
    """Parameters as they stand on a command line: `key=value` words."""
    return " ".join(f"{key}={_value(value)}" for key, value in parameters.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, list | tuple):
        return ",".join(map(_value, value))
    text = str(value)
    return f'"{text}"' if " " in text else text
