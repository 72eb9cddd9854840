#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Writes what was edited in build/linux back into the repository: overlay files
# as they are, changes of the base's files into the patch that they belong to.
#
#   $PATCH   the patch to write to. Without it: the last one in the series that
#            changes the file. A name that does not exist yet makes a new patch
#            at the end of the series.
#   $ALL=1   also rewrites all other patches (offsets, order of files)
#
# Patches that no edit concerns stay as they are, to the byte.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=series-lib.sh
. "$SCRIPTS/series-lib.sh"

PATCH=${PATCH:-}
ALL=${ALL:-}
WORK=$BUILD/refresh.tmp.$$
LOG=$LOGS/refresh

# last_patch_of PATH: the topmost patch that changes it
last_patch_of() {
	series_patches | while IFS= read -r patch; do
		if patch_files "$PATCHES/$patch" | grep -xF "change $1" >/dev/null; then
			echo "$patch"
		fi
	done | tail -n 1
}

new_patch_header() {
	local name email

	name=$(git -C "$REPO" config user.name) || name='Your Name'
	email=$(git -C "$REPO" config user.email) || email='you@example.org'
	printf 'From: %s <%s>\nSubject: [PATCH] FILL IN: one line\n\n' "$name" "$email"
	printf 'FILL IN: the problem and how this solves it\n\n'
	printf 'Signed-off-by: %s <%s>\n---\n' "$name" "$email"
}

# Sorts the edits: OVERLAY, and BASE_EDITS with the patch of each in OWNER
sort_edits() {
	local what path owner

	while read -r what path; do
		if [[ $path == MAINTAINERS && -f $REPO/MAINTAINERS ]]; then
			die "MAINTAINERS is composed: edit the fragment MAINTAINERS of the repository" \
			    "then 'make tree FORCE=1', after a refresh of whatever else you edited"
		elif grep -qxF "overlay $path" "$COMPOSED/list"; then
			OVERLAY+=("$path")
		elif [[ $what == new ]]; then
			warn "note: $path is new; if it belongs to the series, put it at $path in the repository and name it in a patch's Adds:"
		elif [[ $what == deleted ]]; then
			die "$path was deleted in build/linux; patches cannot delete files" \
			    "make it empty of what is not wanted, or 'make tree FORCE=1' to get it back"
		else
			owner=${PATCH:-$(last_patch_of "$path")}
			[[ -n $owner ]] ||
				die "no patch changes $path yet" \
				    "say which one it belongs to: make refresh PATCH=NNNN-name.patch (a new name makes a new patch)"
			BASE_EDITS+=("$path")
			OWNER[$path]=$owner
		fi
	done < <("$SCRIPTS/tree.sh" --edits)
}

write_overlays() {
	local path to

	for path in ${OVERLAY[@]+"${OVERLAY[@]}"}; do
		to=$(repo_path "$path")
		if [[ ! -e $LINUX/$path ]]; then
			warn "note: $path was deleted in build/linux; delete $(rel "$to") if it is to go"
			continue
		fi
		cp --preserve=mode "$LINUX/$path" "$to.tmp.$$"
		mv -f "$to.tmp.$$" "$to"
		say "wrote $(rel "$to")"
	done
}

quilt_here() {
	quilt_in "$WORK/tree" "$WORK/patches" "$@"
}

# refresh_top PATCH: from the scratch tree into the scratch copy of the patch
refresh_top() {
	local file=$WORK/patches/$1 had_changes=

	[[ ! -s $file ]] || had_changes=1
	quilt_here refresh -p ab --no-timestamps --no-index --sort >>"$LOG" 2>&1
	if [[ -z $had_changes && -s $file ]]; then
		header_of "$1" | cat - "$file" | put "$file"
	fi
}

header_of() {
	if [[ -f $PATCHES/$1 ]]; then
		cat "$PATCHES/$1"
	else
		new_patch_header
	fi
}

# Applies the edits that belong to the topmost patch of the scratch tree
edit_top() {
	local patch=$1 path

	for path in "${BASE_EDITS[@]}"; do
		[[ ${OWNER[$path]} == "$patch" ]] || continue
		if [[ ! -e $WORK/tree/$path ]]; then
			mkdir -p "$WORK/tree/$(dirname "$path")"
			cp "$BASE_DIR/$path" "$WORK/tree/$path"
		fi
		if ! quilt_here files | grep -xF "$path" >/dev/null; then
			quilt_here add "$path" >>"$LOG" 2>&1
		fi
		if ! patch --fuzz=0 --no-backup-if-mismatch -s -p0 -r - \
		     "$WORK/tree/$path" "$WORK/edits/$path" >>"$LOG" 2>&1; then
			die "the edit of $path does not fit into $patch: later patches change the same lines" \
			    "put it into $(last_patch_of "$path")"
		fi
	done
}

# Pushes the whole series in a scratch tree and refreshes each patch that got
# an edit or follows one that did
rewrite_patches() {
	local path patch dirty=$ALL was

	mkdir -p "$WORK/tree" "$WORK/edits"
	copy_patches "$WORK/patches"
	for path in "${BASE_EDITS[@]}"; do
		was=$COMPOSED/files/$path
		[[ -e $was ]] || was=$BASE_DIR/$path
		mkdir -p "$WORK/edits/$(dirname "$path")"
		diff -u "$was" "$LINUX/$path" >"$WORK/edits/$path" || :
	done
	series_patches | while IFS= read -r patch; do
		patch_files "$PATCHES/$patch"
	done | sort -u | while read -r _ path; do
		mkdir -p "$WORK/tree/$(dirname "$path")"
		cp "$BASE_DIR/$path" "$WORK/tree/$path"
	done
	if [[ -n $PATCH ]] && ! series_patches | grep -xF "$PATCH" >/dev/null; then
		: >"$WORK/patches/$PATCH"
		echo "$PATCH" >>"$WORK/patches/series"
		say "new patch $PATCH: write its header"
	fi
	while IFS= read -r patch; do
		if ! quilt_here push --fuzz=0 >>"$LOG" 2>&1; then
			die "after the edit $patch does not apply any more: it changes the same lines (log: $(rel "$LOG"))" \
			    "choose a later patch for the edit: make refresh PATCH=$patch"
		fi
		for path in "${BASE_EDITS[@]}"; do
			[[ ${OWNER[$path]} != "$patch" ]] || dirty=1
		done
		edit_top "$patch"
		if [[ -n $dirty ]]; then
			refresh_top "$patch"
		fi
	done < <(PATCHES=$WORK/patches series_patches)
}

# A later patch that only moved is left as it was: its offsets are told by
# make tree. Refreshing it would change patches that no edit concerns.
install_patches() {
	local file name

	if [[ -n $PATCH ]] && ! series_patches | grep -xF "$PATCH" >/dev/null; then
		{ cat "$PATCHES/series" 2>/dev/null || :; echo "$PATCH"; } | put "$PATCHES/series"
	fi
	for file in "$WORK"/patches/*.patch; do
		name=$(basename "$file")
		if [[ ! -s $file ]] || cmp -s "$file" "$PATCHES/$name"; then
			continue
		fi
		if [[ -z $ALL ]] && ! concerned "$name"; then
			continue
		fi
		put "$PATCHES/$name" <"$file"
		say "wrote patches/$name"
	done
}

# Does the patch get an edit, or change a file that got one?
concerned() {
	local path

	for path in "${BASE_EDITS[@]}"; do
		[[ ${OWNER[$path]} != "$1" ]] || return 0
		[[ ! -f $PATCHES/$1 ]] || ! patch_files "$PATCHES/$1" | grep -xF "change $path" >/dev/null || return 0
	done
	return 1
}

[[ $PATCH != */* ]] || die "PATCH is a name in patches/, without a path"
[[ -z $PATCH || $PATCH == *.patch ]] || die "PATCH must end in .patch"
[[ -f $COMPOSED/list ]] || die "there is no composed tree" "run: make tree"
need quilt patch diff
prepare_build
lock tree
"$SCRIPTS/tree.sh" --unchanged ||
	die "patches/ changed since build/linux was composed" \
	    "run 'make tree' first (it says so if an edit is in the way)"
rm_at_exit "$WORK"
: >"$LOG"
OVERLAY=()
BASE_EDITS=()
declare -A OWNER=()
sort_edits
if ((${#OVERLAY[@]} + ${#BASE_EDITS[@]} == 0)) && [[ -z $ALL ]]; then
	say "nothing was edited in build/linux"
	exit 0
fi
if ((${#BASE_EDITS[@]})) || [[ -n $ALL ]]; then
	rewrite_patches
	install_patches
fi
write_overlays
unlock
child "$SCRIPTS/tree.sh"
