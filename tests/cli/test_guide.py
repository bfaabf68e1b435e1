"""`simkernel guide`."""

from __future__ import annotations

from simkernel import guide
from tests.conftest import CommandLine


def test_begins_with_the_index_and_the_topics(simkernel: CommandLine) -> None:
    done = simkernel("guide")
    assert done.code == 0
    assert done.out.startswith(guide.text("index").rstrip())
    for topic, title in guide.topics().items():
        assert topic == "index" or f"* `{topic}`: {title}" in done.out


def test_prints_a_topic_as_it_is(simkernel: CommandLine) -> None:
    for topic in list(guide.topics())[1:]:
        assert simkernel("guide", topic).out == guide.text(topic).rstrip() + "\n"


def test_unknown_topic_gets_the_nearest(simkernel: CommandLine) -> None:
    done = simkernel("guide", "indx")
    assert (done.code, done.out) == (2, "")
    assert "there is no topic 'indx': did you mean index?" in done.err


def test_a_topic_is_no_path(simkernel: CommandLine) -> None:
    assert simkernel("guide", "../guide/index").code == 2
