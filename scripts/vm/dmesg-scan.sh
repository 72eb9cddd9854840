#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dmesg-scan.sh [--allow FILE] [--kcsan FILE] LOG...
#
# Looks through kernel messages for signs of trouble. Fails if there is one that
# scripts/vm/dmesg-allow.txt does not explain. With --kcsan, data races count if a
# function that FILE lists is in one of the stacks; the base has many of its own.

. "$(dirname "$0")/../lib.sh"

ALLOW=$SCRIPTS/vm/dmesg-allow.txt
KCSAN=

# Words of scripts/vm/guest/trouble.txt in lines that report none, at boot
HARMLESS='rcu: .* debug is enabled'

# Leaves out KCSAN's reports, which stand between two lines of =====, that no function
# of the list has to do with. Lines keep their numbers.
ours_of_kcsan() {
	awk -v functions="$1" '
		function flush(keep,	i) {
			for (i = 1; i <= n; i++)
				print keep ? block[i] : ""
			n = 0
		}
		BEGIN {
			while ((getline line < functions) > 0)
				ours[line] = 1
		}
		/=====================$/ {
			block[++n] = $0
			if (n > 1) {
				flush(!kcsan || mine)
				n = 0
			}
			kcsan = mine = 0
			next
		}
		!n { print; next }
		{
			block[++n] = $0
			if (/BUG: KCSAN: /)
				kcsan = 1
			count = split($0, word, /[^A-Za-z0-9_.]+/)
			for (i = 1; i <= count; i++)
				if (word[i] in ours)
					mine = 1
			# only one line of these
			if (n > 500)
				flush(1)
		}
		END { flush(1) }'
}

# scan LOG: prints each finding with what stood around it
scan() {
	local hits number text test shown=0

	tr -cd '\11\12\40-\176' <"$1" >"$WORK/log"
	if [[ -n $KCSAN ]]; then
		ours_of_kcsan "$KCSAN" <"$WORK/log" >"$WORK/ours"
		say "$(grep -c 'BUG: KCSAN:' "$WORK/log") data races, $(grep -c 'BUG: KCSAN:' "$WORK/ours") with us in it ($(rel "$1"))"
		mv "$WORK/ours" "$WORK/log"
	fi
	hits=$(grep -n -E -f "$WORK/trouble" "$WORK/log" |
		grep -v -E -e "$HARMLESS" |
		grep -v -E -f "$WORK/allow") || return 0
	while IFS=: read -r number text; do
		((number > shown)) || continue
		# scripts/vm/guest/run-tests leaves marks in the log
		test=$(head -n "$number" "$WORK/log" | grep -o -E 'test: (begin|end) .*' | tail -n 1) || :
		printf '%s:%d%s\n' "$(rel "$1")" "$number" "${test:+ (last mark: $test)}"
		shown=$((number + 30))
		sed -n "$number,${shown}s/^/    | /p" "$WORK/log"
	done <<<"$hits"
	return 1
}

while (($#)); do
	case $1 in
	--allow)	ALLOW=$2; shift 2 ;;
	--kcsan)	KCSAN=$2; shift 2 ;;
	-*)		die "unknown option $1" ;;
	*)		break ;;
	esac
done
[[ -z $KCSAN || -s $KCSAN ]] || die "$(rel "$KCSAN") lists no function"
(($#)) || die "which log? dmesg-scan.sh [--allow FILE] LOG..."
WORK=$(mktemp -d)
rm_at_exit "$WORK"
allow_patterns "$ALLOW" >"$WORK/allow"
grep -v -E '^(#|$)' "$SCRIPTS/vm/guest/trouble.txt" >"$WORK/trouble"
failed=0
for log; do
	# a scan of nothing must not pass
	if ! grep -a -q 'Linux version' "$log" 2>/dev/null; then
		warn "$(rel "$log") holds no kernel messages"
		failed=1
	elif ! scan "$log"; then
		warn "trouble in the kernel's messages, see above and $(rel "$log")"
		failed=1
	fi
done
exit $failed
