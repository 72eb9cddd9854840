#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every commit of the series builds, without a warning in files that the series
# touches: checks out one commit of build/linux after the other in a work tree of its
# own, and builds what it changes, the kernel or a tool. At the commits of
# scripts/series/bisect-boots.txt and at the last one the kernel boots and is tested. What is
# not built here: perf, the base's selftests (make base-tests), and documentation
# (make lint).
#
#   bisect-check.sh [FIRST [LAST]]    numbers of patches; all if none is given
#
# The last line counts, as that of check.sh.

. "$(dirname "$0")/../lib.sh"
use series/lib build/env test/tap test/selftests test/counted-steps

TESTS_FILE=$SCRIPTS/series/bisect-boots.txt
FIRST=$((10#${1:-1}))
LAST=$((10#${2:-9999}))
# A build folder like the usual one, whose linux/ is the commit
OUT=$BUILD/bisect
TREE=$OUT/linux
CONFIG=$REPO/configs/vm.config

configure() {
	kmake "$OUT/kernel" tinyconfig
	(cd "$TREE" && scripts/kconfig/merge_config.sh -m -O "$OUT/kernel" \
		"$OUT/kernel/.config" "$CONFIG")
	kmake "$OUT/kernel" olddefconfig
}

# Options of the series are unknown to the commits before those that bring them
config_changed() {
	[[ ! -f $OUT/kernel/.config ]] || changed 'Kconfig[^/]*$'
}

changed() {
	grep -q -E -e "$1" <<<"$CHANGES"
}

# new_warnings LOG: those in files that the series has touched so far
new_warnings() {
	local path

	g diff --name-only base HEAD | while IFS= read -r path; do
		# tools are compiled within their folders
		[[ $path != tools/* ]] || path=${path##*/}
		grep -E "(^|[/ ])${path//./\\.}:" "$1" | grep -E ': (warning|error): ' || :
	done | sort -u
}

# built WHAT LOG CMD...
built() {
	local what=$1 log=$2 warnings

	shift 2
	if ! step "$NUMBER $what" "$log" "$@"; then
		fail "$NUMBER: $what does not build ($(rel "$log"))"
		return 1
	fi
	warnings=$(new_warnings "$log")
	if [[ -n $warnings ]]; then
		printf '%s\n' "$warnings" | sed 's/^/    | /' >&2
		fail "$NUMBER: warnings in $what ($(rel "$log"))"
		return 1
	fi
	pass
}

build_kernel() {
	if config_changed; then
		configure
	fi
	kmake "$OUT/kernel" -j"$JOBS" bzImage headers
}

tool() {
	BPF_STREAMS_BUILD=$OUT "$SCRIPTS/build/tools.sh" "$1"
	# its own compiler output, for new_warnings()
	cat "$OUT/log/$1"
}

core() {
	make -C "$TREE/tools/testing/bpf_streams" -j"$JOBS" OUTPUT="$OUT/core-tests"
}

# A work tree of build/linux's repository, with the whole base. Files that a commit does
# not touch keep their times.
make_tree() {
	rm -rf "$TREE" "$TREE.generation"
	g worktree prune
	g worktree add -q --no-checkout --detach "$TREE" base
	cp -a --reflink=auto "$BASE_DIR/." "$TREE"
	our_git -C "$TREE" reset -q
	cp "$BASE_DIR.generation" "$TREE.generation"
}

build_commit() {
	if [[ ! -f $OUT/kernel/vmlinux ]] ||
	   changed '^(arch|block|drivers|fs|include|init|kernel|lib|mm|net|security)/'; then
		built "the kernel" "$LOGS/bisect-$NUMBER-kernel" build_kernel || return 0
	fi
	if [[ ! -d $OUT/libbpf ]] || changed '^tools/(lib/bpf|include)/'; then
		built "libbpf" "$LOGS/bisect-$NUMBER-libbpf" tool libbpf || return 0
	fi
	if [[ ! -x $OUT/tools/bpftool ]] || changed '^tools/(lib/bpf|include|bpf)/'; then
		built "bpftool" "$LOGS/bisect-$NUMBER-bpftool" tool bpftool || return 0
	fi
	if changed '^tools/testing/selftests/bpf_streams/'; then
		built "the selftests" "$LOGS/bisect-$NUMBER-selftests" tool selftests || return 0
	fi
	if changed '^tools/testing/bpf_streams/'; then
		built "the core's tests" "$LOGS/bisect-$NUMBER-core" core || return 0
	fi
}

# tests_at PATCH: what $TESTS_FILE says of a patch, by the number in its name
tests_at() {
	allow_patterns "$TESTS_FILE" | awk -v number="${1%%-*}" '
		$1 == number { for (i = 2; i <= NF; i++) print $i }'
}

boot() {
	local VM_ARGS=(--kernel "$OUT/kernel/arch/x86/boot/bzImage"
		       --append kunit.enable=1 --boot-timeout 600)

	say "$NUMBER boots"
	selftests "$SMP" ", at $NUMBER" "$@"
}

check_commit() {
	local CHANGES tests=()

	CHANGES=$(g diff-tree --no-commit-id --name-only -r "$COMMIT")
	g checkout -q -f --detach "$COMMIT"
	say "$NUMBER $(g log -1 --format=%s)"
	build_commit
	mapfile -t tests < <(tests_at "$(series_patches | sed -n "${i}p")")
	if ((${#tests[@]})); then
		boot "${tests[@]}"
	fi
}

need git
build_all
lock bisect
mkdir -p "$OUT/log"
cmp -s "$BASE_DIR.generation" "$TREE.generation" ||
	step "making a work tree of the base" "$LOGS/bisect-tree" make_tree
LINUX=$TREE

# The first is built upon its parent, so that what it breaks is its own
COUNT=$(g rev-list --count base..series)
((LAST <= COUNT)) || LAST=$COUNT
((FIRST >= 1 && FIRST <= LAST)) || die "there are $COUNT patches, from 1 on"
for ((i = FIRST; i <= LAST; i++)); do
	NUMBER=$(printf %04d "$i")
	COMMIT=$(g rev-parse "series~$((COUNT - i))")
	check_commit
done
if ((LAST == COUNT)); then
	boot test_silent test_write test_bpftool test_open test_demos.sh
fi
finish
