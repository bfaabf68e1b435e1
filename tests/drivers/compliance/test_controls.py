"""Controls and their events, for all controls that a device lists (v4l2-test-controls.cpp)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simkernel.uapi import errno
from simkernel.uapi.poll import POLLPRI
from simkernel.uapi.structure import S32
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import v4l2_controls as cid
from simkernel.uapi.video import videodev2 as v4l2
from tests.drivers.compliance.checks import errno_of, is_zero
from tests.drivers.v4l2 import QUERIES, Video, filled

NEXT, NEXT_COMPOUND = v4l2.V4L2_CTRL_FLAG_NEXT_CTRL, v4l2.V4L2_CTRL_FLAG_NEXT_COMPOUND
READ_ONLY, WRITE_ONLY = v4l2.V4L2_CTRL_FLAG_READ_ONLY, v4l2.V4L2_CTRL_FLAG_WRITE_ONLY
CLASS, MENU = v4l2.V4L2_CTRL_TYPE_CTRL_CLASS, v4l2.V4L2_CTRL_TYPE_MENU
G, TRY, S = io.VIDIOC_G_EXT_CTRLS, io.VIDIOC_TRY_EXT_CTRLS, io.VIDIOC_S_EXT_CTRLS
LIMITS = (v4l2.V4L2_CTRL_WHICH_MIN_VAL, v4l2.V4L2_CTRL_WHICH_MAX_VAL)
STANDARD = range(cid.V4L2_CID_BASE, cid.V4L2_CID_BASE + 44)
"""Control ids up to V4L2_CID_LASTP1, which the test queries one by one."""

Described = s.V4l2QueryExtCtrl


def listed(video: Video, request: int, flags: int) -> Iterator[Described]:
    """Return the controls that a device lists with V4L2_CTRL_FLAG_NEXT_CTRL."""
    last = 0
    while True:
        try:
            control = video.ask(request, filled(QUERIES[request], id=last | flags))
        except OSError as error:
            assert error.errno == errno.EINVAL
            return
        assert control.id > last
        last = control.id
        yield control


@pytest.fixture
def controls(video: Video) -> list[Described]:
    return list(listed(video, io.VIDIOC_QUERY_EXT_CTRL, NEXT | NEXT_COMPOUND))


def settable(controls: list[Described]) -> list[Described]:
    return [each for each in controls if not each.flags & (READ_ONLY | WRITE_ONLY)]


def check_description(video: Video, control: Described) -> None:
    """Check the description of a control (`checkQCtrl()`)."""
    name = s.cstring(control.name)
    assert name == name.strip()
    assert name.isprintable()
    assert name
    assert is_zero(control.reserved)
    assert control.id < v4l2.V4L2_CID_PRIVATE_BASE
    busy = v4l2.V4L2_CTRL_FLAG_GRABBED | v4l2.V4L2_CTRL_FLAG_DISABLED
    assert not control.flags & busy
    if control.type == CLASS:
        assert control.id & 0xFFFF == 1
        assert control.flags == READ_ONLY | WRITE_ONLY
        assert (control.minimum, control.maximum, control.step, control.default_value) == (0, 0, 0, 0)
    else:
        assert control.id & 0xFFFF >= 0x900
        assert control.type in (v4l2.V4L2_CTRL_TYPE_INTEGER, MENU)
        assert control.minimum <= control.default_value <= control.maximum
        assert 0 < control.step <= control.maximum - control.minimum
        assert (control.maximum - control.minimum) % control.step == 0
        assert control.flags & (READ_ONLY | WRITE_ONLY) != READ_ONLY | WRITE_ONLY
    check_menu(video, control)


def check_menu(video: Video, control: Described) -> None:
    """Check that each value of a menu control has a name, and no other value has one (`checkQCtrl()`)."""

    def name_of(index: int) -> s.V4l2Querymenu | None:
        argument = filled(s.V4l2Querymenu, id=control.id, index=index)
        try:
            return video.ask(io.VIDIOC_QUERYMENU, argument)
        except OSError as error:
            assert error.errno == errno.EINVAL
            return None

    if control.type != MENU:
        assert name_of(control.minimum) is None
        return
    assert (control.step, control.minimum >= 0) == (1, True)
    assert not control.flags & v4l2.V4L2_CTRL_FLAG_SLIDER
    for index in range(control.maximum + 2):
        item = name_of(index)
        if control.minimum <= index <= control.maximum:
            assert item is not None
            assert (item.id, item.index, item.reserved) == (control.id, index, 0)
            assert s.cstring(item.name)
        else:
            assert item is None


def test_query_ext_controls(video: Video, controls: list[Described]) -> None:
    """The list of each control class begins with a V4L2_CTRL_TYPE_CTRL_CLASS item, followed by at least one
    control. Each listed control can be queried.
    """
    for control in controls:
        check_description(video, control)
    numbers = [control.id for control in controls]
    for which in {v4l2.V4L2_CTRL_ID2WHICH(id) for id in numbers}:
        of_class = [control for control in controls if v4l2.V4L2_CTRL_ID2WHICH(control.id) == which]
        assert [control.type == CLASS for control in of_class][:2] == [True, False]
    assert [each.id for each in listed(video, io.VIDIOC_QUERY_EXT_CTRL, NEXT)] == numbers
    assert list(listed(video, io.VIDIOC_QUERY_EXT_CTRL, NEXT_COMPOUND)) == []
    for id in (*STANDARD, v4l2.V4L2_CID_PRIVATE_BASE, 0):
        wanted = filled(s.V4l2QueryExtCtrl, id=id)
        assert errno_of(video, io.VIDIOC_QUERY_EXT_CTRL, wanted) == (0 if id in numbers else errno.EINVAL)


def test_query_controls(video: Video, controls: list[Described]) -> None:
    """VIDIOC_QUERYCTRL lists the same controls as VIDIOC_QUERY_EXT_CTRL."""
    older = list(listed(video, io.VIDIOC_QUERYCTRL, NEXT))
    same = ("id", "type", "minimum", "maximum", "step", "default_value", "flags")
    assert [[getattr(each, name) for name in same] for each in older] == [
        [getattr(each, name) for name in same] for each in controls
    ]
    assert list(listed(video, io.VIDIOC_QUERYCTRL, NEXT_COMPOUND)) == []


def test_simple_controls(video: Video, controls: list[Described]) -> None:
    """Each control can be set to its bounds and to its default. A value out of range is clamped or refused
    with ERANGE.
    """
    for control in controls:
        if control.type == CLASS:
            for request in (io.VIDIOC_G_CTRL, io.VIDIOC_S_CTRL):
                assert errno_of(video, request, s.V4l2Control(control.id)) == errno.EACCES
            continue
        assert video.set(control.id, video.get(control.id)) == control.default_value
        for value in (control.minimum, control.maximum, control.default_value):
            assert video.set(control.id, value) == video.get(control.id) == value
        for beyond, bound in (
            (control.minimum - 1, control.minimum),
            (control.maximum + 1, control.maximum),
        ):
            if control.type == MENU:
                wrong = s.V4l2Control(control.id, beyond)
                assert errno_of(video, io.VIDIOC_S_CTRL, wrong) == errno.ERANGE
            else:
                assert video.set(control.id, beyond) == bound
    for request in (io.VIDIOC_G_CTRL, io.VIDIOC_S_CTRL):
        assert errno_of(video, request, s.V4l2Control(0)) == errno.EINVAL


@pytest.mark.parametrize("request_", [G, TRY, S])
def test_extended_controls_without_any(video: Video, request_: int) -> None:
    """A request with count 0 succeeds and changes nothing."""
    argument = video.ask(request_, s.V4l2ExtControls())
    assert (argument.which, argument.count, is_zero(argument.reserved)) == (0, 0, True)


def test_extended_controls_one_by_one(video: Video, controls: list[Described]) -> None:
    """Each control is read, tried and set alone, both if `which` is 0 and if `which` is the class of the
    control. Only VIDIOC_TRY_EXT_CTRLS reports the index of a wrong control.
    """
    for control in controls:
        items = [(control.id, control.default_value)]
        for which in (0, v4l2.V4L2_CTRL_ID2WHICH(control.id)):
            told = [video.ext(request, which, items) for request in (G, TRY, S)]
            outcomes = [(each.errno, each.error_idx) for each in told]
            if control.type == CLASS:
                assert outcomes == [(errno.EACCES, 1), (errno.EACCES, 0), (errno.EACCES, 1)]
            else:
                assert [each.errno for each in told] == [0, 0, 0]
                assert [each.values for each in told] == [[control.default_value]] * 3
        for limit in LIMITS:
            assert video.ext(G, limit, items).errno == errno.EINVAL
    outcomes = [(each.errno, each.error_idx) for each in (video.ext(r, 0, [(0, 0)]) for r in (G, TRY, S))]
    assert outcomes == [(errno.EINVAL, 1), (errno.EINVAL, 0), (errno.EINVAL, 1)]


def test_extended_controls_together(video: Video, controls: list[Described]) -> None:
    """If `which` is 0, a request may contain controls of all classes. If `which` is a class, a request may
    contain only controls of this class. Default values can be read, but not set.
    """
    items = [(control.id, control.default_value) for control in settable(controls)]
    count = len(items)
    for request in (G, TRY, S):
        assert video.ext(request, 0, items).errno == 0
    which = v4l2.V4L2_CTRL_ID2WHICH(items[0][0])
    first_other = next(i for i, (id, _) in enumerate(items) if v4l2.V4L2_CTRL_ID2WHICH(id) != which)
    mixed = [video.ext(request, which, items) for request in (G, TRY, S)]
    assert [each.errno for each in mixed] == [errno.EINVAL] * 3
    assert [each.error_idx for each in mixed] == [count, first_other, count]
    for request in (TRY, S):
        for fixed in (v4l2.V4L2_CTRL_WHICH_DEF_VAL, *LIMITS):
            assert video.ext(request, fixed, items).errno == errno.EINVAL
    assert video.ext(G, v4l2.V4L2_CTRL_WHICH_DEF_VAL, items).values == [value for _, value in items]


def test_events(video: Video, controls: list[Described]) -> None:
    """V4L2_EVENT_SUB_FL_SEND_INITIAL queues an event at once, except for the title of a control class, which
    has no value.
    """
    for control in controls:
        wanted = s.V4l2EventSubscription(
            v4l2.V4L2_EVENT_CTRL, control.id, v4l2.V4L2_EVENT_SUB_FL_SEND_INITIAL
        )
        video.ask(io.VIDIOC_SUBSCRIBE_EVENT, wanted)
        assert bool(video.poll(POLLPRI)) == (control.type != CLASS)
        if control.type != CLASS:
            event = video.ask(io.VIDIOC_DQEVENT, filled(s.V4l2Event))
            assert (event.type, event.id, event.pending) == (v4l2.V4L2_EVENT_CTRL, control.id, 0)
            assert is_zero(event.reserved)
            told = s.V4l2EventCtrl.unpack(event.u)
            assert told.type == control.type
            assert S32.pack(told.value) == S32.pack(control.default_value)
        video.ask(io.VIDIOC_UNSUBSCRIBE_EVENT, wanted)


def test_events_of_other_devices(video: Video) -> None:
    """The camera refuses subscriptions to V4L2_EVENT_EOS and V4L2_EVENT_SOURCE_CHANGE, which are events of
    codecs and receivers.
    """
    for type in (v4l2.V4L2_EVENT_EOS, v4l2.V4L2_EVENT_SOURCE_CHANGE):
        wanted = s.V4l2EventSubscription(type)
        assert errno_of(video, io.VIDIOC_SUBSCRIBE_EVENT, wanted) == errno.EINVAL
