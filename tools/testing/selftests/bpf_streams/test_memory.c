// SPDX-License-Identifier: GPL-2.0
/* Accounting and reclaim of the memory of streams */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "no_pages.skel.h"
#include "streams_test.h"

#define CGROUP		"/sys/fs/cgroup/bpf_streams"
#define CHILD		CGROUP "/child"
#define MAX_BYTES	"/proc/sys/kernel/bpf_streams_max_bytes"
#define BYTES		"/proc/sys/kernel/bpf_streams_bytes"

/* Precharges of the cgroup on each CPU, and memory noise */
#define SLACK		(2 * MIB)

#define MAX_PROGS	64
#define MANY		1000
#define REFUSALS	1000000

/* Fill both streams until an error. Return: the error; -ENOSPC if they are full. */
static int fill(int fd, struct say_args *args)
{
	__u32 stream;

	for (stream = STDOUT; stream <= STDERR; stream++) {
		*args = (struct say_args) {
			.stream = stream,
			.kind = SAY_512,
			.count = CAPACITY / 512 + 1,
			.until_error = 1,
		};
		if (say(fd, args))
			return -errno;
		if (args->error != -ENOSPC)
			return args->error;
	}
	return -ENOSPC;
}

/* A process in a memory cgroup that loads programs and then waits */
struct container {
	pid_t pid;
	bool in_child;		/* in its own cgroup, below that of the test */
	long reclaimable;	/* memory that it uses before it waits */
	int nr;
	int progs[MAX_PROGS];	/* descriptors of the test */
};

/* A negative dentry, which is reclaimed when memory is short */
static void fill_with_names(long limit)
{
	char path[64];
	int i;

	for (i = 0; i % 256 || read_number(CGROUP "/memory.current") < limit; i++) {
		snprintf(path, sizeof(path), "/sys/kernel/none-%d-%d", getpid(), i);
		access(path, F_OK);
	}
}

static void load_and_wait(const struct container *c, int nr, int out)
{
	__u32 id;
	int fd;

	if (!write_file(c->in_child ? CHILD "/cgroup.procs" : CGROUP "/cgroup.procs", "0"))
		_exit(1);
	while (nr--) {
		if (!say_load(&fd))
			_exit(1);
		id = prog_id(fd);
		if (!nr && c->reclaimable)
			fill_with_names(c->reclaimable);
		if (write(out, &id, sizeof(id)) != sizeof(id))
			_exit(1);
	}
	pause();
	_exit(0);
}

/* The programs stay loaded, as the test has descriptors. */
static void container_kill(struct container *c)
{
	if (c->pid <= 0)
		return;
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	c->pid = 0;
}

static void container_end(struct container *c)
{
	int i;

	for (i = 0; i < c->nr; i++)
		close(c->progs[i]);
	c->nr = 0;
	container_kill(c);
}

static bool container_start(struct container *c, int nr)
{
	int out[2];
	__u32 id;

	if (pipe(out))
		return false;
	fflush(NULL);
	c->pid = fork();
	if (!c->pid)
		load_and_wait(c, nr, out[1]);
	close(out[1]);

	for (c->nr = 0; c->nr < nr; c->nr++) {
		if (read(out[0], &id, sizeof(id)) != sizeof(id))
			break;
		c->progs[c->nr] = bpf_prog_get_fd_by_id(id);
		if (c->progs[c->nr] < 0)
			break;
	}
	close(out[0]);
	return c->nr == nr;
}

FIXTURE(cgroup)
{
	struct container c;
};

FIXTURE_SETUP(cgroup)
{
	SKIP_UNLESS_OURS("streams are charged");
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	mkdir(CGROUP, 0755);
	if (access(CGROUP "/memory.max", F_OK))
		SKIP(return, "no memory cgroups");
}

FIXTURE_TEARDOWN(cgroup)
{
	container_end(&self->c);
	rmdir(CHILD);
	rmdir(CGROUP);
}

/* The cgroup of the loader is charged, regardless of who prints and reads. */
TEST_F(cgroup, unread_text_is_charged_to_who_loaded_the_program)
{
	struct say_args args;
	long before, full;

	ASSERT_TRUE(container_start(&self->c, 1));
	before = read_number(CGROUP "/memory.current");
	ASSERT_EQ(-ENOSPC, fill(self->c.progs[0], &args));
	full = read_number(CGROUP "/memory.current");
	EXPECT_LE(before + 2 * CAPACITY, full);
	EXPECT_GE(before + 2 * CAPACITY + CAPACITY / 2, full);

	EXPECT_EQ(CAPACITY, stream_discard(self->c.progs[0], STDOUT));
	EXPECT_EQ(CAPACITY, stream_discard(self->c.progs[0], STDERR));
	EXPECT_GE(before + SLACK, read_number(CGROUP "/memory.current"));
}

/* Including streams that are open after all programs were unloaded */
TEST_F(cgroup, limit_holds_and_all_is_given_back)
{
	long limit = 64 * MIB, accepted = 0, refused = 0;
	struct say_args args;
	struct stream_stats st;
	int fds[2 * MAX_PROGS];
	struct say_bpf *other;
	int i, fd;

	ASSERT_TRUE(container_start(&self->c, MAX_PROGS));
	ASSERT_TRUE(write_number(CGROUP "/memory.max", limit));
	for (i = 0; i < MAX_PROGS; i++) {
		fds[2 * i] = stream_open(self->c.progs[i], STDOUT, STREAM_NONBLOCK);
		fds[2 * i + 1] = stream_open(self->c.progs[i], STDERR, STREAM_NONBLOCK);
		ASSERT_LE(0, fds[2 * i]);
		ASSERT_LE(0, fds[2 * i + 1]);
		if (fill(self->c.progs[i], &args) == -ENOSPC) {
			accepted += 2;
			continue;
		}
		refused++;
		EXPECT_EQ(-ENOMEM, args.error);
		EXPECT_LE(1, args.refused);
		ASSERT_EQ(0, stream_stats(self->c.progs[i], args.stream, &st));
		EXPECT_EQ(args.refused, st.dropped_msgs);
		EXPECT_EQ(args.refused * 512, st.dropped_bytes);
	}
	EXPECT_LT(0, accepted);
	EXPECT_LT(0, refused);
	EXPECT_GE(limit, accepted * CAPACITY);
	EXPECT_GE(limit, read_number(CGROUP "/memory.current"));

	/* Other programs can print. */
	other = say_load(&fd);
	ASSERT_NE(NULL, other);
	EXPECT_EQ(-ENOSPC, fill(fd, &args));
	say_bpf__destroy(other);

	container_end(&self->c);
	EXPECT_LE(accepted * CAPACITY, read_number(CGROUP "/memory.current"));
	for (i = 0; i < 2 * MAX_PROGS; i++)
		close(fds[i]);
	EXPECT_TRUE(falls_below(CGROUP "/memory.current", SLACK));
	EXPECT_TRUE(falls_below(BYTES, SLACK));
}

/* The memory is reparented, and uncharged from the parent. */
TEST_F(cgroup, may_go_before_its_streams)
{
	struct say_args args;
	int fd;

	ASSERT_TRUE(container_start(&self->c, 1));
	ASSERT_EQ(-ENOSPC, fill(self->c.progs[0], &args));
	fd = stream_open(self->c.progs[0], STDOUT, STREAM_NONBLOCK);
	ASSERT_LE(0, fd);
	container_end(&self->c);
	wait_until(!rmdir(CGROUP));
	close(fd);
	EXPECT_TRUE(falls_below(BYTES, SLACK));
}

/* Print and read on each CPU. Return: size of the idle pages in bytes. */
static long leave_idle_pages(int fd)
{
	struct stream_stats st;
	int cpu;

	for (cpu = 0; cpu < nr_cpus(); cpu++) {
		pin_to_cpu(cpu);
		if (say_all(fd, STDOUT, SAY_64, 1, NULL))
			return 0;
	}
	if (stream_discard(fd, STDOUT) != 64 * nr_cpus() || stream_stats(fd, STDOUT, &st))
		return 0;
	return st.memory_bytes;
}

static long memory_bytes(int fd)
{
	struct stream_stats st;

	return stream_stats(fd, STDOUT, &st) ? -1 : st.memory_bytes;
}

TEST_F(cgroup, idle_pages_go_where_the_limit_is_reached)
{
	struct say_args args;
	struct say_bpf *other;
	long used;
	int fd;

	ASSERT_TRUE(container_start(&self->c, 2));
	other = say_load(&fd);
	ASSERT_NE(NULL, other);
	EXPECT_LE(getpagesize(), leave_idle_pages(fd));
	EXPECT_LE(getpagesize(), leave_idle_pages(self->c.progs[0]));

	used = read_number(CGROUP "/memory.current");
	ASSERT_TRUE(write_number(CGROUP "/memory.max", used + MIB));
	EXPECT_EQ(-ENOMEM, fill(self->c.progs[1], &args));
	wait_until(!memory_bytes(self->c.progs[0]));
	EXPECT_LE(getpagesize(), memory_bytes(fd));
	say_bpf__destroy(other);
}

/* Another task in the cgroup needs the memory, and gets it. */
TEST_F(cgroup, idle_pages_go_where_the_cgroup_is_reclaimed)
{
	struct say_bpf *other;
	int i, fd;

	ASSERT_TRUE(container_start(&self->c, MAX_PROGS));
	if (access(CGROUP "/memory.reclaim", F_OK))
		SKIP(return, "no memory.reclaim");
	other = say_load(&fd);
	ASSERT_NE(NULL, other);
	EXPECT_LE(getpagesize(), leave_idle_pages(fd));
	for (i = 0; i < MAX_PROGS; i++)
		EXPECT_LE(getpagesize(), leave_idle_pages(self->c.progs[i]));

	/* More than is available */
	write_number(CGROUP "/memory.reclaim", 64 * MIB);
	for (i = 0; i < MAX_PROGS; i++)
		EXPECT_EQ(0, memory_bytes(self->c.progs[i]));
	EXPECT_LE(getpagesize(), memory_bytes(fd));
	say_bpf__destroy(other);
}

static bool start_with_idle_page_in_child(struct container *c)
{
	write_file(CGROUP "/cgroup.subtree_control", "+memory");
	c->in_child = true;
	return !mkdir(CHILD, 0755) && container_start(c, 1) &&
	       leave_idle_pages(c->progs[0]) >= getpagesize();
}

TEST_F(cgroup, idle_pages_go_where_the_parent_is_reclaimed)
{
	if (access(CGROUP "/memory.reclaim", F_OK))
		SKIP(return, "no memory.reclaim");
	ASSERT_TRUE(start_with_idle_page_in_child(&self->c));
	write_number(CGROUP "/memory.reclaim", 64 * MIB);
	EXPECT_EQ(0, memory_bytes(self->c.progs[0]));
}

TEST_F(cgroup, idle_pages_go_where_the_parent_inherited_them)
{
	if (access(CGROUP "/memory.reclaim", F_OK))
		SKIP(return, "no memory.reclaim");
	ASSERT_TRUE(start_with_idle_page_in_child(&self->c));
	container_kill(&self->c);
	wait_until(!rmdir(CHILD));
	EXPECT_LE(getpagesize(), memory_bytes(self->c.progs[0]));
	write_number(CGROUP "/memory.reclaim", 64 * MIB);
	EXPECT_EQ(0, memory_bytes(self->c.progs[0]));
}

/* As after reading files: the cgroup is at its limit, with reclaimable memory. */
TEST_F(cgroup, what_can_be_reclaimed_keeps_nobody_from_printing)
{
	long limit = 16 * MIB;

	ASSERT_TRUE(write_number(CGROUP "/memory.max", limit));
	self->c.reclaimable = limit - MIB / 2;
	ASSERT_TRUE(container_start(&self->c, 1));
	ASSERT_LE(limit - MIB, read_number(CGROUP "/memory.current"));
	EXPECT_EQ(0, say_all(self->c.progs[0], STDOUT, SAY_512, CAPACITY / 512, NULL));
	EXPECT_GE(limit, read_number(CGROUP "/memory.current"));
	EXPECT_EQ(CAPACITY, stream_discard(self->c.progs[0], STDOUT));
}

TEST(all_streams_together_have_a_limit)
{
	long max, limit = 2 * MIB;
	struct say_args args;
	struct stream_stats st;
	struct say_bpf *skel, *idle;
	int fd, idle_fd;

	SKIP_UNLESS_OURS("a limit for all streams");
	skel = say_load(&fd);
	idle = say_load(&idle_fd);
	ASSERT_NE(NULL, skel);
	ASSERT_NE(NULL, idle);
	max = read_number(MAX_BYTES);
	ASSERT_LT(limit, max);
	ASSERT_TRUE(falls_below(BYTES, limit / 2));

	EXPECT_LE(getpagesize(), leave_idle_pages(idle_fd));
	ASSERT_TRUE(write_number(MAX_BYTES, limit));
	EXPECT_EQ(-ENOMEM, fill(fd, &args));
	EXPECT_LT(limit / 4 / 512, args.accepted);
	EXPECT_GE(limit / 512, args.accepted);
	EXPECT_GE(limit, read_number(BYTES));
	wait_until(!memory_bytes(idle_fd));
	/* A small stream can get a page. */
	EXPECT_EQ(0, say_all(idle_fd, STDOUT, SAY_512, 8, NULL));
	EXPECT_TRUE(write_number(MAX_BYTES, max));

	ASSERT_EQ(0, stream_stats(fd, STDOUT, &st));
	EXPECT_EQ(args.refused, st.dropped_msgs);
	EXPECT_LE(st.unread_bytes, st.memory_bytes);
	EXPECT_EQ(0, say_all(fd, STDOUT, SAY_512, 1, NULL));
	say_bpf__destroy(skel);
	say_bpf__destroy(idle);
}

/* A program that does nothing, and one that may cause time-out reports */
static int load_insns(bool may_goto)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_JMP | BPF_JCOND, .off = 1 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int first = may_goto ? 0 : 1;

	return bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "cost", "GPL", insns + first,
			     ARRAY_SIZE(insns) - first, NULL);
}

static int load_silent(void)
{
	return load_insns(false);
}

static int load_may_goto(void)
{
	return load_insns(true);
}

/* Size of all per-CPU allocations, in bytes */
static long percpu_bytes(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = 0;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Percpu: %ld kB", &kib) == 1)
			break;
	fclose(f);
	return kib * KIB;
}

/* Load many programs and keep them. Return: their per-CPU memory, or negative. */
static long percpu_cost(int (*load)(void), int *fds)
{
	long before = percpu_bytes();
	int i;

	for (i = 0; i < MANY; i++) {
		fds[i] = load();
		if (fds[i] < 0)
			return -errno;
	}
	return percpu_bytes() - before;
}

/* The programs do not differ in other per-CPU memory. */
TEST(who_never_prints_has_nothing_on_each_cpu)
{
	const struct rlimit limit = { 4 * MANY, 4 * MANY };
	long silent, reported, streams;
	static int fds[2 * MANY];
	int i;

	SKIP_UNLESS_OURS("streams cost little until there is something in them");
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	silent = percpu_cost(load_silent, fds);
	reported = percpu_cost(load_may_goto, fds + MANY);
	ASSERT_LE(0, silent);
	ASSERT_LE(0, reported);

	/* Two streams with 5 longs per CPU; the kernel counts pages */
	streams = MANY * 2 * 5 * sizeof(long) * nr_cpus();
	EXPECT_LE(streams / 2, reported - silent)
		TH_LOG("%ld and %ld bytes", silent, reported);
	for (i = 0; i < 2 * MANY; i++)
		close(fds[i]);
}

TEST(stream_of_who_never_prints_is_empty)
{
	struct stream_stats st;
	int fd, stream;
	char c;

	SKIP_UNLESS_OURS("counters");
	fd = load_silent();
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, stream_read(fd, STDOUT, &c, 1));
	ASSERT_EQ(0, stream_stats(fd, STDERR, &st));
	EXPECT_EQ(0, st.written_bytes);
	EXPECT_EQ(0, st.memory_bytes);
	stream = stream_open(fd, STDERR, STREAM_NONBLOCK);
	ASSERT_LE(0, stream);
	EXPECT_EQ(-1, read(stream, &c, 1));
	EXPECT_EQ(EAGAIN, errno);
	close(fd);
	wait_until(!read(stream, &c, 1));
	close(stream);
}

TEST(idle_pages_are_given_back)
{
	struct say_bpf *idle, *busy;
	struct stream_stats st;
	int fd, busy_fd, cpu;
	char buf[16];

	SKIP_UNLESS_OURS("memory of drained streams is given back");
	idle = say_load(&fd);
	busy = say_load(&busy_fd);
	ASSERT_NE(NULL, idle);
	ASSERT_NE(NULL, busy);
	for (cpu = 0; cpu < nr_cpus(); cpu++) {
		pin_to_cpu(cpu);
		ASSERT_EQ(0, say_bytes(idle, STDOUT, 5));
		ASSERT_EQ(0, say_bytes(busy, STDOUT, 5));
	}
	ASSERT_EQ(5 * nr_cpus(), stream_discard(fd, STDOUT));
	ASSERT_EQ(0, stream_stats(fd, STDOUT, &st));
	EXPECT_LE(getpagesize(), st.memory_bytes);

	/* Trigger all shrinkers */
	ASSERT_TRUE(write_file("/proc/sys/vm/drop_caches", "2"));
	ASSERT_EQ(0, stream_stats(fd, STDOUT, &st));
	EXPECT_EQ(0, st.memory_bytes);
	ASSERT_EQ(0, stream_stats(busy_fd, STDOUT, &st));
	EXPECT_LE(getpagesize(), st.memory_bytes);
	EXPECT_EQ(5 * nr_cpus(), stream_discard(busy_fd, STDOUT));

	EXPECT_EQ(0, say_bytes(idle, STDOUT, 7));
	EXPECT_EQ(7, stream_read(fd, STDOUT, buf, sizeof(buf)));
	say_bpf__destroy(idle);
	say_bpf__destroy(busy);
}

/* A stream without a page */
static int first_message(void)
{
	struct say_args args = { .stream = STDOUT, .kind = SAY_CHAR, .count = 1 };
	struct say_bpf *skel;
	int fd, err;

	skel = say_load(&fd);
	if (!skel)
		return -errno;
	err = say(fd, &args);
	say_bpf__destroy(skel);
	return err ?: args.error;
}

/* As many messages of a stream without a page */
static unsigned int refusals(void)
{
	struct say_args args = { .stream = STDOUT, .kind = SAY_CHAR, .count = REFUSALS };
	struct say_bpf *skel;
	int fd;

	skel = say_load(&fd);
	if (!skel)
		return 0;
	say(fd, &args);
	say_bpf__destroy(skel);
	return args.refused;
}

/* When allocation fails, the reserve has some pages, and is refilled. */
TEST(reserve_is_used_up_and_filled_again)
{
	struct no_pages_bpf *no_pages;
	int i, round, err = 0;
	__u64 fills;

	SKIP_UNLESS_OURS("a reserve of pages");
	no_pages = no_pages_bpf__open();
	ASSERT_NE(NULL, no_pages);
	bpf_program__set_autoload(no_pages->progs.count_fill, true);
	if (no_pages_bpf__load(no_pages) || no_pages_bpf__attach(no_pages)) {
		no_pages_bpf__destroy(no_pages);
		SKIP(return, "needs CONFIG_FUNCTION_ERROR_INJECTION");
	}

	for (round = 0; round < 2; round++) {
		/* Refilling takes some time. */
		do {
			no_pages->bss->percent = 0;
			usleep(200000);
			no_pages->bss->percent = 100;
		} while (first_message());
		for (i = 0; i < 1000 && !err; i++)
			err = first_message();
		EXPECT_EQ(-ENOMEM, err);
		err = 0;
	}

	/* Retrying does not use all CPU time. */
	fills = no_pages->bss->fills;
	EXPECT_EQ(REFUSALS, refusals());
	EXPECT_GT(REFUSALS / 1000, no_pages->bss->fills - fills);
	no_pages_bpf__destroy(no_pages);
	EXPECT_EQ(0, first_message());
}

STREAMS_TEST_MAIN
