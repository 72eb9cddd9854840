/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel reports into the stderr of a program, taken apart: an error,
 * unless it is bpf_stream_print_stack(), the locks where it is about locks, and the
 * stack dump.
 */
#ifndef REPORT_H
#define REPORT_H

#include "streams_test.h"

/* An NMI in an interrupt in a system call, on a kernel whose sanitizers have some too */
#define MAX_FRAMES	256

struct frame {
	char symbol[256];	/* of BPF: the function's name alone */
	bool is_bpf;
	/* Of BPF, where the program has line info; else "", "", 0 */
	char source[1024];
	char file[64];
	int line;
};

#define MAX_HELD	31

struct report {
	char error[128];	/* "" if there is none */
	/* If it is about a lock that could not be had */
	__u64 attempted;
	int total_held;
	int nr_held;
	__u64 held[MAX_HELD];
	int cpu;
	unsigned int uid;
	int pid;
	char comm[32];
	int nr_frames;
	struct frame frames[MAX_FRAMES];
};

/*
 * Takes the report apart that begins at 'text'. Each line must be as it has to
 * be. Returns the report's length, 0 if something is wrong with it: then it is
 * shown.
 */
size_t report_parse(const char *text, size_t len, struct report *r);
/* The number of reports in 't', all whole and nothing between; the last in 'r' */
int reports_count(const struct text *t, struct report *r);
/* Drains stderr, which has that many reports; the last in 'r' (may be NULL) */
int reports_read(int prog_fd, struct report *r);
/*
 * Are 'reports' all of 'want', or is what is missing counted as dropped? One that finds
 * the page allocator's locks taken is lost as a whole, with one message or more.
 */
bool reports_are_accounted(int prog_fd, int reports, int want);
/* The one report of which stderr consists? */
bool report_read(int prog_fd, struct report *r);

/* Frame n of those of BPF functions (NULL if there is none) */
const struct frame *bpf_frame(const struct report *r, int n);
/* Number of the first frame of this function, -1 if there is none */
int frame_of(const struct report *r, const char *symbol);
/* Is frame n of the BPF functions as wanted? Says how not. No source: 'source' "" */
bool bpf_frame_is(const struct report *r, int n, const char *function,
		  const char *source, const char *file, int line);

/* Is that where it happened? Other kernels show how they report it before */
bool first_frame_is(const struct report *r, const char *symbol);

/*
 * Does the kernel report that? Then it is this series or has this function. Skips
 * the whole test file if not.
 */
void reports_require(const char *reporter);

#define REPORTS_TEST_MAIN(reporter)			\
	int main(int argc, char **argv)			\
	{						\
		streams_require();			\
		reports_require(reporter);		\
		return test_harness_run(argc, argv);	\
	}

#endif /* REPORT_H */
