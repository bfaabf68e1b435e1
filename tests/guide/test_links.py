"""Each link of the guide and of the README leads to an existing file and, if it names a heading, to a heading
of this file.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simkernel import guide

ROOT = Path(__file__).resolve().parents[2]
GUIDE = Path(guide.__file__).parent
PAGES = [ROOT / "README.md", *sorted(GUIDE.glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub creates for the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_index_lists_every_page() -> None:
    listed = re.findall(r"^\| \[([\w-]+)\]\(\1\.md\)", guide.text("index"), re.MULTILINE)
    assert sorted([*listed, "index"]) == sorted(guide.topics())
