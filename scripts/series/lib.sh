# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the series consists of, and how it becomes commits; used by those scripts
# that compose the tree, write patches back, or export the series.
#
# build/linux is a git work tree of those files that the series changes or adds. Its
# branch "series" has one commit for each patch, and the tag "base" is the one below. The
# other files of the base are there, too, but git does not track them.

PATCHES=$REPO/patches
BASE_DIR=$BUILD/base
LINUX=$BUILD/linux
# The commit that make tree composed last
COMPOSED=refs/composed
# A work tree of the same repository, for the rebase of make refresh
REBASE=$BUILD/rebase
OVERLAY_DIRS=(kernel include mm arch lib tools Documentation samples)
IDENTITY='BPF Streams Developers <bpf-streams@localhost>'

# shellcheck disable=SC2046 # names
unset "${!GIT_AUTHOR_@}" "${!GIT_COMMITTER_@}" $(git rev-parse --local-env-vars 2>/dev/null) \
	GIT_DIFF_OPTS GIT_TEMPLATE_DIR

# our_git ARGS...: git without the user's settings, which must not change what comes out
our_git() {
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1 \
	GIT_CEILING_DIRECTORIES=$BUILD \
	GIT_COMMITTER_NAME=${IDENTITY% <*} GIT_COMMITTER_EMAIL=bpf-streams@localhost \
		git -c safe.directory='*' -c core.autocrlf=false -c core.fileMode=true \
			-c core.quotePath=false -c gc.auto=0 \
			-c core.attributesFile=/dev/null -c core.hooksPath=/dev/null "$@"
}

# g ARGS...: in build/linux
g() {
	our_git -C "$LINUX" "$@"
}

# stage DIR: reads paths, puts the files of DIR into the index
stage() {
	our_git -C "$1" --git-dir="$LINUX/.git" --work-tree=. update-index --add --stdin
}

# check_state: build/linux must be on its branch, with nothing of git's under way
check_state() {
	local what busy=

	[[ $(g symbolic-ref -q HEAD) == refs/heads/series ]] || busy="it is not on the branch 'series'"
	for what in rebase-merge rebase-apply MERGE_HEAD CHERRY_PICK_HEAD REVERT_HEAD BISECT_LOG; do
		[[ ! -e $LINUX/.git/$what ]] || busy="git is in the middle of something ($what)"
	done
	[[ -z $(g ls-files --unmerged) ]] || busy="there are conflicts"
	[[ -z $busy ]] ||
		die "in build/linux, $busy" \
		    "see 'git status' there: finish it, and 'git checkout series'; 'make tree FORCE=1' throws it away"
}

need_tree() {
	if [[ ! -e $LINUX/.git ]] || ! g rev-parse -q --verify base >/dev/null; then
		die "there is no composed tree" "run: make tree"
	fi
}

# composed_files: the files of the composed tree that are not the base's, one a line:
# "overlay PATH" or "patched PATH"
composed_files() {
	g diff-tree -r --no-renames --name-status base HEAD |
		sed -e 's/^A\t/overlay /' -e 's/^[A-Z]\t/patched /'
}

series_patches() {
	[[ -f $PATCHES/series ]] || return 0
	sed -e 's/#.*//' "$PATCHES/series" | awk 'NF { print $1 }'
}

# about_patch PATCH --numstat|--summary: in no repository, whose folder would be a prefix
about_patch() {
	our_git -C / apply "$2" --allow-empty "$PATCHES/$1"
}

# patch_files PATCH: the files of the base that it changes
patch_files() {
	about_patch "$1" --numstat | cut -f 3
}

# series_files: what the patches change, each file once
series_files() {
	local patch

	series_patches | while IFS= read -r patch; do
		patch_files "$patch"
	done | sort -u
}

# patch_adds PATCH: the overlay files that its header names
patch_adds() {
	sed -n -e '/^--- [^ ]/q' -e 's/^Adds:[[:space:]]*//p' "$PATCHES/$1" |
		tr -s '[:blank:]' '\n' | sed '/^$/d'
}

# Is the repository a git checkout (and not a folder in one of something else)?
is_git_top() {
	local prefix

	prefix=$(git -c safe.directory='*' -C "$REPO" rev-parse --show-prefix 2>/dev/null) &&
		[[ -z $prefix ]]
}

# The overlay files. Only what git would track: no editor's backups and nothing that is
# built.
overlay_files() {
	local dirs=() dir path

	for dir in "${OVERLAY_DIRS[@]}"; do
		[[ ! -d $REPO/$dir ]] || dirs+=("$dir")
	done
	((${#dirs[@]})) || return 0
	if is_git_top; then
		git -c safe.directory='*' -c core.quotePath=false -C "$REPO" \
			ls-files -co --exclude-standard -- "${dirs[@]}" |
			while IFS= read -r path; do
				[[ ! -e $REPO/$path && ! -L $REPO/$path ]] || echo "$path"
			done
	else
		(cd "$REPO" && find "${dirs[@]}" -type d -name __pycache__ -prune -o ! -type d \
			! -name '*~' ! -name '.*.sw?' ! -name '.#*' ! -name '#*#' \
			! -name '*.orig' ! -name '*.rej' ! -name '*.o' ! -name '*.d' -print)
	fi
}

# parse_patch FILE WORK: sets AUTHOR and SUBJECT, writes the rest of the message, without
# what is not of it, to WORK/message
parse_patch() {
	our_git -C / mailinfo -b "$2/message.raw" "$2/diff" <"$1" >"$2/info" || return
	AUTHOR="$(sed -n 's/^Author: //p' "$2/info") <$(sed -n 's/^Email: //p' "$2/info")>"
	SUBJECT=$(sed -n 's/^Subject: //p' "$2/info")
	[[ $AUTHOR != ' <>' ]] || AUTHOR=$IDENTITY
	sed '/^Adds:/d' "$2/message.raw" | cat -s >"$2/message"
}

# --- patches become commits; the work tree is not touched ---

# A line for each hunk that git apply puts elsewhere than the patch says
describe_offsets() {
	awk -v patch="$1" '
		/^Checking patch / { file = $3; sub(/\.\.\.$/, "", file) }
		/^Hunk .* succeeded at .* \(offset/ {
			match($0, /offset -?[0-9]+/)
			printf "%s: %s: hunk %s applies with %s\n", patch, file, $2, substr($0, RSTART, RLENGTH)
		}' "$2"
}

describe_failure() {
	sed -n -e "s/^error: patch failed: \(.*\):\([0-9]*\)\$/$1: \1: the hunk at line \2 does not apply/p" \
		-e "s/^error: \(.*\): does not exist in index\$/$1: \1 is not there/p" \
		-e "s/^error: \(corrupt patch.*\)/$1: \1/p" "$2"
}

# apply_patch PATCH LOG: to the index. Prints offsets; if it does not apply, what does
# not fit, on stderr.
apply_patch() {
	if ! g apply --cached --verbose --allow-empty --whitespace=nowarn "$PATCHES/$1" >"$2" 2>&1; then
		describe_failure "$1" "$2" >&2
		return 1
	fi
	describe_offsets "$1" "$2"
}

# apply_series LOG [FUNCTION]: to the index; calls FUNCTION PATCH after each. Prints as
# apply_patch(). Sets CONFLICT to the patch that does not apply.
apply_series() {
	local patch

	CONFLICT=
	while IFS= read -r patch; do
		if ! apply_patch "$patch" "$1"; then
			CONFLICT=$patch
			return 1
		fi
		[[ -z ${2:-} ]] || "$2" "$patch"
	done < <(series_patches)
}

# commit_index "NAME <ADDRESS>" [PARENT]: prints the commit; the message is read. Always
# the same date: so the same series makes the same commits.
commit_index() {
	local tree email=${1##*<} date='@0 +0000'

	tree=$(g write-tree) || return
	GIT_AUTHOR_NAME=${1% <*} GIT_AUTHOR_EMAIL=${email%>} \
	GIT_AUTHOR_DATE=$date GIT_COMMITTER_DATE=$date \
		g commit-tree "$tree" ${2:+-p "$2"} -F -
}

# --- rebase ---

in_rebase() {
	our_git -C "$REBASE" "$@"
}

rebase_pending() {
	[[ -d $(rebase_file rebase-merge) ]]
}

# rebase_file NAME: a file that goes with the rebase
rebase_file() {
	in_rebase rev-parse --path-format=absolute --git-path "$1"
}

drop_rebase() {
	rm -rf "$REBASE"
	g worktree prune
}

# What is in the repository of the series
series_hash() {
	(cd "$REPO" && {
		cat patches/series patches/*.patch
		overlay_files | sort | xargs -d '\n' -r cat
	}) | sha256sum
}

# start_rebase COMMIT ARGS...: fails if it stops with a conflict
start_rebase() {
	drop_rebase
	g worktree add -q --detach "$REBASE" "$1" || die "git cannot make build/rebase"
	series_hash >"$(rebase_file series-hash)"
	g rev-parse HEAD >"$(rebase_file linux-head)"
	GIT_SEQUENCE_EDITOR=: GIT_EDITOR=: \
		in_rebase rebase -q -i --autosquash "${@:2}" >"$LOGS/rebase" 2>&1
}
