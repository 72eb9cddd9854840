/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of BPF streams share: load and run programs, read streams and
 * counters, look at the kernel's memory and log.
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
 * The harness would end a test after 30 s. That's for tests that hang; emulated
 * machines and kernels with debugging are just slow.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 900

#ifndef CAP_PERFMON
#define CAP_PERFMON	38
#endif
#ifndef CAP_BPF
#define CAP_BPF		39
#endif

#define CAPACITY	(4L << 20)	/* bytes of text unread in a stream */
#define OTHER_CAPACITY	100000L	/* of kernels without this series */
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

/* Set by one thread, seen by others */
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
/* Everything unread is appended to 't', by reads of 'chunk' bytes */
long stream_drain(int prog_fd, __u32 stream_id, size_t chunk, struct text *t);
/* The same for those who don't look at the text: its length */
long stream_discard(int prog_fd, __u32 stream_id);
/* A descriptor of the stream, or a negative error */
int stream_open(int prog_fd, __u32 stream_id, __u32 flags);
int stream_stats(int prog_fd, __u32 stream_id, struct stream_stats *st);
/* Takes the text off the stream: is it that? */
bool stream_is(const struct bpf_program *prog, __u32 stream, const char *want);
/* What the test has not taken went to the wrong program: is there any? */
bool others_are_empty(const struct bpf_object *obj);

/* A loaded say.bpf.c and the fd of its program */
struct say_bpf *say_load(int *prog_fd);
/* Run it: 0 if the program ran, whatever became of its messages */
int say(int prog_fd, struct say_args *args);
/* The same until all messages are accepted, or one isn't for want of room */
int say_until_full(int prog_fd, struct say_args *args);
/* 'count' messages, all of which must be accepted: 0, or an error */
int say_all(int prog_fd, __u32 stream, enum say_kind kind, __u32 count,
	    __u64 *seq);
/* One message of 'len' bytes (less than SAY_TEXT_SIZE), its error */
int say_bytes(struct say_bpf *skel, __u32 stream, size_t len);
int run_prog(int prog_fd, void *ctx, size_t ctx_size);
/* Runs a "syscall" or "tc" program: what that returned, or a negative error */
int run(const struct bpf_program *prog);

/* Has the kernel what only this series has (and later kernels don't)? */
bool ours(void);
bool is_rt(void);
bool is_smp(void);
/* Can a page be had where interrupts are disabled? */
bool has_pages_with_irqs_off(void);
bool kernel_has_func(const char *name);
bool kernel_has_tracepoint(const char *name);
__u32 prog_id(int prog_fd);
bool prog_id_exists(__u32 id);
bool map_id_exists(__u32 id);

/* Bytes of free memory, pages that the CPUs have at hand included */
long free_memory(void);
/* The same, once freed programs and what they had have given theirs back */
long settled_memory(void);
/* KASAN keeps some of what is freed, to notice who uses it still: is it not there? */
bool memory_is_exact(void);
/* Has free memory come back to 'before' but for 'slack'? Waits for it. */
bool memory_is_back(long before, long slack);
/*
 * Bytes that the streams' files in the kernel have allocated and not freed, pages and
 * objects alike; -ENOENT if the kernel does not count them (CONFIG_MEM_ALLOC_PROFILING)
 */
long streams_allocated(void);
/* Have they freed what they got since 'before' was counted? Waits for it. */
bool streams_are_freed(long before);

/* New lines of the kernel log that tell of a bug: how many, the first in 'line' */
int kmsg_open(void);
int kmsg_bugs(int fd, char *line, size_t size);

/* Does the thread sleep in that system call? */
bool sleeps_in(pid_t tid, long nr);
/* Runs in a child: what is given up doesn't come back */
int keep_only_caps(__u64 caps);
bool write_file(const char *path, const char *text);
/* A file with one number. Negative: an error */
long read_number(const char *path);
bool write_number(const char *path, long n);
/* Does its number? Waits for it. */
bool falls_below(const char *path, long limit);
void pin_to_cpu(int cpu);
int nr_cpus(void);
__u64 prng(__u64 *state);
void quiet_libbpf(bool quiet);
void mount_debugfs(void);

/* NMIs to all CPUs but the first; the log gets their backtraces */
bool send_nmis(void);
/* Which messages of the kernel come out at once. Returns the level before. */
int set_console_level(int level);
#define CONSOLE_ERRORS	4	/* these and worse, but no backtraces of NMIs */

/* Skips the whole test file where it can't run */
void streams_require(void);

/* Wait for something that must happen: the harness ends a test that waits in vain */
#define wait_until(cond)		\
	do {				\
		while (!(cond))		\
			usleep(1000);	\
	} while (0)

/* 'what' is promised by this series, whatever other kernels do */
#define SKIP_UNLESS_OURS(what)						\
	do {								\
		if (!ours())						\
			SKIP(return, "not promised by this kernel: " what); \
	} while (0)

/* Other kernels take less text before it is read */
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
