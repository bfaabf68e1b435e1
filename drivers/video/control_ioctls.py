"""The ioctls for controls and events (v4l2-ctrls-api.c, v4l2-event.c).

VIDIOC_S_EXT_CTRLS validates all controls before it sets any of them.  If a control is invalid, `error_idx`
is the number of controls; only VIDIOC_TRY_EXT_CTRLS returns the index of the invalid one.
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
"""The values of the field `which` that request a control's minimum or maximum. The control needs
V4L2_CTRL_FLAG_HAS_WHICH_MIN_MAX, and no modelled control has this flag.
"""
FIXED: Final = (v4l2.V4L2_CTRL_WHICH_DEF_VAL, *MIN_MAX)
ANY_CLASS: Final = (v4l2.V4L2_CTRL_WHICH_CUR_VAL, *FIXED)


# -- lists of controls --------------------------------------------------------


def _query(handler: ControlHandler, id: int) -> Control:
    """Return the control with this id, or the next control if the id has a NEXT flag
    (`v4l2_query_ext_ctrl()`).

    Raise EINVAL if it does not exist.  No modelled control is compound, so NEXT_COMPOUND alone finds
    nothing.
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
    """VIDIOC_QUERY_EXT_CTRL: describe a control (`v4l2_query_ext_ctrl()`)."""
    queryctrl(call, arg)
    arg.elem_size = ELEMENT_SIZE
    arg.elems = 1


def queryctrl(call: IoctlCall, arg: s.V4l2Queryctrl | s.V4l2QueryExtCtrl) -> None:
    """VIDIOC_QUERYCTRL: describe a control (`v4l2_queryctrl()`).

    The argument of VIDIOC_QUERY_EXT_CTRL has the same fields and some more.
    """
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
    """VIDIOC_QUERYMENU: return the name of a menu item (`v4l2_querymenu()`)."""
    control = call.device.controls.find(arg.id)
    if not control.menu or not control.minimum <= arg.index <= control.maximum or not control.menu[arg.index]:
        raise os_error(EINVAL)
    arg.name = control.menu[arg.index].encode()[:31]


# -- a single value -----------------------------------------------------------


def g_ctrl(call: IoctlCall, arg: s.V4l2Control) -> None:
    """VIDIOC_G_CTRL: return the value of a control (`v4l2_g_ctrl()`)."""
    control = call.device.controls.find(arg.id)
    if control.flags & v4l2.V4L2_CTRL_FLAG_WRITE_ONLY:
        raise os_error(EACCES)
    arg.value = control.value


def s_ctrl(call: IoctlCall, arg: s.V4l2Control) -> None:
    """VIDIOC_S_CTRL: set the value of a control (`v4l2_s_ctrl()`)."""
    control = call.device.controls.find(arg.id)
    if control.flags & v4l2.V4L2_CTRL_FLAG_READ_ONLY:
        raise os_error(EACCES)
    arg.value = control.set(arg.value, call.fh)


# -- several values -----------------------------------------------------------


def _find_all(
    handler: ControlHandler, arg: s.V4l2ExtControls, items: Sequence[s.V4l2ExtControl]
) -> list[Control]:
    """Return the control of each item in the request (`prepare_ext_ctrls()`).

    Raise EINVAL if a control does not exist or belongs to another class.  `error_idx` is then the index of
    its item.
    """
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
    """Raise EINVAL if the device has no control of this class (`class_check()`)."""
    if which not in ANY_CLASS:
        handler.find(which | 1)


def _which(arg: s.V4l2ExtControls) -> None:
    # The request API needs a media device, and no media device is modelled.
    if arg.which == v4l2.V4L2_CTRL_WHICH_REQUEST_VAL:
        raise os_error(EINVAL)
    arg.which = v4l2.V4L2_CTRL_ID2WHICH(arg.which)


def g_ext_ctrls(call: IoctlCall, arg: s.V4l2ExtControls) -> None:
    """VIDIOC_G_EXT_CTRLS: return the values of several controls (`v4l2_g_ext_ctrls_common()`)."""
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
    """VIDIOC_TRY_EXT_CTRLS: return the values that would be set, without setting them
    (`v4l2_try_ext_ctrls()`).
    """
    _try(call.device.controls, arg, call.items, setting=False)


def s_ext_ctrls(call: IoctlCall, arg: s.V4l2ExtControls) -> None:
    """VIDIOC_S_EXT_CTRLS: set the values of several controls (`v4l2_s_ext_ctrls()`)."""
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
    """Validate all items of the request and return their controls (`validate_ctrls()`,
    `try_set_ext_ctrls_common()`).
    """
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
    """Store a 32-bit value in an item of the request. The item has an 8-byte union for values; its last 4
    bytes do not change.
    """
    item.union = S32.pack(value) + item.union[4:]


# -- events -------------------------------------------------------------------


def subscribe_event(call: IoctlCall, arg: s.V4l2EventSubscription) -> None:
    """VIDIOC_SUBSCRIBE_EVENT: subscribe to the changes of a control (`v4l2_ctrl_subscribe_event()`).

    Other events raise EINVAL.  A second subscription to one control has no effect.
    """
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
    """VIDIOC_UNSUBSCRIBE_EVENT: end a subscription if it exists (`v4l2_event_unsubscribe()`)."""
    fh = call.fh
    for subscription in tuple(fh.subscribed):
        if arg.type == v4l2.V4L2_EVENT_ALL or (subscription.type, subscription.id) == (arg.type, arg.id):
            fh.unsubscribe(subscription)
            call.device.controls.find(subscription.id).unsubscribe(subscription)


async def dqevent(call: IoctlCall, arg: s.V4l2Event) -> None:
    """VIDIOC_DQEVENT: remove the oldest event; block until one is available (`v4l2_event_dequeue()`).

    Raise ENOENT if none is available and the file is non-blocking, EINTR if a signal arrives.
    Unregistering the device wakes a blocked task (`v4l2_event_wake_all()`), and this function raises
    ENODEV.  On Linux 6.12 the task sleeps again, for ever.
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
