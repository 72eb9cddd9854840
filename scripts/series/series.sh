#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Exports the commits of build/linux as mails for "git am", with a cover letter, to
# build/series/. That the mails apply to the base and make the same tree is checked here.

. "$(dirname "$0")/../lib.sh"
use series/lib dist/reproducible

OUT=$BUILD/series
WORK=$BUILD/series.tmp.$$

check_messages() {
	local commit patch

	while read -r commit patch; do
		g log -1 --format=%B "$commit" >"$WORK/message"
		grep -q '^Signed-off-by: .* <.*>$' "$WORK/message" ||
			die "$patch has no Signed-off-by line" "the header of a patch is a whole commit message"
		! grep -q 'FILL IN' "$WORK/message" || die "the header of $patch is still to be written"
		[[ -n $(g diff-tree --no-commit-id --name-only -r "$commit") ]] ||
			die "$patch changes nothing and adds nothing"
	done < <(g log --reverse --format='%H %(trailers:key=Patch,valueonly,separator=)' base..HEAD)
}

# What git sets in for the blanks of a cover letter
cover_letter() {
	sed '/^# SPDX/d' "$SCRIPTS/series/cover-letter.txt"
}

# finish_mail FILE: takes out what only build/linux needs; the time is the release's
finish_mail() {
	sed -i -e "1,/^\$/s/^Date: .*/Date: $DATE/" -e '1,/^---$/{/^Patch: /d}' "$1"
}

format() {
	local mail

	g -c branch.series.description="$(cover_letter)" \
		-c user.name="${IDENTITY% <*}" -c user.email=bpf-streams@localhost \
		format-patch -q -o "$WORK/series" --cover-letter --cover-from-description=subject \
		--subject-prefix='PATCH 6.12' --no-signature --zero-commit --abbrev=12 --no-renames \
		--stat=75 base..series
	for mail in "$WORK"/series/*.patch; do
		finish_mail "$mail"
	done
	! grep -q ' HERE \*\*\*' "$WORK"/series/0000-* || die "the cover letter is not complete"
}

# apply_mails: all but the cover letter, in a work tree of the base
apply_mails() {
	local mails=("$WORK"/series/*.patch)

	our_git -C "$WORK/check" am -q "${mails[@]:1}"
}

verify() {
	g worktree add -q --detach "$WORK/check" base
	step "git am on the base" "$LOGS/series" apply_mails || die "git am does not take the mails"
	[[ $(our_git -C "$WORK/check" rev-parse 'HEAD^{tree}') == "$(g rev-parse 'HEAD^{tree}')" ]] ||
		die "the mails make another tree than make tree:
$(our_git -C "$WORK/check" diff --stat "$(g rev-parse HEAD)" HEAD)"
	rm -rf "$WORK/check"
	g worktree prune
}

need git
need_tree
prepare_build
child "$SCRIPTS/series/tree.sh" --strict
lock series
[[ -n $(series_patches) ]] || die "patches/series is empty"
rm_at_exit "$WORK"
mkdir "$WORK"
DATE=$(date -u -R -d "@$(release_time)")
check_messages
format
verify
rm -rf "$OUT"
mv "$WORK/series" "$OUT"
say "$(series_patches | wc -l) mails and a cover letter are in build/series/"
