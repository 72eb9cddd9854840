#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of scripts/vm/dmesg-scan.sh: real messages of the kernel, good and bad.

. "$(dirname "$0")/../lib.sh"
use tests/lib/harness

scan() {
	printf '[    0.000000] Linux version 6.12.1 (x@y) (gcc) #1 SMP PREEMPT\n%s\n' "$1" >"$DIR/log"
	try "$SCRIPTS/vm/dmesg-scan.sh" "${@:2}" "$DIR/log"
}

: >"$DIR/allow"
: >"$DIR/allow.none"

while IFS= read -r line; do
	scan "[    1.234567] $line" --allow "$DIR/allow"
	point "finds: ${line:0:60}" bad "$line"
done <<'END'
WARNING: CPU: 1 PID: 77 at kernel/bpf/helpers.c:123 bpf_bprintf_prepare+0x1/0x2
WARNING: possible circular locking dependency detected
WARNING: suspicious RCU usage
WARNING: inconsistent lock state
BUG: kernel NULL pointer dereference, address: 0000000000000008
BUG: unable to handle page fault for address: ffffc90000000000
BUG: sleeping function called from invalid context at mm/util.c:5
BUG: scheduling while atomic: sh/77/0x00000002
BUG: KASAN: slab-use-after-free in bpf_stream_read+0x12/0x34
BUG: KCSAN: data-race in llist_add / llist_del_all
BUG: Bad page state in process sh  pfn:01234
BUG: using smp_processor_id() in preemptible [00000000] code: sh/77
kernel BUG at mm/page_alloc.c:100!
Oops: Oops: 0000 [#1] PREEMPT SMP
Oops: general protection fault, probably for non-canonical address 0xdead000000000100
UBSAN: array-index-out-of-bounds in kernel/bpf/stream.c:10:5
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
rcu: INFO: rcu_preempt self-detected stall on CPU
watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [test_read:99]
watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 1
INFO: task test_read:99 blocked for more than 120 seconds.
INFO: trying to register non-static key.
kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
kmemleak: Kernel memory leak detector disabled
kmemleak: Cannot allocate a kmemleak_object structure
list_add corruption. prev->next should be next (0), but was 1. (prev=2).
refcount_t: underflow; use-after-free.
test_write: page allocation failure: order:9, mode:0x40dc0(GFP_KERNEL), nodemask=(null)
unchecked MSR access error: RDMSR from 0x1b0
Kernel panic - not syncing: Fatal exception
Out of memory: Killed process 99 (test_read) total-vm:10kB
BUG kmalloc-64 (Not tainted): Poison overwritten
END

while IFS= read -r line; do
	scan "[    1.234567] $line" --allow "$DIR/allow"
	point "passes: ${line:0:60}" good
done <<'END'
kasan: KernelAddressSanitizer initialized
kmemleak: Kernel memory leak detector initialized (mem pool available: 15000)
kfence: initialized - using 2097152 bytes for 255 objects at 0x(____ptrval____)-0x(____ptrval____)
rcu: RCU lockdep checking is enabled.
rcu: 	RCU callback double-/use-after-free debug is enabled.
Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar
watchdog: NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.
sysrq: Show backtrace of all active CPUs
NMI backtrace for cpu 1
Spectre V2 : Mitigation: Retpolines
clocksource: timekeeping watchdog on CPU0: Marking clocksource 'tsc' as unstable
END

echo 'WARNING: CPU: .* expected_one ## the test provokes it' >"$DIR/allow"
scan '[ 1.0] WARNING: CPU: 1 PID: 7 at a.c:1 expected_one+0x1/0x2' --allow "$DIR/allow"
point "an allowed line passes" good
scan $'[ 1.0] WARNING: CPU: 1 PID: 7 at a.c:1 expected_one+0x1/0x2\n[ 1.1] WARNING: CPU: 1 PID: 7 at a.c:1 other+0x1/0x2' --allow "$DIR/allow"
point "another one beside it does not" bad "other+0x1"
scan $'[ 1.0] test: begin test_x\n[ 1.1] BUG: y' --allow "$DIR/allow"
point "the test is named that ran" bad "test_x"
echo 'WARNING' >"$DIR/allow"
scan '[ 1.0] fine' --allow "$DIR/allow"
point "an entry without a reason is an error" bad "reason"
: >"$DIR/log"
try "$SCRIPTS/vm/dmesg-scan.sh" "$DIR/log"
point "an empty log does not pass" bad "no kernel messages"
try "$SCRIPTS/vm/dmesg-scan.sh" "$DIR/no-such-log"
point "nor does a missing one" bad "no kernel messages"

race() {
	local line='=================================================================='

	printf '[ 1.0] %s\n' "$line" "BUG: KCSAN: data-race in $1 / $2" \
		"read-write to 0xffff888003e4f0d8 of 8 bytes by task 99 on cpu 0:" " $1+0x10/0x20" \
		" ${3:-do_syscall_64}+0x1/0x2" "$line"
}

printf 'stream_push.constprop.0\nbpf_stream_read\n' >"$DIR/functions"
scan "$(race sched_tick try_to_wake_up)" --allow "$DIR/allow.none" --kcsan "$DIR/functions"
point "a data race of others does not count" good "1 data races, 0 with us"
scan "$(race stream_push.constprop.0 llist_del_all)" --allow "$DIR/allow.none" --kcsan "$DIR/functions"
point "one of ours does" bad "stream_push"
scan "$(race memcpy memset bpf_stream_read)" --allow "$DIR/allow.none" --kcsan "$DIR/functions"
point "so does one further down in a stack" bad "1 with us"
scan "$(race sched_tick x; race stream_push.constprop.0 y; race z z)" --allow "$DIR/allow.none" --kcsan "$DIR/functions"
point "among others it is found" bad "3 data races, 1 with us"
scan "$(race sched_tick x; echo '[ 1.1] BUG: Bad page state')" --allow "$DIR/allow.none" --kcsan "$DIR/functions"
point "what follows is looked at" bad "Bad page state"
scan "$(race sched_tick x)" --allow "$DIR/allow.none"
point "without a list all count" bad "sched_tick"
scan fine --allow "$DIR/allow.none" --kcsan /dev/null
point "an empty list is an error" bad "lists no function"

plan_done
