import itertools
import struct

REQUEST, ACK = 1, 4
NLCTRL, ERROR = 16, 2
SEQUENCES = itertools.count(1)


def attribute(type, value):
    """Return an attribute, padded to a multiple of 4 bytes."""
    return struct.pack("<HH", 4 + len(value), type) + value + bytes(-len(value) % 4)


def message(type, flags, sequence, command, attributes):
    """Return a netlink message with the netlink header and the generic netlink header."""
    length = 16 + 4 + len(attributes)
    return struct.pack("<IHHIIBBH", length, type, flags, sequence, 0, command, 1, 0) + attributes


async def ask(sock, type, flags, command, attributes):
    """Send a request.  Return the type and the payload of its reply."""
    sequence = next(SEQUENCES)
    await sock.sendto(message(type, flags, sequence, command, attributes), (0, 0))
    while True:
        data, sender = await sock.recvfrom(8192)
        if sender[0] != 0:
            continue  # another program has sent this message
        while data:
            length, type, _, number, _ = struct.unpack_from("<IHHII", data)
            if number == sequence:
                return type, data[16:length]
            data = data[length + -length % 4 :]


async def set_rate(app, sock, rate):
    type, content = await ask(sock, NLCTRL, REQUEST, 3, attribute(2, b"mouse\0"))
    if type == ERROR:
        return -struct.unpack_from("<i", content)[0]
    family, at = 0, 4
    while at < len(content):
        length, type = struct.unpack_from("<HH", content, at)
        if type == 1:
            family = struct.unpack_from("<H", content, at + 4)[0]
        at += length + -length % 4
    _, content = await ask(sock, family, REQUEST | ACK, 2, attribute(3, struct.pack("<I", rate)))
    return -struct.unpack_from("<i", content)[0]
