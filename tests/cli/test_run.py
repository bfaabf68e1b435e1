"""`simkernel run`: its reports, the files that it writes, and its errors for invalid input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simkernel.engine import Record
from simkernel.tools.calibration.recorded import accuracy
from simkernel.trace.diagram import Diagram
from tests.conftest import CommandLine

STORY = """\
Good morning.

Naps
  number  mood
       1  [red]sleepy[/red]
      20

"""

REPORT = f"""\
{STORY}Figures
  figure         value
  naps           3
"""

MODULE = """\
from simkernel.driverapi.module import Module
from simkernel.driverapi.printk import pr_info

MODULE = Module(license="GPL")


def init(this):
    pr_info(this, "good day")


def exit(this, state):
    pass
"""


def test_prints_a_plain_report_in_a_pipe(simkernel: CommandLine, story: Path) -> None:
    done = simkernel("run", "./story.py", "--details")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(REPORT)
    assert done.out.splitlines()[-2].startswith("1000 s simulated, ")
    assert done.out.splitlines()[-2].endswith("events, seed 0")


def test_without_details_only_the_story_is_printed(simkernel: CommandLine, story: Path) -> None:
    done = simkernel("run", "./story.py")
    assert done.out.startswith(f"{STORY}1000 s simulated, ")
    assert done.out.splitlines()[-2].endswith("events, seed 0; more with --details")


def test_details_are_printed_in_their_place(simkernel: CommandLine, story: Path) -> None:
    text = story.read_text("utf-8").replace('"Good morning."', '"Good morning.", detail=True')
    story.write_text(text, "utf-8")
    assert simkernel("run", "./story.py").out.startswith("Naps\n")
    assert simkernel("run", "./story.py", "--details").out.startswith(REPORT)


def test_a_report_without_a_story_is_printed_whole(simkernel: CommandLine, story: Path) -> None:
    text = story.read_text("utf-8").replace("run.text", "str").replace("run.table", "print")
    story.write_text(text, "utf-8")
    assert "Figures\n  figure         value\n" in simkernel("run", "./story.py").out


def test_the_error_of_the_cost_model_is_stated_for_the_default_costs_only(
    simkernel: CommandLine, story: Path
) -> None:
    stated = f"Simulated times: {accuracy()}.\n"
    assert simkernel("run", "./story.py").out.endswith(stated)
    Path("costs.json").write_text('{"parameters": {"syscall": 1}}', "utf-8")
    assert stated not in simkernel("run", "./story.py", "--costs", "costs.json").out


def test_prints_one_json_object(simkernel: CommandLine, story: Path) -> None:
    done = simkernel("run", "story.py", "--json", "--seed", "-3", "--set", "naps=2", "--set", "nap=0.5")
    told = json.loads(done.out)
    assert list(told) == [
        "scenario", "seed", "parameters", "simulated_ns", "events", "trace_sha256", "metrics", "host",
    ]  # fmt: skip
    assert told["scenario"] == "napping"
    assert told["seed"] == -3
    assert told["parameters"] == {"naps": 2, "nap": 0.5, "nightmare": False}
    assert told["simulated_ns"] == 1000 * 10**9
    assert told["events"] > 0
    assert len(told["trace_sha256"]) == 64
    assert told["metrics"]["naps"] == 2
    assert told["host"]["wall_seconds"] > 0


def test_is_the_same_for_the_same_seed_only(simkernel: CommandLine, story: Path) -> None:
    def told(seed: int) -> dict[str, object]:
        object: dict[str, object] = json.loads(simkernel("run", "story.py", "--json", "--seed", seed).out)
        del object["host"], object["seed"]
        return object

    assert told(1) == told(1)
    assert told(1)["trace_sha256"] != told(2)["trace_sha256"]


def test_files_and_streams_change_no_result(simkernel: CommandLine, story: Path) -> None:
    bare = json.loads(simkernel("run", "story.py", "--json").out)
    asked = simkernel(
        "run", "story.py", "--json", "--trace", "t.json", "--pcap", "t.pcap", "--diagram", "t.mmd",
        "--strace", "--log", "--debug",
    )  # fmt: skip
    told = json.loads(asked.out)
    del bare["host"], told["host"]
    assert told == bare
    assert json.loads(Path("t.json").read_text("utf-8"))["traceEvents"]
    assert Path("t.pcap").read_bytes()[:4] == 0xA1B23C4D.to_bytes(4, "little")
    assert Path("t.mmd").read_text("utf-8").startswith("sequenceDiagram")
    assert "clock_nanosleep" in asked.err


def test_prints_system_calls_on_standard_output(simkernel: CommandLine, story: Path) -> None:
    done = simkernel("run", "story.py", "--strace")
    assert "clock_nanosleep" in done.out
    assert done.err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["./stroy.py"], "there is no file './stroy.py': did you mean story.py?"),
        (["tales/taile"], "there is no file 'tales/taile': did you mean tale?"),
        (["strory"], "there is no scenario 'strory'"),
        (["story.py", "--set", "nip=1"], "no parameter 'nip': did you mean nap"),
        (["story.py", "--set", "naps=0"], "parameter naps is a whole number from 1 to 1000000000, not 0"),
        (["story.py", "--set", "naps"], "'naps' is not KEY=VALUE"),
        (["story.py", "--trace", "no/where"], "cannot write no/where: No such file or directory"),
        (["story.py", "--pcap", "."], "cannot write .: "),
        (["story.py", "--trace", "x", "--pcap", "./x"], "cannot write ./x: --trace writes it"),
        (["story.py", "--module-path", "nowhere"], "Directory 'nowhere' does not exist"),
        (["nothing.py"], "nothing.py has 0 scenarios: decorate one function with @scenario(...)"),
    ],
)
def test_bad_input_is_explained_before_anything_runs(
    simkernel: CommandLine, story: Path, arguments: list[str], said: str
) -> None:
    Path("nothing.py").write_text("", "utf-8")
    Path("tales/tale").mkdir(parents=True)
    Path("tales/tale/__init__.py").write_text("", "utf-8")
    done = simkernel("run", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize("name", ["tales/tale", "tales/tale/", "./tales/tale/__init__.py"])
def test_a_story_may_be_a_folder(simkernel: CommandLine, story: Path, name: str) -> None:
    folder = Path("tales/tale")
    folder.mkdir(parents=True)
    text = story.read_text("utf-8").replace('"Good morning."', "WORDS")
    text = text.replace("from simkernel import", "from .words import WORDS\nfrom simkernel import")
    (folder / "__init__.py").write_text(text, "utf-8")
    (folder / "words.py").write_text('WORDS = "Once upon a time."', "utf-8")
    assert simkernel("run", name).out.startswith("Once upon a time.\n")
    assert simkernel("list", name).out.startswith("tale  Somebody naps.\n")


def test_a_bad_parameter_leaves_old_files_alone(simkernel: CommandLine, story: Path) -> None:
    Path("t.json").write_text("precious", "utf-8")
    assert simkernel("run", "story.py", "--set", "naps=0", "--trace", "t.json").code == 2
    assert Path("t.json").read_text("utf-8") == "precious"


def test_unknown_command_gets_the_nearest(simkernel: CommandLine) -> None:
    done = simkernel("rum")
    assert done.code == 2
    assert "there is no command 'rum': did you mean run?" in done.err


def test_a_program_that_raises_is_shown_and_the_files_are_whole(simkernel: CommandLine, story: Path) -> None:
    done = simkernel("run", "story.py", "--set", "nightmare=yes", "--trace", "t.json")
    assert done.code == 1
    assert done.err.endswith("ValueError: monsters\n")
    assert "in sleeper" in done.err
    assert "runner.py" not in done.err
    assert json.loads(Path("t.json").read_text("utf-8"))["traceEvents"]


def test_debug_shows_every_line(simkernel: CommandLine, story: Path) -> None:
    done = simkernel("run", "story.py", "--set", "nightmare=yes", "--debug")
    assert "machine.py" in done.err


def test_wrong_use_is_reported_with_its_line(simkernel: CommandLine, story: Path) -> None:
    story.write_text(story.read_text("utf-8").replace("seconds(1000)", "1000.0"), "utf-8")
    done = simkernel("run", "story.py")
    assert done.code == 1
    line = next(n for n, text in enumerate(story.read_text("utf-8").splitlines(), 1) if "1000.0" in text)
    assert done.err.startswith(f"{story}:{line}: until must be an int of nanoseconds, not 1000.0")
    assert "Traceback" not in done.err


def test_a_story_that_does_not_import_is_shown(simkernel: CommandLine, story: Path) -> None:
    story.write_text("import nonsense\n", "utf-8")
    done = simkernel("run", "story.py")
    assert done.code == 1
    assert done.err.endswith("ModuleNotFoundError: No module named 'nonsense'\n")
    assert "importlib" not in done.err


def test_a_story_with_a_mistake_in_its_grammar_is_shown(simkernel: CommandLine, story: Path) -> None:
    story.write_text("def (\n", "utf-8")
    done = simkernel("run", "story.py")
    assert done.code == 1
    assert done.err.startswith(f'  File "{story}", line 1\n')
    assert done.err.endswith("SyntaxError: invalid syntax\n")


def test_a_contradictory_parameter_is_reported_with_its_line(simkernel: CommandLine, story: Path) -> None:
    story.write_text(story.read_text("utf-8").replace("int, 3", "int, 0"), "utf-8")
    done = simkernel("run", "story.py")
    line = next(n for n, text in enumerate(story.read_text("utf-8").splitlines(), 1) if "int, 0" in text)
    assert done.err.startswith(f"{story}:{line}: parameter naps is a whole number from 1 to")


def test_a_scenario_imports_files_of_its_folder(simkernel: CommandLine, story: Path) -> None:
    Path("beds.py").write_text("SOFT = 1\n", "utf-8")
    story.write_text(f"{story.read_text('utf-8')}\nimport beds\n", "utf-8")
    assert simkernel("run", "story.py").code == 0


def test_a_story_may_borrow_from_another(simkernel: CommandLine, story: Path) -> None:
    Path("other.py").write_text(story.read_text("utf-8"), "utf-8")
    story.write_text(f"{story.read_text('utf-8')}\nfrom other import napping as other\n", "utf-8")
    assert simkernel("run", "story.py").code == 0


def test_finds_the_users_modules(simkernel: CommandLine, story: Path) -> None:
    Path("mine").mkdir()
    Path("mine/greeter.py").write_text(MODULE, "utf-8")
    text = story.read_text("utf-8").replace("for _ in", "await app.modprobe('greeter')\n        for _ in")
    story.write_text(text, "utf-8")
    assert "greeter: good day" in simkernel("run", "story.py", "--log", "--module-path", "mine").out
    assert "Module greeter not found" in simkernel("run", "story.py").err


def test_a_file_that_cannot_be_completed_is_reported_at_the_end(
    simkernel: CommandLine, story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs a full device")
    done = simkernel("run", "story.py", "--trace", "/dev/full")
    assert done.code == 1
    assert "cannot write /dev/full: No space left on device" in done.err
    assert done.out.startswith(STORY)


def test_an_error_of_the_host_never_reaches_the_simulation(
    simkernel: CommandLine, story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(self: Diagram, record: Record) -> None:
        self._file.write("x" * 100_000)

    if not Path("/dev/full").exists():
        pytest.skip("needs a full device")
    monkeypatch.setattr(Diagram, "record", write)
    done = simkernel("run", "story.py", "--diagram", "/dev/full")
    assert done.err.endswith("cannot write /dev/full: No space left on device\n")
    assert done.out.startswith(STORY)


def test_an_unknown_flow_is_an_error_after_the_report_and_keeps_the_old_file(
    simkernel: CommandLine, story: Path
) -> None:
    Path("old").write_text("precious", "utf-8")
    done = simkernel("run", "story.py", "--diagram", "old", "--flow", "99")
    assert done.code == 1
    assert done.out.startswith(STORY)
    assert "unknown flow 99" in done.err
    assert Path("old").read_text("utf-8") == "precious"


def test_flow_without_diagram_is_refused(simkernel: CommandLine, story: Path) -> None:
    done = simkernel("run", "story.py", "--flow", "1")
    assert (done.code, done.out) == (2, "")
    assert "--flow selects the flow that --diagram or --hops shows: add one of these options" in done.err


def test_hops_draw_the_path_of_a_frame_in_80_columns(simkernel: CommandLine) -> None:
    result = simkernel("run", "camera", "--set", "duration=0.1", "--hops")
    path = result.out[result.out.index("One path") :]
    assert result.code == 0 and max(map(len, path.splitlines())) <= 80
    assert path.index("begins to expose") < path.index("handler of camera") < path.index("returns to viewer")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--hops", "--flow", "999"], "flow 999 has no hops: choose one of 1, 2"),
        (["--hops", "--json"], "leave one of them out"),
        (["--flow", "1"], "that --diagram or --hops shows"),
        (["--step"], "--step needs a terminal"),
    ],
)
def test_a_path_that_cannot_be_drawn_is_refused(
    simkernel: CommandLine, arguments: list[str], said: str
) -> None:
    result = simkernel("run", "camera", "--set", "duration=0.04", *arguments)
    assert result.code != 0 and said in result.err


def test_a_goal_is_the_last_paragraph_and_an_entry_of_the_json(simkernel: CommandLine, story: Path) -> None:
    text = story.read_text("utf-8")
    story.write_text(text + '    run.goal(run["naps"] == 4, "4 naps are wanted")\n', "utf-8")
    done = simkernel("run", "story.py")
    assert "\n\nGoal not reached yet: 4 naps are wanted\n\n" in done.out
    assert (
        "\n\nGoal reached: 4 naps are wanted\n\n"
        in simkernel("run", "story.py", "--set", "naps=4", "--details").out
    )
    goal = json.loads(simkernel("run", "story.py", "--json").out)["goal"]
    assert goal == {"reached": False, "text": "4 naps are wanted"}
