"""Linux's source tree, unpacked or as the archive of Debian's linux-source-*."""

from __future__ import annotations

import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PLACES = ("/usr/src", "/usr/src/kernels", "/usr/local/src", "/usr/share", "/opt", "/lib/modules")
PACKED = ("/usr/src", str(REPOSITORY / ".ci/linux/usr/src"))
"""Folders that may hold linux-source-*.tar.xz.  `.ci/run` unpacks the Debian package into the second one."""
MEMBERS = ("Documentation/netlink", "tools/net/ynl")


def unpacked() -> list[Path]:
    """Return the unpacked source trees that contain netlink specifications."""
    trees = (tree for place in PLACES for name in ("*", "*/source") for tree in Path(place).glob(name))
    return sorted({tree.resolve() for tree in trees if (tree / "Documentation/netlink/specs").is_dir()})


def tree(folder: Path) -> Path | None:
    """Return a source tree or None.  The netlink tools of an archive are unpacked into `folder`."""
    if found := unpacked():
        return found[-1]
    for place in PACKED:
        for packed in sorted(Path(place).glob("linux-source-*.tar.xz"), reverse=True):
            top = packed.name.removesuffix(".tar.xz")
            members = [f"{top}/{each}" for each in MEMBERS]
            subprocess.run(["tar", "-xJf", packed, "-C", folder, *members], check=True)
            return folder / top
    return None
