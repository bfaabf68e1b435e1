"""Controls: the adjustable settings of a device, and their events (v4l2-ctrls-core.c).

A control stores its value: a program reads the value that was set last.  `ops` is the driver's side: its
method `s_ctrl(control, value)` writes a new value to the device and raises OSError to refuse it.

The first control of a class adds a control that represents the class.  Programs can list it, but not read
or write it.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from typing import Any, Final

import attrs

from simkernel.uapi.errno import EBUSY, EINVAL, ERANGE, os_error
from simkernel.uapi.video import v4l2_controls as cid
from simkernel.uapi.video import videodev2 as v4l2
from simkernel.uapi.video.structures import V4l2Event, V4l2EventCtrl

from .events import Subscription

NAMES: Final = {
    cid.V4L2_CID_USER_CLASS: "User Controls",
    cid.V4L2_CID_BRIGHTNESS: "Brightness",
    cid.V4L2_CID_CONTRAST: "Contrast",
    cid.V4L2_CID_SATURATION: "Saturation",
    cid.V4L2_CID_HUE: "Hue",
    cid.V4L2_CID_EXPOSURE: "Exposure",
    cid.V4L2_CID_GAIN: "Gain",
    cid.V4L2_CID_CAMERA_CLASS: "Camera Controls",
    cid.V4L2_CID_EXPOSURE_ABSOLUTE: "Exposure Time, Absolute",
    cid.V4L2_CID_IMAGE_SOURCE_CLASS: "Image Source Controls",
    cid.V4L2_CID_ANALOGUE_GAIN: "Analogue Gain",
    cid.V4L2_CID_IMAGE_PROC_CLASS: "Image Processing Controls",
    cid.V4L2_CID_TEST_PATTERN: "Test Pattern",
}
"""The names of the modelled controls, as on Linux (`v4l2_ctrl_get_name()`)."""
SLIDERS: Final = frozenset(
    {cid.V4L2_CID_BRIGHTNESS, cid.V4L2_CID_CONTRAST, cid.V4L2_CID_SATURATION, cid.V4L2_CID_HUE}
)
NO_ACCESS: Final = v4l2.V4L2_CTRL_FLAG_READ_ONLY | v4l2.V4L2_CTRL_FLAG_WRITE_ONLY
ELEMENT_SIZE: Final = 4


@attrs.define(eq=False)
class Control:
    """A control with one 32-bit value (`struct v4l2_ctrl`)."""

    ops: Any
    id: int
    type: int
    minimum: int
    maximum: int
    step: int
    default: int
    flags: int = 0
    menu: tuple[str, ...] = ()
    value: int = attrs.field(init=False)
    subscriptions: list[Subscription] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.value = self.default

    @property
    def name(self) -> str:
        """The name that programs see, such as "Exposure"."""
        return NAMES[self.id]

    @property
    def is_class(self) -> bool:
        """True for the heading of a control class, which has no value (V4L2_CTRL_TYPE_CTRL_CLASS)."""
        return self.type == v4l2.V4L2_CTRL_TYPE_CTRL_CLASS

    @property
    def reported_step(self) -> int:
        """The step that the ioctls report: 1 for a menu, `step` for other controls."""
        return 1 if self.type == v4l2.V4L2_CTRL_TYPE_MENU else self.step

    def validate(self, value: int) -> int:
        """Return the valid value that is nearest to the argument (`std_validate_elem()`).

        For a menu, raise ERANGE if the value is out of range, EINVAL if the item is empty.
        """
        if self.is_class:
            return 0
        if self.type == v4l2.V4L2_CTRL_TYPE_MENU:
            if not self.minimum <= value <= self.maximum:
                raise os_error(ERANGE)
            if not self.menu[value]:
                raise os_error(EINVAL)
            return value
        half = self.step // 2
        rounded = self.maximum if value >= self.maximum - half else value + half
        rounded = min(max(rounded, self.minimum), self.maximum)
        return self.minimum + (rounded - self.minimum) // self.step * self.step

    def set(self, value: int, fh: Any = None) -> int:
        """Set the control to the nearest valid value and return that value (`set_ctrl()`).

        If the value changes, all subscribers receive an event. The file `fh`, which sets the control,
        receives it only with V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK.  Raise EBUSY if the control is grabbed, ERANGE
        or EINVAL if a menu has no such item, and any error of the driver.
        """
        value = self.validate(value)
        if self.flags & v4l2.V4L2_CTRL_FLAG_GRABBED:
            raise os_error(EBUSY)
        if value != self.value:
            self.ops.s_ctrl(self, value)
            self.value = value
            self._send_event(fh, v4l2.V4L2_EVENT_CTRL_CH_VALUE)
        return value

    def event(self, changes: int) -> V4l2Event:
        """Return an event with the current value and range (`fill_event()`).

        `changes` is a mask of V4L2_EVENT_CTRL_CH flags.
        """
        payload = V4l2EventCtrl(
            changes,
            self.type,
            self.value,
            self.flags,
            self.minimum,
            self.maximum,
            self.reported_step,
            self.default,
        )
        return V4l2Event(v4l2.V4L2_EVENT_CTRL, payload.pack(), id=self.id)

    def subscribe(self, subscription: Subscription) -> None:
        """Add a subscription. If its flags request the initial value, queue an event with the current value
        (`v4l2_ctrl_add_event()`).
        """
        self.subscriptions.append(subscription)
        if not self.is_class and subscription.flags & v4l2.V4L2_EVENT_SUB_FL_SEND_INITIAL:
            changes = v4l2.V4L2_EVENT_CTRL_CH_FLAGS
            if not self.flags & v4l2.V4L2_CTRL_FLAG_WRITE_ONLY:
                changes |= v4l2.V4L2_EVENT_CTRL_CH_VALUE
            subscription.fh.queue(self.event(changes))

    def unsubscribe(self, subscription: Subscription) -> None:
        """Remove a subscription if it exists."""
        if subscription in self.subscriptions:
            self.subscriptions.remove(subscription)

    def _send_event(self, fh: Any, changes: int) -> None:
        """Send an event about a change of the control to its subscribers (`send_event()`).

        The file `fh`, which made the change, receives it only if it has set
        V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK.
        """
        for subscription in self.subscriptions:
            feedback = subscription.flags & v4l2.V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK
            if subscription.fh is not fh or feedback:
                subscription.fh.queue(self.event(changes))


class ControlHandler:
    """The controls of one device, sorted by id (`struct v4l2_ctrl_handler`)."""

    def __init__(self) -> None:
        self._controls: list[Control] = []

    def __iter__(self) -> Iterator[Control]:
        return iter(self._controls)

    def find(self, id: int) -> Control:
        """Return the control with this id (`v4l2_ctrl_find()`).  Raise EINVAL if it does not exist."""
        for control in self._controls:
            if control.id == id & v4l2.V4L2_CTRL_ID_MASK:
                return control
        raise os_error(EINVAL)

    def add(
        self,
        ops: Any,
        id: int,
        minimum: int,
        maximum: int,
        step: int,
        default: int,
        menu: tuple[str, ...] = (),
    ) -> Control:
        """Add a control with its default value.  Raise ERANGE if its range is invalid (`check_range()`)."""
        kind = v4l2.V4L2_CTRL_TYPE_MENU if menu else v4l2.V4L2_CTRL_TYPE_INTEGER
        if step <= 0 or not minimum <= default <= maximum or (menu and maximum >= len(menu)):
            raise os_error(ERANGE)
        flags = v4l2.V4L2_CTRL_FLAG_SLIDER if id in SLIDERS else 0
        heading = v4l2.V4L2_CTRL_ID2WHICH(id) | 1
        if all(control.id != heading for control in self._controls):
            self._insert(Control(None, heading, v4l2.V4L2_CTRL_TYPE_CTRL_CLASS, 0, 0, 0, 0, NO_ACCESS))
        control = Control(ops, id, kind, minimum, maximum, step, default, flags, menu)
        self._insert(control)
        return control

    def setup(self) -> None:
        """Write the values of all controls to the device. Before this call the device's registers can hold
        other values (`v4l2_ctrl_handler_setup()`).
        """
        for control in self._controls:
            if not control.is_class:
                control.ops.s_ctrl(control, control.value)

    def _insert(self, control: Control) -> None:
        insort(self._controls, control, key=lambda each: each.id)
