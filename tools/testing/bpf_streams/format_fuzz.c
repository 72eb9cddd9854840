// SPDX-License-Identifier: GPL-2.0
/* Formats and arguments from the fuzzer: the renderer's text must be that of the base. */
#include "format.h"
#include "shim.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u64 args[MAX_BPRINTF_VARARGS] = {};
	char fmt[PAGE_SIZE];
	u32 nr_args;
	size_t len;

	if (!size)
		return 0;

	/* The number of arguments, the arguments, and the format */
	nr_args = *data++ % (MAX_BPRINTF_VARARGS + 1);
	size--;
	len = min(size, nr_args * sizeof(*args));
	memcpy(args, data, len);
	data += len;
	len = min(size - len, sizeof(fmt) - 1);
	memcpy(fmt, data, len);
	fmt[len] = 0;

	compare_formats(fmt, args, nr_args);
	return 0;
}
