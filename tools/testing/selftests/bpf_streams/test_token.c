// SPDX-License-Identifier: GPL-2.0
/* Memory that a container with a BPF token can use */
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/mount.h>

#include "../kselftest_harness.h"
#include "fill.skel.h"
#include "streams_test.h"

#define CGROUP		"/sys/fs/cgroup/bpf_streams_token"
#define STREAMS_BYTES	"/proc/sys/kernel/bpf_streams_bytes"

#define LIMIT		(64 * MIB)
#define NR_PROGS	1000
/* Precharges of the cgroup on each CPU, and memory noise */
#define SLACK		(2 * MIB)

/*
 * A container: a process with its own user namespace and memory cgroup. It shares its
 * descriptor table with the test, so that its descriptors stay open, and this memory.
 */
struct container {
	struct flag has_namespace;
	struct flag has_ids;
	struct flag has_context;
	struct flag has_mount;
	int context;		/* of a BPF file system that it requests, */
	int mount;		/* and gets */
	char failed[64];	/* the step that failed */
	int nr;			/* number of programs that it has run */
	int progs[NR_PROGS];
	int streams[NR_PROGS][2];
};

static void fails(struct container *c, const char *what)
{
	snprintf(c->failed, sizeof(c->failed), "%s: %s", what, strerror(errno));
	_exit(1);
}

/* The host decides what the token delegates. */
static int get_token(struct container *c)
{
	char path[32];
	int dir, token;

	c->context = syscall(__NR_fsopen, "bpf", 0);
	if (c->context < 0)
		fails(c, "fsopen");
	flag_set(&c->has_context);
	wait_until(flag_is_set(&c->has_mount));

	snprintf(path, sizeof(path), "/proc/self/fd/%d", c->mount);
	dir = open(path, O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		fails(c, "bpffs");
	token = bpf_token_create(dir, NULL);
	if (token < 0)
		fails(c, "token");
	return token;
}

/* Not libbpf objects, which would take more memory than the streams. */
static int load_copy(const struct bpf_program *prog, int token)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);

	opts.prog_flags = BPF_F_SLEEPABLE | BPF_F_TOKEN_FD;
	opts.token_fd = token;
	return bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "fill", "GPL", bpf_program__insns(prog),
			     bpf_program__insn_cnt(prog), &opts);
}

static struct fill_bpf *load_first(struct container *c)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct fill_bpf *skel;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", c->mount);
	opts.bpf_token_path = path;
	skel = fill_bpf__open_opts(&opts);
	if (!skel || fill_bpf__load(skel))
		fails(c, "load by token");
	return skel;
}

static void load_and_fill(struct container *c)
{
	struct fill_bpf *skel;
	int i, token;

	if (!write_file(CGROUP "/cgroup.procs", "0"))
		fails(c, "cgroup");
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		fails(c, "user namespace");
	flag_set(&c->has_namespace);
	wait_until(flag_is_set(&c->has_ids));

	token = get_token(c);
	skel = load_first(c);
	for (i = 0; i < NR_PROGS; i++) {
		c->progs[i] = load_copy(skel->progs.fill, token);
		if (c->progs[i] < 0)
			fails(c, "copy");
	}
	/* Later there may be no memory except that which is freed before. */
	for (i = 0; i < NR_PROGS; i++) {
		c->streams[i][0] = stream_open(c->progs[i], STDOUT, STREAM_NONBLOCK);
		c->streams[i][1] = stream_open(c->progs[i], STDERR, STREAM_NONBLOCK);
		if (c->streams[i][0] < 0 || c->streams[i][1] < 0)
			fails(c, "open");
	}
	for (i = 0; i < NR_PROGS; i++) {
		if (run_prog(c->progs[i], NULL, 0))
			fails(c, "run");
		c->nr++;
	}
	fill_bpf__destroy(skel);
	close(token);
	close(c->mount);
	close(c->context);
}

static int delegate_all(int context)
{
	static const char * const what[] = {
		"delegate_cmds", "delegate_maps", "delegate_progs", "delegate_attachs",
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(what); i++)
		if (syscall(__NR_fsconfig, context, FSCONFIG_SET_STRING, what[i], "any", 0))
			return -1;
	if (syscall(__NR_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -1;
	return syscall(__NR_fsmount, context, 0, 0);
}

static bool map_root(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	if (!write_file(path, "0 0 1"))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	return write_file(path, "0 0 1");
}

/* Test if it has reached this stage, or failed. */
static bool has_come_to(struct container *c, struct flag *step)
{
	wait_until(flag_is_set(step) || c->failed[0]);
	return !c->failed[0];
}

/* The host's part. Returns when the container has exited. */
static bool serve(struct container *c, pid_t pid)
{
	bool ok = false;

	if (!has_come_to(c, &c->has_namespace) || !map_root(pid))
		goto out;
	flag_set(&c->has_ids);
	if (!has_come_to(c, &c->has_context))
		goto out;
	c->mount = delegate_all(c->context);
	ok = c->mount >= 0;
	flag_set(&c->has_mount);
out:
	if (!ok)
		kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return ok && !c->failed[0];
}

static pid_t fork_with_files(struct container *c)
{
	pid_t pid;

	fflush(NULL);
	pid = syscall(__NR_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (!pid) {
		load_and_fill(c);
		_exit(0);
	}
	return pid;
}

FIXTURE(token)
{
	struct container *c;
};

FIXTURE_SETUP(token)
{
	const struct rlimit limit = { 4 * NR_PROGS, 4 * NR_PROGS };

	SKIP_UNLESS_OURS("streams are charged");
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	mkdir(CGROUP, 0755);
	if (access(CGROUP "/memory.max", F_OK) || access("/proc/self/ns/user", F_OK))
		SKIP(return, "needs memory cgroups and user namespaces");
	ASSERT_TRUE(write_number(CGROUP "/memory.max", LIMIT));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	self->c = mmap(NULL, sizeof(*self->c), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->c);
}

FIXTURE_TEARDOWN(token)
{
	rmdir(CGROUP);
}

TEST_F(token, thousand_programs_stay_within_the_limit_of_their_cgroup)
{
	unsigned long long unread = 0;
	struct container *c = self->c;
	struct stream_stats st;
	struct say_bpf *other;
	int i, fd, stream;

	ASSERT_TRUE(serve(c, fork_with_files(c)))
		TH_LOG("%s", c->failed);
	ASSERT_EQ(NR_PROGS, c->nr);
	EXPECT_GE(LIMIT, read_number(CGROUP "/memory.peak"));
	for (i = 0; i < NR_PROGS; i++) {
		for (stream = STDOUT; stream <= STDERR; stream++) {
			ASSERT_EQ(0, stream_stats(c->progs[i], stream, &st));
			EXPECT_LE(1, st.dropped_msgs);
			unread += st.unread_bytes;
		}
		close(c->progs[i]);
	}
	EXPECT_LE(LIMIT / 4, unread);
	EXPECT_GE(LIMIT, unread);

	/* The programs are unloaded, their text stays, and other programs can print. */
	EXPECT_LE(unread, read_number(CGROUP "/memory.current"));
	other = say_load(&fd);
	ASSERT_NE(NULL, other);
	EXPECT_EQ(0, say_all(fd, STDOUT, SAY_512, CAPACITY / 512, NULL));
	say_bpf__destroy(other);
	for (i = 0; i < NR_PROGS; i++) {
		close(c->streams[i][0]);
		close(c->streams[i][1]);
	}
	EXPECT_TRUE(falls_below(CGROUP "/memory.current", SLACK));
	EXPECT_TRUE(falls_below(STREAMS_BYTES, SLACK));
}

STREAMS_TEST_MAIN
