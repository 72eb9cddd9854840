#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# One header, every kernel: runs the tests, the demo programs and bpftool on Debian's
# own kernels, and there loads what our bpf_helpers.h and those of libbpf made, by
# libbpfs of all ages. Prints who can do what:
#
#   compat.sh            the kernels that $KERNELS names, and ours
#   KERNEL=vmlinuz       that one only
#
# Kernels, libbpfs and compilers come from Debian's suites, through apt with a
# configuration of its own; they stay in build/suites. What the mirror doesn't have
# (any more) is told, and no failure.

. "$(dirname "$0")/../lib.sh"
use series/lib build/env build/link build/debian-suites vm/debian-kernels test/tap test/selftests

KERNELS=${KERNELS:-6.1 6.12 6.17 6.18 6.19 7.0 newest}
CLANGS=${CLANGS:-14 15 16 17 18 19 21 22 23}
OUT=$BUILD/compat
RESULT=$OUT/matrix.txt
VM_ARGS=(--boot-timeout 300)

# Label, source package, and which of its versions: Debian has no libbpf 1.6, but
# Linux 6.17 has its sources; the one of Linux 6.18 was never released
LIBBPFS=('1.1 libbpf 1\.1\.' '1.4 libbpf 1\.4\.' '1.5 libbpf 1\.5\.'
	 '1.6 linux 6\.17\.' '6.18 linux 6\.18\.' '1.7 libbpf 1\.7\.')

# Headers that have a bpf_stream_printk() of their own
OTHER_HEADERS='1.6 6.18 1.7'

# Which tests tell what
COLUMNS_=(prints reads reports follows 'loss counts')
column_of() {
	case $1 in
	test_printk|test_write|test_context|test_concurrency|test_attribution|test_demos.sh|test_storm)
		echo prints ;;
	test_read|test_lifetime|test_security|test_silent|test_bpftool|test_bpftool_output)
		echo reads ;;
	test_stack|test_may_goto|test_arena|test_res_lock*)
		echo reports ;;
	test_open|test_bpftool_wait|test_bpftool_journal)
		echo follows ;;
	test_stat|test_capacity)
		echo 'loss counts' ;;
	esac
}

# The programs of printk.bpf.c that load.c runs, and what each must print
PROGRAMS=(functions arguments)
TEXT_functions='from the program|from a static function: 1|from a global function: 2|'
TEXT_arguments='none|-1|1 two|1 2 fffffffffffffffd|1 2 three 4|1 2 3 4 5 6 7 8 9 10 11 12|'

# --- what it takes ---

MISSING=()

missing() {
	warn "note: $1 is not to be had"
	MISSING+=("$1")
}

# fetch_kernel GENERATION: adds its newest release that can be had to ROWS and to
# KERNEL_OF
fetch_kernel() {
	if debian_kernel "$1"; then
		ROWS+=("$KERNEL_VERSION")
		KERNEL_OF[$KERNEL_VERSION]=$KERNEL_FILE
	else
		missing "a kernel $1"
	fi
}

choose_kernels() {
	local generation newest seen=' '

	if [[ -n ${KERNEL:-} ]]; then
		[[ -f $KERNEL ]] || die "no kernel at $KERNEL"
		ROWS+=("$(basename "$KERNEL" | tr -c 'A-Za-z0-9.+_\n-' _)")
		KERNEL_OF[${ROWS[0]}]=$KERNEL
		return
	fi
	newest=$(newest_generation) || newest=
	[[ -n $newest ]] || die "the mirror of Debian has no kernels (log: $(rel "$LOGS/suites-update"))"
	for generation in $KERNELS; do
		[[ $generation != newest ]] || generation=$newest
		[[ $seen != *" $generation "* ]] || continue
		seen+="$generation "
		fetch_kernel "$generation"
	done
}

# unpack_source PACKAGE VERSIONS DIR: the newest version that can be had
unpack_source() {
	local package=$1 versions=$2 dir=$3 version work=$3.tmp.$$

	rm_at_exit "$work"
	for version in $(suites_versions source "$package" | grep -E "^$versions" | sort -rV); do
		rm -rf "$work"
		say "fetching the source of $package $version"
		suites_source "$package=$version" "$work" || continue
		mkdir -p "$work/src"
		if [[ $package == linux ]]; then
			tar -C "$work/src" --strip-components=1 --wildcards -xf "$work"/*.orig.tar.* \
				'*/tools/lib' '*/tools/build' '*/tools/scripts' \
				'*/tools/include' '*/tools/arch' '*/scripts' '*/Makefile' \
				'*/include/uapi' || continue
		else
			tar -C "$work/src" --strip-components=1 -xf "$work"/*.orig.tar.* || continue
		fi
		mv "$work/src" "$dir"
		echo "$version" >"$dir/version"
		rm -rf "$work"
		return
	done
	return 1
}

build_libbpf() {
	local package=$1 src=$2 dest=$3

	mkdir -p "$dest/obj"
	if [[ $package == linux ]]; then
		make -C "$src/tools/lib/bpf" -j"$JOBS" CC="${CCACHE}gcc" OUTPUT="$dest/obj/" \
			DESTDIR="$dest" prefix= LIBDIR=/lib64 install
	else
		make -C "$src/src" -j"$JOBS" CC="${CCACHE}gcc" BUILD_STATIC_ONLY=1 \
			OBJDIR="$dest/obj" DESTDIR="$dest" PREFIX=/ LIBDIR=/lib64 install
	fi
}

# libbpf LABEL PACKAGE VERSIONS: builds it, and load.c with it
libbpf() {
	local label=$1 dir=$SUITES/libbpf-$1

	if [[ ! -f $dir/built ]]; then
		rm -rf "$dir" "$dir-src"
		if ! unpack_source "$2" "$3" "$dir-src"; then
			missing "libbpf $label"
			return 0
		fi
		step "building libbpf $label" "$LOGS/compat-libbpf-$label" \
			build_libbpf "$2" "$dir-src" "$dir" || {
			fail "building libbpf $label"
			return 0
		}
		touch "$dir/built"
	fi
	loader "$label" "$dir"
}

loader() {
	# shellcheck disable=SC2046 # nothing, or a flag
	gcc -O2 -Wall -Werror $(static_flag gcc) -isystem "$2/include" "$SCRIPTS/test/compat/load.c" \
		-o "$OUT/load-$1" "$2/lib64/libbpf.a" -lelf -lz
	LOADERS+=("$1")
}

# clang N: sets CLANG to a compiler of that version, the machine's own or a suite's
clang() {
	local dir=$SUITES/clang-$1 deb ld

	CLANG=clang-$1
	if command -v "$CLANG" >/dev/null; then
		return
	fi
	CLANG=$dir/clang
	[[ ! -x $CLANG ]] || return 0
	say "fetching clang $1"
	rm_at_exit "$dir.tmp"
	rm -rf "$dir" "$dir.tmp" "$SUITES/cache/archives"
	mkdir -p "$dir.tmp" "$SUITES/cache/archives/partial"
	suites_apt get -y install --download-only --no-install-recommends "libclang-cpp$1" \
		>>"$LOGS/suites-fetch" 2>&1 || return
	for deb in "$SUITES"/cache/archives/*.deb; do
		dpkg-deb -x "$deb" "$dir.tmp" || return
	done
	rm -rf "$SUITES/cache/archives"
	suites_deb "clang-$1" "$dir.tmp" || return
	ld=$(cd "$dir.tmp" && find . -name 'ld-linux-x86-64.so.2' | head -n 1)
	put "$dir.tmp/clang" <<-END
		#!/bin/sh
		exec $dir/$ld --library-path $dir/usr/lib/x86_64-linux-gnu:$dir/lib/x86_64-linux-gnu:$dir/usr/lib/llvm-$1/lib \\
			$dir/usr/lib/llvm-$1/bin/clang "\$@"
	END
	chmod +x "$dir.tmp/clang"
	mv "$dir.tmp" "$dir"
	"$CLANG" --version >>"$LOGS/suites-fetch" 2>&1 || { rm -rf "$dir"; return 1; }
}

BPF_FLAGS=(-g -O2 --target=bpf -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter)

# The same two sources as in the selftests, one with vmlinux.h and one without
compile() {
	local clang=$1 out=$2 src=$LINUX/tools/testing/selftests/bpf_streams/progs name

	for name in printk printk_lib; do
		"$clang" "${BPF_FLAGS[@]}" -isystem "$BUILD/selftests/build" \
			-isystem "$BUILD/libbpf/include" -isystem "$BUILD/kernel/usr/include" \
			-c "$src/$name.bpf.c" -o "$out.$name" || return
	done
	"$BUILD/tools/bpftool" gen object "$out" "$out.printk" "$out.printk_lib"
}

# Our header alone, with bpf_helpers.h of an old libbpf
compile_alone() {
	local dir=$OUT/alone-$1

	mkdir -p "$dir"
	cp "$BUILD/libbpf/include/bpf/bpf_streams.h" "$dir/"
	sed 's,^#include <bpf/bpf_helpers.h>,&\n#include "bpf_streams.h",' \
		"$LINUX/tools/testing/selftests/bpf_streams/progs/printk.bpf.h" >"$dir/printk.bpf.h"
	echo '#include "printk.bpf.h"' >"$dir/printk.bpf.c"
	clang-14 "${BPF_FLAGS[@]}" -isystem "$BUILD/selftests/build" \
		-isystem "$SUITES/libbpf-$1/include" -c "$dir/printk.bpf.c" -o "$OUT/alone-$1.bpf.o"
}

# The one of libbpf 1.7 leaves the declaration to the vmlinux.h of Linux 7.0
compile_other() {
	local flags=()

	[[ $1 != 1.7 ]] || flags=(-include "$SCRIPTS/test/compat/vmlinux-7.0.h")
	clang-14 "${BPF_FLAGS[@]}" "${flags[@]}" -isystem "$SUITES/libbpf-$1/include" \
		-isystem "$BUILD/kernel/usr/include" -c "$SCRIPTS/test/compat/upstream.bpf.c" \
		-o "$OUT/other-$1.bpf.o"
}

# object NAME CMD...: compiles it, or tells
object() {
	ALL_OBJECTS+=("$1")
	if "${@:2}" >>"$LOGS/compat-compile" 2>&1; then
		OBJECTS+=("$1")
	else
		fail "compiling $1 ($(rel "$LOGS/compat-compile"))"
	fi
}

prepare() {
	local entry n label

	suites_update
	choose_kernels
	: >"$LOGS/compat-compile"
	for entry in "${LIBBPFS[@]}"; do
		# shellcheck disable=SC2086 # three words
		libbpf $entry
	done
	loader ours "$BUILD/libbpf"
	for n in $CLANGS; do
		if clang "$n"; then
			object "clang-$n" compile "$CLANG" "$OUT/clang-$n.bpf.o"
		else
			missing "clang $n"
		fi
	done
	for label in "${LOADERS[@]}"; do
		[[ $label == ours ]] || object "alone-$label" compile_alone "$label"
		[[ " $OTHER_HEADERS " != *" $label "* ]] || object "other-$label" compile_other "$label"
	done
}

# --- what they can do ---

# One line of output for each pair of a loader and an object, or more: see load.c
loads_script() {
	local label object

	# for the guest:
	# shellcheck disable=SC2016
	echo 'echo "# release $(uname -r)"'
	echo 'grep -q " bpf_stream_vprintk$" /proc/kallsyms && echo "# streams"'
	for label in "${LOADERS[@]}"; do
		echo "echo '# load $label printk'"
		echo "/compat/load-$label /compat/printk_all.bpf.o ${PROGRAMS[*]} 2>/tmp/err; head -n 20 /tmp/err | sed 's/^/#  /'"
	done
	for object in "${OBJECTS[@]}"; do
		case $object in
		clang-*|alone-*)
			echo "echo '# load $object object'"
			echo "/compat/load-ours /compat/$object.bpf.o ${PROGRAMS[*]} 2>/tmp/err; head -n 20 /tmp/err | sed 's/^/#  /'"
			;;
		other-*)
			label=${object#other-}
			echo "echo '# load $object other'"
			echo "/compat/load-$label /compat/$object.bpf.o hello 2>/tmp/err; grep -v '^-- END\|^processed' /tmp/err | head -n 20 | sed 's/^/#  /'"
			;;
		esac
	done
	echo 'echo "# all loaded"'
}

# loads ROW: fills LOADED[row what], by what was to be expected
loads() {
	local row=$1 log=$LOGS/compat-loads-$1 object label rc=0
	local add=(--add "$BUILD/selftests/build/printk_all.bpf.o:/compat/printk_all.bpf.o")

	for object in "${OBJECTS[@]}"; do
		add+=(--add "$OUT/$object.bpf.o:/compat/$object.bpf.o")
	done
	for label in "${LOADERS[@]}"; do
		add+=(--add "$OUT/load-$label:/compat/load-$label")
	done
	loads_script >"$OUT/loads"
	child "$SCRIPTS/vm/vm.sh" --log "$log.console" --kernel "${KERNEL_OF[$row]}" --mem 2048 \
		--timeout 300 "${VM_ARGS[@]}" "${add[@]}" --add "$OUT/loads:/compat/loads" \
		-- 'sh /compat/loads' >"$log.out" || rc=$?
	if ((rc)) || ! grep -q '^# all loaded' "$log.out"; then
		fail "$row: the machine that loads objects ($(rel "$log").out)"
	fi
	judge_loads "$row" "$log.out"
}

# libbpf before 1.3 finds no kfunc by a name with a suffix
finds_kfuncs() {
	[[ $1 != 1.1 ]]
}

# must_have_streams ROW RELEASE: ours and those from 6.17 on, whatever they say. One
# that the user gives may be ours too, and is believed.
must_have_streams() {
	[[ $1 == ours || $(printf '%s\n' 6.17 "$2" | sort -V | head -n 1) == 6.17 ]]
}

# judge_loads ROW FILE: each program of each object must have printed what it should,
# where it should
judge_loads() {
	local row=$1 line what='' kind='' place want program streams=''
	declare -A printed=()

	while IFS= read -r line; do
		case $line in
		'# release '*)
			if must_have_streams "$row" "${line#'# release '}"; then
				streams=1
			fi
			;;
		'# streams')
			[[ -z ${KERNEL:-} ]] || streams=1
			;;
		'# load '*)
			read -r _ _ what kind <<<"$line"
			;;
		'#'*)
			;;
		*)
			if [[ $kind == other ]]; then
				judge_other "$row" "$what" "$line"
				continue
			fi
			place=trace
			if [[ -n $streams ]] && { [[ $kind != printk ]] || finds_kfuncs "$what"; }; then
				place=stream
			fi
			program=${line%% *}
			want=TEXT_$program
			if [[ $line == "$program 0 $place ${!want:-}" ]]; then
				LOADED[$row $what]=${LOADED[$row $what]:-$place}
				printed[$what $program]=1
				pass
			else
				LOADED[$row $what]=FAIL
				fail "$row: $what: $line"
			fi
			;;
		esac
	done < <(tr -d '\r' <"$2")
	for what in "${LOADERS[@]}" "${OBJECTS[@]}"; do
		if [[ $what == other-* ]]; then
			[[ -z ${LOADED[$row $what]:-} ]] || continue
		else
			for program in "${PROGRAMS[@]}"; do
				[[ -n ${printed[$what $program]:-} ]] || break
			done
			[[ -z ${printed[$what $program]:-} ]] || continue
		fi
		LOADED[$row $what]=FAIL
		fail "$row: $what: not all was printed"
	done
}

# Theirs is made for one generation of kernels. On ours all work but that of 1.6,
# which the kernel must refuse: it would pass one argument too many.
judge_other() {
	local row=$1 what=$2 line=$3

	case $line in
	'hello 0 stream hello 42|')
		LOADED[$row $what]=stream
		;;
	'cannot be loaded: '*)
		LOADED[$row $what]=refused
		;;
	*)
		LOADED[$row $what]=FAIL
		fail "$row: $what: $line"
		return
		;;
	esac
	if [[ $row == ours && $what != other-1.6 && ${LOADED[$row $what]} != stream ]]; then
		LOADED[$row $what]=FAIL
		fail "$row: $what: $line"
	else
		pass
	fi
}

# --- the tests ---

# run_tests ROW: those that trace make the kernel patch its code; with several threads
# the emulator can run what is half patched ("Oops: int3"), and has done so with Debian's
# kernels. Those of locks, which time out, need CPUs that run at the same time.
run_tests() {
	local row=$1 test tracing=() others=() VM_ARGS=("${VM_ARGS[@]}" --kernel "${KERNEL_OF[$1]}")
	local REQUIRED=

	[[ $row != ours ]] || REQUIRED=1
	while read -r test; do
		case $test in
		test_res_lock*)		others+=("$test") ;;
		*)			[[ -z $(column_of "$test") ]] || tracing+=("$test") ;;
		esac
	done < <(all_tests)
	say "Linux $row: running $((${#tracing[@]} + ${#others[@]})) test programs; takes minutes"
	# Their output is in the logs
	: >"$LOGS/compat-tests-$row.out"
	((${#others[@]} == 0)) ||
		selftests "$SMP" ", $row" "${others[@]}" >>"$LOGS/compat-tests-$row.out"
	[[ $row == ours ]] || VM_ARGS+=(--one-thread)
	selftests "$SMP" ", $row" "${tracing[@]}" >>"$LOGS/compat-tests-$row.out"
	judge_tests "$row" "${tracing[@]}" ${others[@]+"${others[@]}"}
}

# What FAILURES has of a test
has_failed() {
	local failure

	for failure in ${FAILURES[@]+"${FAILURES[@]}"}; do
		[[ $failure != "$1:"* && $failure != "$1: "* ]] || return 0
	done
	return 1
}

judge_tests() {
	local row=$1 test column tap passed skipped

	for test in "${@:2}"; do
		column=$(column_of "$test")
		tap=$LOGS/selftest-$test-$row.tap
		passed=$(grep -c '^ok ' "$tap" 2>/dev/null) || :
		skipped=$(grep -c '^ok .*# SKIP' "$tap" 2>/dev/null) || :
		POINTS[$row $column]=$((${POINTS[$row $column]:-0} + ${passed:-0} - ${skipped:-0}))
		SKIPS[$row $column]=$((${SKIPS[$row $column]:-0} + ${skipped:-0}))
		grep -h -o '# SKIP .*' "$tap" 2>/dev/null | tr -d '\r' |
			sed 's/^# SKIP //' >>"$OUT/reasons.$row.${column// /_}" || :
		if [[ ! -s $tap ]] || has_failed "$test, $row"; then
			BAD[$row $column]=1
		fi
	done
}

# --- what is printed ---

cell() {
	local passed=${POINTS[$1 $2]:-0} skipped=${SKIPS[$1 $2]:-0}

	if [[ -n ${BAD[$1 $2]:-} ]]; then
		echo FAIL
	elif ((passed && skipped)); then
		echo "pass $passed ($skipped)"
	elif ((passed)); then
		echo "pass $passed"
	else
		echo skip
	fi
}

print_tests() {
	local row column reasons count reason

	echo "The kernels, and how many tests pass there (and are skipped):"
	echo
	printf '%-18s' kernel
	printf ' %-12s' "${COLUMNS_[@]}"
	echo
	for row in "${ROWS[@]}"; do
		printf '%-18s' "$row"
		for column in "${COLUMNS_[@]}"; do
			printf ' %-12s' "$(cell "$row" "$column")"
		done
		echo
	done
	echo
	echo "Why tests are skipped (how many):"
	for row in "${ROWS[@]}"; do
		for column in "${COLUMNS_[@]}"; do
			reasons=$OUT/reasons.$row.${column// /_}
			[[ -f $reasons ]] || continue
			sort "$reasons" | uniq -c | sort -rn |
				while read -r count reason; do
					printf '    %-18s %-12s %s (%d)\n' "$row" "$column" "$reason" "$count"
				done
		done
	done
}

# print_loaded TITLE WHAT...
print_loaded() {
	local title=$1 row what

	shift
	(($#)) || return 0
	echo
	echo "$title"
	echo
	printf '%-18s' kernel
	printf ' %-10s' "$@"
	echo
	for row in "${ROWS[@]}"; do
		printf '%-18s' "$row"
		for what; do
			printf ' %-10s' "${LOADED[$row $what]:-FAIL}"
		done
		echo
	done
}

objects_like() {
	local object

	for object in "${ALL_OBJECTS[@]}"; do
		# shellcheck disable=SC2053 # a pattern
		[[ $object != $1 ]] || echo "$object"
	done
}

print_all() {
	local missing

	print_tests
	print_loaded "Where our bpf_stream_printk() prints, by the libbpf that loads it:" "${LOADERS[@]}"
	# shellcheck disable=SC2046 # words
	print_loaded "By the compiler:" $(objects_like 'clang-*')
	# shellcheck disable=SC2046
	print_loaded "bpf_streams.h alone, with bpf_helpers.h of another libbpf:" $(objects_like 'alone-*')
	# shellcheck disable=SC2046
	print_loaded "The bpf_stream_printk() of other libbpfs, each by its own loader:" $(objects_like 'other-*')
	for missing in ${MISSING[@]+"${MISSING[@]}"}; do
		echo
		echo "Not to be had from the mirror: $missing"
	done
}

prepare_build
lock compat
[[ -f $BUILD/kernel/arch/x86/boot/bzImage && -x $BUILD/tools/bpftool && -d $BUILD/selftests ]] ||
	die "no kernel, bpftool or selftests" "run: make selftests"
need gcc clang-14 tar
rm -rf "$OUT"
mkdir -p "$OUT"
: >"$LOGS/suites-fetch"
declare -A KERNEL_OF=() LOADED=() POINTS=() SKIPS=() BAD=()
ROWS=() LOADERS=() OBJECTS=() ALL_OBJECTS=()
prepare
if [[ -z ${KERNEL:-} ]]; then
	ROWS+=(ours)
	KERNEL_OF[ours]=$BUILD/kernel/arch/x86/boot/bzImage
fi
for row in "${ROWS[@]}"; do
	say "Linux $row: loading objects"
	loads "$row"
	run_tests "$row"
done
print_all | tee "$RESULT.tmp"
put "$RESULT" <"$RESULT.tmp"
rm -f "$RESULT.tmp"
echo
if ((FAILED)); then
	echo "failed:"
	printf '    %s\n' "${FAILURES[@]}"
fi
echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
((FAILED == 0))
