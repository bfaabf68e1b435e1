"""A recording of a run as HTML for a notebook. Script, style and data are inline, so that the browser loads
no other file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any


def as_html(recording: Mapping[str, Any], follow: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return HTML that draws `recording`. `follow` lists the flows that a viewer of the page can select. Each
    has its "name", its number "flow", and "chosen", which is true for the flow shown first.

    If the viewer does not run scripts, the hops of the first flow are shown as a list.
    """
    folder = files(__package__)
    style, module = (folder.joinpath(f"recording.{kind}").read_text("utf-8") for kind in ("css", "mjs"))
    data = json.dumps([recording, {"follow": list(follow)}], separators=(",", ":")).replace("<", r"\u003c")
    name = hashlib.sha256(data.encode()).hexdigest()[
        :16
    ]  # the script finds its element by name: in a JavaScript module, document.currentScript is null
    hops = "".join(f"<li>{escape(hop[3])}</li>" for flow in recording["flows"][:1] for hop in flow["hops"])
    return (
        f'<style>{style}</style><div data-recording="{name}"><ol>{hops}</ol></div>'
        f'<script type="module">{module}'
        f"for (const root of document.querySelectorAll('[data-recording=\"{name}\"]')) draw(root, ...{data});"
        "</script>"
    )
