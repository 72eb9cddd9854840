#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# checkpatch --strict on each mail of build/series. Exceptions with their reasons:
# scripts/series/checkpatch-allow.txt.

. "$(dirname "$0")/../lib.sh"
use series/lib

ALLOW=$SCRIPTS/series/checkpatch-allow.txt
WORK=$BUILD/checkpatch.tmp.$$
failed=0

# "TYPE PATH-PATTERN ## REASON" lines; a path of * stands for the mail as a whole
# as well. Prints "TYPE PATTERN".
allowed() {
	local line type path rest allow number=0

	allow=$(rel "$ALLOW")
	while IFS= read -r line; do
		number=$((number + 1))
		[[ $line =~ ^[[:space:]]*(#|$) ]] && continue
		read -r type path rest <<<"$line"
		[[ $rest =~ ^'## '. ]] ||
			die "$allow:$number: an entry is 'TYPE path ## reason', and the reason is not optional"
		echo "$type $path"
	done <"$ALLOW"
}

# findings FILE: checkpatch's findings that nothing excuses. Its report has blocks
# "WARNING:TYPE: text", "#12: FILE: mm/x.c:34:", then the lines.
findings() {
	local line type='' block='' path=''

	while IFS= read -r line || [[ -n $line ]]; do
		if [[ $line =~ ^(ERROR|WARNING|CHECK):([A-Z0-9_]+): ]]; then
			type=${BASH_REMATCH[2]} block=$line path='*'
			continue
		fi
		if [[ -n $type && $line =~ ^#[0-9]+:\ FILE:\ ([^:]+): ]]; then
			path=${BASH_REMATCH[1]}
		fi
		if [[ -n $type && -z $line ]]; then
			excused "$type" "$path" || printf '%s\n\n' "$block"
			type=
		elif [[ -n $type ]]; then
			block+=$'\n'$line
		fi
	done <"$1"
}

excused() {
	local type pattern

	while read -r type pattern; do
		# shellcheck disable=SC2053 # the right-hand side is a pattern
		if [[ $type == "$1" && $2 == $pattern ]]; then
			return 0
		fi
	done <"$WORK/allowed"
	return 1
}

check_mail() {
	local mail=$1 report=$WORK/report

	# its exit status also counts what we excuse: the report decides
	# it leaves a file where it runs
	(cd "$WORK" && perl "$BASE_DIR/scripts/checkpatch.pl" --strict --show-types --color=never \
		--root="$LINUX" "$mail") >"$report" 2>&1 || :
	if ! grep -q '^total: ' "$report"; then
		cat "$report" >&2
		die "checkpatch did not come to an end on $(rel "$mail")"
	fi
	findings "$report" >"$WORK/findings"
	if [[ -s $WORK/findings ]]; then
		warn "$(basename "$mail"):"
		sed 's/^/    | /' "$WORK/findings" >&2
		failed=1
	fi
}

prepare_build
need perl
rm_at_exit "$WORK"
mkdir -p "$WORK"
allowed >"$WORK/allowed"
count=0
for mail in "$BUILD"/series/*.patch; do
	[[ -f $mail ]] || die "there are no mails in build/series" "run: make series"
	[[ $mail != */0000-* ]] || continue
	check_mail "$mail"
	count=$((count + 1))
done
((failed == 0)) || die "checkpatch found something, see above" \
	"repair it, or excuse it with a reason in $(rel "$ALLOW")"
say "checkpatch --strict: nothing to say about $count patches"
