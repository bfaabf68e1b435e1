"""Parameters of real modules in User-mode Linux: accepted values, and their files in sysfs."""

from __future__ import annotations

from collections.abc import Iterable

from tests.conformance.case import case
from tests.conformance.cases.modules import MODULES, UML
from tests.conformance.log import Log
from tests.conformance.world import World


def try_lines(world: World, log: Log, name: str, lines: Iterable[str], *shown: str) -> None:
    """For each parameter line: load a module with it, record the parameters in sysfs, and unload the
    module.
    """
    for line in lines:
        label = f"{name} {line[:60]!r} {len(line)}"
        try:
            world.insmod(name, line)
        except OSError as error:
            log(label, error)
            continue
        log(label, [world.read_file(f"/sys/module/{name}/parameters/{each}").decode() for each in shown])
        world.rmmod(name)


INTEGERS = (
    *(
        "0",
        "1",
        "-1",
        "+5",
        "007",
        "0x10",
        "0X1f",
        "-0x10",
        "-010",
        "08",
        "0x",
        "0xg",
        "1e3",
        "1.5",
        "",
        " 5",
        "5 ",
    ),
    *("2147483647", "2147483648", "-2147483648", "-2147483649", "0x7fffffff", "0x80000000", "4294967295"),
    *("99999999999999999999", "--5", "+-5", "5,6", '"5"', '"5', "5\n", "5\n\n", "\t5", "1_000", "٣", "true"),
)


@case(privileged=True, marks=MODULES, oracle=UML)
def integers(world: World, log: Log) -> None:
    """`int` parameters accept signed 32-bit numbers in decimal, hexadecimal and octal."""
    try_lines(world, log, "tcp_bic", [f"beta={text}" for text in INTEGERS], "beta")


@case(privileged=True, marks=MODULES, oracle=UML)
def words(world: World, log: Log) -> None:
    """Parsing of a parameter line: blanks, quotes, repeated and unknown names, names without a value,
    `--`.
    """
    lines = (
        "",
        " ",
        "beta=3 low_window=5",
        "  beta=3\tlow_window=5\n",
        "beta=3 beta=4",
        "beta=3 beta=x",
        "beta=x low_window=5",
        "beta=99999999999 low_window=x",
        "low_window=x beta=99999999999",
        "nosuch=3 beta=4",
        "nosuch",
        "beta",
        "=5",
        "=",
        "beta =5",
        "beta= 5",
        '"beta=5"',
        'beta="5" low_window=6',
        'beta="5 low_window=6',
        '"beta=5 low_window=6"',
        "low-window=7",
        "low_window=8 low-window=9",
        "Beta=5",
        "beta=5 -- beta=x",
        "-- beta=x",
        "--=5",
        "tcp_bic.beta=5",
        "beta==5",
        "beta=5;low_window=6",
    )
    try_lines(world, log, "tcp_bic", lines, "beta", "low_window", "smooth_part")


BOOLEANS = (
    *(
        "y",
        "Y",
        "yes",
        "yellow",
        "1",
        "10",
        "n",
        "N",
        "no",
        "0",
        "01",
        "on",
        "ON",
        "oN",
        "of",
        "off",
        "OFF",
        "offer",
    ),
    *("o", "t", "T", "true", "f", "False", "2", "-1", "", " y", '"y"', "enable", "d", "disable", "e"),
)


@case(privileged=True, marks=MODULES, oracle=UML)
def booleans(world: World, log: Log) -> None:
    """Only the first letters of a `bool` parameter's value count: `yellow` means yes. A name without a value
    means true.
    """
    lines = ("strict", *(f"strict={text}" for text in BOOLEANS))
    try_lines(world, log, "842_compress", lines, "strict")


@case(privileged=True, marks=MODULES, oracle=UML)
def strings(world: World, log: Log) -> None:
    """`charp` parameters accept any text of up to 1024 bytes."""
    lines = [
        "soft_reboot_cmd",
        "soft_reboot_cmd=",
        "soft_reboot_cmd=x",
        "soft_reboot_cmd=" + 1023 * "x",
        "soft_reboot_cmd=" + 1024 * "x",
        "soft_reboot_cmd=" + 1025 * "x",
        'soft_reboot_cmd="a b"',
        "soft_reboot_cmd=a=b",
    ]
    try_lines(world, log, "softdog", lines)


@case(privileged=True, marks=MODULES, oracle=UML)
def arrays(world: World, log: Log) -> None:
    """Array parameters accept values separated by commas, up to the array's size. sysfs shows only the
    elements that are set.
    """
    world.modprobe("nf_conntrack")
    texts = ("", "1", "1,2", "1,2,3,4", "1,,2", ",1", "1,", "1,x", "1, 2", '"1, 2"', "0x10,010", "1;2")
    counted = [",".join(map(str, range(1, count + 1))) for count in (7, 8, 9)]
    lines = ["", "ports", *(f"ports={text}" for text in (*texts, *counted)), "ports=1,2 ports=3"]
    try_lines(world, log, "nf_conntrack_sane", lines, "ports")


@case(privileged=True, marks=MODULES, oracle=UML)
def files_of_parameters(world: World, log: Log) -> None:
    """sysfs has only the parameters that are declared with permissions."""
    for name in ("tcp_bic", "842_compress", "softdog", "netconsole"):
        log.call(name, world.insmod, name)
        log.call("files", lambda: sorted(world.listdir(f"/sys/module/{name}/parameters")))  # noqa: B023
