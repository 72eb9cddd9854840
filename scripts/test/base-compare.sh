#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# All BPF tests of the base, on the base's own kernel and on the one with the series:
# the same programs, kernels of the same configuration (configs/base-tests.config).
# Prints a table of what differs, also to build/base-compare/table.txt. What
# scripts/test/base-compare.txt gives no reason for fails.
#
#   base-compare.sh                    all
#   TESTS=name,name base-compare.sh    only those: test_verifier, test_maps and so on,
#                                      or tests of test_progs
#
# What differs is run twice more, on both kernels, before it counts. A test that kills
# its machine is told as such, and the others run in a new one.

. "$(dirname "$0")/../lib.sh"
use series/lib build/env build/link test/tap

REASONS=$SCRIPTS/test/base-compare.txt
OUT=$BUILD/base-compare
RUNS=$OUT/runs
TABLE=$OUT/table.txt
TESTS=${TESTS:-}
# Seconds for one test, by the guest's clock; minutes for which a machine may print
# nothing; and how many more times what differs is run
LIMIT=${TEST_TIMEOUT:-600}
STALL=60
AGAIN=2

# Build folders and sources of the two kernels
declare -A KERNEL_OUT=([base]=$OUT/kernel [series]=$BUILD/kernel-base-tests)
declare -A KERNEL_SRC=([base]=$BASE_DIR [series]=$LINUX)

# The base's Makefile of these tests writes beside their sources: it gets a copy
TREE=$OUT/tree
BPF_TESTS=tools/testing/selftests/bpf
COPIED=(Makefile include kernel/bpf scripts tools)

PROGRAMS=(test_progs test_verifier test_maps test_tag test_lru_map test_lpm_map
	  test_sock test_sockmap test_sysctl test_tcpnotify_user)
MODULES=(bpf_testmod bpf_test_no_cfi bpf_test_modorder_x bpf_test_modorder_y)
# What test_progs starts or reads
COMPANIONS=(urandom_read liburandom_read.so uprobe_multi xdp_synproxy sign-file bpftool
	    ima_setup.sh verify_sig_setup.sh)
# Of the host: busybox has not all that they ask of these
TOOLS=(bash blkid ethtool ip mkfs.ext2 nft openssl ping tc)
PATH=$PATH:/usr/sbin:/sbin

# --- building ---

# Both kernels have the same options, but for those that the base does not know
check_options() {
	local name

	while IFS= read -r name; do
		! grep -r -q -E --include='Kconfig*' "^[[:space:]]*(menu)?config ${name#CONFIG_}\$" "$BASE_DIR" ||
			die "$name is not the same in both kernels" \
			    "compare $(rel "${KERNEL_OUT[base]}")/.config with $(rel "${KERNEL_OUT[series]}")/.config"
	done < <(diff "${KERNEL_OUT[base]}/.config" "${KERNEL_OUT[series]}/.config" |
		sed -n -E 's/^[<>] (# )?(CONFIG_[A-Za-z0-9_]+).*/\2/p' | sort -u)
}

configure_base() {
	mkdir -p "${KERNEL_OUT[base]}"
	cp "${KERNEL_OUT[series]}/.config" "${KERNEL_OUT[base]}/.config"
	kmake "${KERNEL_OUT[base]}" olddefconfig
}

build_base() {
	kmake "${KERNEL_OUT[base]}" -j"$JOBS" bzImage modules
}

base_kernel() {
	local LINUX=$BASE_DIR inputs stamp=${KERNEL_OUT[base]}.inputs

	inputs=$(cat "$BASE_DIR.generation" "${KERNEL_OUT[series]}/.config" | sha256sum)
	if [[ ! -f $stamp || $(<"$stamp") != "$inputs" ]]; then
		step "configuring the base" "$LOGS/base-compare-config" configure_base
		check_options
		echo "$inputs" >"$stamp"
	fi
	step "building the base's kernel" "$LOGS/base-compare-kernel" build_base
}

# entries SIGN: what the list of reasons has of one kind
entries() {
	allow_patterns "$REASONS" | sed -n "s/^[$1][[:space:]]*//p"
}

copy_tree() {
	local name

	rm -rf "$TREE" "$TREE.inputs"
	mkdir -p "$TREE"
	(cd "$BASE_DIR" && cp -a --parents "${COPIED[@]}" "$TREE/")
	entries '!' | while IFS= read -r name; do
		rm "$TREE/$BPF_TESTS/$name"
	done
}

tree() {
	local inputs

	inputs=$(cat "$BASE_DIR.generation" <(entries '!') | sha256sum)
	if [[ ! -f $TREE.inputs || $(<"$TREE.inputs") != "$inputs" ]]; then
		step "copying the base's tests" "$LOGS/base-compare-copy" copy_tree
		echo "$inputs" >"$TREE.inputs"
	fi
}

# No features that depend on what else the machine has installed: no pkg-config. Of what
# llvm-config names the disassembler needs no more than this.
build_tests() {
	local llvm

	llvm=$(llvm-config-19 --link-static --libs mcdisassembler all-targets)
	make -C "$TREE/$BPF_TESTS" -j"$JOBS" CC="${CCACHE}gcc" HOSTCC="${CCACHE}gcc" \
		CLANG="${CCACHE}clang-19" LLVM_CONFIG=llvm-config-19 LLVM_STRIP=llvm-strip-19 \
		LLVM_OBJCOPY=llvm-objcopy-19 LLVM_LDLIBS="$llvm -lz -lzstd -lstdc++ -lm" LLD=bfd PKG_CONFIG=false KDIR="${KERNEL_OUT[base]}" \
		VMLINUX_BTF="${KERNEL_OUT[base]}/vmlinux" "${PROGRAMS[@]}"
}

tests() {
	need clang-19 llvm-config-19 g++
	tree
	step "building the base's tests" "$LOGS/base-compare-tests" build_tests
}

module_dir() {
	echo "$OUT/modules-$1"
}

# build_modules KERNEL: from the base's sources, against that kernel
build_modules() {
	local LINUX=${KERNEL_SRC[$1]} dir module

	dir=$(module_dir "$1")
	rm -rf "$dir"
	mkdir -p "$dir"
	for module in "${MODULES[@]}"; do
		cp -r "$BASE_DIR/$BPF_TESTS/$module" "$dir/"
		kmake "${KERNEL_OUT[$1]}" M="$dir/$module" modules
	done
	touch "$dir/done"
}

modules() {
	local kernel

	for kernel in base series; do
		[[ $(module_dir "$kernel")/done -nt ${KERNEL_OUT[$kernel]}/vmlinux ]] ||
			step "building the tests' modules, $kernel" "$LOGS/base-compare-modules-$kernel" \
				build_modules "$kernel"
	done
}

# The programs keep their symbols, which tests attach to, and objects their BTF
stage_tests() {
	local dir=$1 name

	cd "$TREE/$BPF_TESTS"
	for name in "${PROGRAMS[@]}"; do
		strip -g -o "$dir/$name" "$name"
	done
	cp -L "${COMPANIONS[@]}" "$dir/"
	cp ./*.bpf.o "$dir/"
	llvm-strip-19 -g "$dir"/*.bpf.o
	cp -t "$dir/progs/" progs/btf_dump_test_case_*.c
}

stage_tools() {
	local dir=$1 tool

	for tool in "${TOOLS[@]}"; do
		cp -L "$(command -v "$tool")" "$dir/bin/$tool"
	done
	# not the one that speaks to nftables
	for tool in iptables ip6tables; do
		cp -L "$(command -v "$tool-legacy")" "$dir/bin/$tool"
	done
	cp -r --parents "$(xtables_dir)" "$OUT/stage/"
}

# Where iptables has its extensions
xtables_dir() {
	dirname "$(dpkg -L iptables | grep '/xtables/' | head -n 1)"
}

archive() {
	local dir=$OUT/stage/base-tests

	rm -rf "$OUT/stage"
	mkdir -p "$dir"/{bin,progs}
	stage_tests "$dir"
	stage_tools "$dir"
	mapfile -t files < <(find "$OUT/stage" -type f \( -perm -u+x -o -name '*.so' \))
	add_libraries "$OUT/stage" "${files[@]}"
	cd "$OUT/stage"
	{
		cat "$BUILD/initramfs-x86_64.cpio"
		find . -mindepth 1 | sort | cpio -o -H newc --quiet --owner 0:0
	} >"$OUT/initramfs.tmp"
	mv "$OUT/initramfs.tmp" "$OUT/initramfs.cpio"
	rm -rf "$OUT/stage"
}

build() {
	if [[ -z ${SKIP_DEPS:-} ]]; then
		child "$SCRIPTS/build/deps.sh" "$SCRIPTS/build/packages.txt" "$SCRIPTS/build/packages-base-compare.txt"
	fi
	child "$SCRIPTS/series/tree.sh"
	child "$SCRIPTS/build/kernel.sh" base-tests
	base_kernel
	tests
	modules
	need cpio "${TOOLS[@]}" iptables-legacy
	child "$SCRIPTS/vm/initramfs.sh" x86_64
	step "packing the tests" "$LOGS/base-compare-archive" archive
}

# --- running ---

# All tests, one a line
all_tests() {
	{
		printf '%s\n' "${PROGRAMS[@]}" test_bpf
		sed -n 's/^DEFINE_TEST(\(.*\))$/\1/p' "$TREE/$BPF_TESTS/prog_tests/tests.h"
	} | grep -v -x -F -e test_progs -f "$OUT/left-out"
}

# start_machine KERNEL DIR N: the tests of DIR/list in one machine. may_goto loops end by
# time: the clock counts instructions where it can, as in test-progs.sh.
start_machine() {
	local kernel=$1 dir=$2 n=$3 clock=(--icount) add=() module

	[[ ${ACCEL:-} != kvm ]] || clock=()
	for module in "${MODULES[@]}"; do
		add+=(--add "$(module_dir "$kernel")/$module/$module.ko:/base-tests/$module.ko")
	done
	exec "$SCRIPTS/vm/vm.sh" ${clock[@]+"${clock[@]}"} "${add[@]}" \
		--add "${KERNEL_OUT[$kernel]}/lib/test_bpf.ko:/base-tests/test_bpf.ko" \
		--add "$OUT/left-out:/base-tests/left-out" --add "$dir/list:/base-tests/list" \
		--kernel "${KERNEL_OUT[$kernel]}/arch/x86/boot/bzImage" \
		--initramfs "$OUT/initramfs.cpio" --smp 2 --mem 3072 --boot-timeout 900 \
		--timeout 36000 --log "$dir/$n.console" --result "$dir/result" \
		-- "run-base-tests $LIMIT /base-tests/list" >"$dir/$n.out" 2>"$dir/$n.err"
}

# machine KERNEL DIR N: how it ended is in DIR/result, one word. The guest ends what takes
# too long, but not where it does not run any more.
machine() {
	local dir=$2 out=$2/$3.out pid

	: >"$out"
	echo hang >"$dir/result"
	start_machine "$@" &
	pid=$!
	while alive "$pid"; do
		pause 0.5
		[[ -z $(find "$out" -mmin +"$STALL") ]] || kill "$pid"
	done
	wait "$pid" || :
}

# begun FILE: the tests that FILE tells the begin of
begun() {
	tr -d '\r' <"$1" | sed -n 's/^# === begin //p'
}

# run_tests KERNEL ROUND: in as many machines as it takes. A test that began and did not
# end has ended its machine.
run_tests() {
	local kernel=$1 dir=$RUNS/$2-$1 n last idle=0

	rm -rf "$dir"
	mkdir -p "$dir"
	cp "$RUNS/list-$2" "$dir/list"
	for ((n = 1; idle < 3; n++)); do
		machine "$kernel" "$dir" "$n"
		tr -d '\r' <"$dir/$n.out" >>"$dir/out"
		begun "$dir/$n.out" >"$dir/begun"
		last=$(tail -n 1 "$dir/begun")
		idle=$((idle + 1))
		[[ -n $last ]] || continue
		idle=0
		grep -q -F -e "# === end $last " "$dir/out" ||
			printf '\n# === end %s %s\n' "$last" "$(cut -d ' ' -f 1 "$dir/result")" >>"$dir/out"
		grep -v -x -F -f "$dir/begun" "$dir/list" >"$dir/rest" || :
		mv "$dir/rest" "$dir/list"
		[[ -s $dir/list ]] || return 0
	done
	echo "$kernel: the machine runs no test ($dir/$((n - 1)).err)"
	return 1
}

# progress ROUND: how far both are
progress() {
	local kernel names

	for kernel in base series; do
		names=$(cat "$RUNS/$1-$kernel"/*.out 2>/dev/null | tr -d '\r' | sed -n 's/^# === begin //p') || :
		printf '%s %d, %s; ' "$kernel" "$(wc -w <<<"$names")" "${names##*$'\n'}"
	done
	echo "of $(wc -l <"$RUNS/list-$1")"
}

# both ROUND: on both kernels, at once if there are two CPUs to do that
both() {
	local kernel pid pids=() rc=0 next=$SECONDS

	for kernel in base series; do
		run_tests "$kernel" "$1" &
		pids+=($!)
		(($(nproc) > 1)) || wait $! || rc=1
	done
	for pid in "${pids[@]}"; do
		while alive "$pid"; do
			pause 0.2
			((SECONDS >= next)) || continue
			progress "$1"
			next=$((SECONDS + 10))
		done
		wait "$pid" || rc=1
	done
	return $rc
}

# --- results ---

# Cuts what run-base-tests printed into a file for each test, DIR/tests/TEST, and
# DIR/ends: "TEST STATUS [TROUBLE]"
cut_output() {
	mkdir -p "$1/tests"
	awk -v dir="$1" '
		/^# === begin / { file = dir "/tests/" $4; printf "" >file; next }
		/^# === end / { sub(/^# === end /, ""); print >(dir "/ends"); close(file); file = ""; next }
		file { print >file }' "$1/out"
}

# test_verifier_tap STATUS FILE: as test_progs_tap of tap.sh
test_verifier_tap() {
	awk -v status="$1" '
		/^Summary: [0-9]+ PASSED, [0-9]+ SKIPPED, [0-9]+ FAILED$/ { summary = $0 }
		/^#[0-9]+\/[up] / && match($0, / (OK|FAIL|SKIP)( \(.*\))?$/) {
			result = substr($0, RSTART + 1)
			sub(/ .*/, "", result)
			name = "test_verifier/" substr($0, 2, RSTART - 2)
			print (result == "FAIL" ? "not ok - " : "ok - ") name (result == "SKIP" ? " # SKIP" : "")
			count[result]++
		}
		END {
			found = sprintf("Summary: %d PASSED, %d SKIPPED, %d FAILED",
					count["OK"], count["SKIP"], count["FAIL"])
			if (summary != found || status != (count["FAIL"] ? 1 : 0))
				print "Bail out! test_verifier says \"" summary "\", its results \"" found "\" (" status ")"
		}' "$2"
}

# program_tap TEST STATUS: of a program whose status is all that it tells
program_tap() {
	case $2 in
	0)	echo "ok - $1" ;;
	4)	echo "ok - $1 # SKIP" ;;
	*)	echo "not ok - $1" ;;
	esac
}

test_tap() {
	case $1 in
	test_verifier)	test_verifier_tap "$2" "$3" ;;
	test_bpf)	program_tap "$1" "$2" ;;
	*)
		if [[ " ${PROGRAMS[*]} " == *" $1 "* ]]; then
			program_tap "$1" "$2"
		else
			test_progs_tap "$2" "$3"
		fi
		;;
	esac
}

# test_results TEST STATUS FILE: lines "RESULT TEST POINT", as base-compare.py has them
test_results() {
	local test=$1 end=ran tap

	case $2 in
	137)		end=hang ;;
	*[!0-9]*)	end=$2 ;;
	esac
	if [[ $end == ran ]]; then
		tap=$(test_tap "$@")
		[[ $tap != *'Bail out!'* ]] || end=crash
	fi
	printf '%s\t%s\t\n' "$end" "$test"
	[[ $end == ran ]] || return 0
	sed -n -e "s|^ok - \(.*\) # SKIP.*|skip\t$test\t\1|" -e "s|^ok - |ok\t$test\t|" \
		-e "s|^not ok - |fail\t$test\t|" -e 's|\\#|#|g' -e '/^[a-z]*\t/p' <<<"$tap"
}

# results KERNEL ROUND: writes RUNS/ROUND-KERNEL.results
results() {
	local dir=$RUNS/$2-$1 test status trouble

	cut_output "$dir"
	while read -r test status trouble; do
		test_results "$test" "$status" "$dir/tests/$test"
		printf '%s\t%s\t%s\n' "$([[ -z $trouble ]] && echo quiet || echo trouble)" \
			"$test" "$test, the kernel's messages"
	done <"$dir/ends" >"$dir.results"
}

# --- all ---

run_round() {
	local kernel

	HINT="what it printed: $(rel "$RUNS")/$1-base and $1-series"
	step "$2" "$LOGS/base-compare-run-$1" both "$1"
	for kernel in base series; do
		results "$kernel" "$1"
	done
	COMPARED+=("$RUNS/$1-base.results" "$RUNS/$1-series.results")
}

run() {
	local round COMPARED=() some=()

	[[ -f $OUT/initramfs.cpio ]] || die "the base's tests are not built" "run: make base-compare"
	rm -rf "$RUNS"
	mkdir -p "$RUNS"
	entries - >"$OUT/left-out"
	if [[ -n $TESTS ]]; then
		some=(--some)
		# shellcheck disable=SC2086 # words
		printf '%s\n' ${TESTS//,/ } >"$RUNS/list-1"
	else
		all_tests >"$RUNS/list-1"
	fi
	run_round 1 "running $(wc -l <"$RUNS/list-1") tests on both kernels"
	for ((round = 2; round <= AGAIN + 1; round++)); do
		"$SCRIPTS/test/base-compare.py" again "${COMPARED[@]:0:2}" >"$RUNS/list-$round"
		[[ -s $RUNS/list-$round ]] || break
		run_round "$round" "running $(wc -l <"$RUNS/list-$round") that differ again ($((round - 1)) of $AGAIN)"
	done
	"$SCRIPTS/test/base-compare.py" table "${some[@]}" "$REASONS" "${COMPARED[@]}" | tee "$TABLE"
	say "$(wc -l <"$OUT/left-out") left out, with reasons in $(rel "$REASONS"); the results: $(rel "$RUNS")"
}

prepare_build
mkdir -p "$OUT"
case ${1:-} in
'')
	lock base-compare
	build
	run
	;;
run)
	lock base-compare
	run
	;;
*)
	die "unknown argument $1"
	;;
esac
