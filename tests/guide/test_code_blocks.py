"""Every code block of the README and the guide runs, and prints the output that the page shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from simkernel import guide
from tests.guide.blocks import Runner, blocks

ROOT = Path(__file__).resolve().parents[2]
TEXTS = {topic: guide.text(topic) for topic in guide.topics()}
TEXTS["README"] = (ROOT / "README.md").read_text("utf-8")


LONG = ("README", "extending", "first-bug", "hosted", "ipc", "stateful", "teachers", "testing")
"""Pages whose code blocks take seconds to run. Their tests have the marker `long`."""


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[pytest.mark.long] * (each in LONG)) for each in TEXTS]
)
def test_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # Like `python FILE`, put the script's folder on sys.path.
    runner = Runner((ROOT / ".ci" / "run").read_text("utf-8"))
    for block in blocks(TEXTS[name]):
        try:
            runner.run(block)
        except Exception as error:
            error.add_note(f"in the block at line {block.line} of {name}")
            raise


def test_readme_has_the_two_commands_as_they_are_run() -> None:
    installation = next(block for block in blocks(TEXTS["README"]) if "pip" in block.text)
    assert installation.text.splitlines() == [
        "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/simkernel run camera",
        ".venv/bin/python -m pytest",
    ]


def test_a_block_that_fails_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runner = Runner("")
    for text in (
        "```python\nassert False\n```\n",
        "```sh\nsimkernel run nonsense\n```\n",
        "```sh\nrm -rf x\n```\n",
        "```python\nprint(1)\n```\n```text\n2\n```\n",
        "```ruby\nputs 1\n```\n",
    ):
        with pytest.raises(AssertionError):
            for block in blocks(text):
                runner.run(block)
