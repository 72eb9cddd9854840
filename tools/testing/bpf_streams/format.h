/* SPDX-License-Identifier: GPL-2.0 */
/* The renderer of messages, compared with that of the base */
#ifndef _FORMAT_H
#define _FORMAT_H

#include <linux/bpf.h>

/**
 * compare_formats - render a message both ways
 * @fmt: the format
 * @args: arguments; of a %s any number does, which stands for a string of its own
 * @nr_args: how many
 *
 * What the renderer accepts must be what the base makes of it: a difference aborts.
 *
 * Return: the text's length, or -EOPNOTSUPP if the renderer left it to the base.
 */
int compare_formats(const char *fmt, const u64 *args, u32 nr_args);

#endif /* _FORMAT_H */
