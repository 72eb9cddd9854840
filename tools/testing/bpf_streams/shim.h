/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Included first in every file, also in those of the kernel. The headers in linux/ stand
 * in for the kernel's, and the Makefile creates empty files for the names of the others.
 * With what is declared below, the tests control the shims.
 */
#ifndef _SHIM_H
#define _SHIM_H

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/wait.h>

#define ERESTARTSYS 512

/**
 * struct shim - the state of the simulated kernel
 * @pages: pages in use
 * @objects: small allocations in use
 * @page_calls: number of requests for a page
 * @fail_pages: n: refuse every nth page; 1: all; 0: none
 * @fail_pages_odds: n: refuse one in n pages, at random; 0: none
 * @fail_object: n: refuse the nth small allocation from now on; 0: none
 * @no_poison: neither poison free pages nor check their poison
 * @page_hook: called when a page is requested, like an NMI at this time
 */
struct shim {
	int pages;
	int objects;
	unsigned int page_calls;
	unsigned int fail_pages;
	unsigned int fail_pages_odds;
	unsigned int fail_object;
	bool no_poison;
	void (*page_hook)(void);
};

extern struct shim shim;

/* Return: the thread's next random number, less than @limit. */
u32 shim_random(u32 limit);

#endif /* _SHIM_H */
