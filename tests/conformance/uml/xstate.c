/*
 * A preloaded ptrace() that lets User-mode Linux 6.12 run on a CPU with AMX.
 *
 * UML keeps the floating point state of a process in 2696 bytes (HOST_FP_SIZE, arch/x86/um/user-offsets.c):
 * the XSAVE area without AMX's tiles.  PTRACE_GETREGSET fills a short buffer.  PTRACE_SETREGSET demands the
 * whole area and fails with EFAULT otherwise (xstateregs_set(), arch/x86/kernel/fpu/regset.c), upon which UML
 * kills its init.  This ptrace() reads the whole area of the process, replaces its beginning and writes it
 * back.  Debian's UML is dynamically linked, so that LD_PRELOAD suffices.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static long set_regset(long pid, void *set, struct iovec *given)
{
	static char area[65536];
	struct iovec whole = { area, sizeof(area) };

	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, set, &whole) < 0)
		return -1;
	if (given->iov_len >= whole.iov_len)
		return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, set, given);
	memcpy(area, given->iov_base, given->iov_len);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, set, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list arguments;
	long pid, result, word = 0;
	void *address, *data;

	va_start(arguments, request);
	pid = va_arg(arguments, long);
	address = va_arg(arguments, void *);
	data = va_arg(arguments, void *);
	va_end(arguments);

	if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE)
		return set_regset(pid, address, data);
	if (request < PTRACE_PEEKTEXT || request > PTRACE_PEEKUSER)
		return syscall(SYS_ptrace, request, pid, address, data);
	/* The system call stores the word, the C library's function returns it. */
	result = syscall(SYS_ptrace, request, pid, address, &word);
	return result < 0 ? result : word;
}
