"""The ioctl requests of videodev2.h.

If a structure is not declared here, the request has its size as a number.
"""

from __future__ import annotations

from typing import Final

from simkernel.uapi.ioctl import _IO, _IOR, _IOW, _IOWR
from simkernel.uapi.video import structures as s

_INT: Final = 4

VIDIOC_QUERYCAP: Final = _IOR("V", 0, s.V4l2Capability.SIZE)
VIDIOC_ENUM_FMT: Final = _IOWR("V", 2, s.V4l2Fmtdesc.SIZE)
VIDIOC_G_FMT: Final = _IOWR("V", 4, s.V4l2Format.SIZE)
VIDIOC_S_FMT: Final = _IOWR("V", 5, s.V4l2Format.SIZE)
VIDIOC_REQBUFS: Final = _IOWR("V", 8, s.V4l2Requestbuffers.SIZE)
VIDIOC_QUERYBUF: Final = _IOWR("V", 9, s.V4l2Buffer.SIZE)
VIDIOC_G_FBUF: Final = _IOR("V", 10, 48)
VIDIOC_S_FBUF: Final = _IOW("V", 11, 48)
VIDIOC_OVERLAY: Final = _IOW("V", 14, _INT)
VIDIOC_QBUF: Final = _IOWR("V", 15, s.V4l2Buffer.SIZE)
VIDIOC_EXPBUF: Final = _IOWR("V", 16, s.V4l2Exportbuffer.SIZE)
VIDIOC_DQBUF: Final = _IOWR("V", 17, s.V4l2Buffer.SIZE)
VIDIOC_STREAMON: Final = _IOW("V", 18, _INT)
VIDIOC_STREAMOFF: Final = _IOW("V", 19, _INT)
VIDIOC_G_PARM: Final = _IOWR("V", 21, s.V4l2Streamparm.SIZE)
VIDIOC_S_PARM: Final = _IOWR("V", 22, s.V4l2Streamparm.SIZE)
VIDIOC_G_STD: Final = _IOR("V", 23, 8)
VIDIOC_S_STD: Final = _IOW("V", 24, 8)
VIDIOC_ENUMSTD: Final = _IOWR("V", 25, 72)
VIDIOC_ENUMINPUT: Final = _IOWR("V", 26, s.V4l2Input.SIZE)
VIDIOC_G_CTRL: Final = _IOWR("V", 27, s.V4l2Control.SIZE)
VIDIOC_S_CTRL: Final = _IOWR("V", 28, s.V4l2Control.SIZE)
VIDIOC_G_TUNER: Final = _IOWR("V", 29, 84)
VIDIOC_S_TUNER: Final = _IOW("V", 30, 84)
VIDIOC_G_AUDIO: Final = _IOR("V", 33, 52)
VIDIOC_S_AUDIO: Final = _IOW("V", 34, 52)
VIDIOC_QUERYCTRL: Final = _IOWR("V", 36, s.V4l2Queryctrl.SIZE)
VIDIOC_QUERYMENU: Final = _IOWR("V", 37, s.V4l2Querymenu.SIZE)
VIDIOC_G_INPUT: Final = _IOR("V", 38, _INT)
VIDIOC_S_INPUT: Final = _IOWR("V", 39, _INT)
VIDIOC_G_EDID: Final = _IOWR("V", 40, 40)
VIDIOC_S_EDID: Final = _IOWR("V", 41, 40)
VIDIOC_G_OUTPUT: Final = _IOR("V", 46, _INT)
VIDIOC_S_OUTPUT: Final = _IOWR("V", 47, _INT)
VIDIOC_ENUMOUTPUT: Final = _IOWR("V", 48, 72)
VIDIOC_CROPCAP: Final = _IOWR("V", 58, 44)
VIDIOC_G_CROP: Final = _IOWR("V", 59, 20)
VIDIOC_S_CROP: Final = _IOW("V", 60, 20)
VIDIOC_QUERYSTD: Final = _IOR("V", 63, 8)
VIDIOC_TRY_FMT: Final = _IOWR("V", 64, s.V4l2Format.SIZE)
VIDIOC_ENUMAUDIO: Final = _IOWR("V", 65, 52)
VIDIOC_G_PRIORITY: Final = _IOR("V", 67, _INT)
VIDIOC_S_PRIORITY: Final = _IOW("V", 68, _INT)
VIDIOC_LOG_STATUS: Final = _IO("V", 70)
VIDIOC_G_EXT_CTRLS: Final = _IOWR("V", 71, s.V4l2ExtControls.SIZE)
VIDIOC_S_EXT_CTRLS: Final = _IOWR("V", 72, s.V4l2ExtControls.SIZE)
VIDIOC_TRY_EXT_CTRLS: Final = _IOWR("V", 73, s.V4l2ExtControls.SIZE)
VIDIOC_ENUM_FRAMESIZES: Final = _IOWR("V", 74, s.V4l2Frmsizeenum.SIZE)
VIDIOC_ENUM_FRAMEINTERVALS: Final = _IOWR("V", 75, s.V4l2Frmivalenum.SIZE)
VIDIOC_S_DV_TIMINGS: Final = _IOWR("V", 87, 132)
VIDIOC_G_DV_TIMINGS: Final = _IOWR("V", 88, 132)
VIDIOC_DQEVENT: Final = _IOR("V", 89, s.V4l2Event.SIZE)
VIDIOC_SUBSCRIBE_EVENT: Final = _IOW("V", 90, s.V4l2EventSubscription.SIZE)
VIDIOC_UNSUBSCRIBE_EVENT: Final = _IOW("V", 91, s.V4l2EventSubscription.SIZE)
VIDIOC_CREATE_BUFS: Final = _IOWR("V", 92, s.V4l2CreateBuffers.SIZE)
VIDIOC_PREPARE_BUF: Final = _IOWR("V", 93, s.V4l2Buffer.SIZE)
VIDIOC_G_SELECTION: Final = _IOWR("V", 94, 64)
VIDIOC_S_SELECTION: Final = _IOWR("V", 95, 64)
VIDIOC_QUERY_EXT_CTRL: Final = _IOWR("V", 103, s.V4l2QueryExtCtrl.SIZE)
VIDIOC_REMOVE_BUFS: Final = _IOWR("V", 104, s.V4l2RemoveBuffers.SIZE)

VIDIOC_NAMES: Final = {number: name for name, number in list(globals().items()) if name.startswith("VIDIOC_")}
"""Names of the V4L2 requests, by request number."""
