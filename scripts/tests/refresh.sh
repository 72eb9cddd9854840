#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of scripts/series/refresh.sh, on a base of a few files.

. "$(dirname "$0")/../lib.sh"
use tests/lib/harness

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

series_of() {
	git -C "$LINUX" log --reverse --format=%s base..series
}

make_repo
run tree.sh
run refresh.sh
point "brings all patches into one form" good
point "headers stay" grep -q '^Why it is needed.$' "$P/0001-first.patch"
keep
run refresh.sh
point "without an edit there is nothing to do" good "nothing was edited"
point "and nothing is written" differ_only

sed -i 's/^line 32$/edited/' "$LINUX/mm/one.c"
run refresh.sh
point "an edit is written" good 0002-second.patch
point "into the last patch of the file" differ_only 0002-second.patch
point "as a change" grep -qx '+edited' "$P/0002-second.patch"
point "under the same header" cmp <(sed '/^--- a/,$d' "$P/0002-second.patch") <(sed '/^--- a/,$d' "$DIR/kept/0002-second.patch")
keep
run tree.sh --strict
point "the tree is the series again" good "0 changed"

sed -i 's/^line 3$/low/' "$LINUX/mm/one.c"
PATCH=0001-first.patch run refresh.sh
point "PATCH= names a lower one" good 0001-first.patch
point "that has the change" grep -qx '+low' "$P/0001-first.patch"
keep

# conflicts
sed -i 's/^line thirty$/line 3-0/' "$LINUX/mm/one.c"
PATCH=0001-first.patch run refresh.sh
point "a conflict with a later patch is told" bad mm/one.c "conflicts with 0001-first.patch" "build/rebase" "make refresh"
point "and nothing is written" differ_only
run refresh.sh
point "until it is resolved, it is told again" bad mm/one.c "build/rebase"
run tree.sh
point "the tree stays as it is" good "mm/one.c is edited"
git -C "$DIR/repo/build/rebase" rebase --abort
run refresh.sh
point "when it is given up, the last patch takes the edit" good "given up"
point "and only that" differ_only 0002-second.patch
keep

sed -i 's/^line 3-0$/line three/' "$LINUX/mm/one.c"
PATCH=0001-first.patch run refresh.sh
point "another conflict" bad mm/one.c
resolve() (
	local file=mm/one.c ours='/^=======$/,/^>>>>>>> /d' theirs='/^<<<<<<< /,/^=======$/d'
	local side=$theirs

	cd "$DIR/repo/build/rebase"
	while [[ -d $(git rev-parse --git-path rebase-merge) ]]; do
		sed -i -e "$side" -e '/^<<<<<<< /d' -e '/^>>>>>>> /d' "$file"
		side=$ours
		git add "$file"
		GIT_EDITOR=: git -c user.name=x -c user.email=x rebase --continue
	done
)
try resolve
git -C "$LINUX" -c user.name=x -c user.email=x commit -q --allow-empty -m 'mm: Meanwhile'
run refresh.sh
point "a commit that was made meanwhile is not lost" bad "new commits since the rebase"
git -C "$LINUX" reset -q --soft HEAD~1
cp "$DIR/repo/include/linux/new.h" "$DIR/new.h"
echo meanwhile >>"$DIR/repo/include/linux/new.h"
run refresh.sh
point "nor an edit in the repository" bad "the series changed since the rebase"
cp "$DIR/new.h" "$DIR/repo/include/linux/new.h"
run refresh.sh
point "when it is resolved, the patches are written" good "wrote patches/0001-first.patch"
run tree.sh --strict
point "and the tree has no edit left" good

# new files
keep
echo 'more' >>"$LINUX/include/linux/new.h"
run refresh.sh
point "new files are written back" cmp "$LINUX/include/linux/new.h" "$DIR/repo/include/linux/new.h"
point "and no patch" differ_only
mkdir -p "$LINUX/lib"
echo 'made' >"$LINUX/lib/made.c"
run refresh.sh
point "a file that git does not know is told" good "lib/made.c is new" "git add"
git -C "$LINUX" add lib/made.c
rm -rf "$DIR/repo/lib"
touch "$DIR/repo/lib"
PATCH=0002-second.patch run refresh.sh
point "when it cannot be written, that is an error" bad lib
rm "$DIR/repo/lib"
run refresh.sh
point "and the next run finishes it" good "finishing" "wrote lib/made.c"
rm -r "$DIR/repo/lib"
cp "$DIR/kept"/* "$P/"
run tree.sh
mkdir -p "$LINUX/lib"
echo 'made' >"$LINUX/lib/made.c"
git -C "$LINUX" add lib/made.c
PATCH=0002-second.patch run refresh.sh
point "one that it does goes into the repository" cmp "$LINUX/lib/made.c" "$DIR/repo/lib/made.c"
point "and into Adds:" grep -qx 'Adds: lib/made.c' "$P/0002-second.patch"
rm "$LINUX/lib/made.c"
run refresh.sh
point "when it is deleted, it goes" good "removed lib/made.c"
point "also from Adds:" differ_only
chmod +x "$LINUX/include/linux/new.h"
run refresh.sh
point "its mode counts" test -x "$DIR/repo/include/linux/new.h"
rm "$LINUX/mm/two.c"
run refresh.sh
point "a file of the base cannot be deleted" bad mm/two.c
git -C "$LINUX" checkout mm/two.c
chmod +x "$LINUX/mm/two.c"
run refresh.sh
point "nor change its mode" bad mm/two.c mode
chmod -x "$LINUX/mm/two.c"

sed -i 's/^line 7$/seven/' "$LINUX/mm/untouched.c"
run refresh.sh
point "an edit without a patch asks for one" bad mm/untouched.c "PATCH="
point "git shows it by now" grep -q mm/untouched.c <(git -C "$LINUX" status --porcelain)
PATCH=0003-new.patch run refresh.sh
point "PATCH= makes a new one" good 0003-new.patch
point "at the series' end" test "$(tail -n 1 "$P/series")" = 0003-new.patch
point "with a header to write" grep -q '^Signed-off-by: ' "$P/0003-new.patch"
run series.sh
point "that series.sh insists on" bad 0003-new.patch

# commits
sed -i 's/^line 9$/nine/' "$LINUX/mm/untouched.c"
git -C "$LINUX" -c user.name=A -c user.email=a@localhost commit -q -a -m 'mm: Write the number out' -m '#1 of many' -m 'Signed-off-by: A <a@localhost>'
run tree.sh
point "a commit is told" good "commits"
run tree.sh --strict
point "and refused" bad "commits of its own" "make refresh"
run ../build/clean.sh
point "it is not lost by make clean" bad "mm: Write the number out" "make refresh"
run refresh.sh
point "it becomes a patch" good 0004-mm-write-the-number-out.patch
point "with its message" grep -qx '#1 of many' "$P/0004-mm-write-the-number-out.patch"
point "and its author" grep -qx 'From: A <a@localhost>' "$P/0004-mm-write-the-number-out.patch"
run tree.sh --strict
point "and is in the tree" good "4 patches" "0 changed"
git -C "$LINUX" -c user.name=x -c user.email=x commit -q --amend -m 'mm: Quote' -m '--- a/mm/one.c' -m 'Signed-off-by: x <x>' -m 'Patch: 0004-mm-write-the-number-out.patch'
run refresh.sh
point "a message that would be taken for a diff is refused" bad 0004-mm-write-the-number-out.patch "indent it"
git -C "$LINUX" reset -q --soft 'HEAD@{1}'
GIT_SEQUENCE_EDITOR='sed -i 2d' git -C "$LINUX" -c user.name=x -c user.email=x rebase -q -i HEAD~2
GIT_SEQUENCE_EDITOR='sed -i 2d' git -C "$LINUX" -c user.name=x -c user.email=x rebase -q -i HEAD~2
run refresh.sh
point "what was dropped from the branch goes from the series" test ! -e "$P/0004-mm-write-the-number-out.patch"
run tree.sh --strict
point "and from the tree" good "2 patches"

# where git is
git -C "$LINUX" checkout -q base
run refresh.sh
point "nothing is written from another commit" bad "not on the branch 'series'"
run tree.sh
point "nor composed" bad "git checkout series"
git -C "$LINUX" checkout -q series
keep
sed -i 's/^line 20$/stashed/' "$LINUX/mm/one.c"
git -C "$LINUX" stash -q
sed -i 's/^line 20$/twenty/' "$LINUX/mm/one.c"
git -C "$LINUX" -c user.name=x -c user.email=x commit -q -a -m 'mm: Twenty' -m 'Signed-off-by: x <x>'
git -C "$LINUX" stash pop -q >/dev/null 2>&1 || :
run refresh.sh
point "nor with conflicts" bad "there are conflicts"
point "and no patch is changed" differ_only
git -C "$LINUX" reset -q --hard HEAD
echo 'not of the series' >"$P/0003-mm-twenty.patch"
run refresh.sh
point "a patch that is not in the series is not overwritten" bad 0003-mm-twenty.patch "not in patches/series"
rm "$P/0003-mm-twenty.patch"
cp "$DIR/repo/include/linux/new.h" "$DIR/new.h"
echo changed >>"$DIR/repo/include/linux/new.h"
run tree.sh
point "commits and another series: what to do is told" bad "commits of its own" "git stash"
cp "$DIR/new.h" "$DIR/repo/include/linux/new.h"
cp -r "$DIR/base" "$DIR/base3"
BASE=$DIR/base3 run tree.sh
point "another base does not throw commits away" bad "mm: Twenty" "the base changes"
git -C "$LINUX" reset -q --hard HEAD~1
sed -i '1s/^/# a comment\n/' "$P/series"
run tree.sh
sed -i 's/^line 21$/21/' "$LINUX/mm/one.c"
PATCH=0005-comment.patch run refresh.sh
point "comments of the series stay" grep -qx '# a comment' "$P/series"
git -C "$LINUX" reset -q --hard HEAD~1
run refresh.sh
run tree.sh
sed -i 's/^line 22$/22/' "$LINUX/mm/untouched.c"
rm -rf "$DIR/repo/build/base"
run tree.sh
point "an edit is not lost with build/base" grep -qx 22 "$LINUX/mm/untouched.c"
cp "$DIR/base/mm/untouched.c" "$LINUX/mm/untouched.c"
run tree.sh

# another base
keep
cp -r "$DIR/base" "$DIR/base2"
sed -i 's/^line 9$/line nine/' "$DIR/base2/mm/two.c"
export BASE=$DIR/base2
run tree.sh
point "a base to which the series does not apply" bad "0002-second.patch: mm/two.c" "build/rebase" "make refresh"
run refresh.sh
point "the conflict is told until it is resolved" bad mm/two.c "build/rebase"
run ../build/clean.sh
point "and the rebase is not lost by make clean" bad "rebase build/rebase"
resolve_two() (
	cd "$DIR/repo/build/rebase"
	sed -i -e '/^<<<<<<< /,/^=======$/d' -e '/^>>>>>>> /d' -e 's/^line 9$/line nine/' mm/two.c
	git add mm/two.c
	GIT_EDITOR=: git -c user.name=x -c user.email=x rebase --continue
)
try resolve_two
run refresh.sh
point "then the patches are written for the new base" good "wrote patches/0002-second.patch"
point "and only those that differ" differ_only 0002-second.patch
run tree.sh --strict
point "and the tree is of them" good
point "and of the new base" grep -qx 'line nine' "$LINUX/mm/two.c"

plan_done
