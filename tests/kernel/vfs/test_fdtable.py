"""The descriptor table, compared with a dict."""

import errno

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from simkernel.kernel.vfs.fdtable import FileTable
from simkernel.kernel.vfs.file import OpenFile, OpenFiles

LIMIT = 8


class Thing:
    """A file that records its release."""

    wait_queues = ()

    def __init__(self) -> None:
        self.released = 0

    def poll(self) -> int:
        return 0

    def release(self) -> None:
        self.released += 1


class PathOnly(OpenFile):
    """A file that is open with O_PATH."""

    path_only = True


class Tables(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.tables = [FileTable(OpenFiles(), LIMIT)]
        self.models: list[dict[int, Thing]] = [{}]
        # The standard streams hold the descriptors 0, 1 and 2 until a program replaces them.
        self.own_streams: list[set[int]] = [set()]
        self.things: list[Thing] = []

    def own(self, which: int) -> list[int]:
        return sorted(self.own_streams[which] | set(range(3, LIMIT)))

    @rule(data=st.data(), kind=st.sampled_from([OpenFile, PathOnly]))
    def open(self, data: st.DataObject, kind: type[OpenFile]) -> None:
        which = data.draw(st.integers(0, len(self.tables) - 1))
        model = self.models[which]
        free = next((fd for fd in self.own(which) if fd not in model), None)
        thing = Thing()
        if free is None:
            with pytest.raises(OSError) as refused:
                self.tables[which].install(kind(thing))
            assert refused.value.errno == errno.EMFILE
        else:
            self.things.append(thing)
            assert self.tables[which].install(kind(thing)) == free
            model[free] = thing

    @rule(data=st.data(), fd=st.integers(0, LIMIT + 1))
    def close(self, data: st.DataObject, fd: int) -> None:
        which = data.draw(st.integers(0, len(self.tables) - 1))
        if fd in self.models[which]:
            self.tables[which].close(fd)
            del self.models[which][fd]
        else:
            with pytest.raises(OSError) as refused:
                self.tables[which].close(fd)
            assert refused.value.errno == errno.EBADF

    @rule(data=st.data(), other=st.integers(0, LIMIT + 1))
    def dup2(self, data: st.DataObject, other: int) -> None:
        which = data.draw(st.integers(0, len(self.tables) - 1))
        table, model = self.tables[which], self.models[which]
        if not model:
            return
        fd = data.draw(st.sampled_from(sorted(model)))
        if other >= LIMIT:
            with pytest.raises(OSError):
                table.install_at(other, table.get_raw(fd))
        else:
            assert table.install_at(other, table.get_raw(fd)) == other
            model[other] = model[fd]
            self.own_streams[which].add(other)

    @rule(data=st.data())
    def fork(self, data: st.DataObject) -> None:
        if len(self.tables) < 4:
            which = data.draw(st.integers(0, len(self.tables) - 1))
            self.tables.append(self.tables[which].copy())
            self.models.append(dict(self.models[which]))
            self.own_streams.append(set(self.own_streams[which]))

    @rule(data=st.data())
    def exit(self, data: st.DataObject) -> None:
        if len(self.tables) > 1:
            which = data.draw(st.integers(0, len(self.tables) - 1))
            self.tables.pop(which).close_all()
            self.models.pop(which)
            self.own_streams.pop(which)

    @invariant()
    def same(self) -> None:
        for table, model in zip(self.tables, self.models, strict=True):
            assert {fd: file.object for fd, file in table.items()} == model
            assert model.keys() - table.paths.keys() == {fd for fd in model if takes(table, fd)}
            assert len(table) == len(model)

    @invariant()
    def released_exactly_when_nobody_has_it(self) -> None:
        held = {id(thing) for model in self.models for thing in model.values()}
        for thing in self.things:
            assert thing.released == (0 if id(thing) in held else 1)


def takes(table: FileTable[OpenFile], fd: int) -> bool:
    """Return True if the descriptor is open and was not opened with O_PATH."""
    try:
        return table.get(fd) is table.get_raw(fd)
    except OSError as error:
        assert error.errno == errno.EBADF
        return False


TestTables = Tables.TestCase
