#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The mails of "make series" from the maintainer's side: git am takes them on the
# pristine base, the tree that comes out is that of "make tree" to the last bit, and
# checkpatch --strict has nothing to say.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=series-lib.sh
. "$SCRIPTS/series-lib.sh"
# shellcheck source=git-lib.sh
. "$SCRIPTS/git-lib.sh"

GIT_TREE=$BUILD/series-git
LOG=$LOGS/series-check

# The base with what was composed over it, as git names such a tree
composed_tree() (
	export GIT_INDEX_FILE=$BUILD/.series-check.index

	rm -f "$GIT_INDEX_FILE"
	g read-tree base
	cut -d ' ' -f 2- "$COMPOSED/list" | sort -u |
		git -C "$COMPOSED/files" --git-dir="$GIT_TREE/.git" --work-tree="$COMPOSED/files" \
			-c core.autocrlf=false update-index --add --stdin
	g write-tree
	rm -f "$GIT_INDEX_FILE"
)

need git
prepare_build
lock series-git
child "$SCRIPTS/series.sh"
base_commit
if ! step "git am on the base" "$LOG" apply_mails "$BUILD/series"; then
	die "git am does not take the mails"
fi
composed=$(composed_tree)
if [[ $(g rev-parse 'HEAD^{tree}') != "$composed" ]]; then
	g diff --stat HEAD "$composed" >&2
	die "the mails make another tree than make tree, see above"
fi
say "git am takes $(g rev-list --count base..HEAD) mails; the tree is that of make tree: $composed"
child "$SCRIPTS/checkpatch.sh"
