"""Probes of the library functions for logging."""

from __future__ import annotations

from typing import Any

from probes import FOLDER, path, probe


@probe("machine", "logging.FileHandler")
def _() -> Any:
    import logging

    handler = logging.FileHandler(path("log"))
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(message)s"))
    logger = logging.getLogger("probe")
    logger.addHandler(handler)
    logger.warning("text")
    handler.close()
    with open(path("log")) as file:
        assert file.read().startswith("1970-01-01 00:00:0")
    return [path("log")]


@probe("machine", "logging.handlers")
def _() -> Any:
    import logging.handlers

    for handler in (
        logging.handlers.RotatingFileHandler(path("one"), maxBytes=10, backupCount=1),
        logging.handlers.TimedRotatingFileHandler(path("two"), when="S"),
        logging.handlers.WatchedFileHandler(path("three")),
    ):
        for _ in range(2):
            handler.handle(logging.makeLogRecord({"msg": "text" * 5}))
        handler.close()
    return [path("one"), path("one.1"), path("two"), path("three")]


@probe("machine", "logging.config")
def _() -> Any:
    import logging
    import logging.config

    handler = {"class": "logging.FileHandler", "filename": path("log")}
    logging.config.dictConfig({"version": 1, "handlers": {"h": handler}, "root": {"handlers": ["h"]}})
    logging.getLogger().handlers[0].close()
    return [path("log")]


@probe("machine", "SysLogHandler")
def _() -> Any:
    import logging.handlers
    import os
    import socket

    os.makedirs(FOLDER, exist_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(path("log"))
    handler = logging.handlers.SysLogHandler(path("log"))
    handler.handle(logging.makeLogRecord({"msg": "text"}))
    assert b"text" in server.recv(100)
    handler.close()
    server.close()


@probe("refused", "syslog")
def _() -> Any:
    import syslog

    syslog.syslog("text")
