"""`simkernel guide`: its index, its topics, and the answer to an unknown topic."""

from __future__ import annotations

import re

from simkernel import guide
from tests.conftest import CommandLine


def test_begins_with_the_index() -> None:
    assert next(iter(guide.topics())) == guide.INDEX


def test_the_index_leads_to_every_topic() -> None:
    linked = re.findall(r"\]\((\S+)\.md\)", guide.text(guide.INDEX))
    assert set(linked) >= guide.topics().keys() - {guide.INDEX}


def test_prints_a_topic_as_it_is(simkernel: CommandLine) -> None:
    for topic in guide.topics():
        assert simkernel("guide", topic).out == guide.text(topic).rstrip() + "\n"
    assert simkernel("guide").out == simkernel("guide", guide.INDEX).out


def test_unknown_topic_gets_the_nearest(simkernel: CommandLine) -> None:
    done = simkernel("guide", "indx")
    assert (done.code, done.out) == (2, "")
    assert "there is no topic 'indx': did you mean index?" in done.err


def test_a_word_of_section_titles_gets_their_chapters(simkernel: CommandLine) -> None:
    done = simkernel("guide", "links")
    assert "there is no topic 'links': expected one of first-program, surprises" in done.err
    assert "did you mean testing?" in simkernel("guide", "test").err


def test_a_topic_is_no_path(simkernel: CommandLine) -> None:
    assert simkernel("guide", "../guide/index").code == 2
