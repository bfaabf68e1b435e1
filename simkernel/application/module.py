"""modprobe, insmod, rmmod and lsmod, as kmod's programs do them: out of system calls.

User space loads a module's dependencies first: the kernel only finds, or does not find, the symbols that
the module imports.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypedDict

from simkernel.application.lazy import lazy
from simkernel.application.paths import Paths
from simkernel.uapi.errno import EAGAIN, EBUSY, EEXIST, ENOENT, os_error

LIVE: Final = "Live"
"""The state in /proc/modules of a module that is loaded and is neither coming nor going."""

MODULES: Final = "/proc/modules"


class LoadedModule(TypedDict):
    """A line of /proc/modules."""

    name: str
    size: int
    references: int
    users: tuple[str, ...]
    state: str
    taints: str


class Modules(Paths):
    """The commands of kmod(8), for one program."""

    __slots__ = ()

    @lazy
    async def modprobe(self, name: str, /, **parameters: object) -> None:
        """Load the module of that name or alias after its dependencies (modprobe(8)).  FileNotFoundError."""
        try:
            needed = self._system.resolve(name)
        except LookupError as unknown:
            raise os_error(ENOENT, f"Module {name} not found: {unknown}") from None
        live = {module["name"] for module in await self._loaded() if module["state"] == LIVE}
        for each in needed:
            if each not in live:
                await self._load(each, parameter_line(parameters) if each == needed[-1] else "")

    async def _load(self, name: str, parameters: str) -> None:
        """Load a module, unless another task loads it first."""
        try:
            await self.call("finit_module", name, parameters)
        except FileExistsError as error:
            if error.errno != EEXIST:
                raise

    @lazy
    async def insmod(self, path: str, /, **parameters: object) -> None:
        """Load one module and nothing else (insmod(8)).  FileExistsError if it is loaded."""
        await self.call("finit_module", path, parameter_line(parameters))

    @lazy
    async def rmmod(self, name: str) -> None:
        """Unload a module (rmmod(8)).  EBUSY while it is used, where delete_module(2) itself says EAGAIN."""
        try:
            await self.call("delete_module", name)
        except OSError as error:
            if error.errno != EAGAIN:
                raise
            users = [" ".join(module["users"]) for module in await self._loaded() if module["name"] == name]
            by = f" by: {users[0]}" if users and users[0] else ""
            raise os_error(EBUSY, f"Module {name} is in use{by}") from None

    @lazy
    async def lsmod(self) -> list[LoadedModule]:
        """The loaded modules, the newest first (lsmod(8))."""
        return await self._loaded()

    async def _loaded(self) -> list[LoadedModule]:
        text = (await self.read_file(MODULES)).decode()
        return [parse_module(line) for line in text.splitlines()]


def parse_module(line: str) -> LoadedModule:
    """Parse a line of /proc/modules."""
    name, size, references, users, state, _, *flags = line.split(" ")
    return {
        "name": name,
        "size": int(size),
        "references": int(references),
        "users": tuple(user for user in users.split(",") if user not in ("", "-", "[permanent]")),
        "state": state,
        "taints": flags[0].strip("()+-") if flags else "",
    }


def parameter_line(parameters: Mapping[str, object]) -> str:
    """Parameters as they stand on a command line: `key=value` words."""
    return " ".join(f"{key}={_value(value)}" for key, value in parameters.items())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, list | tuple):
        return ",".join(map(_value, value))
    text = str(value)
    return f'"{text}"' if " " in text else text
