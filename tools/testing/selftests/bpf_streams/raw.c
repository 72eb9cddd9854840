// SPDX-License-Identifier: GPL-2.0
/* Programs of instructions, see raw.h */
#include <bpf/btf.h>

#include "streams_test.h"
#include "raw.h"

struct bpf_insn raw_kfunc_call(const char *name)
{
	static struct btf *btf;
	int id = 0;

	if (!btf)
		btf = btf__load_vmlinux_btf();
	if (btf)
		id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
	return BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0,
			    id > 0 ? id : 0);
}

/* Return: fd of a BTF that only has the strings, and their offsets. */
static int load_line(const struct raw_line *line, struct bpf_line_info *info)
{
	struct btf *btf = btf__new_empty();
	int fd = -ENOMEM;

	if (!btf)
		return -errno;
	info->insn_off = 0;
	info->line_off = btf__add_str(btf, line->source);
	info->file_name_off = btf__add_str(btf, line->file);
	info->line_col = line->line << 10;
	btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	if (!btf__load_into_kernel(btf))
		fd = dup(btf__fd(btf));
	btf__free(btf);
	return fd;
}

int raw_load(const char *name, const struct bpf_insn *insns, size_t count,
	     const struct raw_line *line)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);
	static char log[1024 * 1024];
	struct bpf_line_info info = {};
	int fd, btf_fd = -1;

	opts.log_buf = log;
	opts.log_size = sizeof(log);

	if (line) {
		btf_fd = load_line(line, &info);
		if (btf_fd < 0)
			return btf_fd;
		opts.prog_btf_fd = btf_fd;
		opts.line_info = &info;
		opts.line_info_cnt = 1;
		opts.line_info_rec_size = sizeof(info);
	}
	log[0] = '\0';
	fd = bpf_prog_load(BPF_PROG_TYPE_SYSCALL, name, "GPL", insns, count, &opts);
	if (fd < 0)
		fprintf(stderr, "# can't load %s: %d\n%s\n", name, fd, log);
	close(btf_fd);
	return fd;
}
