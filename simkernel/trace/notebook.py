"""A recording as HTML for a notebook, with script, style and data inline, so that no request is made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any


def as_html(recording: Mapping[str, Any], follow: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return HTML that draws `recording`. `follow` lists the flows that the reader can select, as {"name",
    "flow", "chosen"}.

    If the viewer does not run scripts, the hops of the first flow are shown as a list.
    """
    folder = files(__package__)
    style, module = (folder.joinpath(f"recording.{kind}").read_text("utf-8") for kind in ("css", "mjs"))
    data = json.dumps([recording, {"follow": list(follow)}], separators=(",", ":")).replace("<", r"\u003c")
    name = hashlib.sha256(data.encode()).hexdigest()[
        :16
    ]  # the script finds its element by name: a module has no currentScript
    hops = "".join(f"<li>{escape(hop[3])}</li>" for flow in recording["flows"][:1] for hop in flow["hops"])
    return (
        f'<style>{style}</style><div data-recording="{name}"><ol>{hops}</ol></div>'
        f'<script type="module">{module}'
        f"for (const root of document.querySelectorAll('[data-recording=\"{name}\"]')) draw(root, ...{data});"
        "</script>"
    )
