// SPDX-License-Identifier: GPL-2.0
#define BPF_STREAM_NO_FALLBACK
#include "printk_none.bpf.h"
#include "printk.bpf.h"
