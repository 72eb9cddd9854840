// SPDX-License-Identifier: GPL-2.0
#include "printk_none.bpf.h"
#include "printk.bpf.h"
