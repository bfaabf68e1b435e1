"""If the host has netlink, the tests compare the results of calls on simkernel's socket and on
`socket.socket`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW
from tests.blocking.socket_cases import CASES, Case, Open


@pytest.fixture(scope="module")
def real() -> Open:
    """Return the host's `socket.socket`. If the host has no netlink, skip the test."""
    try:
        socket.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK).close()
    except OSError:
        pytest.skip("this host has no netlink to compare with")
    return socket.socket


@pytest.fixture(scope="module")
def simulated() -> Iterator[Open]:
    """Return the socket class of a machine."""
    with Machine(udev=False) as machine:
        yield machine.blocking().socket


def outcome(case: Case, opened: Open) -> Any:
    """Return the result of a case. If the case raises an error, return the class of the error, with its errno
    and text for an OSError, and with its text for a ValueError.
    """
    with opened(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK) as sock:
        try:
            return case(sock, opened)
        except OSError as error:
            return type(error), error.errno, str(error)
        except ValueError as error:
            return type(error), str(error)
        except (TypeError, OverflowError, BufferError, NotImplementedError) as error:
            return type(error)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_same_outcome(case: Case, real: Open, simulated: Open) -> None:
    assert outcome(case, simulated) == outcome(case, real)
