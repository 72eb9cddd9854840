# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# git repositories of the series; sourced, after series-lib.sh. $GIT_TREE is the one.

# The user's settings must not change what comes out
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
unset "${!GIT_AUTHOR_@}" "${!GIT_COMMITTER_@}" GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

g() {
	git -C "$GIT_TREE" -c core.autocrlf=false -c gc.auto=0 "$@"
}

# commit "NAME <ADDRESS>" ARGS...: at $TIME, in seconds since 1970
commit() {
	local name=${1% <*} email=${1##*<}

	shift
	GIT_AUTHOR_NAME=$name GIT_AUTHOR_EMAIL=${email%>} \
	GIT_COMMITTER_NAME=$name GIT_COMMITTER_EMAIL=${email%>} \
	GIT_AUTHOR_DATE="@$TIME +0000" GIT_COMMITTER_DATE="@$TIME +0000" \
		g commit -q --allow-empty --cleanup=verbatim "$@"
}

# apply_mails DIR: all but the cover letter
apply_mails() {
	find "$1" -name '*.patch' ! -name '0000-*' | sort |
		GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x xargs -d '\n' \
		git -C "$GIT_TREE" -c core.autocrlf=false -c gc.auto=0 am -q
}

make_base_commit() {
	rm -rf "$GIT_TREE" "$GIT_TREE.generation"
	cp -a --reflink=auto "$BASE_DIR" "$GIT_TREE"
	g -c init.defaultBranch=series init -q
	g add -A -f
	TIME=0 commit "BPF Streams Developers <bpf-streams@localhost>" -m "Linux, the base"
	g tag base
	cp "$BASE_DIR.generation" "$GIT_TREE.generation"
}

# base_commit: makes $GIT_TREE a repository of the whole base, tagged so, checked out
# and clean. Files that a commit does not touch keep their times.
base_commit() {
	if ! cmp -s "$BASE_DIR.generation" "$GIT_TREE.generation"; then
		step "making a git repository of the base" "$LOGS/git-base" make_base_commit
	fi
	g am -q --abort 2>/dev/null || :
	g checkout -q -f -B series base
	g clean -q -f -d -x
}
