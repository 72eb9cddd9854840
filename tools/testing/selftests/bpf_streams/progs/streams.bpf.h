/* SPDX-License-Identifier: GPL-2.0 */
#ifndef STREAMS_BPF_H
#define STREAMS_BPF_H

/* Tests have to see messages that were not printed into a stream */
#define BPF_STREAM_NO_FALLBACK

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "say.h"

char _license[] SEC("license") = "GPL";

#endif /* STREAMS_BPF_H */
