"""Lesson 5: a slow program loses events. To reach the goal, the program must then empty its queue and ask for
the position.
"""

import json

import pytest

from simkernel.lessons import Lesson, answer
from simkernel.shipped import shipped

LESSON = Lesson.load(shipped("scenarios") / "lessons" / "multicast")
PROGRAM = LESSON.scenario.values({})["program"]
TODO = "            # Events are lost.  What now?\n"
EMPTY = """\
            while await app.poll([(mouse.event_socket, POLLIN)], 0):
                await mouse.event_socket.recv(65536)
"""
ASK = "            await ask(mouse, place)\n"
RESYNC = PROGRAM.replace(TODO, EMPTY + ASK)


def ask(**settings):
    return json.loads(answer(LESSON, settings))


@pytest.fixture(scope="module")
def slow():
    return ask(work=3)


def test_page_shows_the_lines_that_empty_the_queue():
    assert EMPTY.rstrip() in LESSON.page
    assert RESYNC != PROGRAM


def test_default_run_loses_nothing_and_is_not_the_goal():
    found = ask()
    assert found["metrics"]["slow"] == {**found["metrics"]["quick"], "received": 120, "lost": 0}
    assert found["metrics"]["slow"]["position"] == found["metrics"]["position"]
    assert not found["goal"]["reached"]


def test_only_the_slow_program_loses_events_as_the_page_states(slow):
    metrics = slow["metrics"]
    assert f"loses {metrics['slow']['lost']} of 120 movements" in LESSON.page
    assert metrics["slow"]["received"] + metrics["slow"]["lost"] == 120
    for name in ("quick", "another"):
        assert metrics[name] == {"received": 120, "lost": 0, "enobufs": 0, "position": metrics["position"]}
    assert metrics["slow"]["position"] != metrics["position"]
    assert metrics["slow"]["enobufs"] > 0
    assert not slow["goal"]["reached"]


def test_lost_event_is_offered_first(slow):
    (chosen,) = (each for each in slow["follow"] if each["chosen"])
    assert chosen["name"].endswith(": lost")
    flows = {each["flow"]: each["hops"] for each in slow["recording"]["flows"]}
    assert any("is lost" in hop[3] for hop in flows[chosen["flow"]])
    assert len(slow["follow"]) == 45


def test_kernel_drops_every_event_until_the_queue_is_empty(slow):
    lost = [each["name"].endswith("lost") for each in slow["follow"]]
    first = lost.index(True)
    row = lost[first:].index(False)
    assert row > first  # more events in a row are lost than the list has before the first loss


@pytest.mark.parametrize("work", [2, 3, 10])
@pytest.mark.parametrize("buffer", [4096, 8192, 16384])
def test_goal_is_reached_by_a_resync(work, buffer):
    found = ask(work=work, buffer=buffer, program=RESYNC)
    assert found["error"] is None
    assert found["goal"]["reached"]
    assert found["metrics"]["slow"]["position"] == found["metrics"]["position"]


def test_goal_needs_a_lost_event():
    assert "lost no event" in ask(work=0, program=RESYNC)["goal"]["text"]


NOT_ENOUGH = {
    "nothing": PROGRAM,
    "ask at once": PROGRAM.replace(TODO, ASK),
    "empty only": PROGRAM.replace(TODO, EMPTY),
}


@pytest.mark.parametrize("program", NOT_ENOUGH.values(), ids=NOT_ENOUGH)
def test_less_than_a_resync_leaves_a_wrong_position(program):
    found = ask(work=3, program=program)
    assert found["metrics"]["slow"]["position"] != found["metrics"]["position"]
    assert not found["goal"]["reached"]


def test_large_queue_loses_few_events():
    assert 0 < ask(work=3, buffer=65536)["metrics"]["slow"]["lost"] < 10


def test_mistake_is_an_error_with_file_and_line():
    line = PROGRAM.splitlines().index('        place["y"] += event["dy"]') + 1
    found = ask(program=PROGRAM.replace('place["y"] += event', 'place["z"] += event'))
    assert found["error"] == f"KeyError at program.py:{line}: 'z'"
    assert "SyntaxError at program.py:1" in ask(program="def (")["error"]
    assert "no function follow" in ask(program="x = 1")["goal"]["text"]


def test_wrong_setting_is_an_error_with_the_range():
    assert "from 0 to 10 ms" in ask(work=11)["error"]
    assert "from 4096 to 65536 bytes" in ask(buffer=1)["error"]
