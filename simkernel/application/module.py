"""The commands modprobe, insmod, rmmod and lsmod.  They make the same system calls as the commands of kmod.

modprobe loads the dependencies of a module first.  The kernel itself loads none: if a symbol that a module
imports is missing, finit_module(2) fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypedDict

from simkernel.application.lazy import lazy
from simkernel.application.paths import Paths
from simkernel.uapi.errno import EAGAIN, EBUSY, EEXIST, ENOENT, os_error

LIVE: Final = "Live"
"""State of a module in /proc/modules after its initialization and before its removal."""

MODULES: Final = "/proc/modules"


class LoadedModule(TypedDict):
    """The parsed fields of a line of /proc/modules."""

    name: str
    size: int
    references: int
    users: tuple[str, ...]
    state: str
    taints: str


class Modules(Paths):
    """Methods of a program's `app` that load, unload and list modules, as the commands of kmod do."""

    __slots__ = ()

    @lazy
    async def modprobe(self, name: str, /, **parameters: object) -> None:
        """Load a module, by name or alias, after its dependencies (modprobe(8)).

        Raise FileNotFoundError if no module has the name or the alias.
        """
        try:
            needed = self._system.resolve(name)
        except LookupError as unknown:
            raise os_error(ENOENT, f"Module {name} not found: {unknown}") from None
        live = {module["name"] for module in await self._loaded() if module["state"] == LIVE}
        for each in needed:
            if each not in live:
                await self._load(each, parameter_line(parameters) if each == needed[-1] else "")

    async def _load(self, name: str, parameters: str) -> None:
        """Load a module.  Ignore EEXIST, because another task can load the module after modprobe has read
        /proc/modules.
        """
        try:
            await self.call("finit_module", name, parameters)
        except FileExistsError as error:
            if error.errno != EEXIST:
                raise

    @lazy
    async def insmod(self, path: str, /, **parameters: object) -> None:
        """Load a module without its dependencies (insmod(8)).

        Raise FileExistsError if it is already loaded.
        """
        await self.call("finit_module", path, parameter_line(parameters))

    @lazy
    async def rmmod(self, name: str) -> None:
        """Unload a module (rmmod(8)).

        Raise EBUSY if it is in use, although delete_module(2) returns EAGAIN then.
        """
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
        """Return the loaded modules, the most recently loaded first (lsmod(8))."""
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
    """Return module parameters as `key=value` words, as on modprobe's command line."""
    return " ".join(f"{key}={_value(value)}" for key, value in parameters.items())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, list | tuple):
        return ",".join(map(_value, value))
    text = str(value)
    return f'"{text}"' if " " in text else text
