// SPDX-License-Identifier: GPL-2.0
/*
 * An NMI between any two instructions
 *
 * A call is single-stepped, so it traps after each instruction. In the first run, the
 * signal handler of the first trap acts on the stream like an NMI on the same CPU, or like
 * a reader on another; in the second run that of the second trap, and so on, until a run
 * ends before its trap. With STRIDE=n only every nth trap is tested.
 */
#include <signal.h>
#include <ucontext.h>
#include "test.h"

#define FLAG_TF 0x100

static struct bpf_stream *stream;
static unsigned long stride;

/* Number of traps so far, the trap at which the NMI runs, and the NMI */
static struct {
	unsigned long now;
	unsigned long at;
	void (*nmi)(void);
} step;

#ifdef __x86_64__
static void on_trap(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	if (++step.now < step.at)
		return;

	uc->uc_mcontext.gregs[REG_EFL] &= ~FLAG_TF;
	step.nmi();
}

static void stepping(bool on)
{
	unsigned long long flags = __builtin_ia32_readeflags_u64();

	__builtin_ia32_writeeflags_u64(on ? flags | FLAG_TF : flags & ~FLAG_TF);
}
#else
static void on_trap(int sig, siginfo_t *info, void *context)
{
}

static void stepping(bool on)
{
}
#endif

static bool can_step(void)
{
#ifdef __x86_64__
	return true;
#else
	test_skip("single-stepping is implemented for x86-64 only");
	return false;
#endif
}

/* Call @run with 1, 1 + stride and so on until it returns that the call ended before. */
static void at_each_step(bool (*run)(unsigned long at), void (*nmi)(void))
{
	struct sigaction action = {
		.sa_sigaction = on_trap,
		.sa_flags = SA_SIGINFO,
	};
	unsigned long at = 1;

	if (!can_step())
		return;

	step.nmi = nmi;
	shim.no_poison = true;
	sigaction(SIGTRAP, &action, NULL);
	while (run(at))
		at += stride;
	expect(at > 100);
	shim.no_poison = false;
}

/* Return: true if there were @at traps. */
static bool step_through(void (*call)(void), unsigned long at)
{
	step.now = 0;
	step.at = at;
	stepping(true);
	call();
	stepping(false);
	return step.now >= at;
}

/* The interrupted context and the NMI */

static char text_of_nmi[4096], text_of_thread[1024];
static unsigned int thread_len, nmi_len;
static int thread_ret, nmi_ret;
static struct bpf_stream_group thread_group;

static void do_write(void)
{
	thread_ret = bpf_stream_write(stream, text_of_thread, thread_len);
}

static void do_stage(void)
{
	thread_group = (struct bpf_stream_group){ .stream = stream };
	bpf_stream_stage_write(&thread_group, text_of_thread, thread_len / 2);
	bpf_stream_stage_write(&thread_group, text_of_thread + thread_len / 2,
			       thread_len - thread_len / 2);
	thread_ret = bpf_stream_stage_commit(&thread_group);
}

static void nmi_write(void)
{
	nmi_ret = bpf_stream_write(stream, text_of_nmi, nmi_len);
}

static void nmi_stage(void)
{
	struct bpf_stream_group ss = { .stream = stream };

	bpf_stream_stage_write(&ss, text_of_nmi, 1);
	bpf_stream_stage_write(&ss, text_of_nmi + 1, nmi_len - 1);
	nmi_ret = bpf_stream_stage_commit(&ss);
}

/* Write so much that the cursor always moves to another page. */
static void nmi_page(void)
{
	struct bpf_stream_group ss = { .stream = stream };
	unsigned int i;

	for (i = 0; i < 5; i++)
		bpf_stream_stage_write(&ss, text_of_nmi + i * nmi_len / 5, nmi_len / 5);
	nmi_ret = bpf_stream_stage_commit(&ss);
}

static void nmi_no_memory(void)
{
	unsigned int was = shim.fail_pages;

	shim.fail_pages = 1;
	nmi_page();
	shim.fail_pages = was;
}

/**
 * struct scenario - a call and the NMI that interrupts it
 * @thread: the call that is stepped through
 * @nmi: the call that interrupts it
 * @thread_len: length of the text that the thread writes
 * @nmi_len: length of the text that the NMI writes
 * @room: number of bytes left in the cursor's page; negative: there is no page
 * @nmi_ret: expected result of the NMI
 */
struct scenario {
	void (*thread)(void);
	void (*nmi)(void);
	unsigned int thread_len;
	unsigned int nmi_len;
	int room;
	int nmi_ret;
};

static const struct scenario *scenario;

/*
 * Leave @room bytes in the cursor's page, or no page if @room is negative.
 * Return: length of the text in the stream.
 */
static unsigned int prepare(int room)
{
	unsigned int header = offsetof(struct bpf_stream_rec, text), size, sum = 0;
	unsigned int todo = PAGE_ROOM - room;
	char text[MAX_BPRINTF_BUF] = {};

	if (room < 0)
		return 0;

	/* Write halves, so that the rest is not smaller than a record. */
	while (todo) {
		size = todo > 1000 ? ALIGN(todo / 2, 8) : todo;
		size = min(size, 1000U);
		text[size - header - 1] = '\n';
		bpf_stream_write(stream, text, size - header);
		sum += size - header;
		todo -= size;
	}

	return sum;
}

/* Expect the texts of both in either order, that of the NMI only if it was accepted. */
static void check_text(const char *buf, int len)
{
	bool thread_first = !memcmp(buf, text_of_thread, thread_len);
	unsigned int nmi_text_len = nmi_ret ? 0 : nmi_len;
	const char *of_nmi = thread_first ? buf + thread_len : buf;
	const char *of_thread = thread_first ? buf : buf + nmi_text_len;

	if (!expect_eq(len, thread_len + nmi_text_len))
		return;

	expect(!memcmp(of_nmi, text_of_nmi, nmi_text_len));
	expect(!memcmp(of_thread, text_of_thread, thread_len));
}

static void check_result(unsigned int before)
{
	unsigned int sum = before + thread_len + (nmi_ret ? 0 : nmi_len);
	static char buf[CAPACITY];

	expect_eq(thread_ret, 0);
	expect_eq(shim.pages, atomic_read(&stream->pages));
	expect_eq(atomic_read(&stream->unread), sum);
	expect_eq(bpf_stream_read(stream, buf, before), before);
	check_text(buf, bpf_stream_read(stream, buf, sizeof(buf)));
	expect_eq(atomic_read(&stream->unread), 0);
	expect_eq(shim.pages, 1);

	expect_eq(bpf_stream_stat(stream, BPF_STREAM_WRITTEN_BYTES), sum);
	expect_eq(bpf_stream_stat(stream, BPF_STREAM_DROPPED_BYTES),
		  nmi_ret ? nmi_len : 0);
}

/* Run the scenario once. Return: true if there were @at traps. */
static bool run_to(unsigned long at)
{
	const struct scenario *s = scenario;
	unsigned int before;

	stream = bpf_stream_alloc(true);
	preempt_disable();
	before = prepare(s->room);
	nmi_ret = s->nmi_ret;
	if (step_through(s->thread, at)) {
		expect_eq(nmi_ret, s->nmi_ret);
		check_result(before);
	}
	preempt_enable();
	put_last(stream);
	return step.now >= step.at;
}

/* Each text ends in a newline, so that none is inserted before groups. */
static void set_texts(unsigned int of_thread, unsigned int of_nmi)
{
	thread_len = of_thread;
	nmi_len = of_nmi;
	make_text(text_of_nmi, sizeof(text_of_nmi), 1);
	make_text(text_of_thread, sizeof(text_of_thread), 2);
	text_of_nmi[nmi_len - 1] = '\n';
	text_of_thread[thread_len - 1] = '\n';
}

static void run_scenario(const struct scenario *s)
{
	scenario = s;
	set_texts(s->thread_len, s->nmi_len);
	at_each_step(run_to, s->nmi);
}

#define SCENARIO(id, ...)						\
static void id(void)							\
{									\
	static const struct scenario s = { __VA_ARGS__ };		\
									\
	run_scenario(&s);						\
}

SCENARIO(first_page, .thread = do_write, .nmi = nmi_write, .thread_len = 30,
	 .nmi_len = 20, .room = -1)
SCENARIO(within_page, .thread = do_write, .nmi = nmi_write, .thread_len = 30,
	 .nmi_len = 20, .room = 2000)
SCENARIO(one_fits, .thread = do_write, .nmi = nmi_write, .thread_len = 38,
	 .nmi_len = 38, .room = 48)
SCENARIO(none_fits, .thread = do_write, .nmi = nmi_write, .thread_len = 38,
	 .nmi_len = 38, .room = 0)
SCENARIO(smaller_fits, .thread = do_write, .nmi = nmi_write, .thread_len = 600,
	 .nmi_len = 20, .room = 400)
SCENARIO(page_by_nmi, .thread = do_write, .nmi = nmi_page, .thread_len = 38,
	 .nmi_len = 4000, .room = 1000)
SCENARIO(group_in_group, .thread = do_stage, .nmi = nmi_stage, .thread_len = 60,
	 .nmi_len = 20, .room = 64)
SCENARIO(group_of_pages, .thread = do_stage, .nmi = nmi_page, .thread_len = 1000,
	 .nmi_len = 4000, .room = 600)
SCENARIO(nmi_fails, .thread = do_write, .nmi = nmi_no_memory, .thread_len = 38,
	 .nmi_len = 4000, .room = 496, .nmi_ret = -ENOMEM)

/* A reader is interrupted by a writer on its own CPU. */

static char read_buf[256];
static int first_read;

static void do_read(void)
{
	first_read = bpf_stream_read(stream, read_buf, sizeof(read_buf));
}

static void nmi_to_reader(void)
{
	guard(preempt)();
	nmi_ret = bpf_stream_write(stream, "by the NMI", 10);
}

static bool read_to(unsigned long at)
{
	bool reached;
	int n;

	stream = bpf_stream_alloc(true);
	write_str(stream, "one ");
	write_str(stream, "two ");
	reached = step_through(do_read, at);
	n = bpf_stream_read(stream, read_buf + first_read, 64);
	if (reached) {
		expect_eq(first_read + n, 18);
		expect(!memcmp(read_buf, "one two by the NMI", 18));
	}
	expect_eq(atomic_read(&stream->unread), 0);
	put_last(stream);
	return reached;
}

static void reader(void)
{
	at_each_step(read_to, nmi_to_reader);
}

/* A reader on another CPU reads while a group is written. */

static void do_group(void)
{
	struct bpf_stream_group ss = { .stream = stream };

	stage_text(&ss, text_of_thread, 20);
	stage_text(&ss, text_of_thread + 20, 20);
	thread_ret = bpf_stream_stage_commit(&ss);
}

/* A reader retries until it gets charged text, so the writer must not be preempted. */
static void read_what_there_is(void)
{
	int cpu = current->cpu, preempt_count = current->preempt_count;

	current->cpu = cpu + 1;
	current->preempt_count = 0;
	do_read();
	current->cpu = cpu;
	current->preempt_count = preempt_count;
	expect(!bpf_stream_has_text(stream) || current->preempt_count);
}

static bool group_to(unsigned long at)
{
	bool reached;
	int n;

	stream = bpf_stream_alloc(true);
	write_str(stream, "before");
	first_read = 0;
	reached = step_through(do_group, at);
	expect_eq(thread_ret, 0);
	n = bpf_stream_read(stream, read_buf + first_read, 64);
	expect(!first_read || first_read == 6 || first_read == 47);
	expect_eq(first_read + n, 47);
	expect(!memcmp(read_buf, "before\n", 7));
	expect(!memcmp(read_buf + 7, text_of_thread, 40));
	expect_counters(stream, 3, 47, 0, 0);
	put_last(stream);
	return reached;
}

static void read_in_group(void)
{
	at_each_step(group_to, read_what_there_is);
}

/* Another CPU drops the pages of idle cursors. */

static void take_pages(void)
{
	bpf_stream_cursors_drop(stream);
}

static void do_two(void)
{
	do_write();
	do_write();
}

static bool taken_to(unsigned long at)
{
	bool reached;
	int n;

	stream = bpf_stream_alloc(true);
	set_texts(40, 1);
	preempt_disable();
	do_write();
	reached = step_through(do_two, at);
	preempt_enable();
	n = bpf_stream_read(stream, read_buf, sizeof(read_buf));
	expect_eq(n, 120);
	expect(!memcmp(read_buf, text_of_thread, 40));
	expect(!memcmp(read_buf + 40, text_of_thread, 40));
	expect(!memcmp(read_buf + 80, text_of_thread, 40));
	expect_eq(shim.pages, atomic_read(&stream->pages));
	expect(shim.pages <= 1);
	put_last(stream);
	return reached;
}

static void cursors_dropped(void)
{
	at_each_step(taken_to, take_pages);
}

/* A reader on another CPU goes to sleep while a message is written. */

static bool sleeps;

static void go_to_sleep(void)
{
	stream->wait.sleepers = 1;
	sleeps = !bpf_stream_has_text(stream);
}

static void do_wake(void)
{
	preempt_disable();
	do_write();
	preempt_enable();
}

static bool sleep_to(unsigned long at)
{
	bool reached;

	stream = bpf_stream_alloc(true);
	thread_len = 40;
	sleeps = false;
	reached = step_through(do_wake, at);
	expect(!sleeps || bpf_stream_has_text(stream));
	if (sleeps)
		expect_eq(stream->wait.wakes, 1);
	stream->wait.sleepers = 0;
	put_last(stream);
	return reached;
}

static void sleeper(void)
{
	at_each_step(sleep_to, go_to_sleep);
}

static const struct test tests[] = {
	{ "there is no page yet", first_page },
	{ "there is room for both", within_page },
	{ "there is room for one", one_fits },
	{ "there is room for none", none_fits },
	{ "there is room only for the NMI's message", smaller_fits },
	{ "the NMI moves on to another page", page_by_nmi },
	{ "a group interrupts a group", group_in_group },
	{ "the NMI moves on while a group is staged", group_of_pages },
	{ "the NMI has no memory", nmi_fails },
	{ "the reader is interrupted", reader },
	{ "a reader reads while a group is written", read_in_group },
	{ "idle pages are dropped while messages are written", cursors_dropped },
	{ "a reader goes to sleep while a message is written", sleeper },
};

int main(void)
{
	set_texts(sizeof(text_of_thread), sizeof(text_of_nmi));
	stride = env_number("STRIDE", 1);
	return run_tests(tests, sizeof(tests) / sizeof(*tests));
}
