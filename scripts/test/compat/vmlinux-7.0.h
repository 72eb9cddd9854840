/* SPDX-License-Identifier: GPL-2.0 */
/* Of the vmlinux.h of Linux 7.0, what upstream.bpf.c needs */
#define __VMLINUX_H__

#include <linux/bpf.h>

extern int bpf_stream_vprintk(int stream_id, const char *fmt__str, const void *args,
			      __u32 len__sz)
	__attribute__((weak, section(".ksyms")));
