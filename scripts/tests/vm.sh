#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of scripts/vm/vm.sh: how a run can end. Needs a built kernel.

. "$(dirname "$0")/../lib.sh"
use tests/lib/harness

vm() {
	STATUS=0
	"$SCRIPTS/vm/vm.sh" --log "$DIR/console" --result "$DIR/result" "$@" \
		>"$DIR/stdout" 2>"$DIR/stderr" </dev/null || STATUS=$?
	cat "$DIR/stdout" "$DIR/stderr" >"$DIR/out"
}

ended() {
	[[ $STATUS == "$1" && $(<"$DIR/result") == "$2" ]] || {
		echo "# status $STATUS, result $(cat "$DIR/result")"
		return 1
	}
}

# The qemu that has our console in its command line, if there is one
left_behind() {
	local file words

	for file in /proc/[0-9]*/cmdline; do
		mapfile -d '' words <"$file" || continue
		if [[ ${words[0]:-} == *qemu-system* && "${words[*]}" == *"$DIR/console"* ]]; then
			echo "# ${words[*]}"
			return 0
		fi
	done 2>/dev/null
	return 1
}

none_left() {
	local i

	for ((i = 0; i < 50; i++)); do
		left_behind >/dev/null || return 0
		sleep 0.1
	done
	! left_behind
}

wait_for() {
	local i

	for ((i = 0; i < 1200; i++)); do
		if grep -q -a -s -e "$1" "$DIR/console" "$DIR/stdout"; then
			return 0
		fi
		sleep 0.1
	done
	return 1
}

kernel_only() {
	! grep -q -a 'to stdout' "$DIR/console"
}

echo "from the host" >"$DIR/given"
vm --add "$DIR/given:/tmp-given/file" -- 'echo to stdout; echo to stderr >&2; cat /tmp-given/file; exit 7'
point "the status passes through" ended 7 "exit 7"
point "output comes out as it is" cmp "$DIR/stdout" <(printf 'to stdout\nto stderr\nfrom the host\n')
point "kernel messages are in their own file" grep -q -a 'Linux version' "$DIR/console"
point "without the command's output" kernel_only
vm --add "$(type -P setpriv):/given/setpriv" -- '/given/setpriv --dump | head -n 1'
point "a program that is linked dynamically has its libraries" grep -qx 'uid: 0' "$DIR/stdout"
vm -- 'nproc'
point "two CPUs" cmp "$DIR/stdout" <(echo "${SMP:-2}")
vm -- 'kill -9 $$'
point "a killed command has its signal's status" ended 137 "exit 137"
vm -- 'seq 1 20000'
point "no output is lost at the end" cmp "$DIR/stdout" <(seq 1 20000)
vm -- 'echo c >/proc/sysrq-trigger; sleep 100'
point "a panic is told" ended 125 panic
point "with the kernel's words" grep -q 'Kernel panic - not syncing' "$DIR/stderr"
port=$((20000 + RANDOM % 10000))
# "?" asks why the machine stands still; it does as soon as gdb is there
# shellcheck disable=SC2016 # the dollars are the protocol's
ask_gdb() {
	local answer

	vm --gdb "$port" -- 'echo up; sleep 5' &
	wait_for 'up$' || return 1
	exec 5<>"/dev/tcp/localhost/$port" || return 1
	printf '$?#3f' >&5
	read -r -t 20 -N 4 answer <&5
	# and go on
	printf '$c#63' >&5
	wait $!
	exec 5>&-
	[[ $answer == *'$T0'* && $(<"$DIR/result") == "exit 0" ]]
}
point "gdb can connect" ask_gdb
vm --timeout 15 -- 'echo begun; sleep 1000'
point "the time limit is told" ended 124 timeout
point "what came before is there" cmp "$DIR/stdout" <(echo begun)
point "no qemu after the time limit" none_left
vm -- 'reboot -f'
point "a machine that just goes is told" ended 125 died
vm --scan -- 'echo "<4>WARNING: CPU: 0 PID: 1 at made/up.c:1" >/dev/kmsg'
point "--scan looks at the kernel's messages" ended 125 "exit 0"
# quiet COMMAND: a test that does that, and that the console hears nothing of
quiet() {
	vm --scan -- "mkdir -p /selftests && cd /selftests || exit
		printf 'dmesg -n 4; %s\\n' '$1' >quiet && chmod +x quiet && run-tests 60 quiet"
}
quiet ':'
point "a quiet test passes" ended 0 "exit 0"
quiet 'echo "<4>WARNING: suspicious RCU usage" >/dev/kmsg'
point "what the console was not told is found" ended 125 "exit 0"
vm --boot-timeout 1 --tries 2 --append 'rdinit=/bin/sleep init=/bin/sleep' -- true
point "a boot that does not reach init is told" ended 125 noboot
point "after another try" grep -q 'trying again' "$DIR/stderr"

for signal in TERM KILL; do
	rm -f "$DIR/console" "$DIR/stdout"
	"$SCRIPTS/vm/vm.sh" --log "$DIR/console" -- 'echo up; sleep 1000' \
		>"$DIR/stdout" 2>"$DIR/stderr" </dev/null &
	pid=$!
	wait_for '^up'
	kill -s $signal $pid
	wait $pid 2>/dev/null || :
	point "no qemu after SIG$signal" none_left
done
vm
point "the shell wants a terminal" test "$STATUS" = 1

plan_done
