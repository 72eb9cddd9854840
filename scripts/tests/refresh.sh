#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of scripts/refresh.sh, on a base of a few files.

# shellcheck source=../test-lib.sh
. "$(dirname "$0")/../test-lib.sh"

P=$DIR/repo/patches

# Which patches differ from those kept before
differing() {
	diff -rq "$DIR/kept" "$P" | sed -n -e 's/.* and .*\/\(.*\) differ/\1/p' -e 's/^Only in .*: //p' | xargs
}

keep() {
	rm -rf "$DIR/kept"
	cp -r "$P" "$DIR/kept"
}

differ_only() {
	local now

	now=$(differing)
	[[ $now == "$*" ]] || { echo "# written: $now"; return 1; }
}

make_repo
run tree.sh
ALL=1 run refresh.sh
point "ALL=1 brings all patches into one form" good
point "headers stay" grep -q '^Why it is needed.$' "$P/0001-first.patch"
keep
ALL=1 run refresh.sh
point "and is stable" differ_only
run refresh.sh
point "without an edit there is nothing to do" good "nothing was edited"
point "and nothing is written" differ_only

sed -i 's/^line 32$/edited/' "$LINUX/mm/one.c"
run refresh.sh
point "an edit is written" good 0002-second.patch
point "into the last patch of the file" differ_only 0002-second.patch
point "as a change" grep -qx '+edited' "$P/0002-second.patch"
point "under the same header" cmp <(sed '/^--- /,$d' "$P/0002-second.patch") <(sed '/^--- /,$d' "$DIR/kept/0002-second.patch")
keep
run tree.sh --strict
point "the tree is the series again" good "0 changed"

sed -i 's/^line 3$/low/' "$LINUX/mm/one.c"
PATCH=0001-first.patch run refresh.sh
point "PATCH= names a lower one" good 0001-first.patch
point "that has the change" grep -qx '+low' "$P/0001-first.patch"
keep
sed -i 's/^line thirty$/line 3-0/' "$LINUX/mm/one.c"
PATCH=0001-first.patch run refresh.sh
point "a lower one that cannot take it is refused" bad 0001-first.patch 0002-second.patch
point "and nothing is written" differ_only
run refresh.sh
point "the last one takes it" differ_only 0002-second.patch
keep

echo 'more' >>"$LINUX/include/linux/new.h"
run refresh.sh
point "new files are written back" cmp "$LINUX/include/linux/new.h" "$DIR/repo/include/linux/new.h"
point "and no patch" differ_only

sed -i 's/^line 7$/seven/' "$LINUX/mm/untouched.c"
run refresh.sh
point "an edit without a patch asks for one" bad mm/untouched.c "PATCH="
PATCH=0003-new.patch run refresh.sh
point "PATCH= makes a new one" good 0003-new.patch
point "at the series' end" test "$(tail -n 1 "$P/series")" = 0003-new.patch
point "with a header to write" grep -q '^Signed-off-by: ' "$P/0003-new.patch"
run series.sh
point "that series.sh insists on" bad 0003-new.patch

plan_done
