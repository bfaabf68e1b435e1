"""The log level of each printing function of driverapi, and the prefix that the function adds to a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from simkernel import Machine

LEVELS = {"pr_crit": 2, "pr_err": 3, "pr_warn": 4, "pr_notice": 5, "pr_info": 6, "pr_debug": 7}


@pytest.mark.parametrize("name", LEVELS)
def test_level_of_a_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "talker.py").write_text(
        f"from simkernel.driverapi.module import Module\nfrom simkernel.driverapi.printk import {name}\n"
        f'MODULE = Module(license="GPL")\n\n\ndef init(this):\n    {name}(this, "hello")\n'
    )
    with Machine(udev=False, module_path=[tmp_path]) as machine:
        machine.blocking().insmod("talker")
        (record,) = [each for each in machine.log.records if "hello" in each.text]
        assert record.text == "talker: hello"
        assert int(record.level) == LEVELS[name]
