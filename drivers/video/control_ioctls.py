"""The requests for controls and events (v4l2-ctrls-api.c, v4l2-event.c).

Of several controls at once none is set if one of them could not be (as far as can be told before): then
`error_idx` is their count, and only VIDIOC_TRY_EXT_CTRLS says which it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simkernel.uapi.errno import EACCES, EBUSY, EINVAL, ENODEV, ENOENT, os_error
from simkernel.uapi.fcntl import O_NONBLOCK
from simkernel.uapi.structure import S32
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import videodev2 as v4l2

from .call import IoctlCall
from .controls import ELEMENT_SIZE, Control, ControlHandler
from .events import Subscription

NEXT: Final = v4l2.V4L2_CTRL_FLAG_NEXT_CTRL | v4l2.V4L2_CTRL_FLAG_NEXT_COMPOUND
MIN_MAX: Final = (v4l2.V4L2_CTRL_WHICH_MIN_VAL, v4l2.V4L2_CTRL_WHICH_MAX_VAL)
"""Values that are asked for where V4L2_CTRL_FLAG_HAS_WHICH_MIN_MAX is set: none of our controls has it."""
FIXED: Final = (v4l2.V4L2_CTRL_WHICH_DEF_VAL, *MIN_MAX)
ANY_CLASS: Final = (v4l2.V4L2_CTRL_WHICH_CUR_VAL, *FIXED)


# -- listing ------------------------------------------------------------------


def _query(handler: ControlHandler, id: int) -> Control:
    """The control that is asked for, or the next one (`v4l2_query_ext_ctrl()`).  EINVAL.

    None of ours is compound, so that asking for the next such finds nothing.
    """
    if not id & NEXT:
        return handler.find(id)
    if not id & v4l2.V4L2_CTRL_FLAG_NEXT_CTRL:
        raise os_error(EINVAL)
    after = id & v4l2.V4L2_CTRL_ID_MASK
    for control in handler:
        if control.id > after:
            return control
    raise os_error(EINVAL)


def query_ext_ctrl(call: IoctlCall, arg: s.V4l2QueryExtCtrl) -> None:
    """`v4l2_query_ext_ctrl()`."""
    queryctrl(call, arg)
    arg.elem_size = ELEMENT_SIZE
    arg.elems = 1


def queryctrl(call: IoctlCall, arg: s.V4l2Queryctrl | s.V4l2QueryExtCtrl) -> None:
    """`v4l2_queryctrl()`; the argument of the other request has the same fields, and more."""
    control = _query(call.device.controls, arg.id)
    arg.id = control.id
    arg.type = control.type
    arg.name = control.name.encode()[:31]
    arg.minimum = control.minimum
    arg.maximum = control.maximum
    arg.step = control.reported_step
    arg.default_value = control.default
    arg.flags = control.flags


def querymenu(call: IoctlCall, arg: s.V4l2Querymenu) -> None:
    """`v4l2_querymenu()`."""
    control = call.device.controls.find(arg.id)
    if not control.menu or not control.minimum <= arg.index <= control.maximum or not control.menu[arg.index]:
        raise os_error(EINVAL)
    arg.name = control.menu[arg.index].encode()[:31]


# -- one value ----------------------------------------------------------------


def g_ctrl(call: IoctlCall, arg: s.V4l2Control) -> None:
    """`v4l2_g_ctrl()`."""
    control = call.device.controls.find(arg.id)
    if control.flags & v4l2.V4L2_CTRL_FLAG_WRITE_ONLY:
        raise os_error(EACCES)
    arg.value = control.value


def s_ctrl(call: IoctlCall, arg: s.V4l2Control) -> None:
    """`v4l2_s_ctrl()`."""
    control = call.device.controls.find(arg.id)
    if control.flags & v4l2.V4L2_CTRL_FLAG_READ_ONLY:
        raise os_error(EACCES)
    arg.value = control.set(arg.value, call.fh)


# -- several values -----------------------------------------------------------


def _find_all(
    handler: ControlHandler, arg: s.V4l2ExtControls, items: Sequence[s.V4l2ExtControl]
) -> list[Control]:
    """`prepare_ext_ctrls()`: `error_idx` says which of them is none, or of another class."""
    found = []
    for index, item in enumerate(items):
        arg.error_idx = index
        id = item.id & v4l2.V4L2_CTRL_ID_MASK
        if arg.which not in ANY_CLASS and v4l2.V4L2_CTRL_ID2WHICH(id) != arg.which:
            raise os_error(EINVAL)
        if id >= v4l2.V4L2_CID_PRIVATE_BASE:
            raise os_error(EINVAL)
        found.append(handler.find(id))
    return found


def _check_class(handler: ControlHandler, which: int) -> None:
    """`class_check()`: whether there are such controls at all."""
    if which not in ANY_CLASS:
        handler.find(which | 1)


def _which(arg: s.V4l2ExtControls) -> None:
    if arg.which == v4l2.V4L2_CTRL_WHICH_REQUEST_VAL:  # without a media device: EINVAL
        raise os_error(EINVAL)
    arg.which = v4l2.V4L2_CTRL_ID2WHICH(arg.which)


def g_ext_ctrls(call: IoctlCall, arg: s.V4l2ExtControls) -> None:
    """`v4l2_g_ext_ctrls_common()`."""
    handler, items = call.device.controls, call.items
    arg.error_idx = arg.count
    default = arg.which == v4l2.V4L2_CTRL_WHICH_DEF_VAL
    _which(arg)
    if not items:
        _check_class(handler, arg.which)
        return
    try:
        controls = _find_all(handler, arg, items)
    finally:
        arg.error_idx = arg.count
    if arg.which in MIN_MAX:
        raise os_error(EINVAL)
    if any(control.flags & v4l2.V4L2_CTRL_FLAG_WRITE_ONLY for control in controls):
        raise os_error(EACCES)
    for index, (control, item) in enumerate(zip(controls, items, strict=True)):
        arg.error_idx = index
        _put(item, control.default if default else control.value)


def try_ext_ctrls(call: IoctlCall, arg: s.V4l2ExtControls) -> None:
    """`v4l2_try_ext_ctrls()`: what would be set, and nothing is."""
    _try(call.device.controls, arg, call.items, setting=False)


def s_ext_ctrls(call: IoctlCall, arg: s.V4l2ExtControls) -> None:
    """`v4l2_s_ext_ctrls()`."""
    try:
        controls = _try(call.device.controls, arg, call.items, setting=True)
    except OSError:
        arg.error_idx = arg.count
        raise
    for index, (control, item) in enumerate(zip(controls, call.items, strict=True)):
        arg.error_idx = index
        _put(item, control.set(_value(item), call.fh))


def _try(
    handler: ControlHandler, arg: s.V4l2ExtControls, items: Sequence[s.V4l2ExtControl], setting: bool
) -> list[Control]:
    """`validate_ctrls()`, and what comes before it in `try_set_ext_ctrls_common()`."""
    arg.error_idx = arg.count
    if arg.which in FIXED:
        raise os_error(EINVAL)
    _which(arg)
    if not items:
        _check_class(handler, arg.which)
        return []
    controls = _find_all(handler, arg, items)
    for index, (control, item) in enumerate(zip(controls, items, strict=True)):
        arg.error_idx = index
        if control.flags & v4l2.V4L2_CTRL_FLAG_READ_ONLY:
            raise os_error(EACCES)
        if setting and control.flags & v4l2.V4L2_CTRL_FLAG_GRABBED:
            raise os_error(EBUSY)
        _put(item, control.validate(_value(item)))
    return controls


def _value(item: s.V4l2ExtControl) -> int:
    value: int = S32.unpack_from(item.union)[0]
    return value


def _put(item: s.V4l2ExtControl, value: int) -> None:
    """The upper half stays as it was: it is no part of the value."""
    item.union = S32.pack(value) + item.union[4:]


# -- events -------------------------------------------------------------------


def subscribe_event(call: IoctlCall, arg: s.V4l2EventSubscription) -> None:
    """`v4l2_ctrl_subscribe_event()`: of controls only.  Subscribing twice changes nothing."""
    fh = call.fh
    if arg.type != v4l2.V4L2_EVENT_CTRL:
        raise os_error(EINVAL)
    if fh.find(arg.type, arg.id) is not None:
        return
    control = call.device.controls.find(arg.id)
    subscription = Subscription(fh, arg.type, arg.id, arg.flags)
    fh.subscribed.insert(0, subscription)
    control.subscribe(subscription)


def unsubscribe_event(call: IoctlCall, arg: s.V4l2EventSubscription) -> None:
    """`v4l2_event_unsubscribe()`: what was not subscribed to is no error."""
    fh = call.fh
    for subscription in tuple(fh.subscribed):
        if arg.type == v4l2.V4L2_EVENT_ALL or (subscription.type, subscription.id) == (arg.type, arg.id):
            fh.unsubscribe(subscription)
            call.device.controls.find(subscription.id).unsubscribe(subscription)


async def dqevent(call: IoctlCall, arg: s.V4l2Event) -> None:
    """`v4l2_event_dequeue()`.  ENOENT if there is none and the file is non-blocking; EINTR.

    A sleeper is woken when the device goes, as by `v4l2_event_wake_all()`, and gets ENODEV: Linux
    6.12 sends it to sleep again, for good.
    """
    fh = call.fh
    if not fh.available:
        if call.file.flags & O_NONBLOCK:
            raise os_error(ENOENT)
        await call.held.wait(fh.wait, lambda: fh.available or not fh.device.registered)
        if not fh.available:
            raise os_error(ENODEV)
    event = fh.take()
    for name in s.V4l2Event.__match_args__:
        setattr(arg, name, getattr(event, name))
