/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BENCH_H
#define BENCH_H

/* So few that the timer's interrupt does not come in most runs */
#define MESSAGES 100

#endif /* BENCH_H */
