"""Drawings of runs and recordings in Jupyter notebooks: a Jupyter kernel executes the cells, and a browser
draws without network.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.hardware import Camera
from simkernel.scenario import Run, scenario
from simkernel.trace.notebook import as_html
from simkernel.trace.recording import Recording

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
AXE = Path(__file__).parents[2] / ".ci/npm/axe-core/axe.min.js"
EXTRA = "pip install simkernel[lessons-test]"
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"
CELLS = (
    """
from simkernel import Machine, millis
from simkernel.hardware import Camera
from simkernel.trace import Recording

async def viewer(app):
    camera = await app.genetlink("camera")
    await camera.join("frames")
    await camera.do("stream-on")
    async for frame in camera.events("frame-ready"):
        await camera.dump("read-frame", sequence=frame["sequence"])

with Machine(seed=7) as machine:
    recording = Recording(machine)
    machine.plug(Camera())
    machine.run(until=millis(5))
    machine.spawn(viewer)
    machine.run(until=millis(200))
recording
""",
    """
from simkernel.scenario import scenario

@scenario()
def talk(run):
    print("once")
    machine = run.machine()
    async def greet(app):
        camera = await app.uevents()
    machine.spawn(greet)
    machine.plug(Camera())
    machine.run(until=millis(20))

talk.run(seed=3)
""",
)


def data(html: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The recording and the options in the HTML of a notebook's cell."""
    found = re.search(r"draw\(root, \.\.\.(.*)\);</script>$", html)
    assert found is not None
    recording, options = json.loads(found[1])
    return recording, options


def test_no_name_ends_the_script_or_leaves_its_place() -> None:
    hop = [1, "kernel", "</script><script>alert(1)</script>", "<b>&</b>", 1]
    recording = {"flows": [{"flow": 1, "hops": [hop]}], "queues": [], "rows": []}
    html = as_html(recording, [{"name": "<!--", "flow": 1, "chosen": True}])
    assert html.count("</script>") == html.count("<script") == 1
    assert "<b>" not in html
    assert "<!--" not in html
    assert data(html) == (recording, {"follow": [{"name": "<!--", "flow": 1, "chosen": True}]})


@scenario()
def exposure(run: Run) -> None:
    print("the scenario prints")
    machine = run.machine()
    machine.plug(Camera())
    machine.run(until=millis(20))
    run.metric("html", run._repr_html_())


def test_a_run_is_drawn_as_its_recording_and_prints_nothing_more(capsys: pytest.CaptureFixture[str]) -> None:
    run = exposure.run(seed=3)
    html = run._repr_html_()
    assert capsys.readouterr().out == "the scenario prints\n"
    assert run.metrics["html"] is None
    assert html is not None
    with Machine(seed=3) as machine:
        recording = Recording(machine)
        machine.plug(Camera())
        machine.run(until=millis(20))
    assert data(html)[0] == json.loads(json.dumps(recording.as_dict()))
    assert data(html) == data(recording._repr_html_())
    assert html == run._repr_html_()


def test_a_run_without_a_machine_is_not_drawn() -> None:
    @scenario()
    def idle(run: Run) -> None:
        """A scenario that creates no machine."""

    assert idle.run()._repr_html_() is None


# -- in a notebook and a browser --------------------------------------------------


@pytest.fixture(scope="module")
def outputs() -> list[str]:
    """Return the HTML output of each cell of a notebook, which a Jupyter kernel executes."""
    pytest.importorskip("ipykernel", reason=EXTRA)
    nbclient = pytest.importorskip("nbclient", reason=EXTRA)
    v4 = pytest.importorskip("nbformat.v4", reason=EXTRA)
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return [cell.outputs[-1].data["text/html"] for cell in notebook.cells]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason=EXTRA)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium: apt install chromium")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.mark.long
@pytest.mark.parametrize("width", [1240, 390])
def test_a_notebook_draws_its_runs_without_a_request(outputs: list[str], browser: Any, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url))
    cells = "".join(f"<section>{each}</section>" for each in outputs)
    head = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>A notebook</title>'
    page.set_content(f'<!doctype html><html lang="en">{head}<main><h1>A notebook</h1>{cells}</main></html>')
    page.wait_for_selector("section:nth-of-type(2) .map svg")
    first = page.locator("section").first
    hops = first.locator(".hops li")
    play, scrub = first.get_by_role("button", name="Play"), first.get_by_role("slider")
    assert first.locator(".hops li[aria-current]").inner_text().startswith("1")
    scrub.focus()
    page.keyboard.press("End")
    assert hops.last.get_attribute("aria-current") == "step"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert hops.nth(1).get_attribute("aria-current") == "step"
    hops.nth(3).get_by_role("button").press("Enter")
    assert hops.nth(3).get_attribute("aria-current") == "step"
    play.press("Enter")
    page.wait_for_selector(".hops li:nth-child(6)[aria-current]")
    first.get_by_role("button", name="Pause").press("Enter")
    wanted = first.locator("select option").last.get_attribute("value")
    first.locator("select").select_option(wanted)
    assert scrub.input_value() == "0"
    first.get_by_role("button", name="This path only").press("Enter")
    assert first.locator(".time svg").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelectorAll('.recording [id]').length") == 0
    assert problems == []
    page.close()


def flow(number: int, *times: int) -> dict[str, Any]:
    hops = [[time, "kernel", f"station {k % 40} on the way", "runs", 2] for k, time in enumerate(times)]
    return {"flow": number, "hops": hops}


ODD: dict[str, dict[str, Any]] = {
    "nothing": {"flows": []},
    "one hop": {"flows": [flow(3, 5)]},
    "one instant": {"flows": [flow(3, 5, 5)]},
    "a long way": {"flows": [flow(1, *range(90)), flow(2, *(9**each for each in range(40)))]},
    "a queue without a message": {"queues": [{"name": "q", "limit": 1, "points": [[0, 0]], "lost": [0, 9]}]},
    "more than the limit": {"queues": [{"name": "q", "limit": 1, "points": [[0, 99]], "lost": []}]},
    "instants": {"rows": [{"name": "r", "layer": "hardware", "spans": [[0, 0], [9, 9]]}], "end": 9},
}  # fmt: skip


@pytest.mark.long
def test_odd_recordings_are_drawn_without_an_error(browser: Any) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 900})
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    empty = {"end": 0, "records": 0, "typical": 0, "flows": [], "queues": [], "rows": [], "left_out": {}}
    for name, odd in ODD.items():
        page.set_content(f"<main>{as_html({**empty, **odd})}</main>")
        page.wait_for_selector(".stage")
        for button in page.get_by_role("button").all()[:3]:
            button.click()
        for number in page.locator("svg [d], svg rect, svg line").evaluate_all(
            "all => all.map(e => e.outerHTML)"
        ):
            assert "NaN" not in number, name
            assert "Infinity" not in number, name
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert problems == [], name
    page.close()


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_drawing(outputs: list[str], browser: Any, scheme: str) -> None:
    if not AXE.exists():
        pytest.skip("no .ci/npm/axe-core: .ci/run fetches it")
    page = browser.new_page(color_scheme=scheme)
    page.set_content(f'<!doctype html><html lang="en"><title>A</title><main><h1>A</h1>{outputs[0]}</main>')
    page.wait_for_selector(".map svg")
    page.add_script_tag(content=AXE.read_text("utf-8"))
    found = page.evaluate("axe.run().then(found => found.violations.map(each => each.id))")
    assert found == []
    page.close()
