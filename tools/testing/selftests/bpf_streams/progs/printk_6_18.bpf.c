// SPDX-License-Identifier: GPL-2.0
/* As on Linux 6.18: streams with the other prototype only, and no stack dumps */
#define bpf_stream_vprintk___implicit_prog	bpf_nowhere_found___a
#define bpf_stream_print_stack___any_kernel	bpf_nowhere_found___d
#include "printk.bpf.h"
