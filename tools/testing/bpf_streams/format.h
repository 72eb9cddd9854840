/* SPDX-License-Identifier: GPL-2.0 */
/* The renderer of messages, compared with that of the base */
#ifndef _FORMAT_H
#define _FORMAT_H

#include <linux/bpf.h>

/**
 * compare_formats - render a message both ways
 * @fmt: the format
 * @args: arguments; for %s any number, as an address in simulated memory
 * @nr_args: number of arguments
 *
 * If the renderer supports the format, the texts must be equal. A difference aborts the
 * program.
 *
 * Return: the text's length, or -EOPNOTSUPP if the renderer left it to the base.
 */
int compare_formats(const char *fmt, const u64 *args, u32 nr_args);

#endif /* _FORMAT_H */
