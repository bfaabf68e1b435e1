"""Lesson 1: a request is answered, refused or dropped, and the wrong field is marked."""

import json
import re
from urllib.parse import parse_qs

import pytest

from simkernel.lessons import Lesson, answer
from simkernel.shipped import shipped

LESSON = Lesson.load(shipped("scenarios") / "lessons" / "socket")
DEFAULT = LESSON.scenario.parameters[0].default
CAMERA = DEFAULT.replace("mouse", "camera")
SOLVED = CAMERA.replace("0a 00   ", "0b 00   ").replace("00 00          # padding", "00   # padding")


def ask(**settings):
    return json.loads(answer(LESSON, settings))


def changed(offset, *data):
    """Return a copy of the default request. Replace the bytes at `offset` by `data`."""
    lines, at = DEFAULT.splitlines(), 0
    for number, line in enumerate(lines):
        if at == offset:
            lines[number] = " ".join(data)
        at += 6 if '"' in line else len(re.findall(r"\b[0-9a-f]{2}\b", line.partition("#")[0]))
    return "\n".join(lines)


def test_default_request_is_answered_and_misses_the_goal():
    found = ask()
    assert found["error"] is None
    assert "the family mouse has the id" in found["texts"][0]["text"]
    assert found["metrics"] == {"failure": "", "marked": None}
    assert not found["goal"]["reached"]


def test_goal_is_reached_by_the_name_and_the_length_of_its_attribute():
    assert ask(request=SOLVED)["goal"]["reached"]
    found = ask(request=CAMERA)
    assert not found["goal"]["reached"]
    assert found["metrics"] == {"failure": "EINVAL", "marked": 20}
    assert "Attribute failed policy validation" in found["texts"][0]["text"]


def test_goal_is_missed_by_a_request_that_only_mentions_the_camera():
    assert not ask(request=f"{DEFAULT}# camera\n")["goal"]["reached"]
    assert not ask(request=SOLVED.replace("10 00   ", "15 00   "))["goal"]["reached"]


@pytest.mark.parametrize(
    ("offset", "data", "failure"),
    [
        (0, ("28", "00", "00", "00"), "no answer"),
        (0, ("08", "00", "00", "00"), "no answer"),
        (4, ("63", "00"), "ENOENT"),
        (6, ("00", "00"), "no answer"),
        (16, ("63",), "EOPNOTSUPP"),
        (20, ("1e", "00"), "EINVAL"),
        (22, ("63", "00"), "EINVAL"),
    ],
)
def test_marks_the_field_that_is_broken(offset, data, failure):
    assert ask(request=changed(offset, *data))["metrics"] == {"failure": failure, "marked": offset}


@pytest.mark.parametrize(("offset", "data"), [(8, ("09", "00", "00", "00")), (12, ("05", "00", "00", "00"))])
def test_accepts_any_sequence_number_and_port(offset, data):
    assert ask(request=changed(offset, *data))["metrics"]["failure"] == ""


def test_marks_the_attribute_that_the_kernel_names_where_no_repair_helps():
    name = f"30 00 00 00\n{DEFAULT.partition(chr(10))[2]}".replace("0a 00   ", "19 00   ")
    long = name.replace('"mouse" 00', '"abcdefghijklmnopqrst" 00').replace(
        "00 00          # padding", "00 00 00   # padding"
    )
    assert ask(request=long)["metrics"]["marked"] == 20


def test_answer_of_another_family_is_not_taken_for_a_description():
    request = "14 00 00 00  15 00  01 00  07 00 00 00  00 00 00 00  01 01 00 00\n"
    found = ask(request=request)
    assert found["metrics"]["failure"] == "" and not found["goal"]["reached"]
    assert found["texts"][0]["text"] == "The kernel answers, but describes no family."


def test_attribute_without_its_end_is_refused_with_a_text_and_a_place():
    text = ask(request=DEFAULT.replace("0a 00   ", "09 00   "))["texts"][0]["text"]
    assert "EINVAL" in text and "Attribute failed policy validation" in text and "at byte 20" in text


def test_answer_without_extack_has_neither_text_nor_place():
    found = ask(request=CAMERA, extack=False)
    assert found["texts"][0]["text"] == "The kernel answers with an error: EINVAL."
    assert "attribute: text" not in [row[2] for row in found["texts"][2]["rows"]]


def test_fields_of_both_messages_are_all_their_bytes_in_order():
    for request in (DEFAULT, CAMERA, SOLVED, changed(4, "63", "00")):
        for table in ask(request=request)["texts"][1:3]:
            at = 0
            for offset, data, _ in table["rows"]:
                assert offset == (
                    at if table["title"] == "The request" else (at + 3) // 4 * 4 if at > 20 else at
                )
                at = offset + len(data.split())


@pytest.mark.parametrize("word", ["zz", "1", "123", '"open'])
def test_word_that_is_no_byte_is_an_error_with_its_line(word):
    error = ask(request=f"20 00 00 00\n10 {word}\n")["error"]
    assert error.startswith(f"line 2 of the request: {word} is not a byte")


def test_request_without_bytes_fails_in_the_call():
    assert ask(request="\n")["metrics"]["failure"] == "ENODATA"


def test_page_guesses_what_the_machine_does():
    settings = {
        name: texts[0] for name, texts in parse_qs(re.search('data-set="(.*?)"', LESSON.page)[1]).items()
    }
    assert ask(**settings)["metrics"] == {"failure": "no answer", "marked": 0}
    assert "Nothing. No answer comes, and no error." in LESSON.page.partition("data-right")[2]
