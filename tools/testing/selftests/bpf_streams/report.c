// SPDX-License-Identifier: GPL-2.0
/* Parse the kernel's reports of run-time errors, see report.h */
#include <regex.h>

#include "../kselftest.h"
#include "report.h"

/* Patterns of whole lines */
struct pattern {
	const char *text;
	bool compiled;
	regex_t re;
};

static struct pattern error_line = {
	.text = "^(ERROR: .+)$"
};

static struct pattern lock_error = {
	.text = "^ERROR: (AA or ABBA deadlock|Timeout) detected for bpf_res_spin_lock(_irqsave)?$"
};

static struct pattern attempted_line = {
	.text = "^Attempted lock   = 0x([0-9a-f]{1,16})$"
};

static struct pattern total_line = {
	.text = "^Total held locks = ([0-9]+)$"
};

static struct pattern held_line = {
	.text = "^Held lock\\[([ 1-9][0-9])\\] = 0x([0-9a-f]{1,16})$"
};

static struct pattern task_line = {
	.text = "^CPU: ([0-9]+) UID: ([0-9]+) PID: ([0-9]+) Comm: (.*)$"
};

static struct pattern trace_line = {
	.text = "^Call trace:$"
};

static struct pattern frame_line = {
	.text = "^([^ +]+)\\+0x[0-9a-f]+/0x[0-9a-f]+( \\[[^ ]+\\])?$"
};

/* Code that the kernel has generated at run time */
static struct pattern nameless_line = {
	.text = "^(0x[0-9a-f]{8,16})$"
};

static struct pattern source_line = {
	.text = "^  (|[^ \t].*) @ ([^ /]*):([0-9]+)$"
};

static struct pattern bpf_symbol = {
	.text = "^bpf_prog_[0-9a-f]{16}_(.+)$"
};

#define MAX_PARTS	4

/* The matches of the parentheses of a pattern */
struct match {
	char parts[MAX_PARTS][1200];
};

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

static bool matches(const char *line, struct pattern *p, struct match *m)
{
	regmatch_t pos[MAX_PARTS + 1];
	int i;

	if (!p->compiled && regcomp(&p->re, p->text, REG_EXTENDED))
		ksft_exit_fail_msg("bad pattern: %s\n", p->text);
	p->compiled = true;
	if (regexec(&p->re, line, MAX_PARTS + 1, pos, 0))
		return false;

	for (i = 0; i < MAX_PARTS; i++) {
		m->parts[i][0] = '\0';
		if (pos[i + 1].rm_so >= 0)
			snprintf(m->parts[i], sizeof(m->parts[i]), "%.*s",
				 (int)(pos[i + 1].rm_eo - pos[i + 1].rm_so),
				 line + pos[i + 1].rm_so);
	}
	return true;
}

/* The lines of the text, one after another */
struct lines {
	const char *pos, *end;
	char line[2048];
};

static bool next_line(struct lines *l)
{
	const char *nl = memchr(l->pos, '\n', l->end - l->pos);

	if (!nl || nl - l->pos >= (long)sizeof(l->line))
		return false;
	memcpy(l->line, l->pos, nl - l->pos);
	l->line[nl - l->pos] = '\0';
	l->pos = nl + 1;
	return true;
}

static bool is_frame(const char *line, struct match *m)
{
	return matches(line, &frame_line, m) || matches(line, &nameless_line, m);
}

static void add_frame(struct report *r, const char *symbol)
{
	struct frame *f = &r->frames[r->nr_frames++];
	struct match m;

	f->source[0] = '\0';
	f->file[0] = '\0';
	f->line = 0;
	f->is_bpf = matches(symbol, &bpf_symbol, &m);
	copy(f->symbol, sizeof(f->symbol), f->is_bpf ? m.parts[0] : symbol);
}

/* Expected below a BPF frame, once */
static bool add_source(struct report *r, const struct match *m)
{
	struct frame *f = r->frames + r->nr_frames - 1;

	if (f < r->frames || !f->is_bpf || f->line || f->source[0])
		return false;
	copy(f->source, sizeof(f->source), m->parts[0]);
	copy(f->file, sizeof(f->file), m->parts[1]);
	f->line = atoi(m->parts[2]);
	return true;
}

/* Parse the lines of the locks. The current line is the one after them then. */
static bool parse_locks(struct lines *l, struct report *r)
{
	struct match m;

	if (!matches(l->line, &attempted_line, &m))
		return false;
	r->attempted = strtoull(m.parts[0], NULL, 16);

	if (!next_line(l) || !matches(l->line, &total_line, &m))
		return false;
	r->total_held = atoi(m.parts[0]);

	while (next_line(l)) {
		if (!matches(l->line, &held_line, &m))
			return true;
		if (r->nr_held == MAX_HELD || atoi(m.parts[0]) != r->nr_held)
			return false;
		r->held[r->nr_held++] = strtoull(m.parts[1], NULL, 16);
	}
	return false;
}

static bool parse(struct lines *l, struct report *r)
{
	struct match m;

	if (!next_line(l))
		return false;
	if (matches(l->line, &error_line, &m)) {
		copy(r->error, sizeof(r->error), m.parts[0]);
		if (!next_line(l))
			return false;
	}
	if (matches(r->error, &lock_error, &m) && !parse_locks(l, r))
		return false;
	if (!matches(l->line, &task_line, &m))
		return false;
	r->cpu = atoi(m.parts[0]);
	r->uid = strtoul(m.parts[1], NULL, 10);
	r->pid = atoi(m.parts[2]);
	copy(r->comm, sizeof(r->comm), m.parts[3]);

	if (!next_line(l) || !matches(l->line, &trace_line, &m))
		return false;
	while (next_line(l)) {
		if (!l->line[0])
			return r->nr_frames;
		if (is_frame(l->line, &m) && r->nr_frames < MAX_FRAMES)
			add_frame(r, m.parts[0]);
		else if (!matches(l->line, &source_line, &m) || !add_source(r, &m))
			return false;
	}
	return false;
}

size_t report_parse(const char *text, size_t len, struct report *r)
{
	struct lines l = { .pos = text, .end = text + len };

	memset(r, 0, offsetof(struct report, frames));
	if (parse(&l, r))
		return l.pos - text;
	ksft_print_msg("not a whole report, at line '%s':\n%.*s\n", l.line,
		       (int)(len < 1000 ? len : 1000), text);
	return 0;
}

int reports_count(const struct text *t, struct report *r)
{
	size_t len, pos = 0;
	int n;

	for (n = 0; pos < t->len; n++) {
		len = report_parse(t->data + pos, t->len - pos, r);
		if (!len)
			return -1;
		pos += len;
	}
	return n;
}

int reports_read(int prog_fd, struct report *r)
{
	static struct report last;
	struct text t = {};
	int n = -1;

	if (!stream_drain(prog_fd, STDERR, 65536, &t))
		n = reports_count(&t, r ?: &last);
	text_free(&t);
	return n;
}

bool reports_are_accounted(int prog_fd, int reports, int want)
{
	struct stream_stats st = {};

	if (ours() && stream_stats(prog_fd, STDERR, &st))
		return false;
	ksft_print_msg("%d of %d reports, %llu messages dropped\n", reports, want,
		       st.dropped_msgs);
	if (reports <= 0 || reports > want)
		return false;
	if (!ours() || reports == want)
		return !st.dropped_msgs;
	return want - reports <= st.dropped_msgs;
}

bool report_read(int prog_fd, struct report *r)
{
	int n = reports_read(prog_fd, r);

	if (n != 1)
		ksft_print_msg("%d reports rather than 1\n", n);
	return n == 1;
}

const struct frame *bpf_frame(const struct report *r, int n)
{
	int i;

	for (i = 0; i < r->nr_frames; i++)
		if (r->frames[i].is_bpf && !n--)
			return &r->frames[i];
	return NULL;
}

int frame_of(const struct report *r, const char *symbol)
{
	int i;

	for (i = 0; i < r->nr_frames; i++)
		if (!strcmp(r->frames[i].symbol, symbol))
			return i;
	return -1;
}

bool bpf_frame_is(const struct report *r, int n, const char *function,
		  const char *source, const char *file, int line)
{
	const struct frame *f = bpf_frame(r, n);

	if (f && !strcmp(f->symbol, function) && !strcmp(f->source, source) &&
	    !strcmp(f->file, file) && f->line == line)
		return true;
	/* Other kernels show the previous line, or those of other functions */
	if (f && !strcmp(f->symbol, function) && !ours())
		return true;
	ksft_print_msg("BPF frame %d is %s: '%s' @ %s:%d\n", n,
		       f ? f->symbol : "missing", f ? f->source : "",
		       f ? f->file : "", f ? f->line : 0);
	ksft_print_msg("rather than   %s: '%s' @ %s:%d\n", function, source, file, line);
	return false;
}

bool first_frame_is(const struct report *r, const char *symbol)
{
	return !strcmp(r->frames[0].symbol, symbol) || !ours();
}

void reports_require(const char *reporter)
{
	const char *why = "the kernel does not report this";
	bool required = getenv("BPF_STREAMS_REQUIRED");

#ifndef __x86_64__
	why = "runtime errors are reported on x86-64 only";
	required = false;
#else
	if (kernel_has_func(reporter) || ours())
		return;
#endif
	ksft_print_header();
	if (required)
		ksft_exit_fail_msg("%s\n", why);
	ksft_exit_skip("%s\n", why);
}
