/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
#ifndef __LINUX_STRING_H
#define __LINUX_STRING_H

#include <string.h>

#endif
