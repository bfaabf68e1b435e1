"""The local server: it serves only its own page, and stops runs that do not end."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from simkernel.lessons import Lesson, answer, lessons
from simkernel.lessons.serve import Server
from simkernel.lessons.worker import Workers
from tests.lessons.conftest import FOLDER

TOKEN = "abc"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("lessons")
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    with Server(0, TOKEN, lambda: lessons(folder), Workers()) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def request(
    server: Server, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    try:
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        connection.request(
            method, path, text, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        response = connection.getresponse()
        return response.status, response.read().decode(), dict(response.getheaders())
    finally:
        connection.close()


def run(server: Server, lesson: str = "greet", run: str = "1", **settings: Any) -> str:
    body = {"run": run, "lesson": lesson, "settings": settings}
    status, text, _ = request(server, "POST", "/run", body, X_Simkernel_Token=TOKEN)
    assert status == 200
    return text


# -- pages ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/greet/", "text/html"),
        ("/greet/?times=3", "text/html"),
        ("/greet/view.mjs", "text/javascript"),
        ("/lesson.mjs", "text/javascript"),
        ("/machine.mjs", "text/javascript"),
        ("/lesson.css", "text/css"),
        ("/greet/default.json", "application/json"),
    ],
)
def test_serves_its_files_with_their_types(server: Server, path: str, kind: str) -> None:
    status, text, headers = request(server, "GET", path)
    assert (status, headers["Content-Type"].partition(";")[0]) == (200, kind)
    assert text and headers["X-Content-Type-Options"] == "nosniff"


def test_the_default_run_is_the_machines_answer(server: Server, lesson: Lesson) -> None:
    assert request(server, "GET", "/greet/default.json")[1].strip() == answer(lesson, {})


def test_a_folder_without_its_slash_moves(server: Server) -> None:
    status, _, headers = request(server, "GET", "/greet")
    assert (status, headers["Location"]) == (301, "/greet/")


@pytest.mark.parametrize(
    "path",
    [
        "/greet/../../../pyproject.toml", "/../simkernel/lessons/serve.py", "/greet/__init__.py",
        "/greet/%2e%2e/x",
        "//etc/passwd", "/greet/page.html", "/nothing/", "/nothing/default.json", "/greet/default.json/",
        "/worker.mjs", "/%00",
    ],
)  # fmt: skip
def test_any_other_path_is_not_found(server: Server, path: str) -> None:
    assert request(server, "GET", path)[0] == 404


def test_an_edit_of_a_lesson_shows_at_once(server: Server) -> None:
    page = server.folders["greet"] / "page.html"
    before = page.read_text("utf-8")
    page.write_text(before.replace("This page shows", "This page now shows"), "utf-8")
    assert "This page now shows" in request(server, "GET", "/greet/")[1]
    page.write_text("nothing", "utf-8")
    status, text, _ = request(server, "GET", "/greet/")
    assert status == 500 and "page.html has no <article" in text
    page.write_text(before, "utf-8")
    code = server.folders["greet"] / "__init__.py"
    code.write_text(f"{code.read_text('utf-8')}\n1 / 0\n", "utf-8")
    status, text, _ = request(server, "GET", "/greet/")
    assert status == 500 and text.startswith("ZeroDivisionError at __init__.py:")
    shutil.copyfile(FOLDER / "greet/__init__.py", code)
    assert request(server, "GET", "/greet/")[0] == 200


# -- access -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["example.org", "127.0.0.1", "127.0.0.1:1", "localhost.example.org:{port}", ""]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_foreign_host_is_refused(server: Server, method: str, host: str) -> None:
    headers = {"Host": host.format(port=server.server_port), "X_Simkernel_Token": TOKEN}
    assert request(server, method, "/run", "{}", **headers)[0] == 403


@pytest.mark.parametrize("path", ["/", "/greet/default.json", "/lesson.mjs"])
def test_another_sites_page_may_link_and_not_load(server: Server, path: str) -> None:
    headers = {"Sec_Fetch_Site": "cross-site"}
    assert request(server, "GET", path, **headers, Sec_Fetch_Mode="no-cors")[0] == 403
    assert request(server, "GET", path, **headers, Sec_Fetch_Mode="navigate")[0] == 200
    assert request(server, "GET", path, Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="cors")[0] == 200


def test_localhost_is_a_name_of_the_server(server: Server) -> None:
    assert request(server, "GET", "/", Host=f"localhost:{server.server_port}")[0] == 200


@pytest.mark.parametrize("path", ["/run", "/stop", "/"])
@pytest.mark.parametrize("token", [None, "", "ab", "abcd", "\xe4"])
def test_a_missing_or_wrong_token_is_refused(server: Server, path: str, token: str | None) -> None:
    headers = {} if token is None else {"X_Simkernel_Token": token}
    status, text, _ = request(
        server, "POST", path, {"run": "1", "lesson": "greet", "settings": {}}, **headers
    )
    assert status == 403 and "token" in text


def test_the_token_is_in_the_fragment_and_in_no_page(server: Server) -> None:
    assert server.address == f"http://127.0.0.1:{server.server_port}/#token={TOKEN}"
    with Server(0, "0123456789abcdef", server.load, server.workers) as other:
        assert not any(b"0123456789abcdef" in _bytes(make()) for make in other.site.values())
        other.workers = Workers()


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"run": 1}', "\xff", None])
def test_a_body_that_is_no_request_is_refused(server: Server, body: str | None) -> None:
    assert request(server, "POST", "/run", body, X_Simkernel_Token=TOKEN)[0] == 400


def test_a_body_that_is_too_long_is_refused(server: Server) -> None:
    headers = {"X_Simkernel_Token": TOKEN, "Content_Length": str(1 << 21)}
    assert request(server, "POST", "/run", "1", **headers)[0] == 400


def test_an_unknown_lesson_is_not_found(server: Server) -> None:
    body = {"run": "1", "lesson": "../greet", "settings": {}}
    status, text, _ = request(server, "POST", "/run", body, X_Simkernel_Token=TOKEN)
    assert (status, text) == (404, "There is no lesson '../greet'.")


# -- runs -------------------------------------------------------------------------


def test_a_run_is_the_machines_answer(server: Server, lesson: Lesson) -> None:
    assert run(server, times=5, word="bye").strip() == answer(lesson, {"times": 5, "word": "bye"})


def test_settings_that_are_none_are_an_error_in_the_answer(server: Server) -> None:
    assert "parameter times" in json.loads(run(server, times=[1]))["error"]


ENDINGS = {
    "an endless loop": ("while True:\n    pass\n", "longer than 3 seconds and was stopped"),
    "the end of Python": ("import os\nos._exit(3)\n", "ended the Python process with status 3"),
}


@pytest.mark.long
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_run_that_does_not_return_is_replaced(server: Server, ending: str) -> None:
    program, text = ENDINGS[ending]
    patient, server.workers = server.workers, Workers(limit=3.0)
    try:
        server.workers.run("ready", FOLDER / "greet", {})  # now the process has imported all modules
        assert text in json.loads(run(server, program=program))["stopped"]
        assert json.loads(run(server))["error"] is None
    finally:
        server.workers.close()
        server.workers = patient


def test_a_run_is_stopped_on_request(server: Server) -> None:
    texts: list[str] = []
    thread = Thread(target=lambda: texts.append(run(server, run="mine", program="while True:\n    pass\n")))
    thread.start()
    while thread.is_alive():
        request(server, "POST", "/stop", {"run": "another"}, X_Simkernel_Token=TOKEN)
        request(server, "POST", "/stop", {"run": "mine"}, X_Simkernel_Token=TOKEN)
        thread.join(0.05)
    assert json.loads(texts[0]) == {"stopped": "The run was stopped."}
    assert json.loads(run(server))["error"] is None


def test_a_program_cannot_disturb_the_answer(server: Server) -> None:
    noise = "import os, sys\nos.write(1, b'noise')\nprint(sys.stdin.read())\n"
    program = noise + "async def greet(app):\n    return 3\n"
    result = json.loads(run(server, program=program))
    assert (result["error"], result["printed"]) == (None, "\n")


# -- the command ------------------------------------------------------------------


def test_a_port_that_is_taken_is_refused(simkernel: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = simkernel("lessons", "--no-open", "--port", port)
    assert done.code == 2
    assert f"port {port} cannot be used (Address already in use): choose another with --port" in done.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ["--export", "site"],
            "give both --export and --pyodide FOLDER, or neither; to get FOLDER: npm pack pyodide@",
        ),
        (["--folder", "{empty}"], "has no lessons: none of its folders has a page.html"),
    ],
)
def test_a_wrong_command_line_says_what_to_do(
    simkernel: Any, tmp_path: Path, arguments: list[str], text: str
) -> None:
    done = simkernel("lessons", *(each.format(empty=tmp_path) for each in arguments))
    assert done.code == 2 and text in done.err
