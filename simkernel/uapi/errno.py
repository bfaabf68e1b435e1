"""The error numbers, names and texts of Linux on x86-64, and the exception for each error.  All of them are
the same on every host.

Sources: include/uapi/asm-generic/errno.h, include/linux/errno.h, and strerror(3) of glibc for the texts.
"""

from __future__ import annotations

from typing import Final

_TEXTS: Final[dict[int, str]] = {}
_SUBCLASSES: Final[dict[int, type[OSError]]] = {}


def _error(number: int, text: str, subclass: type[OSError] | None = None) -> int:
    """Declare an error: its number, its text, and the subclass of OSError that Python uses for it."""
    _TEXTS[number] = text
    if subclass is not None:
        _SUBCLASSES[number] = subclass
    return number


EPERM: Final = _error(1, "Operation not permitted", PermissionError)
ENOENT: Final = _error(2, "No such file or directory", FileNotFoundError)
ESRCH: Final = _error(3, "No such process", ProcessLookupError)
EINTR: Final = _error(4, "Interrupted system call", InterruptedError)
EIO: Final = _error(5, "Input/output error")
ENXIO: Final = _error(6, "No such device or address")
E2BIG: Final = _error(7, "Argument list too long")
ENOEXEC: Final = _error(8, "Exec format error")
EBADF: Final = _error(9, "Bad file descriptor")
ECHILD: Final = _error(10, "No child processes", ChildProcessError)
EAGAIN: Final = _error(11, "Resource temporarily unavailable", BlockingIOError)
ENOMEM: Final = _error(12, "Cannot allocate memory")
EACCES: Final = _error(13, "Permission denied", PermissionError)
EFAULT: Final = _error(14, "Bad address")
ENOTBLK: Final = _error(15, "Block device required")
EBUSY: Final = _error(16, "Device or resource busy")
EEXIST: Final = _error(17, "File exists", FileExistsError)
EXDEV: Final = _error(18, "Invalid cross-device link")
ENODEV: Final = _error(19, "No such device")
ENOTDIR: Final = _error(20, "Not a directory", NotADirectoryError)
EISDIR: Final = _error(21, "Is a directory", IsADirectoryError)
EINVAL: Final = _error(22, "Invalid argument")
ENFILE: Final = _error(23, "Too many open files in system")
EMFILE: Final = _error(24, "Too many open files")
ENOTTY: Final = _error(25, "Inappropriate ioctl for device")
ETXTBSY: Final = _error(26, "Text file busy")
EFBIG: Final = _error(27, "File too large")
ENOSPC: Final = _error(28, "No space left on device")
ESPIPE: Final = _error(29, "Illegal seek")
EROFS: Final = _error(30, "Read-only file system")
EMLINK: Final = _error(31, "Too many links")
EPIPE: Final = _error(32, "Broken pipe", BrokenPipeError)
EDOM: Final = _error(33, "Numerical argument out of domain")
ERANGE: Final = _error(34, "Numerical result out of range")
EDEADLK: Final = _error(35, "Resource deadlock avoided")
ENAMETOOLONG: Final = _error(36, "File name too long")
ENOLCK: Final = _error(37, "No locks available")
ENOSYS: Final = _error(38, "Function not implemented")
ENOTEMPTY: Final = _error(39, "Directory not empty")
ELOOP: Final = _error(40, "Too many levels of symbolic links")
EWOULDBLOCK: Final = EAGAIN
ENOMSG: Final = _error(42, "No message of desired type")
EIDRM: Final = _error(43, "Identifier removed")
ECHRNG: Final = _error(44, "Channel number out of range")
EL2NSYNC: Final = _error(45, "Level 2 not synchronized")
EL3HLT: Final = _error(46, "Level 3 halted")
EL3RST: Final = _error(47, "Level 3 reset")
ELNRNG: Final = _error(48, "Link number out of range")
EUNATCH: Final = _error(49, "Protocol driver not attached")
ENOCSI: Final = _error(50, "No CSI structure available")
EL2HLT: Final = _error(51, "Level 2 halted")
EBADE: Final = _error(52, "Invalid exchange")
EBADR: Final = _error(53, "Invalid request descriptor")
EXFULL: Final = _error(54, "Exchange full")
ENOANO: Final = _error(55, "No anode")
EBADRQC: Final = _error(56, "Invalid request code")
EBADSLT: Final = _error(57, "Invalid slot")
EDEADLOCK: Final = EDEADLK
EBFONT: Final = _error(59, "Bad font file format")
ENOSTR: Final = _error(60, "Device not a stream")
ENODATA: Final = _error(61, "No data available")
ETIME: Final = _error(62, "Timer expired")
ENOSR: Final = _error(63, "Out of streams resources")
ENONET: Final = _error(64, "Machine is not on the network")
ENOPKG: Final = _error(65, "Package not installed")
EREMOTE: Final = _error(66, "Object is remote")
ENOLINK: Final = _error(67, "Link has been severed")
EADV: Final = _error(68, "Advertise error")
ESRMNT: Final = _error(69, "Srmount error")
ECOMM: Final = _error(70, "Communication error on send")
EPROTO: Final = _error(71, "Protocol error")
EMULTIHOP: Final = _error(72, "Multihop attempted")
EDOTDOT: Final = _error(73, "RFS specific error")
EBADMSG: Final = _error(74, "Bad message")
EOVERFLOW: Final = _error(75, "Value too large for defined data type")
ENOTUNIQ: Final = _error(76, "Name not unique on network")
EBADFD: Final = _error(77, "File descriptor in bad state")
EREMCHG: Final = _error(78, "Remote address changed")
ELIBACC: Final = _error(79, "Can not access a needed shared library")
ELIBBAD: Final = _error(80, "Accessing a corrupted shared library")
ELIBSCN: Final = _error(81, ".lib section in a.out corrupted")
ELIBMAX: Final = _error(82, "Attempting to link in too many shared libraries")
ELIBEXEC: Final = _error(83, "Cannot exec a shared library directly")
EILSEQ: Final = _error(84, "Invalid or incomplete multibyte or wide character")
ERESTART: Final = _error(85, "Interrupted system call should be restarted")
ESTRPIPE: Final = _error(86, "Streams pipe error")
EUSERS: Final = _error(87, "Too many users")
ENOTSOCK: Final = _error(88, "Socket operation on non-socket")
EDESTADDRREQ: Final = _error(89, "Destination address required")
EMSGSIZE: Final = _error(90, "Message too long")
EPROTOTYPE: Final = _error(91, "Protocol wrong type for socket")
ENOPROTOOPT: Final = _error(92, "Protocol not available")
EPROTONOSUPPORT: Final = _error(93, "Protocol not supported")
ESOCKTNOSUPPORT: Final = _error(94, "Socket type not supported")
EOPNOTSUPP: Final = _error(95, "Operation not supported")
EPFNOSUPPORT: Final = _error(96, "Protocol family not supported")
EAFNOSUPPORT: Final = _error(97, "Address family not supported by protocol")
EADDRINUSE: Final = _error(98, "Address already in use")
EADDRNOTAVAIL: Final = _error(99, "Cannot assign requested address")
ENETDOWN: Final = _error(100, "Network is down")
ENETUNREACH: Final = _error(101, "Network is unreachable")
ENETRESET: Final = _error(102, "Network dropped connection on reset")
ECONNABORTED: Final = _error(103, "Software caused connection abort", ConnectionAbortedError)
ECONNRESET: Final = _error(104, "Connection reset by peer", ConnectionResetError)
ENOBUFS: Final = _error(105, "No buffer space available")
EISCONN: Final = _error(106, "Transport endpoint is already connected")
ENOTCONN: Final = _error(107, "Transport endpoint is not connected")
ESHUTDOWN: Final = _error(108, "Cannot send after transport endpoint shutdown", BrokenPipeError)
ETOOMANYREFS: Final = _error(109, "Too many references: cannot splice")
ETIMEDOUT: Final = _error(110, "Connection timed out", TimeoutError)
ECONNREFUSED: Final = _error(111, "Connection refused", ConnectionRefusedError)
EHOSTDOWN: Final = _error(112, "Host is down")
EHOSTUNREACH: Final = _error(113, "No route to host")
EALREADY: Final = _error(114, "Operation already in progress", BlockingIOError)
EINPROGRESS: Final = _error(115, "Operation now in progress", BlockingIOError)
ESTALE: Final = _error(116, "Stale file handle")
EUCLEAN: Final = _error(117, "Structure needs cleaning")
ENOTNAM: Final = _error(118, "Not a XENIX named type file")
ENAVAIL: Final = _error(119, "No XENIX semaphores available")
EISNAM: Final = _error(120, "Is a named type file")
EREMOTEIO: Final = _error(121, "Remote I/O error")
EDQUOT: Final = _error(122, "Disk quota exceeded")
ENOMEDIUM: Final = _error(123, "No medium found")
EMEDIUMTYPE: Final = _error(124, "Wrong medium type")
ECANCELED: Final = _error(125, "Operation canceled")
ENOKEY: Final = _error(126, "Required key not available")
EKEYEXPIRED: Final = _error(127, "Key has expired")
EKEYREVOKED: Final = _error(128, "Key has been revoked")
EKEYREJECTED: Final = _error(129, "Key was rejected by service")
EOWNERDEAD: Final = _error(130, "Owner died")
ENOTRECOVERABLE: Final = _error(131, "State not recoverable")
ERFKILL: Final = _error(132, "Operation not possible due to RF-kill")
EHWPOISON: Final = _error(133, "Memory page has hardware error")

# glibc defines ENOTSUP as a second name for EOPNOTSUPP.
ENOTSUP: Final = EOPNOTSUPP

# Errors internal to the kernel, for which glibc has no texts. A program gets one only if a driver has a bug.
ERESTARTSYS: Final = 512
ERESTARTNOINTR: Final = 513
ERESTARTNOHAND: Final = 514
ENOIOCTLCMD: Final = 515
ERESTART_RESTARTBLOCK: Final = 516
EPROBE_DEFER: Final = 517
ENOTSUPP: Final = 524

_ALIASES: Final = frozenset({"EWOULDBLOCK", "EDEADLOCK", "ENOTSUP"})
_NAMES: Final[dict[int, str]] = {
    number: name
    for name, number in list(globals().items())
    if name.startswith("E") and isinstance(number, int) and name not in _ALIASES
}


def error_name(number: int) -> str:
    """Return the name of a positive errno, such as "EPERM", or "errno 4000" if it has no name."""
    return _NAMES.get(number, f"errno {number}")


def strerror(number: int) -> str:
    """Return the text of a positive errno, such as "Operation not permitted"."""
    return _TEXTS.get(number, f"Unknown error {number}")


def os_error(number: int, text: str | None = None) -> OSError:
    """Return the exception for a positive errno.  On any host, its class is the subclass of OSError that
    Python uses on Linux.
    """
    if text is None:
        text = strerror(number)
    if (subclass := _SUBCLASSES.get(number)) is not None:
        return subclass(number, text)
    # Do not call OSError(number, text): it would choose the subclass by the host's errno numbers.
    error = OSError()
    error.errno, error.strerror = error.args = (number, text)
    return error
