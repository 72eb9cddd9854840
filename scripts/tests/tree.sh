#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of scripts/series/tree.sh, on a base of a few files.

. "$(dirname "$0")/../lib.sh"
use tests/lib/harness

# Names and times of all files of the composed tree
times() {
	find "$LINUX" -path "$LINUX/.git" -prune -o -type f -printf '%P %T@\n' | sort
}

changed_since() {
	times | diff "$DIR/times" - | sed -n 's/^> \([^ ]*\) .*/\1/p'
}

is() {
	[[ $1 == "$2" ]] || { echo "# '$1' is not '$2'"; return 1; }
}

has() {
	grep -qxF -e "$2" "$LINUX/$1"
}

make_repo

run tree.sh
point "composes a tree" good "2 patches"
point "patches are in" has mm/one.c "line thirty"
point "new files are in" cmp "$LINUX/include/linux/new.h" "$DIR/repo/include/linux/new.h"
point "git has a commit for each patch" is "$(git -C "$LINUX" log --format=%s base..series | xargs)" \
	"mm: Change for 0002-second.patch mm: Change for 0001-first.patch"
point "that names it" is "$(git -C "$LINUX" log -1 --format='%(trailers:key=Patch,valueonly)' | xargs)" 0002-second.patch
point "git sees no edit" is "$(git -C "$LINUX" status --porcelain)" ""

times >"$DIR/times"
run tree.sh
point "again: succeeds" good
point "again: touches nothing" is "$(changed_since)" ""

echo '/* more */' >>"$DIR/repo/include/linux/new.h"
run tree.sh
point "a changed new file is the only one touched" is "$(changed_since)" include/linux/new.h

sed -i 's/line thirty$/line XXX/' "$DIR/repo/patches/0002-second.patch"
run tree.sh
point "a changed patch changes its file" has mm/one.c "line XXX"
point "and only that" is "$(changed_since | xargs)" "include/linux/new.h mm/one.c"
sed -i 's/line XXX$/line thirty/' "$DIR/repo/patches/0002-second.patch"

# edits
run tree.sh
sed -i 's/^line 20$/edited/' "$LINUX/mm/one.c"
echo edited >>"$LINUX/mm/untouched.c"
run tree.sh
point "an edit is kept and told" good "mm/one.c is edited" "mm/untouched.c is edited"
point "the edit is still there" has mm/one.c edited
run tree.sh --strict
point "--strict refuses edits" bad mm/one.c mm/untouched.c "make refresh" "FORCE=1"
sed -i 's/line thirty$/line XXX/' "$DIR/repo/patches/0002-second.patch"
run tree.sh
point "an edit in the way of a changed patch stops" bad mm/one.c "make refresh" "FORCE=1"
point "and is not lost" has mm/one.c edited
FORCE=1 run tree.sh
point "FORCE=1 goes on" good
point "FORCE=1 takes the patch's side" has mm/one.c "line XXX"
point "FORCE=1 throws away edits elsewhere" cmp "$LINUX/mm/untouched.c" "$DIR/base/mm/untouched.c"
sed -i 's/line XXX$/line thirty/' "$DIR/repo/patches/0002-second.patch"
rm "$LINUX/include/linux/new.h"
run tree.sh --strict
point "a deleted file is told" bad include/linux/new.h
FORCE=1 run tree.sh
point "FORCE=1 brings it back" test -f "$LINUX/include/linux/new.h"

# what patches leave
times >"$DIR/times"
cp -r "$DIR/repo/patches" "$DIR/patches.kept"
sed -i '/^--- a\/mm\/two.c/,$d' "$DIR/repo/patches/0002-second.patch"
run tree.sh
point "a file that no patch changes any more is the base's" cmp "$LINUX/mm/two.c" "$DIR/base/mm/two.c"
point "with a new time, so that it is compiled again" is "$(changed_since)" mm/two.c
cp "$DIR"/patches.kept/* "$DIR/repo/patches/"

echo extra >"$DIR/repo/mm-extra"
mkdir "$DIR/repo/mm"
mv "$DIR/repo/mm-extra" "$DIR/repo/mm/extra.c"
run tree.sh
point "a new file that no patch adds is refused" bad mm/extra.c "Adds: mm/extra.c"
sed -i 's/^Signed-off-by/Adds: mm\/extra.c\n&/' "$DIR/repo/patches/0002-second.patch"
run tree.sh
point "and taken when one does" test -f "$LINUX/mm/extra.c"
sed -i 's/^Adds: include/Adds: mm\/extra.c\n&/' "$DIR/repo/patches/0001-first.patch"
run tree.sh
point "not when two do" bad mm/extra.c 0001-first.patch 0002-second.patch
cp "$DIR/patches.kept/0001-first.patch" "$DIR/repo/patches/"
rm "$DIR/repo/mm/extra.c"
run tree.sh
point "Adds: of a missing file is refused" bad mm/extra.c 0002-second.patch
cp "$DIR"/patches.kept/* "$DIR/repo/patches/"
run tree.sh
point "a new file that went is removed" test ! -e "$LINUX/mm/extra.c"

printf 'Subject: docs: Only words\n\nSigned-off-by: T <t@localhost>\n' >"$DIR/repo/patches/0003-words.patch"
echo 0003-words.patch >>"$DIR/repo/patches/series"
run tree.sh
point "a patch without changes applies" good "3 patches"
printf -- '--- /dev/null\n+++ b/mm/made.c\n@@ -0,0 +1 @@\n+x\n' >>"$DIR/repo/patches/0003-words.patch"
run tree.sh
point "a patch that makes a file is refused" bad 0003-words.patch mm/made.c
rm -r "$DIR/repo/patches"
cp -r "$DIR/patches.kept" "$DIR/repo/patches"

# other bases
cp -r "$DIR/base" "$DIR/base2"
sed -i '1i line 0\nline 0' "$DIR/base2/mm/two.c"
BASE=$DIR/base2 run tree.sh
point "an offset is told" good "0002-second.patch: mm/two.c: hunk #1 applies with offset 2"
point "another base comes into the tree" is "$(head -n 1 "$LINUX/mm/two.c")" "line 0"
sed -i 's/^line 33$/line XX/' "$DIR/base2/mm/one.c"
BASE=$DIR/base2 run tree.sh
point "fuzz is refused, naming patch, file and hunk" bad "0002-second.patch: mm/one.c: the hunk at line 27 does not apply"
rm -rf "$DIR/repo/build/rebase"
sed -i -e 's/^line XX$/line 33/' -e 's/^line 5$/line X/' "$DIR/base2/mm/one.c"
BASE=$DIR/base2 run tree.sh
point "a conflict names patch, file and hunk" bad "0001-first.patch: mm/one.c: the hunk at line 2 does not apply"
BASE=$DIR/base run tree.sh
point "going back while git rebases is refused" bad "build/rebase" "make refresh"
rm -rf "$DIR/repo/build/rebase"
BASE=$DIR/base run tree.sh
point "back to the first base" good
point "its files are back" cmp "$LINUX/mm/untouched.c" "$DIR/base/mm/untouched.c"
tar -C "$DIR" -cf "$DIR/base.tar" base
BASE=$DIR/base.tar run tree.sh
point "a tarball is a base, too" good
sed -i 's/PATCHLEVEL = 12/PATCHLEVEL = 13/' "$DIR/base2/Makefile"
BASE=$DIR/base2 run tree.sh
point "6.13 is refused" bad "6.13"
BASE=$DIR/nothing run tree.sh
point "a missing base is told" bad "$DIR/nothing" "make deps"

# "sudo make"
roots() {
	((EUID == 0)) || return 0
	chown -R nobody: "$DIR/repo"
	BASE=$DIR/base run tree.sh
	! find "$DIR/repo" -user root | grep .
}
rm -rf "$DIR/repo/build"
point "what root makes is the owner's" roots

plan_done
