"""Real modules in the guest: finding, altering, loading and unloading them.

The tools of kmod are not used, because the host may lack them and they search only below /lib/modules.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import attrs

from simkernel.uapi.errno import EEXIST

_libc = ctypes.CDLL(None, use_errno=True)
DELETE_MODULE, FINIT_MODULE = 176, 313
"""x86_64 numbers of two system calls for which the C library has no functions."""
MODULE_NAME_LEN: Final = 56

OUT_OF_TREE: Final[Mapping[str, str | None]] = {"intree": None}
CLOSED: Final[Mapping[str, str | None]] = {"intree": None, "license": "Proprietary"}


@attrs.frozen
class Variant:
    """An altered copy of a module: name of the original, and new tags in .modinfo (None removes a tag)."""

    original: str
    modinfo: Mapping[str, str | None]


VARIANTS: Final[Mapping[str, Variant]] = {
    **{
        name: Variant(name, OUT_OF_TREE)
        for name in (
            *("llc", "stp", "psnap", "garp", "ip_tunnel", "ipip", "xfrm4_tunnel", "nfnetlink", "vrf"),
            *(
                "tcp_bic",
                "fuse",
                "842_compress",
                "softdog",
                "nf_conntrack_sane",
                "slhc",
                "ppp_generic",
                "team",
                "netconsole",
            ),
        )
    },
    "llc_copy": Variant("llc", OUT_OF_TREE),
    "llc_staging": Variant("llc", {"intree": None, "staging": "Y"}),
    "garp_closed": Variant("garp", CLOSED),
    "slhc_closed": Variant("slhc", CLOSED),
    "tunnel4_closed": Variant("tunnel4", CLOSED),
}
"""Altered modules that cases use. Their simkernel counterparts are in `tests/conformance/modules`."""


def _call(number: int, *arguments: object) -> None:
    if _libc.syscall(number, *arguments) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def plain(name: str) -> str:
    """Return a module name as the kernel has it, with `_` in place of `-`."""
    return name.replace("-", "_")


class Tree:
    """The modules below a directory of /lib/modules, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        lines = (folder / "modules.dep").read_text().splitlines()
        self._files = {
            plain(Path(file).stem): (file, needed.split())
            for file, _, needed in (line.partition(":") for line in lines)
        }

    def file(self, name: str) -> Path:
        """Return the file of a module. Raise FileNotFoundError if the name is unknown."""
        return self.folder / self._files.get(plain(name), (f"{name}.ko", []))[0]

    def insmod(self, name: str, parameters: str = "", flags: int = 0) -> None:
        """Load a module by finit_module(2). An altered copy is loaded from a memfd."""
        variant = VARIANTS.get(name)
        file = self.file(name if variant is None else variant.original)
        if variant is None:
            fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        else:
            fd = os.memfd_create(name)
            os.write(fd, altered(file.read_bytes(), name, variant.modinfo))
        try:
            _call(FINIT_MODULE, fd, parameters.encode(), flags)
        finally:
            os.close(fd)

    def modprobe(self, name: str) -> bool:
        """Load a module by name or alias after its dependencies. Return False if the name is unknown."""
        wanted = [plain(name)] if plain(name) in self._files else self._aliased(plain(name))
        for each in wanted:
            for file in reversed([self._files[each][0], *self._files[each][1]]):
                try:
                    self.insmod(Path(file).stem)
                except OSError as error:
                    if error.errno != EEXIST:
                        raise
        return bool(wanted)

    def _aliased(self, name: str) -> list[str]:
        found = []
        for line in (self.folder / "modules.alias").read_text().splitlines():
            words = line.split()
            if words[0] == "alias" and fnmatchcase(name, plain(words[1])):
                found.append(words[2])
        return found


def rmmod(name: str, flags: int = os.O_NONBLOCK) -> None:
    _call(DELETE_MODULE, name.encode(), flags)


def loaded() -> list[str]:
    """Return the names in /proc/modules, newest first."""
    return [line.split()[0] for line in Path("/proc/modules").read_text().splitlines()]


# -- altered copies ---------------------------------------------------------------

NAME = slice(24, 24 + MODULE_NAME_LEN)
"""Bytes of `struct module` that contain the name. They follow the module's state and a list_head."""


def altered(image: bytes, name: str, modinfo: Mapping[str, str | None]) -> bytes:
    """Return a module's file with another name and changed tags in .modinfo.

    The sections keep their sizes. The rest is filled with NULs, which the kernel skips (`next_string()`).
    """
    copy = bytearray(image)
    this = sections(image)[".gnu.linkonce.this_module"]
    copy[this.start + NAME.start : this.start + NAME.stop] = name.encode().ljust(MODULE_NAME_LEN, b"\0")
    place = sections(image)[".modinfo"]
    tags = dict.fromkeys(tag for tag in image[place].split(b"\0") if tag)
    for key in (*modinfo, "description", "author", "alias"):
        tags = {tag: None for tag in tags if not tag.startswith(f"{key}=".encode())}
    tags |= {f"{key}={value}".encode(): None for key, value in modinfo.items() if value is not None}
    copy[place] = b"\0".join([*tags, b""]).ljust(place.stop - place.start, b"\0")
    return bytes(copy)


def sections(image: bytes) -> dict[str, slice]:
    """Return the bytes of each section of a 64-bit ELF file as a slice, by section name."""
    (offset,) = struct.unpack_from("<Q", image, 0x28)
    size, count, names = struct.unpack_from("<3H", image, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", image, offset + index * size) for index in range(count)]
    strings = headers[names][4]
    found = {}
    for name, _, _, _, start, length in headers:
        text = image[strings + name : image.index(b"\0", strings + name)]
        found[text.decode()] = slice(start, start + length)
    return found
