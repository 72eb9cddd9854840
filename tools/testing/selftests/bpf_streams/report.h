/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A parsed report in the stderr of a program: the error, unless it comes from
 * bpf_stream_print_stack(), the locks if it is about locks, and the stack dump
 */
#ifndef REPORT_H
#define REPORT_H

#include "streams_test.h"

/* An NMI in an interrupt in a system call, with frames of sanitizers */
#define MAX_FRAMES	256

struct frame {
	char symbol[256];	/* of BPF: the function's name alone */
	bool is_bpf;
	/* For BPF functions with line info; else "", "", 0 */
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
 * Parse the report that begins at 'text', and check each line. Return: the length of the
 * report; 0 if it is malformed, which prints it.
 */
size_t report_parse(const char *text, size_t len, struct report *r);
/* Return: number of reports in 't', which has nothing else; the last one in 'r'. */
int reports_count(const struct text *t, struct report *r);
/* Read stderr, which has that many reports; the last one in 'r' (may be NULL). */
int reports_read(int prog_fd, struct report *r);
/*
 * Test if 'reports' are all of 'want', or the rest is counted as dropped. A report for
 * which the page allocator's locks were held is lost as a whole, with one message or more.
 */
bool reports_are_accounted(int prog_fd, int reports, int want);
/* Test if stderr consists of this report. */
bool report_read(int prog_fd, struct report *r);

/* Frame n of the BPF functions (NULL if there is none) */
const struct frame *bpf_frame(const struct report *r, int n);
/* Number of the first frame of this function, -1 if there is none */
int frame_of(const struct report *r, const char *symbol);
/* Check frame n of the BPF functions, and print differences. No source: 'source' "". */
bool bpf_frame_is(const struct report *r, int n, const char *function,
		  const char *source, const char *file, int line);

/* Check the innermost frame; other kernels have frames of the report before it. */
bool first_frame_is(const struct report *r, const char *symbol);

/*
 * Skip the whole test file if the kernel does not have these reports: it must be ours or
 * have this function.
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
