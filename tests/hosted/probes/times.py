"""Probes of the library functions for clocks and calendars."""

from __future__ import annotations

import contextlib
from typing import Any

from probes import path, probe


@probe("machine", "time.time")
def _() -> Any:
    import time

    assert time.time() < 1e6
    return time.time(), time.time_ns(), time.ctime(), time.localtime(), time.strftime("%c")


@probe("machine", "time.monotonic")
def _() -> Any:
    import time

    return time.monotonic(), time.perf_counter(), time.process_time(), time.thread_time_ns()


@probe("machine", "time.sleep")
def _() -> Any:
    import time

    begun = time.monotonic()
    time.sleep(50)
    assert 50 <= time.monotonic() - begun < 51


@probe("machine", "datetime.datetime.now")
def _() -> Any:
    import datetime
    from datetime import date, timedelta, timezone
    from datetime import datetime as when

    now = when.now()
    assert now.year == 1970 and now + timedelta(0) == now
    assert repr(when(1970, 1, 1)) == "datetime.datetime(1970, 1, 1, 0, 0)"
    assert repr(date(1970, 1, 1)) == "datetime.date(1970, 1, 1)"
    assert isinstance(now, date) and isinstance(now.date(), date) and not isinstance(date.today(), when)
    assert issubclass(when, date) and type(now + timedelta(1)) is when
    assert when.fromtimestamp(0) == when(1970, 1, 1) and when(1970, 1, 1).timestamp() == 0
    assert when.fromtimestamp(0).astimezone().utcoffset() == timedelta(0)
    assert datetime.datetime.now(timezone.utc).timestamp() < 1e6  # noqa: UP017
    return now, when.now(timezone(timedelta(hours=2)))


@probe("machine", "datetime.datetime.utcnow")
def _() -> Any:
    import datetime
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert datetime.datetime.utcnow().year == 1970
        return datetime.datetime.utcnow(), datetime.datetime.utcfromtimestamp(1)


@probe("machine", "datetime.date.today")
def _() -> Any:
    from datetime import date, datetime

    assert datetime.today().year == 1970
    assert date.today() == date(1970, 1, 1) == date.fromtimestamp(0)


@probe("machine", "zoneinfo")
def _() -> Any:
    import os
    import zoneinfo

    assert zoneinfo.TZPATH and not any(map(os.path.exists, zoneinfo.TZPATH))
    with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError):
        # If the package tzdata is installed, it may provide this time zone.
        zoneinfo.ZoneInfo("Europe/Berlin")


@probe("machine", "sched")
def _() -> Any:
    import sched
    import time

    got: list[float] = []
    scheduler = sched.scheduler()
    scheduler.enter(50, 1, lambda: got.append(time.monotonic()))
    begun = time.monotonic()
    scheduler.run()
    assert 50 <= got[0] - begun < 51


@probe("machine", "timeit")
def _() -> Any:
    import timeit

    return timeit.timeit("pass", number=1000)


@probe("machine", "calendar")
def _() -> Any:
    import calendar

    assert "1970" in calendar.month(1970, 1)
    assert calendar.timegm((1970, 1, 1, 0, 0, 1)) == 1


@probe("machine", "email.utils")
def _() -> Any:
    import email.utils

    assert email.utils.formatdate().endswith("1970 00:00:01 -0000")
    return email.utils.make_msgid()


@probe("machine", "http.cookiejar")
def _() -> Any:
    import http.cookiejar

    jar = http.cookiejar.LWPCookieJar(path("cookies"))
    jar.save()
    return [path("cookies")]
