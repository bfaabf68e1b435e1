/* Nanoseconds per operation of the kernel this runs on.
 *
 * Each argument asks for one figure, as KIND:COUNT:SIZE; a line with it and the nanoseconds is printed for
 * each.  A batch of an operation is timed as a whole, and what only prepares it (draining a queue) is not.  The
 * figure is that of the fastest of many batches, on one CPU: whatever else the machine does only adds to it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES = 75, LARGEST = 1 << 20, MOST = 20000, GROUP = 1, OTHER_GROUP = 2 };
enum { BATCH_NS = 1000000 }; /* about as long a batch takes */
enum { QUEUE = 200000 };     /* bytes that a queue holds, in memory: a little less than rmem_default */

static char buffer[LARGEST];
static long count, size;  /* what is asked for */
static int one, other;    /* descriptors of the operation */
static int crowd[MOST];   /* sockets that only receive */
static struct sockaddr_nl to;
static pid_t partner;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static long must(long result, const char *what)
{
	if (result < 0)
		fail(what);
	return result;
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static int netlink_socket(int protocol, unsigned groups)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
	int fd = must(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), "socket");

	must(bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
	return fd;
}

static unsigned port_of(int fd)
{
	struct sockaddr_nl address;
	socklen_t length = sizeof address;

	must(getsockname(fd, (struct sockaddr *)&address, &length), "getsockname");
	return address.nl_pid;
}

static void aim_at(unsigned port, unsigned groups)
{
	to = (struct sockaddr_nl){.nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups};
}

static void send_to(int fd)
{
	must(sendto(fd, buffer, size, 0, (struct sockaddr *)&to, sizeof to), "sendto");
}

static void receive(int fd)
{
	must(recv(fd, buffer, sizeof buffer, 0), "recv");
}

/* -- operations: prepare, a batch of n, what comes after a batch ------------------------------------------- */

static void nothing(void) {}

static void getppids(long n)
{
	while (n--)
		syscall(SYS_getppid);
}

static void yields(long n)
{
	while (n--)
		sched_yield();
}

static void open_pipe(void)
{
	int ends[2];

	must(pipe(ends), "pipe");
	one = ends[0], other = ends[1];
}

static void fionreads(long n)
{
	int waiting;

	while (n--)
		must(ioctl(one, FIONREAD, &waiting), "ioctl");
}

static void open_large_pipe(void)
{
	open_pipe();
	if (size > 65536)
		must(fcntl(one, F_SETPIPE_SZ, size), "F_SETPIPE_SZ");
}

static void read_all(int fd)
{
	for (long left = size; left > 0;)
		left -= must(read(fd, buffer, left), "read");
}

static void pipe_turns(long n)
{
	while (n--) {
		must(write(other, buffer, size), "write");
		read_all(one);
	}
}

static void open_eventfd(void)
{
	one = must(eventfd(0, 0), "eventfd");
}

static void eventfd_turns(long n)
{
	unsigned long long value = 1;

	while (n--) {
		must(write(one, &value, sizeof value), "write");
		must(read(one, &value, sizeof value), "read");
	}
}

static void open_ready_eventfd(void)
{
	one = must(eventfd(1, 0), "eventfd");
}

static void polls(long n)
{
	struct pollfd asked = {.fd = one, .events = POLLIN};

	while (n--)
		must(poll(&asked, 1, -1), "poll");
}

static void open_epoll(void)
{
	struct epoll_event asked = {.events = EPOLLIN};

	other = must(eventfd(1, 0), "eventfd");
	one = must(epoll_create1(0), "epoll_create1");
	must(epoll_ctl(one, EPOLL_CTL_ADD, other, &asked), "epoll_ctl");
}

static void epoll_waits(long n)
{
	struct epoll_event told;

	while (n--)
		must(epoll_wait(one, &told, 1, -1), "epoll_wait");
}

static void socket_lives(long n)
{
	while (n--)
		close(netlink_socket(NETLINK_USERSOCK, 0));
}

static void preads(long n)
{
	while (n--)
		must(pread(one, buffer, 4096, 0), "pread");
}

static void open_comm(void)
{
	one = must(open("/proc/self/comm", O_RDONLY), "/proc/self/comm");
}

static void open_loadavg(void)
{
	one = must(open("/proc/loadavg", O_RDONLY), "/proc/loadavg");
}

static void open_attribute(void)
{
	one = must(open("/sys/kernel/profiling", O_RDONLY), "/sys/kernel/profiling");
	if (one < 0)
		one = must(open("/sys/kernel/uevent_seqnum", O_RDONLY), "/sys/kernel/uevent_seqnum");
}

static void open_unix(void)
{
	int ends[2];

	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), "socketpair");
	one = ends[0], other = ends[1];
}

static void unix_turns(long n)
{
	while (n--) {
		must(send(one, buffer, size, 0), "send");
		receive(other);
	}
}

static void open_usersock(void)
{
	one = netlink_socket(NETLINK_USERSOCK, 0);
	other = netlink_socket(NETLINK_USERSOCK, 0);
	aim_at(port_of(other), 0);
}

static void usersock_turns(long n)
{
	while (n--) {
		send_to(one);
		receive(other);
	}
}

static void aim_at_nobody(void)
{
	open_usersock();
	aim_at(0x7ffffff0, 0);
}

static void refusals(long n)
{
	while (n--)
		if (sendto(one, buffer, size, 0, (struct sockaddr *)&to, sizeof to) >= 0)
			fail("a port that nobody has");
}

struct request {
	struct nlmsghdr header;
	struct genlmsghdr generic;
	struct nlattr name;
	char text[8];
};

static void open_generic(void)
{
	struct request request = {
		.header = {.nlmsg_len = sizeof request, .nlmsg_type = GENL_ID_CTRL, .nlmsg_flags = NLM_F_REQUEST},
		.generic = {.cmd = CTRL_CMD_GETFAMILY, .version = 1},
		.name = {.nla_len = NLA_HDRLEN + 7, .nla_type = CTRL_ATTR_FAMILY_NAME},
		.text = "nlctrl",
	};

	one = other = netlink_socket(NETLINK_GENERIC, 0);
	aim_at(0, 0);
	memcpy(buffer, &request, sizeof request);
	size = sizeof request;
}

static void open_generic_noop(void)
{
	struct nlmsghdr *header = (struct nlmsghdr *)buffer;

	open_generic();
	if (size < (long)sizeof *header)
		size = sizeof *header;
	*header = (struct nlmsghdr){
		.nlmsg_len = size, .nlmsg_type = NLMSG_NOOP, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
}

static char reply[65536];

static void generic_turns(long n)
{
	while (n--) {
		send_to(one);
		must(recv(one, reply, sizeof reply, 0), "recv");
	}
}

static void open_queue(void)
{
	open_usersock();
}

static void fill_queue(long n)
{
	while (n--)
		send_to(one);
}

static void receives(long n)
{
	while (n--)
		receive(other);
}

/* The group gets it, and then it goes to port 0, where nobody is (netlink_sendmsg()). */
static void sends(long n)
{
	while (n--)
		if (sendto(one, buffer, size, 0, (struct sockaddr *)&to, sizeof to) < 0 && errno != ECONNREFUSED)
			fail("sendto");
}

static void drain(void)
{
	for (long member = 0; member < count; member++)
		while (recv(crowd[member], buffer, sizeof buffer, MSG_DONTWAIT) >= 0)
			;
}

static void open_group(void)
{
	one = netlink_socket(NETLINK_USERSOCK, 0);
	for (long member = 0; member < count; member++)
		crowd[member] = netlink_socket(NETLINK_USERSOCK, 1 << (GROUP - 1));
	aim_at(0, 1 << (GROUP - 1));
}

static void open_other_group(void)
{
	one = netlink_socket(NETLINK_USERSOCK, 0);
	for (long member = 0; member < count; member++)
		crowd[member] = netlink_socket(NETLINK_USERSOCK, 1 << (OTHER_GROUP - 1));
	crowd[count++] = netlink_socket(NETLINK_USERSOCK, 1 << (GROUP - 1));
	aim_at(0, 1 << (GROUP - 1));
}

static void echo_usersock(void)
{
	open_usersock();
	unsigned mine = port_of(one), theirs = port_of(other);

	partner = must(fork(), "fork");
	if (!partner) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		aim_at(mine, 0);
		for (;;) {
			receive(other);
			send_to(other);
		}
	}
	aim_at(theirs, 0);
}

static void usersock_echoes(long n)
{
	while (n--) {
		send_to(one);
		receive(one);
	}
}

static void echo_pipe(void)
{
	int there[2], back[2];

	must(pipe(there), "pipe");
	must(pipe(back), "pipe");
	partner = must(fork(), "fork");
	if (!partner) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			read_all(there[0]);
			must(write(back[1], buffer, size), "write");
		}
	}
	other = there[1], one = back[0];
}

static const struct operation {
	const char *kind;
	void (*prepare)(void);
	void (*batch)(long);
	void (*before)(long);
	void (*after)(void);
	int queues; /* whether what a batch sends lies in a queue until its end */
} operations[] = {
	{"getppid", nothing, getppids},
	{"sched_yield", nothing, yields},
	{"fionread", open_pipe, fionreads},
	{"eventfd", open_eventfd, eventfd_turns},
	{"poll", open_ready_eventfd, polls},
	{"epoll", open_epoll, epoll_waits},
	{"socket", nothing, socket_lives},
	{"comm", open_comm, preads},
	{"loadavg", open_loadavg, preads},
	{"attribute", open_attribute, preads},
	{"pipe", open_large_pipe, pipe_turns},
	{"unix", open_unix, unix_turns},
	{"usersock", open_usersock, usersock_turns},
	{"refused", aim_at_nobody, refusals},
	{"getfamily", open_generic, generic_turns},
	{"noop", open_generic_noop, generic_turns},
	{"recv", open_queue, receives, fill_queue, nothing, 1},
	{"members", open_group, sends, NULL, drain, 1},
	{"others", open_other_group, sends, NULL, drain, 1},
	{"usersock-echo", echo_usersock, usersock_echoes},
	{"pipe-echo", echo_pipe, pipe_turns},
};

static double timed(const struct operation *operation, long n)
{
	if (operation->before)
		operation->before(n);
	double begun = now();
	operation->batch(n);
	double took = now() - begun;
	if (operation->after)
		operation->after();
	return took;
}

static double measure(const struct operation *operation)
{
	double least = 1e18;
	long n = 1, longest = 1L << 30;

	if (operation->queues)
		longest = 1 + QUEUE / (2 * size + 4096);
	operation->prepare();
	while (n < longest && timed(operation, n) < BATCH_NS)
		n = n * 2 < longest ? n * 2 : longest;
	for (int batch = 0; batch < BATCHES; batch++) {
		double took = timed(operation, n) / n;

		if (took < least)
			least = took;
	}
	return least;
}

/* One figure in a process of its own, so that nothing of it is left for the next. */
static void figure(const char *asked)
{
	char kind[32];
	struct rlimit files = {MOST + 100, MOST + 100};

	if (sscanf(asked, "%31[^:]:%ld:%ld", kind, &count, &size) != 3 || size < 0 || size > LARGEST ||
	    count < 0 || count >= MOST) {
		fprintf(stderr, "%s: not KIND:COUNT:SIZE\n", asked);
		exit(2);
	}
	for (size_t index = 0; index < sizeof operations / sizeof *operations; index++) {
		if (strcmp(operations[index].kind, kind))
			continue;
		setrlimit(RLIMIT_NOFILE, &files);
		double ns = measure(&operations[index]);
		if (partner)
			kill(partner, SIGKILL), waitpid(partner, NULL, 0);
		printf("%s %.1f\n", asked, ns);
		exit(fflush(stdout) ? 1 : 0);
	}
	fprintf(stderr, "%s: no such operation\n", kind);
	exit(2);
}

int main(int argc, char **argv)
{
	cpu_set_t set;
	int status, failed = 0;

	CPU_ZERO(&set);
	CPU_SET(must(sched_getcpu(), "sched_getcpu"), &set);
	must(sched_setaffinity(0, sizeof set, &set), "sched_setaffinity");
	for (int index = 1; index < argc; index++) {
		pid_t child = must(fork(), "fork");

		if (!child)
			figure(argv[index]);
		must(waitpid(child, &status, 0), "waitpid");
		failed |= status;
	}
	return failed ? 1 : 0;
}
