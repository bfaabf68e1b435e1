"""On a host that is not Linux, `lend()` sets Linux's numbers and error texts in Python's modules `errno`,
`os` and `socket`.
"""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import errno, os, socket
before = dict(errno.errorcode), os.strerror(22), int(socket.SO_RCVBUF)
errno.EINVAL, errno.ENOBUFS = 28, 42
errno.errorcode = {28: "EINVAL", 42: "ENOBUFS"}
os.strerror = lambda number: "nothing"
del socket.AF_NETLINK
socket.SO_RCVBUF = 4098
from simkernel.lessons.linux_names import lend
lend()
print(errno.EINVAL, errno.ENOBUFS, socket.AF_NETLINK)
print(all(getattr(errno, name) == number for number, name in before[0].items()), errno.errorcode[22])
print((os.strerror(22), int(socket.SO_RCVBUF)) == before[1:])
"""


def test_lends_numbers_texts_and_socket_names() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["22 105 16", "True EINVAL", "True"]
