#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of scripts/series/bases.sh, on given bases of a few files.

. "$(dirname "$0")/../lib.sh"
use tests/lib/harness

# another NAME SUBLEVEL: a base like the first, of that release
another() {
	cp -r "$DIR/base" "$DIR/$1"
	sed -i "s/^SUBLEVEL = .*/SUBLEVEL = $2/" "$DIR/$1/Makefile"
}

tried() {
	BASE=$DIR/$1 run bases.sh
}

make_repo
another same 118
tried same
point "a base that it is made for" good "6.12.118   same" clean
point "the table is kept" grep -q '^6.12.118 .* clean$' "$DIR/repo/build/bases/table.txt"

another shifted 119
sed -i '1i an added line' "$DIR/shifted/mm/one.c"
tried shifted
point "hunks that apply elsewhere" good "2 hunks offset, in 1 files"

another changed 119
sed -i 's/^line 29$/another line/' "$DIR/changed/mm/one.c"
tried changed
point "a conflict fails, and is told" bad "conflict in mm/one.c, 0002" \
	"the hunk at line 27 does not apply" "does not apply to 1 of these"
sed -i 's/^SUBLEVEL = .*/SUBLEVEL = 8/' "$DIR/changed/Makefile"
tried changed
point "also with what is too old, if it is asked for" bad "conflict in mm/one.c, 0002 (older than 6.12."

another less 119
rm "$DIR/less/mm/two.c"
tried less
point "a file that is missing" bad "conflict: has no mm/two.c"
another more 119
mkdir -p "$DIR/more/include/linux"
touch "$DIR/more/include/linux/new.h"
tried more
point "a file that is there already" bad "conflict: has include/linux/new.h already"

another packed 120
tar -C "$DIR" -cJf "$DIR/packed.tar.xz" packed
tried packed.tar.xz
point "a tarball" good "6.12.120   packed.tar.xz" clean
echo nothing >"$DIR/none.tar.xz"
tried none.tar.xz
point "what is no tarball" bad "is no tarball of a kernel"
tried nowhere
point "what is not there" bad "there is no"
mkdir "$DIR/empty"
tried empty
point "what is no kernel" bad "not a kernel source"

plan_done
