"""Probes of the library functions for files, archives and databases."""

from __future__ import annotations

import contextlib
from typing import Any

from probes import FOLDER, path, probe, text


@probe("machine", "builtins.open")
def _() -> Any:
    import builtins

    with builtins.open(path("a"), "wb") as file:
        file.write(b"text")
    return [path("a")]


@probe("machine", "io.open")
def _() -> Any:
    import io

    with io.open(path("a"), "w") as file:  # noqa: UP020
        file.write("text")
    return [path("a")]


@probe("machine", "io.FileIO")
def _() -> Any:
    import io

    with io.FileIO(path("a"), "w") as file:
        file.write(b"text")
    assert issubclass(io.FileIO, io.RawIOBase)
    return [path("a")]


@probe("machine", "_io.open")
def _() -> Any:
    import _io

    _io.open(path("a"), "w").close()
    return [path("a")]


@probe("machine", "os.open")
def _() -> Any:
    import os

    os.close(os.open(path("a"), os.O_CREAT | os.O_WRONLY))
    return [path("a")]


@probe("machine", "posix.mkdir")
def _() -> Any:
    import posix

    posix.mkdir(path("folder"))
    return [path("folder")]


@probe("machine", "pathlib")
def _() -> Any:
    import pathlib

    pathlib.Path(path("a")).write_text("text")
    return [path("a")]


@probe("machine", "shutil")
def _() -> Any:
    import shutil

    shutil.copytree(_folder(), path("copy"))
    return [path("copy/file")]


def _folder() -> str:
    import os

    os.mkdir(path("folder"))
    text("folder/file", "text")
    return path("folder")


@probe("machine", "tempfile")
def _() -> Any:
    import tempfile

    with tempfile.NamedTemporaryFile(dir=path("")[:-1], delete=False) as file:
        return [file.name]


@probe("machine", "glob")
def _() -> Any:
    import glob

    text("a", "text")
    assert glob.glob(f"{FOLDER}/*") == [path("a")]


@probe("machine", "contextlib.chdir")
def _() -> Any:
    import os

    with contextlib.chdir(path("")):
        assert os.getcwd() == FOLDER


@probe("machine", "gzip")
def _() -> Any:
    import gzip

    with gzip.open(path("a.gz"), "wt") as file:
        file.write("text")
    with gzip.open(path("a.gz"), "rt") as file:
        assert file.read() == "text"
    return [path("a.gz")]


@probe("machine", "bz2")
def _() -> Any:
    import bz2

    with bz2.open(path("a.bz2"), "wt") as file:
        file.write("text")
    with bz2.BZ2File(path("a.bz2")) as file:
        assert file.read() == b"text"
    return [path("a.bz2")]


@probe("machine", "lzma")
def _() -> Any:
    import lzma

    with lzma.open(path("a.xz"), "wt") as file:
        file.write("text")
    return [path("a.xz")]


@probe("machine", "zipfile")
def _() -> Any:
    import zipfile

    with zipfile.ZipFile(path("a.zip"), "w", strict_timestamps=False) as archive:
        archive.write(text("a", "text"), "name")
    with zipfile.ZipFile(path("a.zip")) as archive:
        archive.extractall(FOLDER)
        assert archive.infolist()[0].date_time[0] == 1980  # The zip format cannot store a year before 1980.
    return [path("a.zip"), path("name")]


@probe("machine", "tarfile")
def _() -> Any:
    import tarfile

    text("a", "text")
    with tarfile.open(path("a.tar.gz"), "w:gz") as archive:
        archive.add(path("a"), "name")
    with tarfile.open(path("a.tar.gz")) as archive:
        member = archive.getmembers()[0]
        archive.extract(member, FOLDER)
    assert member.uname == ""
    return [path("a.tar.gz"), path("name")]


@probe("machine", "codecs.open")
def _() -> Any:
    import codecs

    with codecs.open(path("a"), "w", "utf-16") as file:
        file.write("text")
    return [path("a")]


@probe("machine", "fileinput")
def _() -> Any:
    import fileinput

    with fileinput.input([text("a", "one\n"), text("b", "two\n")]) as lines:
        assert list(lines) == ["one\n", "two\n"]


@probe("machine", "linecache")
def _() -> Any:
    import linecache

    assert linecache.getline(text("a", "one\ntwo\n"), 2) == "two\n"
    assert linecache.getlines("/etc/passwd") == []


@probe("machine", "tokenize.open")
def _() -> Any:
    import tokenize

    with tokenize.open(text("a", "1 + 1\n")) as file:
        assert len(list(tokenize.generate_tokens(file.readline))) == 5


@probe("machine", "dbm")
def _() -> Any:
    import dbm

    with dbm.open(path("base"), "c") as base:
        base["key"] = "value"
    return [path("base.dat")]


@probe("machine", "shelve")
def _() -> Any:
    import pathlib
    import shelve
    import uuid

    value = {"where": pathlib.Path("/tmp"), "id": uuid.uuid4()}
    with shelve.open(path("shelf")) as shelf:
        shelf["key"] = value
    with shelve.open(path("shelf")) as shelf:
        assert shelf["key"] == value
    return [path("shelf.dat")]


@probe("machine", "pickle")
def _() -> Any:
    import datetime
    import pathlib
    import pickle
    import random

    value = [pathlib.Path("/tmp"), datetime.datetime.now(), random.Random(1).random, print]
    with open(path("a"), "wb") as file:
        pickle.dump(value[:2] + value[3:], file)
    with open(path("a"), "rb") as file:
        assert pickle.load(file) == value[:2] + value[3:]
    return [path("a")]


@probe("machine", "configparser")
def _() -> Any:
    import configparser

    parser = configparser.ConfigParser()
    assert parser.read([text("a", "[part]\nkey=value\n"), "/etc/os-release"]) == [path("a")]


@probe("machine", "csv")
def _() -> Any:
    import csv

    with open(path("a"), "w", newline="") as file:
        csv.writer(file).writerow([1, 2])
    return [path("a")]


@probe("machine", "json")
def _() -> Any:
    import json

    with open(path("a"), "w") as file:
        json.dump([1, 2], file)
    return [path("a")]


@probe("machine", "plistlib")
def _() -> Any:
    import plistlib

    with open(path("a"), "wb") as file:
        plistlib.dump({"key": 1}, file)
    return [path("a")]


@probe("machine", "tomllib")
def _() -> Any:
    import tomllib

    with open(text("a", "key = 1\n"), "rb") as file:
        assert tomllib.load(file) == {"key": 1}


@probe("machine", "xml.etree")
def _() -> Any:
    from xml.etree import ElementTree

    assert ElementTree.parse(text("a", "<a/>")).getroot().tag == "a"
    ElementTree.ElementTree(ElementTree.Element("b")).write(path("b"))
    return [path("b")]


@probe("machine", "xml.sax")
def _() -> Any:
    import xml.sax

    xml.sax.parse(text("a", "<a/>"), xml.sax.ContentHandler())


@probe("machine", "mailbox")
def _() -> Any:
    import mailbox

    box = mailbox.Maildir(path("mail"))
    box.add(b"Subject: text\n\n")
    box.flush()
    return [path("mail/new")]


@probe("machine", "mimetypes")
def _() -> Any:
    import mimetypes

    mimetypes.init([text("types", "text/probe probe\n")])
    assert mimetypes.guess_type("a.probe")[0] == "text/probe"


@probe("machine", "netrc")
def _() -> Any:
    import netrc

    assert netrc.netrc(text("a", "machine m login l password p\n")).hosts["m"][0] == "l"


@probe("machine", "wave")
def _() -> Any:
    import wave

    with wave.open(path("a.wav"), "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
    return [path("a.wav")]


@probe("machine", "filecmp")
def _() -> Any:
    import filecmp

    assert filecmp.cmp(text("a", "text"), text("b", "text"), shallow=False)


@probe("refused", "py_compile")
def _() -> Any:
    import py_compile

    py_compile.compile(text("a.py", "A = 1\n"), path("a.pyc"))


@probe("machine", "runpy.run_path")
def _() -> Any:
    import runpy

    code = f"import os\nwith open({path('made')!r}, 'w') as file: print(os.getpid(), file=file)\n"
    runpy.run_path(text("a.py", code))
    return [path("made")]


@probe("machine", "exec")
def _() -> Any:
    exec(f"with open({path('a')!r}, 'w') as file: file.write('text')")
    return [path("a")]


@probe("machine", "argparse.FileType")
def _() -> Any:
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=argparse.FileType("w"))
    parser.parse_args([path("a")]).file.close()
    return [path("a")]


@probe("machine", "gettext")
def _() -> Any:
    import gettext

    assert gettext.find("probe", languages=["de"]) is None


@probe("machine", "profile")
def _() -> Any:
    import cProfile

    cProfile.Profile().dump_stats(path("a"))
    return [path("a")]


@probe("machine", "mmap")
def _() -> Any:
    import mmap

    with open(text("a", "text"), "r+b") as file, mmap.mmap(file.fileno(), 4) as memory:
        assert memory[:] == b"text"


@probe("machine", "sqlite3 (:memory:)")
def _() -> Any:
    import random
    import sqlite3

    base = sqlite3.connect(":memory:")
    base.execute("create table t (a, b)")
    base.executemany("insert into t values (?, ?)", [(n, "x" * 100) for n in range(1000)])
    (count,) = base.execute("select count(*) from t").fetchone()
    assert count == 1000 and random.random() < 1
    return base.execute("select datetime('now'), random(), current_timestamp").fetchone()


@probe("refused", "sqlite3 (a file)")
def _() -> Any:
    import sqlite3

    sqlite3.connect(path("a.sqlite"))


@probe("refused", "sqlite3 (ATTACH)")
def _() -> Any:
    import sqlite3

    sqlite3.connect(":memory:").execute(f"attach database '{FOLDER}-attached' as other")


@probe("refused", "sqlite3 (VACUUM INTO)")
def _() -> Any:
    import sqlite3

    sqlite3.connect(":memory:").execute(f"vacuum into '{FOLDER}-vacuum'")
