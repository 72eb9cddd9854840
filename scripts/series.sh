#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Exports patches/ and the overlay files as mails for "git am", with a cover
# letter, to build/series/. Each mail has the changes of one patch and the
# overlay files of its Adds: lines. That the mails apply and make up the composed
# tree is checked here.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=series-lib.sh
. "$SCRIPTS/series-lib.sh"
# shellcheck source=release-lib.sh
. "$SCRIPTS/release-lib.sh"
# shellcheck source=git-lib.sh
. "$SCRIPTS/git-lib.sh"

OUT=$BUILD/series
WORK=$BUILD/series.tmp.$$
# Only the files that the series changes: the mails are the same as those from a
# repository with the whole kernel, which would take minutes to make
GIT_TREE=$WORK/git
PREFIX='PATCH 6.12'

# message FILE: the commit's message: header without mail headers and Adds:
message() {
	patch_header "$1" | awk '
		NR == 1 && /^(From|Subject|Date):/ { mail = 1 }
		mail && /^Subject:/ {
			sub(/^Subject: */, "")
			sub(/^\[PATCH[^]]*\] */, "")
			print
			next
		}
		mail && /^$/ { mail = 0; print; next }
		mail { next }
		/^Adds:/ { next }
		{ print }' | cat -s
}

author() {
	local line

	line=$(patch_header "$1" | sed -n 's/^From: //p' | head -n 1)
	[[ -n $line ]] || line=$(patch_header "$1" | sed -n 's/^Signed-off-by: //p' | head -n 1)
	echo "$line"
}

check_message() {
	local patch=$1 file=$WORK/message

	grep -q '^Signed-off-by: .* <.*>$' "$file" ||
		die "$patch has no Signed-off-by line" "the header of a patch is a whole commit message"
	! grep -q 'FILL IN' "$file" || die "the header of $patch is still to be written"
	[[ -n $(sed -n 1p "$file") && -z $(sed -n 2p "$file") ]] ||
		die "the header of $patch must begin with a subject line and an empty line"
}

commit_base() {
	local path

	mkdir -p "$GIT_TREE"
	g -c init.defaultBranch=series init -q
	{
		echo MAINTAINERS
		series_files
	} | sort -u | while IFS= read -r path; do
		mkdir -p "$GIT_TREE/$(dirname "$path")"
		cp --preserve=mode "$BASE_DIR/$path" "$GIT_TREE/$path"
	done
	g add -A -f
	commit "BPF Streams Developers <bpf-streams@localhost>" -m "Linux $(kernel_version)"
	g tag base
}

kernel_version() {
	make -s -C "$BASE_DIR" kernelversion
}

commit_patch() {
	local patch=$1 path

	message "$PATCHES/$patch" >"$WORK/message"
	check_message "$patch"
	if [[ -n $(patch_files "$PATCHES/$patch") ]]; then
		g apply --index --whitespace=nowarn "$PATCHES/$patch" ||
			die "git cannot apply $patch" "make tree says more"
	fi
	while IFS= read -r path; do
		mkdir -p "$GIT_TREE/$(dirname "$path")"
		cp --preserve=mode "$COMPOSED/files/$path" "$GIT_TREE/$path"
		g add -f "$path"
	done < <(patch_adds "$PATCHES/$patch")
	commit "$(author "$PATCHES/$patch")" -F "$WORK/message"
	[[ -n $(g diff-tree --no-commit-id --name-only -r HEAD) ]] ||
		die "$patch changes nothing and adds nothing"
}

# The text of scripts/cover-letter.txt takes the place of git's blanks
write_cover() {
	local file=$1

	awk -v text="$SCRIPTS/cover-letter.txt" '
		function body(   line) {
			while ((getline line < text) > 0) {
				if (line ~ /^# SPDX/)
					continue
				if (subject_read)
					print line
				else if (line == "")
					subject_read = 1
			}
		}
		BEGIN {
			while ((getline line < text) > 0)
				if (line != "" && line !~ /^#/) {
					subject = line
					break
				}
			close(text)
		}
		/^Subject: / { sub(/\*\*\* SUBJECT HERE \*\*\*/, subject) }
		/^\*\*\* BLURB HERE \*\*\*/ { body(); next }
		{ print }' "$file" | put "$file"
	! grep -q ' HERE \*\*\*' "$file" || die "the cover letter is not complete"
}

format() {
	mkdir "$WORK/series"
	GIT_COMMITTER_NAME='BPF Streams Developers' GIT_COMMITTER_EMAIL=bpf-streams@localhost \
	GIT_COMMITTER_DATE="@$TIME +0000" \
		g format-patch -q -o "$WORK/series" --cover-letter --subject-prefix="$PREFIX" \
			--no-signature --zero-commit --abbrev=12 --no-renames --stat=75 base
	write_cover "$WORK/series/0000-cover-letter.patch"
}

# The mails, applied to the base, must give what make tree composed
verify() {
	local path

	g checkout -q -b check base
	apply_mails "$WORK/series" >"$LOGS/series" 2>&1 ||
		die "git am does not take the mails (log: $(rel "$LOGS/series"))"
	while read -r _ path; do
		cmp -s "$GIT_TREE/$path" "$COMPOSED/files/$path" ||
			die "$path comes out different from the composed tree" \
			    "an overlay file edited since? run 'make tree' and try again"
	done <"$COMPOSED/list"
}

[[ -f $COMPOSED/list ]] || die "there is no composed tree" "run: make tree"
need git make
prepare_build
lock series
"$SCRIPTS/tree.sh" --unchanged || die "patches/ changed since the tree was composed" "run: make tree"
rm_at_exit "$WORK"
mkdir "$WORK"
# the mails carry the time of the release
TIME=$(release_time)
[[ -n $(series_patches) ]] || die "patches/series is empty"
commit_base
while IFS= read -r patch; do
	commit_patch "$patch"
done < <(series_patches)
format
verify
rm -rf "$OUT"
mv "$WORK/series" "$OUT"
say "$(series_patches | wc -l) mails and a cover letter are in build/series/"
