// SPDX-License-Identifier: GPL-2.0
/*
 * Linked into the base's test_progs by test-progs.mk. The runner keeps its network
 * namespace open and goes back to it after each test, and ends if it cannot. The
 * test machine's kernel may have been built without namespaces: then there is only
 * one, and nothing to go back to.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define OWN_NETNS "/proc/self/ns/net"

int __real_open(const char *path, int flags, ...);
int __real_setns(int fd, int type);
int __wrap_open(const char *path, int flags, ...);
int __wrap_setns(int fd, int type);

static bool no_namespaces(void)
{
	return access(OWN_NETNS, F_OK);
}

int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	if (!strcmp(path, OWN_NETNS) && no_namespaces())
		path = "/dev/null";
	return __real_open(path, flags, mode);
}

int __wrap_setns(int fd, int type)
{
	if (type == CLONE_NEWNET && no_namespaces())
		return 0;
	return __real_setns(fd, type);
}
