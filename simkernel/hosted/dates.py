"""The `datetime` module of a hosted program: `now` and `today` read the machine's clock; local time is UTC.

The classes are subclasses of Python's classes, and isinstance() also accepts instances of Python's (PEP
3119).  So hosted packages and other code can exchange dates.  The package freezegun uses the same
technique.
"""

from __future__ import annotations

import datetime as real
from types import ModuleType
from typing import Any, Self

from simkernel.hosted.calls import Facade

UTC = real.UTC


class _Original(type):
    """A metaclass for subclasses of date and datetime. With such a subclass, isinstance() also accepts
    objects of Python's own date or datetime.
    """

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.__bases__[-1])

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.__bases__[-1])


class _Named:
    """A mixin that makes repr() begin with "datetime.", as the repr() of Python's classes does."""

    def __repr__(self) -> str:
        return ("datetime." if type(self).__module__ == "datetime" else "") + super().__repr__()


def datetime_module(time: ModuleType) -> ModuleType:
    """Return a `datetime` module that reads the clock of the module `time`."""

    class date(_Named, real.date, metaclass=_Original):  # noqa: N801
        @classmethod
        def fromtimestamp(cls, timestamp: float, /) -> Self:
            return cls.fromordinal(real.datetime.fromtimestamp(timestamp, UTC).toordinal())

        @classmethod
        def today(cls) -> Self:
            return cls.fromtimestamp(time.time())

        def __reduce__(self) -> Any:
            return real.date, *super().__reduce__()[1:]

    class datetime(_Named, real.datetime, metaclass=_Original):  # noqa: N801
        @classmethod
        def fromtimestamp(cls, timestamp: float, tz: real.tzinfo | None = None) -> Self:
            made = super().fromtimestamp(timestamp, tz or UTC)
            return made if tz else made.replace(tzinfo=None)

        @classmethod
        def now(cls, tz: real.tzinfo | None = None) -> Self:
            return cls.fromtimestamp(time.time(), tz)

        today = utcnow = now

        def timestamp(self) -> float:
            return real.datetime.timestamp(self if self.tzinfo else self.replace(tzinfo=UTC))

        def astimezone(self, tz: real.tzinfo | None = None) -> Self:
            aware = self if self.tzinfo else self.replace(tzinfo=UTC)
            return real.datetime.astimezone(aware, tz or UTC)

        def __reduce_ex__(self, protocol: Any) -> Any:
            return real.datetime, *super().__reduce_ex__(protocol)[1:]

    for each in (date, datetime):
        each.__module__, each.__qualname__ = "datetime", each.__name__
    return Facade(real, date=date, datetime=datetime)
