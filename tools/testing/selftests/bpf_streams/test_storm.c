// SPDX-License-Identifier: GPL-2.0
/*
 * All CPUs print in tasks, soft and hard interrupts and NMIs, while readers read, follow,
 * fault and are killed, and programs are unloaded. Each accepted message is read once,
 * whole and in order, each refused one is counted, and all memory is freed.
 *
 * The test ends when each event has happened often enough, and with
 * BPF_STREAMS_STORM=<seconds> in the environment not before that time. Figures are
 * printed as "# figure: name value".
 */
#include <linux/membarrier.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "report.h"
#include "tally.h"
#include "anywhere.skel.h"

#define MAX_CPUS	8
#define CLOCK_PERIOD	(200 * 1000)	/* ns */

/*
 * Programs that print, each from different tracepoints, as a program that is running on a
 * CPU is not run by a tracepoint there.
 */
static const struct source {
	const char *tracepoint;
	enum context context;
	unsigned long long attempts;	/* required number */
} sources[] = {
	{ "nmi_handler", IN_NMI, 200 },
	{ "hrtimer_expire_entry", IN_HARDIRQ, 5000 },
	{ "softirq_entry", IN_SOFTIRQ, 500 },
	{ "mm_page_alloc", IN_TASK, 5000 },
};

#define NR_PROGS	ARRAY_SIZE(sources)

struct printer {
	const struct source *source;
	struct anywhere_bpf *skel;
	struct bpf_link *link;
	int fd;				/* of the program */
	int stream;			/* a descriptor of its stdout */
	pthread_mutex_t order;		/* text is counted in the order of reading */
	struct tally tally;
	unsigned long long stacks;	/* stack traces read */
	bool bad_stack;
};

/* How often each event has happened */
struct counts {
	unsigned long long reads;
	unsigned long long wakeups;
	unsigned long long faults;
	unsigned long long kills;
	unsigned long long unloads;
	unsigned long long nmis;
};

struct storm {
	struct printer printers[NR_PROGS];
	int nr_printers;
	struct counts counts;
	struct counts enough;
	int clocks[MAX_CPUS];
	struct flag stop;		/* all but readers */
	struct flag stop_readers;
	const char *error;		/* the first error */
	unsigned long long irqs_off_us;
	char irqs_off_where[512];
	struct stream_stats killed;	/* of the program whose readers are killed */
	unsigned long long killed_accepted, killed_refused;
	unsigned long long unloaded_lines;
};

static void storm_failed(struct storm *s, const char *what)
{
	const char *none = NULL;

	__atomic_compare_exchange_n(&s->error, &none, what, false,
				    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static void count(unsigned long long *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* --- writers --- */

/* Some architectures have no tracepoint in NMIs that are sent to other CPUs */
static bool can_print(const struct source *source)
{
	if (source->context != IN_NMI)
		return true;
	return nr_cpus() > 1 && kernel_has_tracepoint(source->tracepoint);
}

static bool printer_init(struct printer *p, const struct source *source)
{
	memset(p, 0, sizeof(*p));
	p->source = source;
	pthread_mutex_init(&p->order, NULL);
	p->stream = -1;
	p->skel = anywhere_bpf__open_and_load();
	if (!p->skel)
		return false;
	memset(p->skel->bss->pad, 'x', sizeof(p->skel->bss->pad) - 1);
	p->skel->bss->writer_loops = 20;
	p->fd = bpf_program__fd(p->skel->progs.anywhere);
	p->stream = stream_open(p->fd, STDOUT, STREAM_NONBLOCK);
	p->link = bpf_program__attach_raw_tracepoint(p->skel->progs.anywhere,
						     source->tracepoint);
	return p->link && p->stream >= 0;
}

static void printer_free(struct printer *p)
{
	bpf_link__destroy(p->link);
	if (p->stream >= 0)
		close(p->stream);
	anywhere_bpf__destroy(p->skel);
}

struct worker {
	pthread_t thread;
	struct storm *storm;
	int number;
};

/* Writers never pause, so let other tasks run */
static void let_others_first(void)
{
	setpriority(PRIO_PROCESS, syscall(__NR_gettid), 10);
}

/* One for each CPU, running all programs in turn */
static void *print(void *arg)
{
	struct worker *w = arg;
	struct storm *s = w->storm;
	__u64 ctx = ANYWHERE_WRITER;
	int i;

	pin_to_cpu(w->number);
	let_others_first();
	for (i = w->number; !flag_is_set(&s->stop); i++) {
		if (run_prog(s->printers[i % s->nr_printers].fd, &ctx, sizeof(ctx)))
			storm_failed(s, "the program could not be run");
	}
	return NULL;
}

static void *send_nmis_to_all(void *arg)
{
	struct worker *w = arg;
	struct storm *s = w->storm;

	while (!flag_is_set(&s->stop)) {
		if (nr_cpus() > 1 && send_nmis())
			count(&s->counts.nmis);
		usleep(2000);
	}
	return NULL;
}

/* Perf events without hardware: timers that interrupt each CPU */
static void start_clocks(struct storm *s)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = CLOCK_PERIOD,
	};
	int cpu;

	for (cpu = 0; cpu < MAX_CPUS; cpu++)
		s->clocks[cpu] = syscall(__NR_perf_event_open, &attr, -1, cpu, -1, 0);
}

static void stop_clocks(struct storm *s)
{
	int cpu;

	for (cpu = 0; cpu < MAX_CPUS; cpu++)
		if (s->clocks[cpu] >= 0)
			close(s->clocks[cpu]);
}

/* --- readers --- */

/* Return: the result of the read. */
static long read_text(struct storm *s, struct printer *p, char *buf, size_t len,
		      bool by_command)
{
	long ret;

	pthread_mutex_lock(&p->order);
	if (by_command) {
		ret = stream_read(p->fd, STDOUT, buf, len);
	} else {
		ret = read(p->stream, buf, len);
		if (ret < 0)
			ret = -errno;
	}
	if (ret > 0)
		tally_text(&p->tally, buf, ret);
	pthread_mutex_unlock(&p->order);

	if (ret > 0)
		count(&s->counts.reads);
	return ret;
}

static void *read_by_command(void *arg)
{
	struct worker *w = arg;
	struct storm *s = w->storm;
	__u64 state = 0x5eed + w->number;
	char buf[8192];
	long ret, got;
	bool last;
	int i;

	do {
		last = flag_is_set(&s->stop_readers);
		got = 0;
		for (i = 0; i < s->nr_printers; i++) {
			ret = read_text(s, &s->printers[i], buf,
					1 + prng(&state) % sizeof(buf), true);
			if (ret < 0)
				storm_failed(s, "the command could not read");
			got += ret;
		}
		if (!got)
			usleep(1000);
	} while (!last || got);
	return NULL;
}

static void *follow(void *arg)
{
	struct worker *w = arg;
	struct storm *s = w->storm;
	struct pollfd fds[NR_PROGS];
	static char buf[2][65536];
	long ret;
	int i;

	for (i = 0; i < s->nr_printers; i++)
		fds[i] = (struct pollfd){ .fd = s->printers[i].stream, .events = POLLIN };
	while (!flag_is_set(&s->stop_readers)) {
		if (poll(fds, s->nr_printers, 100) > 0)
			count(&s->counts.wakeups);
		for (i = 0; i < s->nr_printers; i++) {
			if (!fds[i].revents)
				continue;
			ret = read_text(s, &s->printers[i], buf[w->number % 2],
					sizeof(buf[0]), false);
			if (ret < 0 && ret != -EAGAIN)
				storm_failed(s, "the descriptor could not be read");
		}
	}
	return NULL;
}

/* Buffers that end before unmapped memory, after some bytes or none */
static void *fault(void *arg)
{
	struct worker *w = arg;
	struct storm *s = w->storm;
	const long size = sysconf(_SC_PAGESIZE);
	__u64 state = 0xfa017;
	struct printer *p;
	long good, ret;
	char *pages;

	pages = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED || mprotect(pages + size, size, PROT_NONE)) {
		storm_failed(s, "no memory for a buffer");
		return NULL;
	}
	while (!flag_is_set(&s->stop_readers)) {
		p = &s->printers[prng(&state) % s->nr_printers];
		good = prng(&state) % 4 ? prng(&state) % 1500 : 0;
		ret = read_text(s, p, pages + size - good, good + 1000, prng(&state) % 2);
		if (ret == good || ret == -EFAULT)
			count(&s->counts.faults);
		else if (ret > good || (ret < 0 && ret != -EAGAIN))
			storm_failed(s, "a read that faults returned nonsense");
		usleep(500);
	}
	munmap(pages, 2 * size);
	return NULL;
}

static void *read_stacks(void *arg)
{
	struct worker *w = arg;
	struct storm *s = w->storm;
	bool last;
	int i, n;

	do {
		last = flag_is_set(&s->stop_readers);
		for (i = 0; i < s->nr_printers; i++) {
			n = reports_read(s->printers[i].fd, NULL);
			if (n < 0)
				s->printers[i].bad_stack = true;
			else
				s->printers[i].stacks += n;
		}
		usleep(20 * 1000);
	} while (!last);
	return NULL;
}

/* --- killed readers --- */

static void read_until_killed(int stream)
{
	char buf[3000];

	for (;;)
		if (read(stream, buf, sizeof(buf)) <= 0)
			_exit(1);
}

/* Readers that are killed while they sleep or copy lose no text */
static void *kill_readers(void *arg)
{
	struct worker *w = arg;
	struct storm *s = w->storm;
	struct say_args args = { .stream = STDOUT, .kind = SAY_512, .count = 50 };
	__u64 state = 0x1111;
	struct say_bpf *skel;
	int fd, stream;
	pid_t pid;

	skel = say_load(&fd);
	stream = skel ? stream_open(fd, STDOUT, 0) : -1;
	if (stream < 0) {
		storm_failed(s, "no stream for readers to be killed at");
		return NULL;
	}
	while (!flag_is_set(&s->stop)) {
		pid = fork();
		if (!pid)
			read_until_killed(stream);
		if (pid < 0 || say(fd, &args)) {
			storm_failed(s, "no reader to kill");
			break;
		}
		s->killed_accepted += args.accepted;
		s->killed_refused += args.refused;
		usleep(prng(&state) % 3000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		count(&s->counts.kills);
	}
	if (stream_discard(fd, STDOUT) < 0 || stream_stats(fd, STDOUT, &s->killed))
		storm_failed(s, "the stream can't be read where readers were killed");
	close(stream);
	say_bpf__destroy(skel);
	return NULL;
}

/* --- unloaded programs --- */

struct mortal {
	pthread_t thread;
	int fd;
	unsigned int lines;
	unsigned long long accepted;
	int error;
};

static void *print_and_let_go(void *arg)
{
	struct mortal *m = arg;
	struct say_args args = { .stream = STDOUT, .kind = SAY_LINE, .count = 10 };

	while (m->accepted < m->lines && !m->error) {
		m->error = say(m->fd, &args);
		m->accepted += args.accepted;
	}
	close(m->fd);
	return NULL;
}

static bool is_all(const struct text *t, unsigned long long lines)
{
	unsigned long long seq;
	struct text want = {};
	bool ok;

	for (seq = 0; seq < lines; seq++)
		text_line(&want, 0, seq);
	ok = want.len == t->len && !memcmp(want.data, t->data, t->len);
	text_free(&want);
	return ok;
}

/* A program is unloaded while it is read: followers get all text and the end */
static bool follow_to_the_end(struct storm *s, __u64 *state)
{
	struct mortal m = { .lines = 10 + prng(state) % 500 };
	struct text t = {};
	struct say_bpf *skel;
	char buf[4000];
	int fd, stream;
	long ret;
	bool ok;

	skel = say_load(&fd);
	if (!skel)
		return false;
	stream = stream_open(fd, STDOUT, 0);
	m.fd = dup(fd);
	if (stream < 0 || m.fd < 0 ||
	    pthread_create(&m.thread, NULL, print_and_let_go, &m))
		return false;
	usleep(prng(state) % 2000);
	say_bpf__destroy(skel);
	while ((ret = read(stream, buf, 1 + prng(state) % sizeof(buf))) > 0)
		text_add(&t, buf, ret);
	pthread_join(m.thread, NULL);
	close(stream);

	ok = !ret && !m.error && is_all(&t, m.accepted);
	s->unloaded_lines += m.accepted;
	text_free(&t);
	return ok;
}

static void *unload_programs(void *arg)
{
	struct worker *w = arg;
	struct storm *s = w->storm;
	__u64 state = 0x60;

	while (!flag_is_set(&s->stop)) {
		if (!follow_to_the_end(s, &state))
			storm_failed(s, "a follower of a program that went has lost text");
		count(&s->counts.unloads);
	}
	return NULL;
}

/* --- time with interrupts disabled --- */

#define TRACING		"/sys/kernel/tracing/"

static size_t read_file(const char *path, char *buf, size_t size)
{
	size_t len;
	FILE *f;

	f = fopen(path, "r");
	if (!f)
		return 0;
	len = fread(buf, 1, size - 1, f);
	buf[len] = '\0';
	fclose(f);
	return len;
}

static bool start_irqsoff(void)
{
	char tracers[512] = "";

	read_file(TRACING "available_tracers", tracers, sizeof(tracers));
	if (!strstr(tracers, "irqsoff"))
		return false;
	/* The place only, as a function trace would take most of the time */
	write_file(TRACING "options/function-trace", "0");
	write_file(TRACING "options/stacktrace", "1");
	return write_file(TRACING "current_tracer", "irqsoff") &&
	       write_file(TRACING "tracing_max_latency", "0");
}

/* "from <function> to <function>, in <function> <caller> ..." */
static void irqs_off_where(const char *trace, char *where, size_t size)
{
	const char *from = strstr(trace, "=> started at: ");
	const char *to = strstr(trace, "=> ended at:   ");
	const char *stack = strstr(trace, "<stack trace>");
	size_t len;

	snprintf(where, size, "from %.*s to %.*s, in",
		 from ? (int)strcspn(from + 15, "\n") : 1, from ? from + 15 : "?",
		 to ? (int)strcspn(to + 15, "\n") : 1, to ? to + 15 : "?");
	while (stack && (stack = strstr(stack, "\n => "))) {
		stack += 5;
		len = strlen(where);
		snprintf(where + len, size - len, " %.*s", (int)strcspn(stack, "\n"), stack);
	}
}

static void *watch_irqs(void *arg)
{
	struct worker *w = arg;
	struct storm *s = w->storm;
	static char trace[65536];
	char buf[32] = "";

	if (!start_irqsoff())
		return NULL;
	while (!flag_is_set(&s->stop))
		usleep(100 * 1000);
	read_file(TRACING "tracing_max_latency", buf, sizeof(buf));
	s->irqs_off_us = strtoull(buf, NULL, 10);
	read_file(TRACING "trace", trace, sizeof(trace));
	irqs_off_where(trace, s->irqs_off_where, sizeof(s->irqs_off_where));
	write_file(TRACING "current_tracer", "nop");
	return NULL;
}

/* --- the storm --- */

static void *(* const others[])(void *) = {
	send_nmis_to_all, kill_readers, unload_programs, watch_irqs,
};

static void *(* const readers[])(void *) = {
	read_by_command, follow, follow, fault, read_stacks,
};

static bool start(struct storm *s, struct worker *w, int number, void *(*what)(void *))
{
	w->storm = s;
	w->number = number;
	return !pthread_create(&w->thread, NULL, what, w);
}

static bool enough(const struct storm *s)
{
	const struct counts *now = &s->counts, *goal = &s->enough;
	int i;

	for (i = 0; i < s->nr_printers; i++) {
		const struct printer *p = &s->printers[i];

		if (p->skel->bss->context_known &&
		    p->skel->bss->attempts[p->source->context] < p->source->attempts)
			return false;
	}
	return now->reads >= goal->reads && now->wakeups >= goal->wakeups &&
	       now->faults >= goal->faults && now->kills >= goal->kills &&
	       now->unloads >= goal->unloads;
}

static unsigned long long attempts(const struct storm *s)
{
	unsigned long long sum = 0;
	int i;

	for (i = 0; i < s->nr_printers; i++)
		sum += s->printers[i].skel->bss->number;
	return sum;
}

static void wait_for_the_end(struct storm *s, long seconds)
{
	time_t now, begin = time(NULL), told = begin;

	while (!s->error) {
		now = time(NULL);
		if (now - begin >= seconds && enough(s))
			break;
		usleep(50 * 1000);
		if (now - told < 30)
			continue;
		told = now;
		fprintf(stderr,
			"# %ld s: %llu messages, %llu readers killed, %llu programs unloaded\n",
			now - begin, attempts(s), s->counts.kills, s->counts.unloads);
	}
}

static void rage(struct __test_metadata *const _metadata, struct storm *s, long seconds)
{
	struct worker printing[MAX_CPUS], reading[ARRAY_SIZE(readers)];
	struct worker doing[ARRAY_SIZE(others)];
	int level, n = nr_cpus() < MAX_CPUS ? nr_cpus() : MAX_CPUS;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(readers); i++)
		ASSERT_TRUE(start(s, &reading[i], i, readers[i]));
	level = set_console_level(CONSOLE_ERRORS);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		ASSERT_TRUE(start(s, &doing[i], i, others[i]));
	start_clocks(s);
	for (i = 0; i < n; i++)
		ASSERT_TRUE(start(s, &printing[i], i, print));

	wait_for_the_end(s, seconds);

	flag_set(&s->stop);
	for (i = 0; i < n; i++)
		pthread_join(printing[i].thread, NULL);
	stop_clocks(s);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		pthread_join(doing[i].thread, NULL);
	set_console_level(level);
	for (i = 0; i < s->nr_printers; i++) {
		bpf_link__destroy(s->printers[i].link);
		s->printers[i].link = NULL;
	}
	/* Until the other CPUs have left the programs */
	syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	flag_set(&s->stop_readers);
	for (i = 0; i < ARRAY_SIZE(readers); i++)
		pthread_join(reading[i].thread, NULL);
}

/* The readers of a program got all of its text, and the counters agree */
static void check_printer(struct __test_metadata *const _metadata, struct printer *p,
			  struct stream_stats *sum)
{
	const struct anywhere_bpf__bss *bss = p->skel->bss;
	unsigned long long accepted = 0, refused = 0;
	struct stream_stats st;
	int i;

	EXPECT_FALSE(p->tally.bad) TH_LOG("bad line '%s'", p->tally.line);
	EXPECT_EQ(0, p->tally.len);
	for (i = 0; i < NR_CONTEXTS; i++) {
		EXPECT_EQ(bss->accepted[i], p->tally.lines[i]) TH_LOG("context %d", i);
		EXPECT_EQ(bss->attempts[i], bss->accepted[i] + bss->refused[i]);
		accepted += bss->accepted[i];
		refused += bss->refused[i];
	}
	if (bss->context_known && has_pages(p->source->context))
		EXPECT_LT(0, bss->accepted[p->source->context]);
	EXPECT_EQ(0, bss->unexpected) TH_LOG("error %d", bss->unexpected_error);
	EXPECT_FALSE(p->bad_stack);
	EXPECT_EQ(bss->stacks_accepted, p->stacks);
	ASSERT_EQ(0, stream_stats(p->fd, STDOUT, &st));
	EXPECT_EQ(accepted, st.written_msgs);
	EXPECT_EQ(p->tally.bytes, st.written_bytes);
	EXPECT_EQ(refused, st.dropped_msgs);
	EXPECT_EQ(0, st.unread_bytes);
	sum->written_msgs += st.written_msgs;
	sum->written_bytes += st.written_bytes;
	sum->dropped_msgs += st.dropped_msgs;
}

static void check_storm(struct __test_metadata *const _metadata, struct storm *s,
			struct stream_stats *sum)
{
	int i;

	EXPECT_EQ(NULL, s->error) TH_LOG("%s", s->error);
	for (i = 0; i < s->nr_printers; i++) {
		TH_LOG("the program of %s", s->printers[i].source->tracepoint);
		check_printer(_metadata, &s->printers[i], sum);
	}
	EXPECT_EQ(s->killed_accepted, s->killed.written_msgs);
	EXPECT_EQ(s->killed_refused, s->killed.dropped_msgs);
	EXPECT_EQ(0, s->killed.unread_bytes);
}

static void tell_one(const char *name, unsigned long long value)
{
	fprintf(stderr, "# figure: %s %llu\n", name, value);
}

static void tell(const struct storm *s, const struct stream_stats *sum)
{
	unsigned long long by_context[NR_CONTEXTS] = {}, stacks = 0, hardirq_ns = 0;
	int i, c;

	for (i = 0; i < s->nr_printers; i++) {
		const struct anywhere_bpf__bss *bss = s->printers[i].skel->bss;

		for (c = 0; c < NR_CONTEXTS; c++)
			by_context[c] += bss->accepted[c];
		stacks += s->printers[i].stacks;
		if (hardirq_ns < bss->longest[IN_HARDIRQ])
			hardirq_ns = bss->longest[IN_HARDIRQ];
	}
	tell_one("messages", sum->written_msgs);
	tell_one("messages_of_test_runs", by_context[IN_WRITER]);
	tell_one("messages_in_task", by_context[IN_TASK]);
	tell_one("messages_in_softirq", by_context[IN_SOFTIRQ]);
	tell_one("messages_in_hardirq", by_context[IN_HARDIRQ]);
	tell_one("messages_in_nmi", by_context[IN_NMI]);
	tell_one("bytes", sum->written_bytes);
	tell_one("messages_lost_and_counted", sum->dropped_msgs);
	tell_one("stack_dumps", stacks);
	tell_one("nmis_sent", s->counts.nmis);
	tell_one("reads", s->counts.reads);
	tell_one("wakeups_of_followers", s->counts.wakeups);
	tell_one("reads_that_faulted", s->counts.faults);
	tell_one("readers_killed", s->counts.kills);
	tell_one("programs_unloaded", s->counts.unloads);
	tell_one("messages_of_these", s->unloaded_lines);
	/* Interrupts are disabled meanwhile, so only an NMI can interfere */
	tell_one("ns_of_printing_in_hardirq", hardirq_ns);
	if (!s->irqs_off_us)
		return;
	tell_one("us_interrupts_off_by_anyone", s->irqs_off_us);
	fprintf(stderr, "# figure: there %s\n", s->irqs_off_where);
}

static bool storm_init(struct storm *s)
{
	struct printer *p;
	size_t i;

	for (i = 0; i < NR_PROGS; i++) {
		if (!can_print(&sources[i]))
			continue;
		p = &s->printers[s->nr_printers++];
		if (!printer_init(p, &sources[i]))
			return false;
	}
	return true;
}

static void storm_free(struct storm *s)
{
	while (s->nr_printers--)
		printer_free(&s->printers[s->nr_printers]);
}

static long storm_seconds(void)
{
	const char *text = getenv("BPF_STREAMS_STORM");

	return text ? strtol(text, NULL, 10) : 0;
}

static unsigned long taints(void)
{
	char buf[32] = "";

	read_file("/proc/sys/kernel/tainted", buf, sizeof(buf));
	return strtoul(buf, NULL, 10);
}

/* The processes of the storm use memory, too */
static struct {
	long free;		/* before the second storm */
	long streams;		/* before the test, in bytes */
} *before;

FIXTURE(storm)
{
	struct storm s;
	unsigned long taints;
};

/* Twice: the first one allocates memory that stays */
FIXTURE_VARIANT(storm)
{
	bool counts;
};

FIXTURE_VARIANT_ADD(storm, once) { .counts = false };
FIXTURE_VARIANT_ADD(storm, again) { .counts = true };

FIXTURE_SETUP(storm)
{
	static const struct counts counts = {
		.reads = 1000, .wakeups = 100, .faults = 50, .kills = 10, .unloads = 5,
	};

	SKIP_UNLESS_OURS("descriptors, counters");
	before->free = settled_memory();
	self->taints = taints();
	self->s.enough = counts;
	ASSERT_TRUE(storm_init(&self->s));
}

FIXTURE_TEARDOWN(storm)
{
	storm_free(&self->s);
}

/* The requested time, plus the time of a slow machine for the rest */
TEST_F_TIMEOUT(storm, loses_nothing, 24 * 3600)
{
	struct stream_stats sum = {};

	rage(_metadata, &self->s, variant->counts ? storm_seconds() : 0);
	check_storm(_metadata, &self->s, &sum);
	if (variant->counts)
		tell(&self->s, &sum);
	if (before->streams >= 0)
		EXPECT_LT(before->streams, streams_allocated());
	/* Backtraces of NMIs have overwritten most of the log; keep this */
	EXPECT_EQ(self->taints, taints()) TH_LOG("the kernel has warned, see its log");
}

FIXTURE(after_the_storm)
{
};

FIXTURE_SETUP(after_the_storm)
{
}

FIXTURE_TEARDOWN(after_the_storm)
{
}

TEST_F(after_the_storm, all_memory_is_back)
{
	SKIP_UNLESS_OURS("descriptors, counters");
	EXPECT_TRUE(memory_is_back(before->free, MIB));
	tell_one("free_memory_before", before->free);
	tell_one("free_memory_after", free_memory());
}

/* The check above tolerates noise of the kernel, which could hide a leak of streams */
TEST_F(after_the_storm, all_streams_are_freed)
{
	SKIP_UNLESS_OURS("descriptors, counters");
	if (before->streams == -ENOENT)
		SKIP(return, "no /proc/allocinfo");
	ASSERT_LE(0, before->streams);
	EXPECT_TRUE(streams_are_freed(before->streams));
	tell_one("bytes_of_streams_before", before->streams);
	tell_one("bytes_of_streams_after", streams_allocated());
}

int main(int argc, char **argv)
{
	before = mmap(NULL, sizeof(*before), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (before == MAP_FAILED)
		ksft_exit_fail_msg("no memory\n");
	before->streams = streams_allocated();
	streams_require();
	return test_harness_run(argc, argv);
}
