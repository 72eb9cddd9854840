// SPDX-License-Identifier: GPL-2.0
/*
 * Permission to read a stream, that a read returns only its text, and invalid attributes
 * of the two commands
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "streams_test.h"

#define NOBODY		65534
#define PIN		"/sys/fs/bpf/test_security_prog"
#define UNTOUCHED	0xa5
#define ROUNDS		200000

FIXTURE(security)
{
	struct say_bpf *skel;
	int fd;
};

FIXTURE_SETUP(security)
{
	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);
}

FIXTURE_TEARDOWN(security)
{
	unlink(PIN);
	say_bpf__destroy(self->skel);
}

/* Call 'what' without any privilege. Return: its result, 0 to 255. */
static int as_nobody(int (*what)(void *), void *arg)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		if (setresgid(NOBODY, NOBODY, NOBODY) ||
		    setresuid(NOBODY, NOBODY, NOBODY) || keep_only_caps(0))
			_exit(255);
		_exit(what(arg));
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return WEXITSTATUS(status);
}

static int get_by_id(void *arg)
{
	int fd = bpf_prog_get_fd_by_id(*(__u32 *)arg);

	return fd < 0 ? -fd : 0;
}

static int get_pinned_and_read(void *arg)
{
	char buf[16];
	int fd;

	fd = bpf_obj_get(PIN);
	if (fd < 0)
		return -fd;
	return stream_read(fd, STDOUT, buf, sizeof(buf)) == 5 ? 0 : 254;
}

/* Descriptors of other processes are invalid, also through /proc */
static int read_any_fd(void *arg)
{
	char buf[32];
	long ret;
	int fd;

	snprintf(buf, sizeof(buf), "/proc/%d/fd/%d", getppid(), *(int *)arg);
	if (open(buf, O_RDONLY) >= 0 || errno != EACCES)
		return 3;
	closefrom(0);
	for (fd = 0; fd < 64; fd++) {
		ret = stream_read(fd, STDOUT, buf, sizeof(buf));
		if (ret != -EBADF)
			return 1;
		ret = stream_open(fd, STDOUT, 0);
		if (ret != -EBADF && ret != -EINVAL) /* no such command */
			return 2;
	}
	return 0;
}

TEST_F(security, without_a_descriptor_nobody_reads)
{
	__u32 id = prog_id(self->fd);

	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));
	EXPECT_EQ(EPERM, as_nobody(get_by_id, &id));
	EXPECT_EQ(0, as_nobody(read_any_fd, &self->fd));
	EXPECT_EQ(5, stream_discard(self->fd, STDOUT));
}

TEST_F(security, pinned_program_is_read_by_who_may_open_it)
{
	struct stat st;

	if (stat("/sys/fs/bpf", &st))
		SKIP(return, "no /sys/fs/bpf");
	ASSERT_EQ(0, chmod("/sys/fs/bpf", 0755));
	unlink(PIN);
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 5));
	ASSERT_EQ(0, bpf_obj_pin(self->fd, PIN));

	ASSERT_EQ(0, chmod(PIN, 0600));
	EXPECT_EQ(EACCES, as_nobody(get_pinned_and_read, NULL));
	ASSERT_EQ(0, chmod(PIN, 0666));
	EXPECT_EQ(0, as_nobody(get_pinned_and_read, NULL));
	EXPECT_EQ(0, chmod("/sys/fs/bpf", st.st_mode & 07777));
	EXPECT_EQ(0, stream_discard(self->fd, STDOUT));
}

static void say_text(struct say_bpf *skel, const char *text)
{
	snprintf(skel->bss->text, sizeof(skel->bss->text), "%s", text);
}

#define KPTR_RESTRICT	"/proc/sys/kernel/kptr_restrict"

/* Loads of constants right before a call, in the dump of the program */
static int count_loads(__u32 id, int *nr_zero)
{
	struct bpf_insn insns[512] = {};
	struct bpf_prog_info info = {
		.xlated_prog_insns = (unsigned long)insns,
		.xlated_prog_len = sizeof(insns),
	};
	__u32 len = sizeof(info);
	int fd, i, n = 0;

	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0 || bpf_prog_get_info_by_fd(fd, &info, &len))
		return -1;
	close(fd);
	*nr_zero = 0;
	for (i = 0; i + 2 < ARRAY_SIZE(insns); i++) {
		if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW) || insns[i].src_reg ||
		    insns[i + 2].code != (BPF_JMP | BPF_CALL))
			continue;
		n++;
		*nr_zero += !insns[i].imm && !insns[i + 1].imm;
	}
	return n;
}

static int shows_no_address(void *arg)
{
	int n, nr_zero;

	if (keep_only_caps(1ULL << CAP_SYS_ADMIN | 1ULL << CAP_BPF))
		return 1;
	n = count_loads(*(__u32 *)arg, &nr_zero);
	return n > 0 && nr_zero == n ? 0 : 2;
}

/* The verifier loads the address of the program for the kfuncs that print */
TEST_F(security, dump_shows_no_address_of_the_kernel)
{
	__u32 id = prog_id(self->fd);
	int status, nr_zero;
	pid_t pid;

	SKIP_UNLESS_OURS("addresses are not shown");
	ASSERT_TRUE(write_file(KPTR_RESTRICT, "1"));
	EXPECT_LT(0, count_loads(id, &nr_zero));
	EXPECT_EQ(0, nr_zero);

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(shows_no_address(&id));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_TRUE(write_file(KPTR_RESTRICT, "0"));
}

/* In pages that have just been freed by the other stream */
TEST_F(security, text_of_one_program_never_comes_out_of_another)
{
	static const char secret[] = "SECRETSECRETSECRETSECRETSECRETSECRET";
	struct say_bpf *other;
	struct text t = {};
	__u64 state = 0x5ec;
	int i, fd;

	for (i = 0; i < 100; i++) {
		other = say_load(&fd);
		ASSERT_NE(NULL, other);
		say_text(other, secret);
		ASSERT_EQ(0, say_all(fd, STDOUT, SAY_TEXT, 200 + prng(&state) % 300, NULL));
		if (i % 2)
			ASSERT_LT(0, stream_discard(fd, STDOUT));

		say_text(self->skel, "x");
		ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_TEXT, 500, NULL));
		say_bpf__destroy(other);
		ASSERT_EQ(0, say_all(self->fd, STDERR, SAY_TEXT, 500, NULL));

		t.len = 0;
		ASSERT_EQ(0, stream_drain(self->fd, STDOUT, 1 + prng(&state) % 3000, &t));
		ASSERT_EQ(0, stream_drain(self->fd, STDERR, 1 + prng(&state) % 3000, &t));
		ASSERT_EQ(1000, t.len);
		ASSERT_EQ('x', t.data[0]);
		ASSERT_EQ(0, memcmp(t.data, t.data + 1, t.len - 1));
	}
	text_free(&t);
}

/*
 * Regardless of the former contents of records, format buffers and the stack, a reader
 * gets the text, and its buffer is unchanged behind that.
 */
TEST_F(security, reader_gets_the_text_and_no_byte_more)
{
	static unsigned char buf[8192], untouched[sizeof(buf)];
	__u64 state = 0xdead;
	struct text want = {};
	__u64 seq = 0, line = 0;
	size_t len, i;
	long ret;

	memset(untouched, UNTOUCHED, sizeof(untouched));
	for (i = 0; i < 3000; i++) {
		ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_LINE, 1 + prng(&state) % 4, &seq));
		want.len = 0;
		while (line < seq)
			text_line(&want, 0, line++);

		len = prng(&state) % sizeof(buf);
		memset(buf, UNTOUCHED, sizeof(buf));
		ret = stream_read(self->fd, STDOUT, buf, len);
		ASSERT_LE(0, ret);
		ASSERT_EQ(len < want.len ? len : want.len, ret);
		ASSERT_EQ(0, memcmp(want.data, buf, ret));
		ASSERT_EQ(0, memcmp(untouched, buf + ret, sizeof(buf) - ret));
		ASSERT_EQ(want.len - ret, stream_discard(self->fd, STDOUT));
	}
	text_free(&want);
}

/* --- nonsense --- */

static __u64 pick(__u64 *state, const __u64 *from, size_t n)
{
	return from[prng(state) % n];
}

struct nonsense {
	unsigned char attr[4096 + 64];
	size_t size;		/* passed to the kernel */
	bool is_there;		/* the kernel can read them */
	unsigned char *buf;	/* where it may write to */
	size_t buf_size;
	unsigned char *attr_end;	/* no memory from this offset on */
	__u64 fds[10];
	size_t nr_fds;
};

static void add_fd(struct nonsense *n, int fd)
{
	n->fds[n->nr_fds++] = (__u32)fd;
}

/*
 * At an address with a single bit set, far from other memory even if another bit is
 * flipped: a read must not overwrite the test's own memory
 */
#define LONELY	((void *)(1UL << 36))

static bool nonsense_init(struct nonsense *n, const struct say_bpf *skel, int prog_fd)
{
	int pipes[2];
	char *end;

	memset(n, 0, sizeof(*n));
	n->buf_size = 2 * sysconf(_SC_PAGESIZE);
	n->buf = mmap(LONELY, n->buf_size + 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	end = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (n->buf == MAP_FAILED || end == MAP_FAILED || pipe2(pipes, O_CLOEXEC) ||
	    mprotect(n->buf + n->buf_size, 4096, PROT_NONE) ||
	    mprotect(end + 2 * 4096, 4096, PROT_NONE))
		return false;
	memset(n->buf, UNTOUCHED, n->buf_size);
	n->attr_end = (unsigned char *)end + 2 * 4096;

	/* Often the valid one */
	add_fd(n, prog_fd);
	add_fd(n, prog_fd);
	add_fd(n, prog_fd);
	add_fd(n, bpf_map__fd(skel->maps.bss));
	add_fd(n, stream_open(prog_fd, STDOUT, STREAM_NONBLOCK));
	add_fd(n, pipes[0]);
	add_fd(n, open("/proc/self/exe", O_PATH | O_CLOEXEC));
	add_fd(n, -1);
	add_fd(n, 1 << 20);
	add_fd(n, 0x80000000);
	return true;
}

static void make_read(struct nonsense *n, __u64 *state)
{
	const __u64 buf = (uintptr_t)n->buf, end = buf + n->buf_size;
	const __u64 bufs[] = {
		buf, buf, buf + 1, end - 7, end, 0, 1, -1ULL, 1ULL << 47,
		0xffff888000000000ULL, 0xffffffff81000000ULL,
	};
	static const __u64 lens[] = {
		0, 1, 7, 100, 4096, 8192, 1 << 20, INT32_MAX, 1U << 31, UINT32_MAX,
	};
	static const __u64 streams[] = { 0, 1, 1, 1, 2, 2, 3, 1U << 31, UINT32_MAX };
	struct stream_read_attr attr = {
		.buf = pick(state, bufs, ARRAY_SIZE(bufs)),
		.len = pick(state, lens, ARRAY_SIZE(lens)),
		.stream_id = pick(state, streams, ARRAY_SIZE(streams)),
		.prog_fd = pick(state, n->fds, n->nr_fds),
	};

	memcpy(n->attr, &attr, sizeof(attr));
}

static void make_open(struct nonsense *n, __u64 *state)
{
	static const __u64 streams[] = { 0, 1, 1, 1, 2, 2, 3, 1U << 31, UINT32_MAX };
	static const __u64 flags[] = { 0, 0, 1, 1, 2, 3, 1U << 31, UINT32_MAX };
	struct stream_open_attr attr = {
		.prog_fd = pick(state, n->fds, n->nr_fds),
		.stream_id = pick(state, streams, ARRAY_SIZE(streams)),
		.flags = pick(state, flags, ARRAY_SIZE(flags)),
	};

	memcpy(n->attr, &attr, sizeof(attr));
}

static void spoil(struct nonsense *n, __u64 *state, size_t right_size)
{
	static const __u64 sizes[] = { 0, 1, 4, 8, 16, 20, 32, 64, 160, 4095, 4096, 4097,
				       1U << 31, UINT32_MAX };

	n->size = right_size;
	memset(n->attr + right_size, 0, sizeof(n->attr) - right_size);
	if (!(prng(state) % 4))
		n->size = pick(state, sizes, ARRAY_SIZE(sizes));
	if (!(prng(state) % 8))
		n->attr[prng(state) % sizeof(n->attr)] ^= 1 << prng(state) % 8;
	if (!(prng(state) % 16))
		*(__u64 *)&n->attr[8 * (prng(state) % 4)] = prng(state);
}

/* Attributes, as far as their memory is mapped */
static long call(struct nonsense *n, int cmd, __u64 *state)
{
	size_t there = n->size < sizeof(n->attr) ? n->size : sizeof(n->attr);
	unsigned char *attr = n->attr_end - there;
	long ret;

	memcpy(attr, n->attr, there);
	n->is_there = prng(state) % 64;
	if (!n->is_there)
		attr = (unsigned char *)(prng(state) % 2 ? 0 : 0xffff888000000000ULL);
	ret = syscall(__NR_bpf, cmd, attr, n->size);
	return ret < 0 ? -errno : ret;
}

static bool is_one_of(long err, const int *errors, size_t n)
{
	while (n--)
		if (err == -errors[n])
			return true;
	return false;
}

/* The attributes that the kernel reads: missing ones are zero */
static bool can_be_read(const struct nonsense *n, void *attr, size_t right_size)
{
	size_t i;

	if (!n->is_there || n->size > 4096)
		return false;
	for (i = right_size; i < n->size; i++)
		if (n->attr[i])
			return false;
	memset(attr, 0, right_size);
	memcpy(attr, n->attr, n->size < right_size ? n->size : right_size);
	return true;
}

/* Test if it is a stream of a program; 'prog' is a valid one. */
static bool is_stream(int fd, __u32 stream_id, int prog)
{
	struct stream_stats st;

	if (stream_id != STDOUT && stream_id != STDERR)
		return false;
	return fd == prog || !stream_stats(fd, STDOUT, &st);
}

/* Possible results of a read with so many unread bytes in each stream of 'prog' */
static bool read_is_right(const struct nonsense *n, int prog, const __u64 *unread, long ret)
{
	struct stream_read_attr attr;
	__u64 room, at, most;

	if (!can_be_read(n, &attr, offsetof(struct stream_read_attr, after)))
		return ret < 0 && (ret != -EFAULT || !n->is_there);
	if (!is_stream(attr.prog_fd, attr.stream_id, prog) || attr.len > INT32_MAX)
		return ret < 0 && ret != -EFAULT;
	/* Other programs do not print */
	if (attr.prog_fd != prog || !unread[attr.stream_id])
		return !ret;
	at = attr.buf - (uintptr_t)n->buf;
	room = at < n->buf_size ? n->buf_size - at : 0;
	/* If nothing is written, the buffer may not be checked */
	if (!room)
		return ret == -EFAULT || (!attr.len && !ret);
	most = attr.len < unread[attr.stream_id] ? attr.len : unread[attr.stream_id];
	if (most <= room)
		return ret == most;
	/* How close to the end of memory a copy gets depends on the architecture */
	return ret > 0 && ret <= room;
}

/* Text is in the buffer, and nothing before it */
static bool text_is_there(struct nonsense *n, __u64 buf, long got)
{
	size_t i, at = buf - (uintptr_t)n->buf;

	for (i = 0; i < at; i++)
		if (n->buf[i] != UNTOUCHED)
			return false;
	if (memchr(n->buf + at, UNTOUCHED, got))
		return false;
	memset(n->buf, UNTOUCHED, n->buf_size);
	return true;
}

static bool open_makes_sense(const struct nonsense *n, int prog)
{
	struct stream_open_attr attr;

	return can_be_read(n, &attr, offsetof(struct stream_open_attr, after)) &&
	       is_stream(attr.prog_fd, attr.stream_id, prog) &&
	       !(attr.flags & ~STREAM_NONBLOCK);
}

/* For any attributes the error is one that is documented */
TEST_F(security, nonsense_read_is_a_documented_error)
{
	static const int errors[] = { EINVAL, EBADF, ENOENT, EFAULT, E2BIG };
	unsigned long long ok = 0, failed = 0, got = 0;
	__u64 unread[STDERR + 1] = {};
	struct stream_read_attr attr;
	struct nonsense n;
	__u64 state = 0xf022;
	struct stream_stats st;
	long ret;
	int i;

	SKIP_UNLESS_OURS("bytes behind the attributes, counters");
	ASSERT_TRUE(nonsense_init(&n, self->skel, self->fd));
	for (i = 0; i < ROUNDS; i++) {
		if (!(i % 64)) {
			ASSERT_EQ(0, say_all(self->fd, STDOUT + i / 64 % 2, SAY_512, 1, NULL));
			unread[STDOUT + i / 64 % 2] += 512;
		}
		make_read(&n, &state);
		spoil(&n, &state, offsetof(struct stream_read_attr, after));
		ret = call(&n, STREAM_READ_CMD, &state);
		ASSERT_TRUE(read_is_right(&n, self->fd, unread, ret))
			TH_LOG("round %d: %ld", i, ret);
		if (ret > 0) {
			can_be_read(&n, &attr, offsetof(struct stream_read_attr, after));
			ASSERT_TRUE(text_is_there(&n, attr.buf, ret))
				TH_LOG("round %d: %ld", i, ret);
			got += ret;
			unread[attr.stream_id] -= ret;
		}
		if (ret >= 0) {
			ok++;
			continue;
		}
		failed++;
		ASSERT_TRUE(is_one_of(ret, errors, ARRAY_SIZE(errors)))
			TH_LOG("round %d: %ld", i, ret);
	}
	TH_LOG("%llu reads of %llu bytes, %llu errors", ok, got, failed);
	EXPECT_LT(0, got);
	EXPECT_LT(0, failed);

	/* And no text is lost */
	got += stream_discard(self->fd, STDOUT) + stream_discard(self->fd, STDERR);
	EXPECT_EQ(512 * ((ROUNDS + 63) / 64), got);
	ASSERT_EQ(0, stream_stats(self->fd, STDOUT, &st));
	EXPECT_EQ(0, st.unread_bytes);
}

static int nr_open_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

TEST_F(security, nonsense_open_is_a_documented_error)
{
	static const int errors[] = { EINVAL, EBADF, ENOENT, EFAULT, E2BIG };
	unsigned long long opened = 0, failed = 0;
	struct nonsense n;
	__u64 state = 0x0be7;
	int i, before;
	long ret;

	SKIP_UNLESS_OURS("BPF_PROG_STREAM_OPEN");
	ASSERT_TRUE(nonsense_init(&n, self->skel, self->fd));
	before = nr_open_fds();
	for (i = 0; i < ROUNDS; i++) {
		make_open(&n, &state);
		spoil(&n, &state, offsetof(struct stream_open_attr, after));
		ret = call(&n, STREAM_OPEN_CMD, &state);
		ASSERT_EQ(open_makes_sense(&n, self->fd), ret >= 0)
			TH_LOG("round %d: %ld", i, ret);
		if (ret >= 0) {
			opened++;
			close(ret);
			continue;
		}
		failed++;
		ASSERT_TRUE(is_one_of(ret, errors, ARRAY_SIZE(errors)))
			TH_LOG("round %d: %ld", i, ret);
	}
	TH_LOG("%llu opened, %llu errors", opened, failed);
	EXPECT_LT(0, opened);
	EXPECT_LT(0, failed);
	EXPECT_EQ(before, nr_open_fds());
}

STREAMS_TEST_MAIN
