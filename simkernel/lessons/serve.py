"""Local server of the lessons. It executes code, so a request to run code must have the server's token.

It listens on 127.0.0.1. It refuses with 403 a foreign Host (DNS rebinding), a request of another site's
page, and a POST without the token. A GET serves the lessons' files. A path is a key of a table and never
the name of a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from simkernel.lessons.answers import explain
from simkernel.lessons.lesson import Lesson
from simkernel.lessons.pages import TYPES, Site, site
from simkernel.lessons.worker import Workers

ADDRESS: Final = "127.0.0.1"
TOKEN: Final = "X-Simkernel-Token"
MAX_BODY: Final = 1 << 20
"""Maximum size of a request's body in bytes."""
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_OWN: Final = {None, "none", "same-origin"}
"""Accepted values of the header Sec-Fetch-Site: None from a client that is not a browser, "none" from a
browser whose user has entered the address, and "same-origin" from our own page.
"""


class Server(ThreadingHTTPServer):
    """HTTP server of the lessons that `load` returns. It calls `load` for each page, so that edits show at
    once.

    Raises OSError if the port is in use. `close` ends its workers.
    """

    daemon_threads = True

    def __init__(
        self, port: int, token: str, load: Callable[[], list[Lesson]], workers: Workers | None = None
    ) -> None:
        self.token = token
        self.load = load
        self.workers = Workers() if workers is None else workers
        super().__init__((ADDRESS, port), _Handler)
        self.refresh()

    def refresh(self) -> None:
        """Read the lessons' folders again."""
        found = self.load()
        self.folders = {each.name: each.folder for each in found}
        self.site: Site = site(found, "local")

    @property
    def address(self) -> str:
        """URL of the index, with the token in the fragment."""
        return f"http://{ADDRESS}:{self.server_port}/#token={self.token}"

    def server_close(self) -> None:
        super().server_close()
        self.workers.close()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self._refuses():
            return None
        path = urlsplit(self.path).path[1:]
        name, _, rest = path.partition("/")
        if not path or path == f"{name}/":
            path += "index.html"
            try:
                self.server.refresh()
            except Exception as error:  # noqa: BLE001 - a lesson's code may raise anything
                return self._send(500, explain(error, (), ""))
        if rest == "default.json" and name in self.server.folders:
            run = f"default {id(self)}"
            return self._send(200, self.server.workers.run(run, self.server.folders[name], {}), ".json")
        if path in self.server.site:
            return self._send(200, self.server.site[path](), PurePosixPath(path).suffix)
        if path in self.server.folders:
            return self._send(301, "", location=f"/{path}/")
        return self._send(404, f"There is no page {self.path}.")

    def do_POST(self) -> None:
        if self._refuses():
            return None
        if not compare_digest(self.headers.get(TOKEN, "").encode(), self.server.token.encode()):
            return self._send(
                403, "The token is missing or wrong: open the address that `simkernel lessons` printed."
            )
        asked = self._body()
        if not isinstance(asked, dict) or not isinstance(asked.get("run"), str):
            return self._send(400, 'The body is JSON: {"run": TEXT, "lesson": NAME, "settings": {...}}.')
        if self.path == "/stop":
            self.server.workers.stop(asked["run"])
            return self._send(200, "{}", ".json")
        folder = self.server.folders.get(str(asked.get("lesson")))
        if self.path != "/run" or folder is None:
            return self._send(404, f"There is no lesson {asked.get('lesson')!r}.")
        return self._send(
            200, self.server.workers.run(asked["run"], folder, asked.get("settings", {})), ".json"
        )

    def _refuses(self) -> bool:
        """Answer 403 and return True if the request names another host or comes from another site's page.

        Navigation from another site is allowed.
        """
        ours = {f"{name}:{self.server.server_port}" for name in (ADDRESS, "localhost")}
        fetch = self.headers.get("Sec-Fetch-Site"), self.headers.get("Sec-Fetch-Mode")
        if self.headers.get("Host") in ours and (fetch[0] in _OWN or fetch[1] == "navigate"):
            return False
        self._send(
            403, f"This server is http://{ADDRESS}:{self.server.server_port}/ and answers only its own pages."
        )
        return True

    def _body(self) -> Any:
        """Return the decoded JSON of the request's body, or None if the body is not JSON or is too long."""
        try:
            length = int(self.headers.get("Content-Length", ""))
            return json.loads(self.rfile.read(length)) if 0 <= length <= MAX_BODY else None
        except ValueError:
            return None

    def _send(
        self, status: int, content: str | bytes, kind: str = ".txt", location: str | None = None
    ) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.close_connection |= status >= 400  # an unread body would look like the next request
        self.send_response(status)
        headers = {
            "Content-Type": TYPES.get(kind, "text/plain; charset=utf-8"),
            "Content-Length": str(len(body)),
        }
        if location:
            headers["Location"] = location
        for name, value in (headers | _HEADERS).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass  # no log of requests: the terminal shows only the address
