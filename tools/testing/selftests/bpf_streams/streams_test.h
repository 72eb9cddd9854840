/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the tests of BPF streams: loading and running programs, reading streams and
 * counters, checking the kernel's memory and log
 */
#ifndef STREAMS_TEST_H
#define STREAMS_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/capability.h>
#include <sys/types.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "say.h"
#include "say.skel.h"

/*
 * The harness ends a test after 30 s to detect hangs, but emulated machines and kernels
 * with debugging are slow.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 900

#ifndef CAP_PERFMON
#define CAP_PERFMON	38
#endif
#ifndef CAP_BPF
#define CAP_BPF		39
#endif

#define CAPACITY	(4L << 20)	/* unread text of a stream, in bytes */
#define OTHER_CAPACITY	100000L	/* on kernels without this series */
#define KIB		1024L
#define MIB		(1024L * 1024)

/*
 * The layout that programs built for released kernels have. Not taken from
 * linux/bpf.h, so that a change of the header can't hide a change of the ABI.
 */
#define STREAM_READ_CMD	37

struct stream_read_attr {
	__u64 buf;
	__u32 len;
	__u32 stream_id;
	__u32 prog_fd;
	__u32 after;		/* not part of it, must be zero */
};

#define STREAM_OPEN_CMD	39
#define STREAM_NONBLOCK	1

struct stream_open_attr {
	__u32 prog_fd;
	__u32 stream_id;
	__u32 flags;
	__u32 after;		/* not part of it, must be zero */
};

/* Counters of one stream, from the program's fdinfo */
struct stream_stats {
	unsigned long long written_bytes;
	unsigned long long written_msgs;
	unsigned long long unread_bytes;
	unsigned long long memory_bytes;
	unsigned long long dropped_bytes;
	unsigned long long dropped_msgs;
};

/* Set by one thread, read by others */
struct flag {
	int set;
};

static inline void flag_set(struct flag *f)
{
	__atomic_store_n(&f->set, 1, __ATOMIC_RELEASE);
}

static inline bool flag_is_set(const struct flag *f)
{
	return __atomic_load_n(&f->set, __ATOMIC_ACQUIRE);
}

/* A growing buffer */
struct text {
	char *data;
	size_t len;
	size_t size;
};

void text_add(struct text *t, const void *data, size_t len);
void text_line(struct text *t, unsigned int writer, unsigned long long seq);
void text_free(struct text *t);

/* Bytes copied, or a negative error */
long stream_read(int prog_fd, __u32 stream_id, void *buf, size_t len);
/* Append all unread text to 't', with reads of 'chunk' bytes. */
long stream_drain(int prog_fd, __u32 stream_id, size_t chunk, struct text *t);
/* The same without the text. Return: its length. */
long stream_discard(int prog_fd, __u32 stream_id);
/* A descriptor of the stream, or a negative error */
int stream_open(int prog_fd, __u32 stream_id, __u32 flags);
int stream_stats(int prog_fd, __u32 stream_id, struct stream_stats *st);
/* Read the stream and compare the text. */
bool stream_is(const struct bpf_program *prog, __u32 stream, const char *want);
/* Test if there is unread text, which went to the wrong program. */
bool others_are_empty(const struct bpf_object *obj);

/* A loaded say.bpf.c and the fd of its program */
struct say_bpf *say_load(int *prog_fd);
/* Run it. Return: 0 if the program ran, regardless of its messages. */
int say(int prog_fd, struct say_args *args);
/* Retry until all messages are accepted, or the stream is full. */
int say_until_full(int prog_fd, struct say_args *args);
/* Print 'count' messages, which must all be accepted. Return: 0 or an error. */
int say_all(int prog_fd, __u32 stream, enum say_kind kind, __u32 count,
	    __u64 *seq);
/* Print one message of 'len' bytes (less than SAY_TEXT_SIZE). Return: its error. */
int say_bytes(struct say_bpf *skel, __u32 stream, size_t len);
int run_prog(int prog_fd, void *ctx, size_t ctx_size);
/* Run a "syscall" or "tc" program. Return: its result or a negative error. */
int run(const struct bpf_program *prog);

/* Test for features of this series that other kernels don't have. */
bool ours(void);
bool is_rt(void);
bool is_smp(void);
/* Test if pages can be allocated with interrupts disabled. */
bool has_pages_with_irqs_off(void);
bool kernel_has_func(const char *name);
bool kernel_has_tracepoint(const char *name);
__u32 prog_id(int prog_fd);
bool prog_id_exists(__u32 id);
bool map_id_exists(__u32 id);

/* Free memory in bytes, including the per-CPU lists */
long free_memory(void);
/* The same, after the memory of freed programs was freed */
long settled_memory(void);
/* Test that KASAN's quarantine is not enabled. */
bool memory_is_exact(void);
/* Wait until free memory is 'before' again, except for 'slack'. */
bool memory_is_back(long before, long slack);
/*
 * Memory in bytes that the kernel's files for streams have allocated and not freed, pages
 * and objects; -ENOENT without CONFIG_MEM_ALLOC_PROFILING
 */
long streams_allocated(void);
/* Wait until the allocated memory is 'before' again. */
bool streams_are_freed(long before);

/* Return: number of new lines of the log that report a bug; the first in 'line'. */
int kmsg_open(void);
int kmsg_bugs(int fd, char *line, size_t size);

/* Test if the thread sleeps in that system call. */
bool sleeps_in(pid_t tid, long nr);
/* Run in a child, as dropped privileges cannot be regained. */
int keep_only_caps(__u64 caps);
bool write_file(const char *path, const char *text);
/* Read a file with one number. Return: the number or a negative error. */
long read_number(const char *path);
bool write_number(const char *path, long n);
/* Wait for its number. */
bool falls_below(const char *path, long limit);
void pin_to_cpu(int cpu);
int nr_cpus(void);
__u64 prng(__u64 *state);
void quiet_libbpf(bool quiet);
void mount_debugfs(void);

/* Send NMIs to all CPUs except the first; the log gets their backtraces. */
bool send_nmis(void);
/* Set the level of messages on the console. Return: the previous level. */
int set_console_level(int level);
#define CONSOLE_ERRORS	4	/* errors, but no backtraces of NMIs */

/* Skip the whole test file if it can't run */
void streams_require(void);

/* Wait for an event; if it does not happen, the harness ends the test */
#define wait_until(cond)		\
	do {				\
		while (!(cond))		\
			usleep(1000);	\
	} while (0)

/* 'what' is a feature of this series only */
#define SKIP_UNLESS_OURS(what)						\
	do {								\
		if (!ours())						\
			SKIP(return, "not promised by this kernel: " what); \
	} while (0)

/* Other kernels hold less unread text */
#define SKIP_UNLESS_ROOM(bytes)						\
	do {								\
		if ((bytes) > OTHER_CAPACITY)				\
			SKIP_UNLESS_OURS("room for that much unread text"); \
	} while (0)

#define STREAMS_TEST_MAIN				\
	int main(int argc, char **argv)			\
	{						\
		streams_require();			\
		return test_harness_run(argc, argv);	\
	}

#endif /* STREAMS_TEST_H */
