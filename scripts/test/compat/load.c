// SPDX-License-Identifier: GPL-2.0
/*
 * Loads a BPF object with the libbpf that it is linked with, of whatever version,
 * and runs programs of it. One line of output for each: its name, what it
 * returned, where what it printed has gone to, and that, with | for newlines.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define STREAM_READ_CMD	37
#define STDOUT		1
#define TRACEFS		"/sys/kernel/tracing/"

/* Not from linux/bpf.h, which may be older than the command */
struct stream_read_attr {
	__u64 buf;
	__u32 len;
	__u32 stream_id;
	__u32 prog_fd;
	__u32 pad;
};

static char log_text[64 * 1024];

/* What libbpf says of a failure is worth seeing, after the result */
static int keep_warnings(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	size_t len = strlen(log_text);

	if (level == LIBBPF_WARN)
		vsnprintf(log_text + len, sizeof(log_text) - len, fmt, ap);
	return 0;
}

static void read_stream(int prog_fd, char *text, size_t size)
{
	struct stream_read_attr attr = {
		.buf = (uintptr_t)text,
		.len = size - 1,
		.stream_id = STDOUT,
		.prog_fd = prog_fd,
	};
	long len = syscall(__NR_bpf, STREAM_READ_CMD, &attr, 20);

	text[len > 0 ? len : 0] = '\0';
}

/* The messages of programs only, each of which is followed by a newline more */
static void read_trace(int fd, char *text, size_t size)
{
	static const char mark[] = "bpf_trace_printk: ";
	static char buf[64 * 1024];
	char *line, *save;
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, buf + len, sizeof(buf) - 1 - len)) > 0)
		len += n;
	buf[len] = '\0';
	text[0] = '\0';
	for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		line = strstr(line, mark);
		if (!line)
			continue;
		strncat(text, line + strlen(mark), size - strlen(text) - 1);
		strncat(text, "\n", size - strlen(text) - 1);
	}
}

static const char *place(const char *stream, const char *trace)
{
	if (*stream)
		return *trace ? "both" : "stream";
	return *trace ? "trace" : "nowhere";
}

static int run(struct bpf_object *obj, const char *name, int trace_fd)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	static char stream[4096], trace[4096];
	struct bpf_program *prog;
	char *text, *p;

	prog = bpf_object__find_program_by_name(obj, name);
	if (!prog) {
		printf("%s is not in the object\n", name);
		return 1;
	}
	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts)) {
		printf("%s cannot be run: %s\n", name, strerror(errno));
		return 1;
	}
	read_stream(bpf_program__fd(prog), stream, sizeof(stream));
	read_trace(trace_fd, trace, sizeof(trace));
	text = *stream ? stream : trace;
	for (p = text; *p; p++)
		if (*p == '\n')
			*p = '|';
	printf("%s %d %s %s\n", name, (int)opts.retval, place(stream, trace), text);
	return 0;
}

int main(int argc, char **argv)
{
	struct bpf_object *obj;
	int i, trace_fd, err = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: load OBJECT PROGRAM...\n");
		return 2;
	}
	libbpf_set_print(keep_warnings);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	close(open(TRACEFS "trace", O_WRONLY | O_TRUNC));
	trace_fd = open(TRACEFS "trace_pipe", O_RDONLY | O_NONBLOCK);
	obj = bpf_object__open_file(argv[1], NULL);
	if (!obj || bpf_object__load(obj)) {
		printf("cannot be loaded: %s\n", strerror(errno));
		err = 1;
	}
	for (i = 2; i < argc && !err; i++)
		err = run(obj, argv[i], trace_fd);
	if (err)
		fputs(log_text, stderr);
	bpf_object__close(obj);
	return err;
}
