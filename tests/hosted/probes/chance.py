"""Probes of functions that return random numbers and unique names."""

from __future__ import annotations

from typing import Any

from probes import probe


@probe("seed", "random")
def _() -> Any:
    import random

    return random.random(), random.randbytes(4), random.sample(range(1000), 5)


@probe("seed", "random.Random")
def _() -> Any:
    import random

    generator = random.Random()
    first = generator.random()
    random.seed()
    return first, generator.random(), random.random()


@probe("harmless", "random.Random(1)")
def _() -> Any:
    import random

    return random.Random(1).random(), random.Random("text").choice("abcdef")


@probe("seed", "random.SystemRandom")
def _() -> Any:
    import random

    return random.SystemRandom().random(), random.SystemRandom().getrandbits(64)


@probe("seed", "os.urandom")
def _() -> Any:
    import os

    return os.urandom(8), os.getrandom(8)


@probe("seed", "secrets")
def _() -> Any:
    import secrets

    return secrets.token_hex(8), secrets.randbelow(10**9)


@probe("seed", "uuid.uuid4")
def _() -> Any:
    import uuid

    return str(uuid.uuid4())


@probe("seed", "uuid.uuid1")
def _() -> Any:
    import uuid

    return str(uuid.uuid1())


@probe("seed", "tempfile.mktemp")
def _() -> Any:
    import tempfile

    return tempfile.mktemp()


@probe("seed", "statistics.NormalDist")
def _() -> Any:
    import statistics

    return tuple(statistics.NormalDist().samples(3))


@probe("harmless", "hashlib")
def _() -> Any:
    import hashlib

    return hashlib.sha256(b"text").hexdigest()
