"""Controls of a camera, and the events that report changes of controls. Sources: v4l2-ctrls-core.c,
v4l2-event.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.hardware import Camera
from simkernel.hardware.camera.registers import EXPOSURE, EXPOSURE_DEFAULT, EXPOSURE_MAX, GAIN
from simkernel.uapi import errno
from simkernel.uapi.poll import POLLPRI
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import v4l2_controls as cid
from simkernel.uapi.video import videodev2 as v4l2
from tests.drivers.bench import bench
from tests.drivers.v4l2 import Video

EXPOSURE_ID, GAIN_ID, PATTERN_ID = cid.V4L2_CID_EXPOSURE, cid.V4L2_CID_GAIN, cid.V4L2_CID_TEST_PATTERN
ALL = [cid.V4L2_CID_USER_CLASS, EXPOSURE_ID, GAIN_ID, cid.V4L2_CID_IMAGE_PROC_CLASS, PATTERN_ID]
GET, SET, TRY = io.VIDIOC_G_EXT_CTRLS, io.VIDIOC_S_EXT_CTRLS, io.VIDIOC_TRY_EXT_CTRLS
USER, IMAGE_PROC = cid.V4L2_CTRL_CLASS_USER, cid.V4L2_CTRL_CLASS_IMAGE_PROC
VALUE, FLAGS = v4l2.V4L2_EVENT_CTRL_CH_VALUE, v4l2.V4L2_EVENT_CTRL_CH_FLAGS


@pytest.fixture
def device() -> Camera:
    return Camera()


@pytest.fixture
def machine(device: Camera) -> Iterator[Machine]:
    with bench(device) as machine:
        yield machine


@pytest.fixture
def video(machine: Machine) -> Video:
    return Video.nonblocking(machine)


def fails(number: int) -> Any:
    return pytest.raises(OSError, match=rf"^\[Errno {number}\]")


# -- listing --------------------------------------------------------------------------


def test_controls_are_listed_below_their_classes(video: Video) -> None:
    found, id = [], 0
    for next_ in (v4l2.V4L2_CTRL_FLAG_NEXT_CTRL, v4l2.V4L2_CTRL_FLAG_NEXT_CTRL | 0x40000000):
        found, id = [], 0
        while True:
            try:
                control = video.ask(io.VIDIOC_QUERY_EXT_CTRL, s.V4l2QueryExtCtrl(id | next_))
            except OSError as error:
                assert error.errno == errno.EINVAL
                break
            found.append((control.id, s.cstring(control.name)))
            id = control.id
        assert [each for each, _ in found] == ALL
    assert dict(found)[PATTERN_ID] == "Test Pattern"
    assert dict(found)[cid.V4L2_CID_USER_CLASS] == "User Controls"


def test_description_of_a_control(video: Video) -> None:
    long = video.ask(io.VIDIOC_QUERY_EXT_CTRL, s.V4l2QueryExtCtrl(EXPOSURE_ID))
    short = video.ask(io.VIDIOC_QUERYCTRL, s.V4l2Queryctrl(EXPOSURE_ID))
    for name in ("type", "minimum", "maximum", "step", "default_value", "flags"):
        assert getattr(long, name) == getattr(short, name)
    assert (long.elem_size, long.elems, long.nr_of_dims) == (4, 1, 0)
    assert s.cstring(short.name) == "Exposure"
    assert (short.minimum, short.maximum, short.default_value) == (10, EXPOSURE_MAX, EXPOSURE_DEFAULT)
    with fails(errno.EINVAL):
        video.ask(io.VIDIOC_QUERYCTRL, s.V4l2Queryctrl(v4l2.V4L2_CTRL_FLAG_NEXT_COMPOUND))


def test_the_names_in_a_menu(video: Video) -> None:
    names = []
    for index in range(4):
        names.append(s.cstring(video.ask(io.VIDIOC_QUERYMENU, s.V4l2Querymenu(PATTERN_ID, index)).name))
    assert names == ["colour bars", "grey ramp", "checkerboard", "solid grey"]
    for id, index in ((PATTERN_ID, 4), (GAIN_ID, 1), (0, 0)):
        with fails(errno.EINVAL):
            video.ask(io.VIDIOC_QUERYMENU, s.V4l2Querymenu(id, index))


# -- values ----------------------------------------------------------------------------


def test_a_set_value_reaches_the_device(video: Video, device: Camera) -> None:
    assert video.set(EXPOSURE_ID, 1234) == video.get(EXPOSURE_ID) == 1234
    assert device.values[EXPOSURE] == 1234


@pytest.mark.parametrize(("wanted", "given"), [(-5, 10), (0, 10), (EXPOSURE_MAX + 1, EXPOSURE_MAX)])
def test_a_number_out_of_range_becomes_the_nearest(video: Video, wanted: int, given: int) -> None:
    assert video.set(EXPOSURE_ID, wanted) == given


def test_a_menu_has_no_nearest(video: Video) -> None:
    with fails(errno.ERANGE):
        video.set(PATTERN_ID, 4)
    assert video.get(PATTERN_ID) == 0


def test_classes_can_only_be_listed(video: Video) -> None:
    with fails(errno.EACCES):
        video.get(cid.V4L2_CID_USER_CLASS)
    with fails(errno.EACCES):
        video.set(cid.V4L2_CID_USER_CLASS, 1)
    assert video.ext(GET, 0, [(cid.V4L2_CID_USER_CLASS, 0)]).errno == errno.EACCES


def test_netlink_and_v4l2_adjust_the_same(machine: Machine, video: Video) -> None:
    camera = machine.blocking().genetlink("camera")
    camera.do("set-control", control="gain", value=77)
    assert video.get(GAIN_ID) == 77
    video.set(PATTERN_ID, 2)
    assert camera.do("get-control", control="test-pattern")["value"] == 2


def test_a_new_driver_begins_with_the_defaults(machine: Machine, video: Video, device: Camera) -> None:
    """`v4l2_ctrl_handler_setup()` resets a device that another driver may have adjusted."""
    video.set(GAIN_ID, 99)
    video.close()
    root = machine.blocking()
    root.rmmod("camera")
    assert device.values[GAIN] == 99
    root.modprobe("camera")
    assert Video.open(machine).get(GAIN_ID) == device.values[GAIN] == 16


# -- several at once --------------------------------------------------------------------


def test_several_are_set_together(video: Video) -> None:
    result = video.ext(SET, 0, [(EXPOSURE_ID, 500), (GAIN_ID, 20), (PATTERN_ID, 1)])
    assert (result.errno, result.values) == (0, [500, 20, 1])
    assert video.ext(GET, USER, [(GAIN_ID, 0), (EXPOSURE_ID, 0)]).values == [20, 500]
    assert video.ext(GET, v4l2.V4L2_CTRL_WHICH_DEF_VAL, [(GAIN_ID, 0), (PATTERN_ID, 9)]).values == [16, 0]


def test_trying_sets_nothing_and_rounds(video: Video) -> None:
    result = video.ext(TRY, 0, [(GAIN_ID, 1000), (EXPOSURE_ID, 1)])
    assert (result.errno, result.values) == (0, [255, 10])
    assert video.get(GAIN_ID) == 16


@pytest.mark.parametrize(
    ("request_", "which", "items", "number", "error_idx"),
    [
        # One control is unknown or belongs to another class. Only VIDIOC_TRY_EXT_CTRLS reports its index.
        (GET, 0, [(GAIN_ID, 1), (1, 1)], errno.EINVAL, 2),
        (SET, 0, [(GAIN_ID, 1), (1, 1)], errno.EINVAL, 2),
        (TRY, 0, [(GAIN_ID, 1), (1, 1)], errno.EINVAL, 1),
        (GET, USER, [(PATTERN_ID, 1)], errno.EINVAL, 1),
        (SET, USER, [(GAIN_ID, 1), (PATTERN_ID, 1)], errno.EINVAL, 2),
        (TRY, USER, [(GAIN_ID, 1), (PATTERN_ID, 1)], errno.EINVAL, 1),
        # Values out of range.
        (SET, 0, [(GAIN_ID, 99), (PATTERN_ID, 9)], errno.ERANGE, 2),
        (TRY, 0, [(GAIN_ID, 99), (PATTERN_ID, 9)], errno.ERANGE, 1),
        # The title of a control class and default values are read-only.
        # V4L2_CTRL_WHICH_MIN_VAL, MAX_VAL and REQUEST_VAL are not supported.
        (SET, 0, [(cid.V4L2_CID_USER_CLASS, 0)], errno.EACCES, 1),
        (TRY, 0, [(GAIN_ID, 1), (cid.V4L2_CID_USER_CLASS, 0)], errno.EACCES, 1),
        (SET, v4l2.V4L2_CTRL_WHICH_DEF_VAL, [(GAIN_ID, 1)], errno.EINVAL, 1),
        (TRY, v4l2.V4L2_CTRL_WHICH_DEF_VAL, [(GAIN_ID, 1)], errno.EINVAL, 1),
        (GET, v4l2.V4L2_CTRL_WHICH_MIN_VAL, [(GAIN_ID, 1)], errno.EINVAL, 1),
        (GET, v4l2.V4L2_CTRL_WHICH_MAX_VAL, [(GAIN_ID, 1), (PATTERN_ID, 1)], errno.EINVAL, 2),
        (GET, v4l2.V4L2_CTRL_WHICH_MAX_VAL, [], 0, 0),
        (TRY, v4l2.V4L2_CTRL_WHICH_MIN_VAL, [(GAIN_ID, 1)], errno.EINVAL, 1),
        (SET, v4l2.V4L2_CTRL_WHICH_MAX_VAL, [], errno.EINVAL, 0),
        (GET, v4l2.V4L2_CTRL_WHICH_REQUEST_VAL, [(GAIN_ID, 1)], errno.EINVAL, 1),
        (GET, v4l2.V4L2_CTRL_WHICH_REQUEST_VAL, [], errno.EINVAL, 0),
        # Without controls, a request only checks that the class exists.
        (GET, 0, [], 0, 0),
        (TRY, USER, [], 0, 0),
        (SET, IMAGE_PROC, [], 0, 0),
        (GET, cid.V4L2_CTRL_CLASS_FLASH, [], errno.EINVAL, 0),
        # A request may have at most 1024 controls.
        (GET, 0, [(GAIN_ID, 0)] * 1025, errno.EINVAL, 99),
    ],
)
def test_which_one_is_at_fault(
    video: Video, request_: int, which: int, items: list[tuple[int, int]], number: int, error_idx: int
) -> None:
    result = video.ext(request_, which, items)
    assert (result.errno, result.error_idx) == (number, error_idx)
    assert video.get(GAIN_ID) == 16  # no control was set


def test_an_invalid_address_is_refused(video: Video) -> None:
    with fails(errno.EFAULT):
        video.ask(GET, s.V4l2ExtControls(0, 1, controls=8))


# -- events ------------------------------------------------------------------------------


def test_an_event_for_each_change_by_another(machine: Machine, video: Video) -> None:
    other = Video.open(machine)
    video.subscribe(GAIN_ID)
    with fails(errno.ENOENT):
        video.event()
    assert video.poll(POLLPRI) == 0
    other.set(GAIN_ID, 33)
    other.set(GAIN_ID, 33)  # no change
    other.set(EXPOSURE_ID, 33)  # not subscribed
    assert video.poll(POLLPRI) == POLLPRI
    event, control = video.event()
    assert (event.type, event.id, event.pending, event.sequence) == (v4l2.V4L2_EVENT_CTRL, GAIN_ID, 0, 1)
    assert (control.changes, control.type, control.value) == (VALUE, v4l2.V4L2_CTRL_TYPE_INTEGER, 33)
    assert (control.minimum, control.maximum, control.step, control.default_value) == (1, 255, 1, 16)
    assert 0 < event.tv_nsec < machine.now
    assert video.poll(POLLPRI) == 0


def test_the_setter_of_a_control_gets_its_event_on_request_only(video: Video) -> None:
    video.subscribe(GAIN_ID)
    video.subscribe(EXPOSURE_ID, v4l2.V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK)
    video.set(GAIN_ID, 50)
    video.ext(SET, 0, [(EXPOSURE_ID, 50)])
    assert video.event()[0].id == EXPOSURE_ID
    with fails(errno.ENOENT):
        video.event()


def test_a_change_over_netlink_notifies_all_subscribers(machine: Machine, video: Video) -> None:
    video.subscribe(PATTERN_ID)
    machine.blocking().genetlink("camera").do("set-control", control="test-pattern", value=3)
    assert video.event()[1].value == 3


def test_an_event_at_once(video: Video) -> None:
    video.subscribe(GAIN_ID, v4l2.V4L2_EVENT_SUB_FL_SEND_INITIAL)
    video.subscribe(cid.V4L2_CID_USER_CLASS, v4l2.V4L2_EVENT_SUB_FL_SEND_INITIAL)  # a class has no value
    event, control = video.event()
    assert (event.id, control.changes, control.value) == (GAIN_ID, VALUE | FLAGS, 16)
    assert video.poll(POLLPRI) == 0


def test_of_one_control_the_newest_event_waits(machine: Machine, video: Video) -> None:
    """If a control changes while an event of this control is queued, `v4l2_ctrl_replace()` merges both
    events. The merged event has the new value and is queued behind all other events.
    """
    other = Video.open(machine)
    video.subscribe(GAIN_ID, v4l2.V4L2_EVENT_SUB_FL_SEND_INITIAL)
    video.subscribe(EXPOSURE_ID)
    other.set(EXPOSURE_ID, 60)
    other.set(GAIN_ID, 70)
    (first, _), (second, control) = video.event(), video.event()
    assert [(first.id, first.pending), (second.id, second.pending)] == [(EXPOSURE_ID, 1), (GAIN_ID, 0)]
    assert (first.sequence, second.sequence) == (2, 3)
    assert (control.changes, control.value) == (VALUE | FLAGS, 70)


def test_an_unsubscribed_control_sends_no_event(machine: Machine, video: Video) -> None:
    other = Video.open(machine)
    for id in (GAIN_ID, EXPOSURE_ID, PATTERN_ID):
        video.subscribe(id, v4l2.V4L2_EVENT_SUB_FL_SEND_INITIAL)
    video.ask(io.VIDIOC_UNSUBSCRIBE_EVENT, s.V4l2EventSubscription(v4l2.V4L2_EVENT_CTRL, GAIN_ID))
    assert video.event()[0].id == EXPOSURE_ID
    video.ask(io.VIDIOC_UNSUBSCRIBE_EVENT, s.V4l2EventSubscription(v4l2.V4L2_EVENT_ALL))
    other.set(EXPOSURE_ID, 60)
    with fails(errno.ENOENT):
        video.event()
    video.ask(io.VIDIOC_UNSUBSCRIBE_EVENT, s.V4l2EventSubscription(v4l2.V4L2_EVENT_EOS))  # is no error


@pytest.mark.parametrize(
    ("type", "id"),
    [
        (v4l2.V4L2_EVENT_ALL, 0),
        (v4l2.V4L2_EVENT_EOS, 0),
        (v4l2.V4L2_EVENT_SOURCE_CHANGE, 0),
        (v4l2.V4L2_EVENT_CTRL, 12345),
    ],
)
def test_events_without_subscription_are_refused(video: Video, type: int, id: int) -> None:
    with fails(errno.EINVAL):
        video.ask(io.VIDIOC_SUBSCRIBE_EVENT, s.V4l2EventSubscription(type, id))


def test_a_poller_for_events_is_woken_by_an_event(machine: Machine) -> None:
    async def waits(app: Any, seen: list[int]) -> None:
        fd = await app.open("/dev/video0", 2)
        subscription = s.V4l2EventSubscription(v4l2.V4L2_EVENT_CTRL, GAIN_ID)
        await app.ioctl(fd, io.VIDIOC_SUBSCRIBE_EVENT, subscription.pack())
        event = bytearray(s.V4l2Event.SIZE)
        await app.ioctl(fd, io.VIDIOC_DQEVENT, event)
        seen.append(s.V4l2EventCtrl.unpack(s.V4l2Event.unpack(event).u).value)

    seen: list[int] = []
    machine.spawn(waits, seen)
    machine.run(until=machine.now + millis(5))
    video = Video.open(machine)  # the sleeping task does not hold the device's lock
    assert seen == []
    video.set(GAIN_ID, 44)
    machine.run(until=machine.now + millis(1))
    assert seen == [44]
