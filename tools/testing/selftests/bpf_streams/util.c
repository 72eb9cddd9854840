// SPDX-License-Identifier: GPL-2.0
/* Functions for the tests of BPF streams, see streams_test.h */
#include <linux/membarrier.h>
#include <malloc.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <bpf/btf.h>

#include "../kselftest.h"
#include "streams_test.h"

void text_add(struct text *t, const void *data, size_t len)
{
	if (!len)
		return;
	if (t->size - t->len < len) {
		t->size = t->size * 2 + len;
		t->data = realloc(t->data, t->size);
		if (!t->data)
			ksft_exit_fail_msg("out of memory\n");
	}
	memcpy(t->data + t->len, data, len);
	t->len += len;
}

static char text_char(int i)
{
	return 'a' + i % 26;
}

/* The text of say.bpf.c for SAY_LINE */
void text_line(struct text *t, unsigned int writer, unsigned long long seq)
{
	unsigned int i, pad = SAY_LINE_PAD(writer, seq);
	char line[SAY_TEXT_SIZE];
	int len;

	len = snprintf(line, sizeof(line), "%u %08llu ", writer, seq);
	for (i = 0; i < pad; i++)
		line[len++] = text_char(SAY_TEXT_SIZE - 1 - pad + i);
	line[len++] = '\n';
	text_add(t, line, len);
}

void text_free(struct text *t)
{
	free(t->data);
	memset(t, 0, sizeof(*t));
}

long stream_read(int prog_fd, __u32 stream_id, void *buf, size_t len)
{
	struct stream_read_attr attr = {
		.buf = (uintptr_t)buf,
		.len = len,
		.stream_id = stream_id,
		.prog_fd = prog_fd,
	};
	long ret;

	ret = syscall(__NR_bpf, STREAM_READ_CMD, &attr,
		      offsetof(struct stream_read_attr, after));
	return ret < 0 ? -errno : ret;
}

long stream_drain(int prog_fd, __u32 stream_id, size_t chunk, struct text *t)
{
	char *buf = malloc(chunk);
	long ret;

	if (!buf)
		return -ENOMEM;
	while ((ret = stream_read(prog_fd, stream_id, buf, chunk)) > 0)
		text_add(t, buf, ret);
	free(buf);
	return ret;
}

long stream_discard(int prog_fd, __u32 stream_id)
{
	static char buf[64 * 1024];
	long ret, sum = 0;

	while ((ret = stream_read(prog_fd, stream_id, buf, sizeof(buf))) > 0)
		sum += ret;
	return ret ?: sum;
}

int stream_open(int prog_fd, __u32 stream_id, __u32 flags)
{
	struct stream_open_attr attr = {
		.prog_fd = prog_fd,
		.stream_id = stream_id,
		.flags = flags,
	};
	long ret;

	ret = syscall(__NR_bpf, STREAM_OPEN_CMD, &attr,
		      offsetof(struct stream_open_attr, after));
	return ret < 0 ? -errno : ret;
}

static void stat_line(const char *line, const char *stream,
		      struct stream_stats *st, int *found)
{
	unsigned long long n;
	char what[32];
	size_t i;
	struct {
		const char *what;
		unsigned long long *n;
	} counters[] = {
		{ "written_bytes", &st->written_bytes },
		{ "written_msgs", &st->written_msgs },
		{ "unread_bytes", &st->unread_bytes },
		{ "memory_bytes", &st->memory_bytes },
		{ "dropped_bytes", &st->dropped_bytes },
		{ "dropped_msgs", &st->dropped_msgs },
	};

	if (strncmp(line, stream, strlen(stream)))
		return;
	if (sscanf(line + strlen(stream), "%31[a-z_]:\t%llu\n", what, &n) != 2)
		return;
	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		if (strcmp(what, counters[i].what))
			continue;
		*counters[i].n = n;
		*found |= 1 << i;
	}
}

/* -ENOENT unless each counter is there */
int stream_stats(int prog_fd, __u32 stream_id, struct stream_stats *st)
{
	const char *stream = stream_id == STDOUT ? "stream_stdout_" : "stream_stderr_";
	char path[64], line[256];
	int found = 0;
	FILE *f;

	memset(st, 0, sizeof(*st));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", prog_fd);
	f = fopen(path, "r");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		stat_line(line, stream, st, &found);
	fclose(f);
	return found == 0x3f ? 0 : -ENOENT;
}

bool stream_is(const struct bpf_program *prog, __u32 stream, const char *want)
{
	char buf[1024];
	long len;

	len = stream_read(bpf_program__fd(prog), stream, buf, sizeof(buf) - 1);
	if (len < 0)
		return false;
	buf[len] = '\0';
	if (strcmp(buf, want)) {
		fprintf(stderr, "# stream %u of %s has '%s' rather than '%s'\n",
			stream, bpf_program__name(prog), buf, want);
		return false;
	}
	return true;
}

bool others_are_empty(const struct bpf_object *obj)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, obj) {
		if (!bpf_program__autoload(prog))
			continue;
		if (!stream_is(prog, STDOUT, "") || !stream_is(prog, STDERR, ""))
			return false;
	}
	return true;
}

struct say_bpf *say_load(int *prog_fd)
{
	struct say_bpf *skel = say_bpf__open_and_load();
	int i;

	if (!skel)
		return NULL;
	for (i = 0; i < SAY_TEXT_SIZE - 1; i++)
		skel->bss->text[i] = text_char(i);
	*prog_fd = bpf_program__fd(skel->progs.say);
	return skel;
}

int run_prog(int prog_fd, void *ctx, size_t ctx_size)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = ctx, .ctx_size_in = ctx_size);

	return bpf_prog_test_run_opts(prog_fd, &opts);
}

int run(const struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	char packet[64] = {};

	if (bpf_program__type(prog) == BPF_PROG_TYPE_SCHED_CLS) {
		opts.data_in = packet;
		opts.data_size_in = sizeof(packet);
		opts.repeat = 1;
	}
	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts))
		return -errno;
	return opts.retval;
}

int say(int prog_fd, struct say_args *args)
{
	return run_prog(prog_fd, args, sizeof(*args));
}

/*
 * Pages are allocated without waiting for a lock, so a message can be refused temporarily:
 * retry.
 */
int say_until_full(int prog_fd, struct say_args *args)
{
	unsigned int accepted = 0, left = args->count;
	int err;

	args->until_error = 1;
	do {
		args->count = left - accepted;
		err = say(prog_fd, args);
		if (err)
			return err;
		accepted += args->accepted;
	} while (args->refused && args->error == -ENOMEM);

	args->count = left;
	args->accepted = accepted;
	return 0;
}

int say_all(int prog_fd, __u32 stream, enum say_kind kind, __u32 count, __u64 *seq)
{
	struct say_args args = {
		.stream = stream,
		.kind = kind,
		.count = count,
		.seq = seq ? *seq : 0,
	};
	int err;

	err = say_until_full(prog_fd, &args);
	if (err)
		return err;
	if (seq)
		*seq = args.seq;
	if (args.refused)
		return args.error;
	return args.accepted == count ? 0 : -EIO;
}

int say_bytes(struct say_bpf *skel, __u32 stream, size_t len)
{
	char c = skel->bss->text[len];
	int err;

	skel->bss->text[len] = '\0';
	err = say_all(bpf_program__fd(skel->progs.say), stream, SAY_TEXT, 1, NULL);
	skel->bss->text[len] = c;
	return err;
}

/*
 * Kernels older than the first that had streams can only have them from this series, and
 * later ones don't have counters.
 */
bool ours(void)
{
	static int counts = -1;
	unsigned int major, minor;
	struct stream_stats st;
	struct say_bpf *skel;
	struct utsname uts;
	int fd;

	if (counts >= 0)
		return counts;
	if (!uname(&uts) && sscanf(uts.release, "%u.%u", &major, &minor) == 2 &&
	    (major < 6 || (major == 6 && minor < 17)))
		return true;

	skel = say_load(&fd);
	counts = skel && !stream_stats(fd, STDOUT, &st);
	say_bpf__destroy(skel);
	return counts;
}

static bool is_built(const char *how)
{
	struct utsname uts;

	return !uname(&uts) && strstr(uts.version, how);
}

bool is_rt(void)
{
	return is_built("PREEMPT_RT");
}

bool is_smp(void)
{
	return is_built("SMP");
}

bool has_pages_with_irqs_off(void)
{
	return is_smp() && !is_rt();
}

static bool kernel_has(const char *name, __u32 kind)
{
	static struct btf *btf;

	if (!btf)
		btf = btf__load_vmlinux_btf();
	return btf && btf__find_by_name_kind(btf, name, kind) > 0;
}

bool kernel_has_func(const char *name)
{
	return kernel_has(name, BTF_KIND_FUNC);
}

bool kernel_has_tracepoint(const char *name)
{
	char type[128];

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	return kernel_has(type, BTF_KIND_TYPEDEF);
}

__u32 prog_id(int prog_fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return bpf_prog_get_info_by_fd(prog_fd, &info, &len) ? 0 : info.id;
}

static bool id_exists(int fd)
{
	if (fd < 0)
		return fd != -ENOENT;
	close(fd);
	return true;
}

bool prog_id_exists(__u32 id)
{
	return id_exists(bpf_prog_get_fd_by_id(id));
}

bool map_id_exists(__u32 id)
{
	return id_exists(bpf_map_get_fd_by_id(id));
}

long free_memory(void)
{
	long pages = 0, n;
	char line[256];
	FILE *f;

	/* Fold the per-CPU counters */
	write_file("/proc/sys/vm/stat_refresh", "1");

	f = fopen("/proc/zoneinfo", "r");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " pages free %ld", &n) == 1 ||
		    sscanf(line, " count: %ld", &n) == 1)
			pages += n;
	}
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

bool memory_is_exact(void)
{
	return !kernel_has_func("kasan_quarantine_reduce");
}

/* The memory of freed programs and maps is freed after RCU grace periods */
#define PATIENCE_TENTHS	300

/* Trim malloc(), wait for a grace period, and for work items after it */
static void let_memory_return(void)
{
	malloc_trim(0);
	syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	usleep(100 * 1000);
}

long settled_memory(void)
{
	const long noise = 4 * sysconf(_SC_PAGESIZE);
	long bytes = free_memory(), last;
	int i, calm = 0;

	for (i = 0; i < PATIENCE_TENTHS && calm < 3; i++) {
		last = bytes;
		let_memory_return();
		bytes = free_memory();
		calm = labs(bytes - last) <= noise ? calm + 1 : 0;
	}
	return bytes;
}

bool memory_is_back(long before, long slack)
{
	int i;

	if (!memory_is_exact())
		slack += sysconf(_SC_PHYS_PAGES) / 32 * sysconf(_SC_PAGESIZE);
	for (i = 0; i < PATIENCE_TENTHS; i++) {
		if (before - free_memory() <= slack)
			return true;
		let_memory_return();
	}
	return false;
}

long streams_allocated(void)
{
	char line[512], file[256];
	long sum = 0, bytes;
	FILE *f;

	f = fopen("/proc/allocinfo", "r");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%ld %*u %255s", &bytes, file) == 2 &&
		    strstr(file, "kernel/bpf/stream"))
			sum += bytes;
	}
	fclose(f);
	return sum;
}

bool streams_are_freed(long before)
{
	int i;

	for (i = 0; i < PATIENCE_TENTHS; i++) {
		if (streams_allocated() <= before)
			return true;
		let_memory_return();
	}
	return false;
}

/* Positioned after the current end of the log */
int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

int kmsg_bugs(int fd, char *line, size_t size)
{
	static const char * const bad[] = {
		"WARNING:", "BUG:", "cut here", "INFO: task", "rcu: INFO",
		"detected stall", "possible circular locking",
		"inconsistent lock state", "Oops:", "general protection fault",
	};
	char rec[8192];
	int bugs = 0;
	ssize_t len;
	size_t i;

	for (;;) {
		len = read(fd, rec, sizeof(rec) - 1);
		if (len < 0 && errno == EPIPE)
			continue;	/* lines were overwritten, continue with the next */
		if (len <= 0)
			return bugs;
		rec[len] = '\0';
		/* The base has data races; the stacks in the log tell if one is ours */
		if (strstr(rec, "BUG: KCSAN:"))
			continue;
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			if (!strstr(rec, bad[i]))
				continue;
			if (!bugs++)
				snprintf(line, size, "%s", rec);
		}
	}
}

bool sleeps_in(pid_t tid, long nr)
{
	char path[64], line[512], *state;
	long now;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (fscanf(f, "%ld", &now) != 1)
		now = -1;
	fclose(f);
	if (now != nr)
		return false;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	f = fopen(path, "r");
	if (!f)
		return false;
	state = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	return state && (state[2] == 'S' || state[2] == 'D');
}

int keep_only_caps(__u64 caps)
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = caps, .permitted = caps },
		{ .effective = caps >> 32, .permitted = caps >> 32 },
	};

	return syscall(__NR_capset, &hdr, data);
}

bool write_file(const char *path, const char *text)
{
	ssize_t len = strlen(text);
	bool ok;
	int fd;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = write(fd, text, len) == len;
	close(fd);
	return ok;
}

long read_number(const char *path)
{
	char line[64] = "";
	FILE *f = fopen(path, "r");

	if (!f)
		return -errno;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	return strtol(line, NULL, 10);
}

bool write_number(const char *path, long n)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", n);
	return write_file(path, text);
}

bool falls_below(const char *path, long limit)
{
	int i;

	for (i = 0; i < 300; i++) {
		if (read_number(path) < limit)
			return true;
		usleep(100000);
	}
	return false;
}

void pin_to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	/* Fails only if there are fewer CPUs: then all share them */
	sched_setaffinity(0, sizeof(set), &set);
}

int nr_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

__u64 prng(__u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static int print_warnings(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

static int print_nothing(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return 0;
}

void quiet_libbpf(bool quiet)
{
	libbpf_set_print(quiet ? print_nothing : print_warnings);
}

bool send_nmis(void)
{
	pin_to_cpu(0);
	return write_file("/proc/sysrq-trigger", "l");
}

int set_console_level(int level)
{
	int before = 7;
	FILE *f;

	f = fopen("/proc/sys/kernel/printk", "r");
	if (f) {
		if (fscanf(f, "%d", &before) != 1)
			before = 7;
		fclose(f);
	}
	klogctl(8 /* SYSLOG_ACTION_CONSOLE_LEVEL */, NULL, level);
	return before;
}

void mount_debugfs(void)
{
	/* It may be mounted already */
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
}

/* With BPF_STREAMS_REQUIRED=1 in the environment a kernel without streams is a failure. */
void streams_require(void)
{
	bool required = getenv("BPF_STREAMS_REQUIRED");
	const char *why = NULL;

	quiet_libbpf(false);
	if (geteuid())
		why = "needs root";
	else if (!kernel_has_func("bpf_stream_vprintk") &&
		 !kernel_has_func("bpf_stream_vprintk_impl"))
		why = "the kernel has no BPF streams, or no BTF";
	if (!why)
		return;

	ksft_print_header();
	if (required)
		ksft_exit_fail_msg("%s\n", why);
	ksft_exit_skip("%s\n", why);
}
