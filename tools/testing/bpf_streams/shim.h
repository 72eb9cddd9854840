/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Included before anything else in every file, the kernel's included: what the
 * kernel's many headers say is in the few of linux/, and the Makefile makes empty
 * ones of the other names. Below is what the tests need to steer the shims.
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
 * @page_calls: how often a page was asked for
 * @fail_pages: every so many-th page is refused, 1: all, 0: none
 * @fail_pages_odds: of so many pages one, at random, is refused; 0: none
 * @fail_object: so many small allocations from now one is refused, 0: none
 * @no_poison: do not fill free pages, nor look at the filling
 * @page_hook: called where a page is allocated, as an NMI might
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
