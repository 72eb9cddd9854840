#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Writes what was edited or committed in build/linux back into the repository: each edit
# becomes a fixup of the commit that it belongs to, git rebase puts them in their places,
# and patches and overlay files are written from the commits that come out.
#
#   $PATCH   the patch that edits of the base's files go to. Without it: the last one
#            that changes the file. A name that does not exist yet makes a new patch at
#            the end of the series.
#
# The rebase is done in build/rebase. If it stops with a conflict, resolve that there, and
# run this again.

. "$(dirname "$0")/../lib.sh"
use series/lib

PATCH=${PATCH:-}
unset FORCE
WORK=$BUILD/refresh.tmp.$$
LOG=$LOGS/rebase
# The last commits of build/linux, with a fixup for each edit
EDITS=refs/edits

# --- edits become commits ---

# commit_of PATCH
commit_of() {
	g log --format='%H %(trailers:key=Patch,valueonly,separator=%x20)' base..HEAD |
		awk -v patch="$1" '$2 == patch { print $1 }'
}

in_base() {
	g cat-file -e "base:$1" 2>/dev/null
}

# owner_of PATH: the commit that the edit of a file goes to, "new" for a new one
owner_of() {
	local commit

	if [[ -n $PATCH ]] && { in_base "$1" || ! g cat-file -e "HEAD:$1" 2>/dev/null; }; then
		commit=$(commit_of "$PATCH")
		echo "${commit:-new}"
	else
		g log -1 --format=%H base..HEAD -- "$1"
	fi
}

# sort_edits: "COMMIT PATH" lines
sort_edits() {
	local what path owner

	while read -r what path; do
		if [[ -e $BASE_DIR/$path ]] && ! in_base "$path"; then
			warn "note: $path comes next: run 'make refresh' once more"
			continue
		elif [[ $what == new && -z $(g ls-files -- "$path") ]]; then
			warn "note: $path is new; to make it part of the series: git add, and make refresh PATCH=name"
			continue
		elif [[ $what == deleted ]] && in_base "$path"; then
			die "$path was deleted in build/linux; patches cannot delete files" \
			    "make it empty of what is not wanted, or 'make tree FORCE=1' to get it back"
		fi
		owner=$(owner_of "$path")
		[[ -n $owner ]] ||
			die "no patch changes $path yet" \
			    "say which one it belongs to: make refresh PATCH=NNNN-name.patch (a new name makes a new patch)"
		echo "$owner $path"
	done < <("$SCRIPTS/series/tree.sh" --edits)
}

new_message() {
	local author

	author="$(git -C "$REPO" config user.name || echo 'Your Name') <$(git -C "$REPO" config user.email || echo you@example.org)>"
	printf 'FILL IN: one line\n\nFILL IN: the problem and how this solves it\n\n'
	printf 'Signed-off-by: %s\nPatch: %s\n' "$author" "$PATCH"
}

# commit_edits: sets TIP to the last of a chain of commits upon HEAD
commit_edits() {
	local owner

	export GIT_INDEX_FILE=$WORK/index
	g read-tree HEAD
	TIP=$(g rev-parse HEAD)
	cut -d ' ' -f 1 "$WORK/edits" | sort -u >"$WORK/owners"
	while IFS= read -r owner; do
		sed -n "s/^$owner //p" "$WORK/edits" | g update-index --add --remove --stdin
		if [[ $owner == new ]]; then
			new_message
		else
			echo "fixup! $owner"
		fi >"$WORK/message"
		TIP=$(commit_index "$IDENTITY" "$TIP" <"$WORK/message")
	done <"$WORK/owners"
	unset GIT_INDEX_FILE
	g update-ref "$EDITS" "$TIP"
}

# --- rebase ---

# name_of COMMIT: its patch; of a fixup, that of the commit it is for
name_of() {
	local subject

	subject=$(g log -1 --format=%s "$1")
	if [[ $subject == 'fixup! '* ]]; then
		set -- "${subject#fixup! }"
	fi
	g log -1 --format='%(trailers:key=Patch,valueonly,separator=)' "$1"
}

stop_at_conflict() {
	local files

	files=$(in_rebase diff --name-only --diff-filter=U)
	[[ -n $files ]] ||
		die "the rebase in build/rebase stopped: $(tail -n 1 "$LOG")" \
		    "'git status' there says how to go on ('git rebase --skip' if a patch became empty), then run 'make refresh' again"
	printf '    %s\n' "${files//$'\n'/$'\n'    }" >&2
	die "the edit conflicts with $(name_of "$(in_rebase rev-parse REBASE_HEAD)") in the files above (git said: $(rel "$LOG"))" \
	    "resolve it in build/rebase, where 'git status' says how, and run 'make refresh' again; 'git rebase --abort' there gives up, the edits stay"
}

rebase() {
	if ! start_rebase "$TIP" base; then
		! rebase_pending || stop_at_conflict
		drop_rebase
		die "git cannot rebase the commits: $(tail -n 1 "$LOG")" "the log: $(rel "$LOG")"
	fi
	TIP=$(in_rebase rev-parse HEAD)
	drop_rebase
}

# The rebase of an earlier run that stopped: true if it has come to its end since
rebase_ended() {
	if [[ ! -e $REBASE/.git || ! -f $(rebase_file linux-head) ]]; then
		drop_rebase
		return 1
	fi
	! rebase_pending || stop_at_conflict
	[[ $(g rev-parse HEAD) == "$(<"$(rebase_file linux-head)")" ]] ||
		die "build/linux has new commits since the rebase in build/rebase began" \
		    "make edits of them: git reset $(<"$(rebase_file linux-head)"), in build/linux"
	[[ -z $(in_rebase status --porcelain --untracked-files=no) ]] ||
		die "there are changes in build/rebase" "commit them there, or throw them away"
	[[ $(series_hash) == "$(<"$(rebase_file series-hash)")" ]] ||
		die "the series changed since the rebase in build/rebase began" \
		    "put them back, or give the rebase up: rm -rf build/rebase"
	TIP=$(in_rebase rev-parse HEAD)
	if ! g merge-base --is-ancestor base "$TIP" ||
	   g log --format=%s "base..$TIP" | grep '^fixup! ' >/dev/null; then
		say "the rebase was given up: starting again"
		drop_rebase
		return 1
	fi
}

# --- commits become patches ---

# names: "COMMIT NAME" lines, in the order of the series
names() {
	local commit name subject number

	number=$(series_patches | sed -n 's/^\([0-9]*\)-.*/\1/p' | sort -n | tail -n 1)
	number=$((10#${number:-0}))
	g log --reverse --format='%H|%(trailers:key=Patch,valueonly,separator=%x20)|%f' "base..$TIP" |
		while IFS='|' read -r commit name subject; do
			if [[ -z $name ]]; then
				number=$((number + 1))
				name=$(printf '%04d-%s.patch' "$number" "${subject,,}")
			fi
			echo "$commit ${name%% *}"
		done
}

# check_commit COMMIT NAME: can it be a patch?
check_commit() {
	local was is kind path

	(($(g log -1 --format=%b "$1" | grep -c '^Patch: ') <= 1)) ||
		die "the message of $2 has another line that begins with Patch:" "indent it"
	[[ $2 == *.patch && $2 != */* ]] || die "the trailer Patch: $2 is no name of a patch"
	[[ ! -e $PATCHES/$2 ]] || series_patches | grep -xF -e "$2" >/dev/null ||
		die "$2 is in patches/, but not in patches/series" "choose another name, or move it away"
	while read -r was is _ _ kind path; do
		if [[ $kind == D ]] && in_base "$path"; then
			die "the commit of $2 deletes $path, and patches cannot delete files"
		elif [[ $kind == A && -e $BASE_DIR/$path ]]; then
			die "git did not track $path of the base when it was committed" \
			    "git reset HEAD~1 in build/linux, 'make tree', and commit again"
		elif [[ $kind == [MT] && ${was#:} != "$is" ]]; then
			die "the commit of $2 changes the mode of $path, and patches cannot"
		fi
	done < <(g diff-tree -r --no-commit-id --no-renames "$1")
}

# write_patch COMMIT
write_patch() {
	local path changed=()

	g log -1 --format='From: %an <%ae>%nSubject: %s%n' "$1"
	# without empty lines at the end
	printf '%s\n' "$(message_of "$1")"
	echo ---
	g diff-tree -r --no-commit-id --no-renames --name-only --diff-filter=A "$1" | sed 's/^/Adds: /'
	while IFS= read -r path; do
		! in_base "$path" || changed+=("$path")
	done < <(g diff-tree -r --no-commit-id --no-renames --name-only --diff-filter=M "$1")
	((${#changed[@]})) || return 0
	echo
	g diff-tree -p -U3 --text --no-commit-id --no-renames --no-color --no-ext-diff "$1" -- "${changed[@]}" |
		grep -v -e '^diff --git ' -e '^index '
}

message_of() {
	g log -1 --format=%b "$1" | sed '/^Patch: /d' | cat -s
}

# check_message COMMIT NAME: will make tree read it as it is?
check_message() {
	local AUTHOR SUBJECT

	if parse_patch "$WORK/patches/$2" "$WORK" &&
	   [[ $SUBJECT == "$(g log -1 --format=%s "$1")" &&
	      $AUTHOR == "$(g log -1 --format='%an <%ae>' "$1")" &&
	      $(<"$WORK/message") == "$(message_of "$1")" ]] &&
	   our_git -C / apply --numstat --allow-empty "$WORK/patches/$2" >/dev/null 2>&1; then
		return
	fi
	die "the message of $2 cannot be that of a mail: a line looks like part of a diff, or like a header" \
	    "indent it: git commit --amend, or git rebase -i base, in build/linux"
}

# Everything, before anything in the repository changes
write_patches() {
	local commit name

	mkdir "$WORK/patches"
	names >"$WORK/names"
	cut -d ' ' -f 2 "$WORK/names" >"$WORK/series"
	[[ -z $(sort "$WORK/series" | uniq -d) ]] ||
		die "two commits have the trailer Patch: $(sort "$WORK/series" | uniq -d | head -n 1)"
	while read -r commit name; do
		check_commit "$commit" "$name"
		write_patch "$commit" >"$WORK/patches/$name"
		check_message "$commit" "$name"
	done <"$WORK/names"
	overlays_of "$TIP" | while IFS= read -r name; do
		[[ " ${OVERLAY_DIRS[*]} " == *" ${name%%/*} "* ]] ||
			die "$name: new files can only be in ${OVERLAY_DIRS[*]}"
		[[ $name != *[[:space:]]* ]] || die "$name: names of new files cannot have spaces"
		[[ $(g ls-tree "$TIP" -- "$name") == 100* ]] || die "$name is not a plain file"
	done
}

overlays_of() {
	g diff-tree -r --no-renames --name-only --diff-filter=A base "$1"
}

# replace FILE NEW: unless it is the same
replace() {
	if cmp -s "$1" "$2" && [[ $(stat -c %A "$1") == "$(stat -c %A "$2")" ]]; then
		return
	fi
	mkdir -p "$(dirname "$1")"
	cp --preserve=mode "$2" "$1.tmp.$$"
	mv -f "$1.tmp.$$" "$1"
	say "wrote $(rel "$1")"
	WROTE=1
}

remove() {
	[[ -e $1 ]] || return 0
	rm "$1"
	say "removed $(rel "$1")"
	WROTE=1
}

# With its comments, unless the order changed
write_series() {
	local old

	old=$(series_patches | wc -l)
	if cmp -s <(series_patches) <(head -n "$old" "$WORK/series"); then
		{ cat "$PATCHES/series"; tail -n +$((old + 1)) "$WORK/series"; } | put "$PATCHES/series"
	else
		put "$PATCHES/series" <"$WORK/series"
	fi
}

install_patches() {
	local name

	while IFS= read -r name; do
		chmod 644 "$WORK/patches/$name"
		replace "$PATCHES/$name" "$WORK/patches/$name"
	done <"$WORK/series"
	while IFS= read -r name; do
		remove "$PATCHES/$name"
	done < <(series_patches | grep -v -x -F -f "$WORK/series" || :)
	write_series
}

install_overlays() {
	local path paths

	mkdir "$WORK/overlays"
	overlays_of "$TIP" >"$WORK/new"
	mapfile -t paths <"$WORK/new"
	((${#paths[@]} == 0)) || g -c tar.umask=0022 archive "$TIP" -- "${paths[@]}" | tar -C "$WORK/overlays" -xf -
	while IFS= read -r path; do
		replace "$REPO/$path" "$WORK/overlays/$path"
	done <"$WORK/new"
	while IFS= read -r path; do
		remove "$REPO/$path"
	done < <(overlays_of "$COMPOSED" | grep -v -x -F -f "$WORK/new" || :)
}

# Edits that a conflict has changed are in the series in another form: take that
take_over() {
	local path

	g diff-tree -r --no-renames --name-only "$EDITS" "$TIP" | while IFS= read -r path; do
		if [[ -f $LINUX/$path ]] &&
		   [[ $(g hash-object -- "$path") == "$(g rev-parse -q --verify "$EDITS:$path")" ]]; then
			if g cat-file -e "$TIP:$path" 2>/dev/null; then
				g checkout -q "$TIP" -- "$path"
			else
				g rm -q -f -- "$path"
			fi
		fi
	done
	# Commits of its own are in the series now
	g update-ref "$COMPOSED" HEAD
	g update-ref -d refs/installing
}

[[ -z $PATCH || $PATCH =~ ^[0-9A-Za-z][-._0-9A-Za-z]*\.patch$ ]] ||
	die "PATCH is a name in patches/ without a path, such as 0001-some-words.patch"
need git tar
need_tree
prepare_build
rm_at_exit "$WORK"
mkdir "$WORK"
WROTE=
check_state
if g rev-parse -q --verify refs/installing >/dev/null; then
	say "finishing what an earlier run began to write"
	lock tree
	TIP=$(g rev-parse refs/installing)
elif rebase_ended; then
	lock tree
else
	child "$SCRIPTS/series/tree.sh" --quiet
	lock tree
	sort_edits >"$WORK/edits"
	commit_edits
	[[ $TIP == "$(g rev-parse "$COMPOSED")" ]] || rebase
fi
write_patches
g update-ref refs/installing "$TIP"
install_patches
install_overlays
take_over
drop_rebase
[[ -n $WROTE ]] || say "nothing was edited in build/linux"
unlock
child "$SCRIPTS/series/tree.sh"
