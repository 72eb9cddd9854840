/* SPDX-License-Identifier: GPL-2.0 */
/* As on a kernel without streams: no kfunc of bpf_helpers.h is found */
#define bpf_stream_vprintk___implicit_prog	bpf_nowhere_found___a
#define bpf_stream_vprintk___explicit_prog	bpf_nowhere_found___b
#define bpf_stream_vprintk_impl___explicit_prog	bpf_nowhere_found___c
#define bpf_stream_print_stack___any_kernel	bpf_nowhere_found___d
