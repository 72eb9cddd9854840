# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# How programs for the test machine are linked, and which shared libraries have to be
# copied into the machine with them.

# static_flag CC [FLAG...]: prints -static if that compiler can link libelf statically,
# else nothing. The libelf.a of Debian 13 calls a function that no package has.
static_flag() {
	local out=$BUILD/link.tmp.$$

	if "$@" -static -o "$out" -x c - -lelf -lz >/dev/null 2>&1 <<-'END'
		#include <libelf.h>
		#include <stddef.h>

		int main(void)
		{
			return !elf_begin(-1, ELF_C_READ, NULL);
		}
	END
	then
		echo -static
	fi
	rm -f "$out"
}

# shared_libraries FILE...: prints the libraries and the loader of the dynamically linked
# programs among the files, as "LIBRARY PATH" lines, PATH being the place in the machine.
# Libraries go beside the C library: the loader searches there even without a cache.
# libgcc_s is the one that the C library itself opens, when a thread exits early.
shared_libraries() {
	(($#)) || return 0
	{ ldd "$@" 2>/dev/null || :; } | awk '
		$2 == "=>" && $3 ~ /^\// { library[$1] = $3 }
		$1 == "libc.so.6" { dir = $3 }
		NF == 2 && $1 ~ /^\// && $2 ~ /^\(0x/ { loader[$1] = $1 }
		END {
			sub("[^/]*$", "", dir)
			if (dir)
				library["libgcc_s.so.1"] = dir "libgcc_s.so.1"
			for (name in library)
				print library[name], dir name
			for (name in loader)
				print name, name
		}' | sort
}

# add_libraries DIR FILE...: copies them below DIR
add_libraries() {
	local library path

	while read -r library path; do
		install -D -m 755 "$library" "$1$path"
	done < <(shared_libraries "${@:2}")
}
