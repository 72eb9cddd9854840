// SPDX-License-Identifier: GPL-2.0
/* For a light skeleton, whose loader program resolves the kfuncs */
#include "printk.bpf.h"
