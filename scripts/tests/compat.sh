#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of scripts/test/compat.sh, with a mirror, compilers and a machine that only pretend.

. "$(dirname "$0")/../lib.sh"
use tests/lib/harness

REPO_DIR=$DIR/repo
FUNCTIONS='functions 0 %s from the program|from a static function: 1|from a global function: 2|'
ARGUMENTS='arguments 0 %s none|-1|1 two|1 2 fffffffffffffffd|1 2 three 4|1 2 3 4 5 6 7 8 9 10 11 12|'

# What load.c prints of our objects that print into PLACE, each of which is loaded once
loaded() {
	local what

	for what in 'ours printk' 'clang-14 object' 'alone-ours object'; do
		# shellcheck disable=SC2059 # formats
		printf "# load $what\n$FUNCTIONS\n$ARGUMENTS\n" "$1" "$1"
	done
}

# test NAME POINT...: what run-tests prints of a test
tested() {
	local status=0

	printf '# === begin %s\n1..%d\n' "$1" $(($# - 1))
	printf '%s\n' "${@:2}"
	[[ "$*" != *'not ok'* ]] || status=1
	printf '# === end %s %d\n' "$1" "$status"
}

# compat LOADS TESTS: a run on one kernel
compat() {
	export PRETEND_LOADS=$1 PRETEND_TESTS=$2
	KERNEL=$DIR/vmlinuz try "$REPO_DIR/scripts/test/compat.sh"
}

lacks() {
	! grep -q "$1" "$DIR/out"
}

mkdir -p "$REPO_DIR" "$DIR/bin"
cp -r "$TOP/scripts" "$REPO_DIR/scripts"
mkdir -p "$REPO_DIR"/build/{selftests/build,tools,libbpf/include/bpf,kernel/arch/x86/boot}
touch "$REPO_DIR/build/kernel/arch/x86/boot/bzImage" "$DIR/vmlinuz"
for name in test_printk test_stat; do
	touch "$REPO_DIR/build/selftests/$name"
	chmod +x "$REPO_DIR/build/selftests/$name"
done
# makes what comes after -o, or is the third argument
for name in "$DIR/bin/gcc" "$DIR/bin/clang-14" "$REPO_DIR/build/tools/bpftool"; do
	cat >"$name" <<-'END'
		#!/bin/bash
		[[ $1 != gen ]] || touch "$3"
		while (($#)); do
			[[ $1 != -o ]] || touch "$2"
			shift
		done
	END
	chmod +x "$name"
done
cat >"$REPO_DIR/scripts/vm/vm.sh" <<'END'
#!/bin/bash
if [[ $* == *'sh /compat/loads' ]]; then
	printf '%s\n' "$PRETEND_LOADS"
elif [[ $* == *test_printk* ]]; then
	printf '%s\n' "$PRETEND_TESTS"
fi
END
cat >"$REPO_DIR/scripts/build/debian-suites.sh" <<'END'
SUITES=$BUILD/suites
suites_update() { mkdir -p "$SUITES"; }
suites_packages() { printf '%s\n' $PRETEND_PACKAGES | grep -E -e "^($1)\$"; }
suites_versions() { :; }
suites_deb() { [[ $1 != *7.9.1* ]] && mkdir -p "$2/boot" && touch "$2/boot/vmlinuz-x"; }
END
export PATH=$DIR/bin:$PATH CLANGS=14
export PRETEND_PACKAGES=''

ALL="$(loaded stream)
# all loaded"
FINE="$(tested test_printk 'ok 1 a' 'ok 2 b # SKIP why not')
$(tested test_stat 'ok 1 c # SKIP counters')"

compat "# release 6.18.1
$ALL" "$FINE"
point "a kernel with streams" good "pass 1 (1)" "0 failed" "why not (1)" "counters (1)"
point "a cell with skips alone is no pass" grep -q 'pass 1 (1) .* skip *$' "$DIR/out"
point "the table is kept" grep -q 'pass 1 (1)' "$REPO_DIR/build/compat/matrix.txt"
point "what the mirror does not have is told" good "Not to be had from the mirror: libbpf 1.1"

compat "# release 6.18.1
${ALL//0 stream/0 trace}" "$FINE"
point "text in the trace pipe of a kernel with streams" bad "FAIL" "functions 0 trace"
compat "# release 6.16.12
${ALL//0 stream/0 trace}" "$FINE"
point "of one without" good "trace"
compat "# release 6.12.117
# streams
$ALL" "$FINE"
point "of one that is given and says it is ours" good "stream" "0 failed"
compat "# release 6.16.12
$ALL" "$FINE"
point "text in a stream that cannot be there" bad "functions 0 stream"
compat "# release 6.18.1
${ALL//none|/}" "$FINE"
point "wrong text" bad "arguments 0 stream -1"
compat "# release 6.18.1
${ALL//arguments 0/arguments -2}" "$FINE"
point "an error" bad "arguments -2"
compat "# release 6.18.1
# load ours printk
cannot be loaded: Invalid argument
# all loaded" "$FINE"
point "an object that cannot be loaded" bad "cannot be loaded" "clang-14: not all was printed"
compat "# release 6.18.1
$(grep -v '^arguments' <<<"$ALL")" "$FINE"
point "a loader that dies in the middle" bad "not all was printed"
compat "# release 6.18.1
$(loaded stream)" "$FINE"
point "a machine that dies" bad "the machine that loads objects"

compat "# release 6.18.1
$ALL" "$(tested test_printk 'not ok 1 a')
$(tested test_stat 'ok 1 c')"
point "a test that fails" bad "FAIL" "test_printk, vmlinuz: not ok 1 a"
point "fails in its column alone" grep -q 'FAIL .* pass 1 *$' "$DIR/out"
compat "# release 6.18.1
$ALL" "# === begin test_printk
ok 1 a"
point "a test that never ends" bad "did not end"

KERNEL='' KERNELS='7.8 7.9 newest' \
PRETEND_PACKAGES='linux-image-7.8.2+deb13-cloud-amd64 linux-image-7.8.10+deb13-cloud-amd64
	linux-image-7.9.1+deb13-cloud-amd64' \
PRETEND_LOADS="# release 7.8.10
$ALL" PRETEND_TESTS=$FINE try "$REPO_DIR/scripts/test/compat.sh"
point "the newest point release" good "7.8.10+deb13 " "ours "
point "and no other" lacks '^7\.8\.2'
point "a kernel that is listed and gone" good "Not to be had from the mirror: a kernel 7.9"
KERNEL='' KERNELS=7.8 PRETEND_PACKAGES='' try "$REPO_DIR/scripts/test/compat.sh"
point "a mirror that is away" bad "has no kernels"
KERNEL=/nowhere try "$REPO_DIR/scripts/test/compat.sh"
point "a kernel that is not there" bad "no kernel at /nowhere"
plan_done
