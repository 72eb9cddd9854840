#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of scripts/build/bpf-clang.sh: the object does not depend on where it is built.

. "$(dirname "$0")/../lib.sh"
use tests/lib/harness

LENGTHS="1 4 9 16 25 36 49 64 81 100 121 144 169 196"

# Many structures that BTF knows by name only, as each is behind two pointers
many_structures() {
	local i n=400

	for ((i = 0; i < n; i++)); do
		echo "struct s$i { struct s$(((i * 7 + 1) % n)) *next; long a[$((i % 5 + 1))]; };"
	done
	echo "struct all {"
	for ((i = 0; i < n; i++)); do
		echo "	struct s$i *p$i;"
	done
	echo "};"
}

program() {
	cat <<-'END'
		#include "types.h"

		long sum;

		__attribute__((section("tc"))) int f(struct all *all)
		{
			sum += (long)all->p5;
			return 0;
		}
	END
}

# compile_in DIR
compile_in() {
	mkdir -p "$1/sources" "$1/objects"
	many_structures >"$1/objects/types.h"
	program >"$1/sources/program.bpf.c"
	(cd "$1/sources" &&
		LINUX=$1/sources OBJ=$1/objects "$SCRIPTS/build/bpf-clang.sh" "-I$1/objects" -g -O2 \
			-Wall -Werror --target=bpf -c program.bpf.c -o "$1/objects/program.o")
}

compile_everywhere() {
	local length

	for length in $LENGTHS; do
		compile_in "$DIR/$(printf '%*s' "$length" '' | tr ' ' d)" || return 1
	done
}

objects_are_same() {
	(($(sha256sum "$DIR"/d*/objects/program.o | cut -d ' ' -f 1 | sort -u | wc -l) == 1))
}

nothing_of() {
	! grep -q "$1" "$DIR/d/objects/program.o"
}

has_types() {
	readelf -S "$DIR/d/objects/program.o" | grep -q '\.BTF'
}

no_object() {
	echo 'int f(void) { return x; }' >"$DIR/d/sources/wrong.bpf.c"
	! (cd "$DIR/d/sources" && LINUX=/ OBJ=/ "$SCRIPTS/build/bpf-clang.sh" -O2 --target=bpf \
		-c wrong.bpf.c -o "$DIR/d/objects/wrong.o") 2>"$DIR/errors" || return 1
	grep -q 'wrong\.bpf\.c:1:.*error' "$DIR/errors" || return 1
	[[ -z $(find "$DIR/d/objects" -name 'wrong*') ]]
}

# One that is known to do it, where there are two
newer_clang() {
	local clang

	clang=$(type -P clang-19) || return 0
	mkdir -p "$DIR/bin"
	ln -s "$clang" "$DIR/bin/clang"
	PATH=$DIR/bin:$PATH
}

newer_clang
point "a program compiles in paths of many lengths" compile_everywhere
point "its object has types" has_types
point "which are the same everywhere" objects_are_same
point "without the path" nothing_of "$DIR"
point "an error tells the file and leaves no object" no_object
try "$SCRIPTS/build/bpf-clang.sh" -c f.c
point "other arguments are refused" bad "usage: "

plan_done
