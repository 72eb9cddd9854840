/* SPDX-License-Identifier: GPL-2.0 */
/* The little that the stream core needs of BPF. */
#ifndef _SHIM_LINUX_BPF_H
#define _SHIM_LINUX_BPF_H

#include <linux/types.h>

/* As in the kernel */
#define MAX_BPRINTF_BUF	1024

struct bpf_streams;

struct bpf_prog_aux {
	struct bpf_streams *streams;
};

#endif /* _SHIM_LINUX_BPF_H */
