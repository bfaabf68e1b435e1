"""Tools for tests of the lessons in Chromium with playwright. The simulation runs in a local Python or in
Pyodide. Pyodide and axe-core are in .ci/npm.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar, Final

import pytest

from simkernel.lessons import Lesson, lessons
from simkernel.lessons.export import PYODIDE, export
from simkernel.lessons.serve import Server
from tests.conftest import ROOT
from tests.lessons.conftest import FOLDER

NPM: Final = ROOT / ".ci/npm"
AXE: Final = NPM / "axe-core/axe.min.js"
CHROMIUM: Final = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
READY: Final = 90_000
"""Milliseconds that Pyodide may take to start on a busy host."""

RUN: Final = 30_000
"""Milliseconds that a run may take."""


def all_lessons() -> list[Lesson]:
    """Return the shipped lessons, and the example lesson that only tests use."""
    return [*lessons(), *lessons(FOLDER)]


def skip_without_browser() -> Any:
    """Return playwright's API. Skip the test if playwright or Chromium is missing."""
    api = pytest.importorskip("playwright.sync_api", reason="pip install simkernel[lessons-test]")
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt install chromium")
    return api


class _Files(SimpleHTTPRequestHandler):
    extensions_map: ClassVar = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    """Serve requests in a thread during the `with` block. Yield the origin of the site."""
    with server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def local_site() -> Iterator[str]:
    """Serve the lessons with the local server, which simulates in Python processes on this host. Yield the
    address of the index page.
    """
    server = Server(0, "token-of-the-test", all_lessons)
    with serving(server):
        yield server.address


@contextmanager
def pyodide_site(folder: Path) -> Iterator[str]:
    """Export the lessons for Pyodide, and serve the folder. Yield the address of the index page. If .ci/npm
    has no Pyodide, skip the test.
    """
    if not (NPM / "pyodide/package.json").is_file():
        pytest.skip(f"no .ci/npm/pyodide: .ci/run fetches pyodide {PYODIDE}")
    export(all_lessons(), folder, NPM / "pyodide")
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=folder))) as origin:
        yield f"{origin}/"


class Visit:
    """A new browser window for pages of the site. The list `problems` collects errors and warnings of the
    pages, and requests to other sites.
    """

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.base, _, self.fragment = address.partition("#")
        options = {"viewport": {"width": 1240, "height": 900}, **options}
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._console)
        self.context.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.problems.append(f"foreign request: {request.url}")

    def open(self, lesson: str = "", query: str = "", *, ready: bool = True) -> Any:
        """Open the page of a lesson, or the index page if `lesson` is empty. Wait until the lesson is painted
        and, if `ready` is True, until its machine can run. Return the page.
        """
        path = f"{lesson}/" if lesson else ""
        self.page.goto(f"{self.base}{path}{query}{'#' if self.fragment else ''}{self.fragment}")
        if lesson:
            self.page.wait_for_selector("body[data-painted]")
            if ready:
                self.page.wait_for_selector("body[data-ready]", timeout=READY)
        return self.page

    @contextmanager
    def after_run(self, *, fresh: bool = False) -> Iterator[None]:
        """Wait until the run that the `with` block starts has ended. Pass `fresh=True` if the block opens the
        page, which starts the first run of this page.
        """
        before = 0 if fresh else int(self.page.get_attribute("body", "data-runs") or 0)
        yield
        self.page.wait_for_selector(f'body[data-runs="{before + 1}"]', timeout=RUN)

    def press(self, button: str) -> None:
        """Click a button by its name."""
        self.page.get_by_role("button", name=button, exact=True).click()

    def close(self) -> None:
        """Close the window. Fail if a page has caused an error, a warning, or a request to another site."""
        self.context.close()
        assert self.problems == []
