"""The system calls: their arguments and results.

The table has one line per call, as Linux's arch/x86/entry/syscalls/syscall_64.tbl.  Tests compare `App`,
the blocking calls, hosted modules, the kernel and the guide with this table.  strace output is made from
it.

    NAME[/LINUX'S NAME]   ARGUMENT...   RESULT   MANUAL PAGE

An argument is `name`, or `name:kind` if strace prints it in a special form.  `?` marks an optional
argument. `?=TEXT` marks an optional argument for which strace prints TEXT if it is omitted.  `*name` is
memory that the kernel writes; here it is the result of the call.  `=TEXT` is an argument that the C
library passes and a program of simkernel does not.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

_TABLE: Final = """
socket          family type protocol                                   fd       socket(2)
socketpair      family type protocol *fds                              none     socketpair(2)
bind            fd address:sockaddr                                    none     bind(2)
connect         fd address:sockaddr                                    none     connect(2)
listen          fd backlog                                             none     listen(2)
accept4         fd *address flags                                      fd       accept4(2)
getsockname     fd *address                                            none     getsockname(2)
getpeername     fd *address                                            none     getpeername(2)
shutdown        fd how:shut                                            none     shutdown(2)
sendto          fd data:buffer flags? address? control?                number   sendto(2)
sendmsg         fd data:buffer control flags? address?                 number   sendmsg(2)
recvfrom        fd *data size flags? control_size?                     number   recvfrom(2)
recvmsg         fd *data size control_size flags?                      number   recvmsg(2)
setsockopt      fd level option value:buffer                           none     setsockopt(2)
getsockopt      fd level option *value length                          none     getsockopt(2)

close           fd                                                     none     close(2)
close_range     first last flags?=0                                    none     close_range(2)
dup             fd                                                     fd       dup(2)
dup2            fd other                                               fd       dup2(2)
dup3            fd other flags:fd_flags                                fd       dup3(2)
fcntl           fd command argument?                                   number   fcntl(2)
ioctl           fd request argument?                                   number   ioctl(2)

read            fd *data:string size                                   length   read(2)
write           fd data:buffer                                         number   write(2)
pread64         fd *data:string size offset                            length   pread(2)
pwrite64        fd data:buffer offset                                  number   pwrite(2)
readv           fd *data sizes                                         length   readv(2)
writev          fd data:vector                                         number   writev(2)
lseek           fd offset whence:seek                                  number   lseek(2)

poll            watched timeout?                                       number   poll(2)
select/pselect6 sets timeout?                                          number   select(2)
epoll_create1   flags:epoll_create?                                    fd       epoll_create1(2)
epoll_ctl       epfd operation fd events? data?                        none     epoll_ctl(2)
epoll_wait      epfd *events maxevents timeout?                        length   epoll_wait(2)

pipe2           *fds:list flags:fd_flags?=0                            none     pipe2(2)
eventfd2        value flags:eventfd?                                   fd       eventfd2(2)

openat          dirfd:dirfd path:path flags:open mode:octal?           fd       openat(2)
newfstatat      dirfd:dirfd path:path *stat:stat flags:at?=0           none     fstatat(2)
fstat           fd *stat:stat                                          none     fstat(2)
getdents64      fd *entries:entries size                               length   getdents64(2)
readlinkat      dirfd:dirfd path:path *target size?=4096               length   readlinkat(2)
faccessat/faccessat2 dirfd:dirfd path:path mode:access flags:at?       none     faccessat2(2)
mkdirat         dirfd:dirfd path:path mode:octal                       none     mkdirat(2)
mknodat         dirfd:dirfd path:path mode:node device?                none     mknodat(2)
symlinkat       target:path dirfd:dirfd path:path                      none     symlinkat(2)
linkat          olddirfd:dirfd old:path newdirfd:dirfd new:path flags:at?      none linkat(2)
unlinkat        dirfd:dirfd path:path flags:unlink?                    none     unlinkat(2)
renameat2       olddirfd:dirfd old:path newdirfd:dirfd new:path flags:rename?  none renameat2(2)
fchmodat        dirfd:dirfd path:path mode:octal                       none     fchmodat(2)
fchmod          fd mode:octal                                          none     fchmod(2)
fchownat        dirfd:dirfd path:path uid gid flags:at?                none     fchownat(2)
fchown          fd uid gid                                             none     fchown(2)
utimensat       dirfd:dirfd path:path times:times flags:at?            none     utimensat(2)
truncate        path:path size                                         none     truncate(2)
ftruncate       fd size                                                none     ftruncate(2)
fsync           fd                                                     none     fsync(2)
chdir           path:path                                              none     chdir(2)
fchdir          fd                                                     none     fchdir(2)
getcwd          *path:path size?=4096                                  string   getcwd(2)
chroot          path:path                                              none     chroot(2)
mount           source:path path:path filesystem:path flags:hex        none     mount(2)
umount2         path:path flags:hex                                    none     umount2(2)
umask           mask:octal                                             octal    umask(2)

mmap            address:pointer length prot:prot flags:map fd offset:hex  address mmap(2)
munmap          address:hex length                                     none     munmap(2)
msync           address:hex length flags:msync                         none     msync(2)
memfd_create    name flags:memfd?                                      fd       memfd_create(2)

getpid                                                                 number   getpid(2)
gettid                                                                 number   gettid(2)
getppid                                                                number   getppid(2)
getuid                                                                 number   getuid(2)
getgid                                                                 number   getgid(2)
setuid          uid                                                    none     setuid(2)
setgid          gid                                                    none     setgid(2)
getgroups       *groups                                                length   getgroups(2)
setgroups       groups:counted                                         none     setgroups(2)
capset          capabilities                                           none     capset(2)
prctl_comm      comm                                                   none     prctl(2)
prlimit/prlimit64 =0 resource:rlimit limits:limits? *old:limits        none     prlimit(2)
fork            image                                                  number   fork(2)
fork_exec       image                                                  number   fork(2)
clone_thread    image                                                  number   clone(2)
exit/exit_group code?                                                  none     _exit(2)
wait4           pid? *status options? =NULL                            number   wait4(2)
kill            pid number:signal                                      none     kill(2)
rt_sigaction    number:signal handler:handler *old:handler             none     sigaction(2)
sched_yield                                                            none     sched_yield(2)
nanosleep/clock_nanosleep =CLOCK_MONOTONIC =0 ns:timespec =NULL        none     clock_nanosleep(2)
futex           word operation:futex value timeout:timespec?=NULL      number   futex(2)
unshare         flags:clone                                            none     unshare(2)
setns           fd nstype:clone?=0                                     none     setns(2)
uname           *name:utsname                                          none     uname(2)
finit_module    path parameters? flags?                                none     finit_module(2)
delete_module   name flags:o_flags?=0                                  none     delete_module(2)
syslog          action:syslog *data:log size?=0                        length   syslog(2)
"""
_ARGUMENT: Final = re.compile(r"(\*?)(\w*)(?::(\w+))?(\?)?(?:=(\w+))?")


@attrs.frozen
class Argument:
    """An argument of a system call's C function.

    A program of simkernel passes it if it has a name and is not `filled`.
    """

    name: str
    kind: str = ""
    filled: bool = False
    optional: bool = False
    default: str = ""
    """Text that strace prints for this argument if the program has omitted it."""


@attrs.frozen
class SyscallSpec:
    """The declaration of one system call: its names, arguments, result and manual page."""

    name: str
    linux_name: str
    prototype: tuple[Argument, ...]
    result: str
    """Kind of the C function's result: none, fd, number, octal, address, length or string.

    If the kind is `length`, the C function returns the number of bytes or items of data. If it is `string`,
    the C function returns the length of a text plus 1 for the NUL.
    """
    page: str

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """The arguments that a program of simkernel passes.  Memory that the kernel writes is not among
        them.
        """
        return tuple(each for each in self.prototype if each.name and not each.filled)


def _spec(line: str) -> SyscallSpec:
    names, *arguments, result, page = line.split()
    name, _, linux_name = names.partition("/")
    return SyscallSpec(name, linux_name or name, tuple(map(_argument, arguments)), result, page)


def _argument(text: str) -> Argument:
    found = _ARGUMENT.fullmatch(text)
    assert found is not None, text
    filled, name, kind, optional, default = found.groups(default="")
    return Argument(name, kind, bool(filled), bool(optional), default)


SYSCALLS: Final = {spec.name: spec for spec in map(_spec, filter(None, _TABLE.splitlines()))}
