// SPDX-License-Identifier: GPL-2.0
/*
 * For the test of the libbpf that is installed from its tarball: loads hello.bpf.o,
 * runs it, reads its stdout by program descriptor and by a descriptor of the stream, and
 * tells what came.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	struct bpf_program *prog;
	struct bpf_object *obj;
	char text[256];
	int fd, stream, n;

	obj = bpf_object__open_file(argc > 1 ? argv[1] : "hello.bpf.o", NULL);
	if (!obj)
		return fail("bpf_object__open_file");
	if (bpf_object__load(obj))
		return fail("bpf_object__load");
	prog = bpf_object__find_program_by_name(obj, "hello");
	if (!prog)
		return fail("bpf_object__find_program_by_name");
	fd = bpf_program__fd(prog);

	/* It greets nobody, which it says on its stderr */
	if (bpf_prog_test_run_opts(fd, &run))
		return fail("bpf_prog_test_run_opts");
	n = bpf_prog_stream_read(fd, BPF_STREAM_STDERR, text, sizeof(text), NULL);
	if (n < 0)
		return fail("bpf_prog_stream_read");
	printf("read: %.*s", n, text);

	stream = bpf_prog_stream_open(fd, BPF_STREAM_STDERR, NULL);
	if (stream < 0)
		return fail("bpf_prog_stream_open");
	if (bpf_prog_test_run_opts(fd, &run))
		return fail("bpf_prog_test_run_opts");
	n = read(stream, text, sizeof(text));
	if (n < 0)
		return fail("read");
	printf("followed: %.*s", n, text);
	return 0;
}
