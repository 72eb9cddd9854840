# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For the tests of the scripts: TAP, and a little repository to try them on.

TOP=$REPO
POINT=0
BAD=0
prepare_build
DIR=$BUILD/test-$SELF.$$
rm_at_exit "$DIR"
mkdir -p "$DIR"
# what the user set for the real thing is not for us
for setting in "${SETTINGS[@]}"; do
	[[ $setting == JOBS || $setting == ACCEL ]] || unset "$setting"
done

# point NAME CMD...: one test point
point() {
	local name=$1

	shift
	POINT=$((POINT + 1))
	if "$@"; then
		echo "ok $POINT $name"
	else
		echo "not ok $POINT $name"
		BAD=1
		if [[ -f $DIR/out ]]; then
			sed 's/^/# /' "$DIR/out"
		fi
	fi
}

plan_done() {
	echo "1..$POINT"
	exit "$BAD"
}

# try CMD...: keeps what it prints in $DIR/out, its status in STATUS
try() {
	STATUS=0
	"$@" >"$DIR/out" 2>&1 </dev/null || STATUS=$?
}

# Of the last try: it succeeded, printing all TEXTs
good() {
	((STATUS == 0)) && says "$@"
}

# Of the last try: it failed, printing all TEXTs
bad() {
	((STATUS != 0)) && says "$@"
}

says() {
	local text

	for text; do
		if ! grep -q -F -e "$text" "$DIR/out"; then
			echo "# does not say: $text"
			return 1
		fi
	done
}

# lines FROM TO: numbered lines, something for patches to change
lines() {
	local n

	for ((n = $1; n <= $2; n++)); do
		echo "line $n"
	done
}

# A base of a few files, in $DIR/base
make_base() {
	local base=$DIR/base

	mkdir -p "$base"/{kernel/bpf,mm}
	printf 'VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\nkernelversion:\n\t@echo 6.12.1\n' >"$base/Makefile"
	lines 1 40 >"$base/mm/one.c"
	lines 1 40 >"$base/mm/two.c"
	lines 1 40 >"$base/mm/untouched.c"
	lines 1 10 >"$base/kernel/bpf/Kconfig"
}

# add_patch NAME ADDS FILE SED-SCRIPT [FILE SED-SCRIPT]...: appends a patch to the
# little repository's series, made on top of those before it
add_patch() {
	local name=$1 adds=$2 repo=$DIR/repo work=$DIR/work path

	shift 2
	mkdir -p "$repo/patches"
	[[ -d $work ]] || cp -r "$DIR/base" "$work"
	{
		printf 'From: Test <test@localhost>\nSubject: [PATCH] mm: Change for %s\n\nWhy it is needed.\n\n' "$name"
		[[ -z $adds ]] || echo "Adds: $adds"
		printf 'Signed-off-by: Test <test@localhost>\n'
		while (($#)); do
			path=$1
			cp "$work/$path" "$DIR/before"
			sed -i "$2" "$work/$path"
			diff -u --label "a/$path" --label "b/$path" "$DIR/before" "$work/$path" || :
			shift 2
		done
	} >"$repo/patches/$name"
	echo "$name" >>"$repo/patches/series"
}

# A repository with our scripts, two patches, and overlay files
make_repo() {
	local repo=$DIR/repo

	mkdir -p "$repo/include/linux" "$repo/kernel/bpf"
	cp -r "$TOP/scripts" "$repo/scripts"
	make_base
	printf '/* new */\n' >"$repo/include/linux/new.h"
	printf '# SPDX-License-Identifier: GPL-2.0\nconfig NEW\n\tbool "new"\n' >"$repo/kernel/bpf/Kconfig.streams"
	add_patch 0001-first.patch 'include/linux/new.h kernel/bpf/Kconfig.streams' \
		mm/one.c 's/^line 5$/line five/' kernel/bpf/Kconfig '1i source "kernel/bpf/Kconfig.streams"'
	add_patch 0002-second.patch '' \
		mm/one.c 's/^line 30$/line thirty/' mm/two.c 's/^line 10$/line ten/'
	export BASE=$DIR/base
	LINUX=$repo/build/linux
}

# run SCRIPT ARG...: one of the series' scripts, in the little repository
run() {
	try "$DIR/repo/scripts/series/$1" "${@:2}"
}
