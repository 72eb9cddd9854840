#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The demo programs, each with bpftool as a user would. On a kernel without streams
# what they print comes out of the trace pipe.

dir=$(cd "$(dirname "$0")" && pwd) || exit 1
PATH=$dir:$PATH
tmp=$(mktemp -d /tmp/test_demos.XXXXXX) || exit 1
trace=/sys/kernel/tracing
pid=
points=0
failed=0

cleanup()
{
	[ -n "$pid" ] && kill "$pid" 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

has_func()
{
	grep -q " $1\$" /proc/kallsyms
}

point()
{
	points=$((points + 1))
	if [ "$1" = ok ]; then
		echo "ok $points $2"
	else
		echo "not ok $points $2"
		failed=1
	fi
}

# Whoever knows that the kernel is ours has BPF_STREAMS_REQUIRED=1
skip()
{
	if [ -n "${BPF_STREAMS_REQUIRED:-}" ]; then
		point fails "$1: $2"
		return
	fi
	points=$((points + 1))
	echo "ok $points $1 # SKIP $2"
}

# Starts a demo and waits until its programs are loaded: sets pid, and id of the first
start()
{
	: >"$trace/trace"
	: >"$tmp/out"
	"$@" >"$tmp/out" 2>&1 &
	pid=$!
	while ! grep -q ' has id ' "$tmp/out"; do
		if ! kill -0 "$pid" 2>/dev/null; then
			sed 's/^/# /' "$tmp/out"
			pid=
			return 1
		fi
		sleep 1
	done
	id=$(sed -n 's/^[^;]* has id \([0-9]*\);.*/\1/p' "$tmp/out")
}

# Ends the demo: did it do all it should?
stop()
{
	[ -n "$pid" ] || return 1
	kill "$pid"
	wait "$pid"
	status=$?
	pid=
	return $status
}

# says STREAM ID TEXT: is that in what the program has printed?
says()
{
	if [ -n "$streams" ]; then
		bpftool prog tracelog "$1" id "$2" >"$tmp/text" 2>&1
	else
		cp "$trace/trace" "$tmp/text"
	fi
	grep -qF "$3" "$tmp/text" && return
	echo "# no '$3' in:"
	sed 's/^/# | /' "$tmp/text"
	return 1
}

hello()
{
	start demo_hello world '' &&
	says stdout "$id" "run 1: Hello, world!" &&
	says stderr "$id" "run 2: nobody to greet" && stop
}

execwatch()
{
	start demo_execwatch && /bin/true &&
	says stdout "$id" " ran /bin/true " && stop
}

visits()
{
	start demo_visits 7 7 70000 &&
	says stdout "$id" "visitor 7 was here 2 times" && stop
}

# What it does wrong is to be seen on stderr
visits_too_far()
{
	start demo_visits 70000 &&
	says stderr "$id" "ERROR: Arena WRITE access at unmapped address 0x" && stop
}

groups()
{
	says stdout "$id" "group 1 line 5" &&
	says stderr "$(sed -n 's/.* transfer has id \([0-9]*\);.*/\1/p' "$tmp/out")" \
		"ERROR: AA or ABBA deadlock detected for bpf_res_spin_lock" && stop
}

follow()
{
	start demo_execwatch || return
	: >"$tmp/followed"
	bpftool -w prog tracelog stdout id "$id" >"$tmp/followed" 2>&1 &
	follower=$!
	# Whether it follows already or not: nothing is lost
	/bin/true
	while ! grep -q " ran /bin/true " "$tmp/followed"; do
		kill -0 "$follower" || return
		sleep 1
	done
	stop && wait "$follower"
}

# demo FUNCTION: a test point
demo()
{
	if "$1"; then
		point ok "$1"
	else
		point fails "$1"
	fi
	stop 2>/dev/null
}

if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP needs root"
	exit 4
fi
[ -e "$trace/trace" ] || mount -t tracefs none "$trace"
streams=
if has_func bpf_stream_vprintk || has_func bpf_stream_vprintk_impl ||
   [ -n "${BPF_STREAMS_REQUIRED:-}" ]; then
	streams=1
fi

# The first message that the trace pipe ever gets can be lost (Linux 6.1)
if [ -z "$streams" ] && start demo_hello nobody; then
	stop
fi

echo "TAP version 13"
demo hello
demo execwatch
if has_func arena_map_alloc; then
	demo visits
else
	skip visits "kernel without arenas"
fi
if [ "$(uname -m)" != x86_64 ]; then
	points=$((points + 1))
	echo "ok $points visits_too_far # SKIP runtime errors are reported on x86-64 only"
elif has_func bpf_prog_report_arena_violation || has_func bpf_arena_report_fault; then
	demo visits_too_far
else
	skip visits_too_far "the kernel does not report this"
fi
if ! has_func bpf_res_spin_lock; then
	skip groups "kernel without bpf_res_spin_lock()"
elif start demo_groups 2 7 7; then
	demo groups
elif grep -q 'not allowed while holding a lock' "$tmp/out"; then
	skip groups "this kernel lets no program print with a lock held"
else
	point fails groups
fi
if bpftool feature probe kernel 2>/dev/null | grep -q 'PROG_STREAM_OPEN is available'; then
	demo follow
else
	skip follow "kernel without BPF_PROG_STREAM_OPEN"
fi
echo "1..$points"
exit $failed
