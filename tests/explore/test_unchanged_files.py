"""A search reads the code of modules once. An edit has an effect on the next search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simkernel.explore.explorer import Explorer
from simkernel.testing.sim import Body

DRIVER = """
from simkernel.driverapi.module import Module
from simkernel.driverapi.printk import pr_info

MODULE = Module(license="GPL")


def init(this):
    pr_info(this, "version {version}")
"""


async def load(app: Any, sim: Any, seen: list[str]) -> None:
    await app.modprobe("edited")
    seen += [line.rpartition("version ")[2] for line in sim.machine.log.lines() if "version" in line]


def test_an_edit_has_an_effect_on_the_next_search(tmp_path: Path) -> None:
    seen: list[str] = []
    body = Body(
        load,
        {"app": None, "sim": None, "seen": seen},
        options={"module_path": [tmp_path], "udev": False},
    )
    driver = tmp_path / "edited.py"
    driver.write_text(DRIVER.format(version=1))
    explorer = Explorer(body)
    assert explorer.default().failure is None
    driver.write_text(DRIVER.format(version=22))
    assert explorer.default().failure is None
    assert Explorer(body).default().failure is None
    assert seen == ["1", "1", "22"]
