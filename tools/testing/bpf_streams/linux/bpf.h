/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of BPF that the stream core needs */
#ifndef _SHIM_LINUX_BPF_H
#define _SHIM_LINUX_BPF_H

#include <linux/types.h>

/* As in the kernel */
#define MAX_BPRINTF_VARARGS	12
#define MAX_BPRINTF_BUF		1024
#define MAX_BPRINTF_BIN_ARGS	(MAX_BPRINTF_BUF + 16 * MAX_BPRINTF_VARARGS)

struct bpf_bprintf_buffers {
	char bin_args[MAX_BPRINTF_BIN_ARGS];
	char buf[MAX_BPRINTF_BUF];
};

int bpf_trace_copy_string(char *buf, void *unsafe_ptr, char fmt_ptype,
			  size_t bufsz);

struct bpf_streams;

struct bpf_prog_aux {
	struct bpf_streams *streams;
};

#endif /* _SHIM_LINUX_BPF_H */
