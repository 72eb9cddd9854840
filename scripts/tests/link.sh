#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of scripts/build/link.sh: the choice of static linking, and the shared libraries of
# a program.

. "$(dirname "$0")/../lib.sh"
use tests/lib/harness build/link

# A libelf like that of Debian 13
broken_libelf() {
	gcc -c -o "$DIR/elf.o" -x c - <<-'END'
		void no_library_has_this(void);
		void *elf_begin(int fd, int cmd, void *ref);

		void *elf_begin(int fd, int cmd, void *ref)
		{
			no_library_has_this();
			return ref;
		}
	END
	ar rcs "$DIR/libelf.a" "$DIR/elf.o"
}

libraries_of() {
	shared_libraries "$@" >"$DIR/libraries"
}

nothing() {
	[[ ! -s $DIR/libraries ]]
}

beside_libc() {
	local libc

	libc=$(awk '$1 ~ /\/libc\.so\.6$/ { print $2 }' "$DIR/libraries")
	grep -q " ${libc%/*}/libcap-ng\.so\.[0-9]*$" "$DIR/libraries"
}

point "what links statically is static" [ "$(static_flag true)" = -static ]
point "what does not, is not" [ -z "$(static_flag false)" ]
broken_libelf
point "a libelf.a that lacks a function is not linked" [ -z "$(static_flag gcc "-L$DIR")" ]

echo "no program" >"$DIR/text"
libraries_of "$DIR/text"
point "a text needs no libraries" nothing
libraries_of "$(type -P busybox)"
point "nor does a static program" nothing
libraries_of
point "nor does nothing" nothing
libraries_of "$DIR/text" "$(type -P busybox)" "$(type -P setpriv)"
point "a dynamic one among them needs the C library" grep -q '^[^ ]*/libc\.so\.6 /' "$DIR/libraries"
point "and the loader, where the program looks for it" grep -q '^\(/lib64/ld-[^ ]*\) \1$' "$DIR/libraries"
point "which opens another by itself" grep -q '^/.*/libgcc_s\.so\.1 /' "$DIR/libraries"
point "others go where the C library is" beside_libc
add_libraries "$DIR/root" "$(type -P setpriv)"
point "they are copied" test -x "$DIR/root/lib64/ld-linux-x86-64.so.2"

plan_done
