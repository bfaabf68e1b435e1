"""Probes of the library functions for sockets and network clients."""

from __future__ import annotations

from typing import Any

from probes import FOLDER, path, probe, text


@probe("machine", "socket")
def _() -> Any:
    import socket

    one, other = socket.socketpair()
    with one, other, other.makefile("r") as lines:
        one.sendall(b"one\ntwo\n")
        assert [lines.readline(), lines.readline()] == ["one\n", "two\n"]


@probe("machine", "socket (SOCK_SEQPACKET)")
def _() -> Any:
    import socket

    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        for record in (b"one", b"", b"two"):
            one.sendall(record)
        assert other.recvmsg(2) == (b"on", [], socket.MSG_TRUNC, None)
        assert [other.recv(10), other.recv(10)] == [b"", b"two"]


@probe("machine", "asyncio (SOCK_SEQPACKET)")
def _() -> Any:
    import asyncio
    import os
    import socket

    async def serve() -> list[bytes]:
        loop = asyncio.get_running_loop()
        listener, client = (socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2))
        with listener, client:
            listener.bind(path("records"))
            listener.listen()
            listener.setblocking(False)
            client.setblocking(False)
            accepting = asyncio.ensure_future(loop.sock_accept(listener))
            await loop.sock_connect(client, path("records"))
            connection, _ = await accepting
            with connection:
                reading = asyncio.ensure_future(loop.sock_recv(connection, 10))
                await loop.sock_sendall(client, b"one")
                await loop.sock_sendall(client, b"two")
                client.shutdown(socket.SHUT_WR)
                return [await reading, *[await loop.sock_recv(connection, 10) for _ in range(2)]]

    os.makedirs(FOLDER, exist_ok=True)
    assert asyncio.run(serve()) == [b"one", b"two", b""]
    return [path("records")]


@probe("machine", "socket.send_fds")
def _() -> Any:
    import os
    import socket

    one, other = socket.socketpair()
    reader, writer = os.pipe()
    assert socket.CMSG_LEN(4) == 20 and socket.CMSG_SPACE(4) == 24
    with one, other:
        socket.send_fds(one, [b"take"], [writer])
        data, (fd,), _, _ = socket.recv_fds(other, 10, 1)
    os.write(fd, b"hello")
    assert (data, os.read(reader, 10)) == (b"take", b"hello")
    os.closerange(min(reader, writer, fd), max(reader, writer, fd) + 1)


@probe("machine", "socketserver")
def _() -> Any:
    import os
    import socket
    import socketserver

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(self.rfile.readline().upper())

    os.makedirs(FOLDER, exist_ok=True)
    server = socketserver.UnixStreamServer(path("server"), Handler)
    with server, socket.socket(socket.AF_UNIX) as client:
        client.connect(path("server"))
        client.sendall(b"text\n")
        server.handle_request()
        assert client.recv(10) == b"TEXT\n"
    return [path("server")]


@probe("refused", "socket.create_connection")
def _() -> Any:
    import socket

    socket.create_connection(("127.0.0.1", 80), timeout=1)


@probe("refused", "socket.getaddrinfo")
def _() -> Any:
    import socket

    socket.getaddrinfo("localhost", 80)


@probe("machine", "socket (AF_INET)")
def _() -> Any:
    import errno
    import socket

    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        assert error.errno == errno.EAFNOSUPPORT
    else:
        raise AssertionError("a machine has no internet")


@probe("refused", "http.client")
def _() -> Any:
    import http.client

    http.client.HTTPConnection("127.0.0.1", 80, timeout=1).request("GET", "/")


@probe("refused", "http.server")
def _() -> Any:
    import http.server

    http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)


@probe("refused", "urllib.request")
def _() -> Any:
    import urllib.request

    urllib.request.urlopen("http://127.0.0.1:80/", timeout=1)


@probe("refused", "ftplib")
def _() -> Any:
    import ftplib

    ftplib.FTP("127.0.0.1", timeout=1)


@probe("refused", "smtplib")
def _() -> Any:
    import smtplib

    smtplib.SMTP("127.0.0.1", 25, timeout=1)


@probe("refused", "imaplib")
def _() -> Any:
    import imaplib

    imaplib.IMAP4("127.0.0.1", timeout=1)


@probe("refused", "poplib")
def _() -> Any:
    import poplib

    poplib.POP3("127.0.0.1", timeout=1)


@probe("refused", "xmlrpc.client")
def _() -> Any:
    import xmlrpc.client

    xmlrpc.client.ServerProxy("http://127.0.0.1:80").system.listMethods()


@probe("refused", "ssl")
def _() -> Any:
    import ssl

    ssl.create_default_context()


@probe("refused", "ssl.RAND_bytes")
def _() -> Any:
    import ssl

    ssl.RAND_bytes(8)


@probe("machine", "select")
def _() -> Any:
    import os
    import select

    reader, writer = os.pipe()
    assert select.select([reader], [writer], [], 0) == ([], [writer], [])
    os.close(reader)
    os.close(writer)


@probe("machine", "selectors")
def _() -> Any:
    import os
    import selectors

    reader, writer = os.pipe()
    with selectors.DefaultSelector() as selector:
        selector.register(writer, selectors.EVENT_WRITE)
        assert len(selector.select(0)) == 1
    os.close(reader)
    os.close(writer)


@probe("machine", "asyncio")
def _() -> Any:
    import asyncio
    import time

    begun = time.monotonic()
    asyncio.run(asyncio.sleep(3))
    assert 3 <= time.monotonic() - begun < 3.1


@probe("refused", "asyncio (subprocess)")
def _() -> Any:
    import asyncio

    asyncio.run(asyncio.create_subprocess_exec("true"))


@probe("machine", "asyncio (sendfile)")
def _() -> Any:
    import asyncio
    import socket

    async def send() -> None:
        one, other = socket.socketpair()
        with one, other, open(text("a", "text"), "rb") as file:
            one.setblocking(False)
            await asyncio.get_running_loop().sock_sendfile(one, file)
            assert other.recv(10) == b"text"

    asyncio.run(send())


@probe("refused", "asyncio (TCP)")
def _() -> Any:
    import asyncio

    asyncio.run(asyncio.open_connection("127.0.0.1", 80))
