#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of scripts/series/series.sh, on a base of a few files.

. "$(dirname "$0")/../lib.sh"
use tests/lib/harness

MAILS=$DIR/repo/build/series

apply_mails() {
	cp -r "$DIR/base" "$DIR/target"
	(
		cd "$DIR/target"
		export GIT_CONFIG_GLOBAL=/dev/null
		export GIT_{AUTHOR,COMMITTER}_NAME=x GIT_{AUTHOR,COMMITTER}_EMAIL=x
		git init -q
		git add -A
		git commit -q -m base
		git am -q "$MAILS"/000[1-9]*.patch
	) && diff -r -x .git "$DIR/target" "$LINUX"
}

no_adds() {
	! grep -q '^Adds:' "$MAILS"/*.patch
}

make_repo
run tree.sh
run series.sh
point "exports mails" good "2 mails"
try apply_mails
point "git am makes the composed tree of them" good
point "each brings the new files that it names" grep -q '^+++ b/include/linux/new.h' "$MAILS"/0001-*.patch
point "Adds: lines stay at home" no_adds
point "the cover letter is written" grep -q 'shortlog\|^Test (2):' "$MAILS/0000-cover-letter.patch"
SOURCE_DATE_EPOCH=1 run series.sh
cp -r "$MAILS" "$DIR/one"
SOURCE_DATE_EPOCH=1 run series.sh
try diff -r "$DIR/one" "$MAILS"
point "the same series gives the same mails" good

sed -i '/^Signed-off-by:/d' "$DIR/repo/patches/0002-second.patch"
run tree.sh
run series.sh
point "a patch without Signed-off-by is refused" bad 0002-second.patch Signed-off-by

plan_done
