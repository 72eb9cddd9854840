/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BENCH_H
#define BENCH_H

/* Few enough that most runs have no timer interrupt */
#define MESSAGES 100

#endif /* BENCH_H */
