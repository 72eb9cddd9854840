#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of scripts/build/our-code.sh, with the composed tree and the kernel in build/.

. "$(dirname "$0")/../lib.sh"
use tests/lib/harness build/our-code

# warned LINE...: a build that said so; tells what of it is about our code
warned() {
	printf '%s\n' "$@" >"$DIR/log"
	try our_warnings "$DIR/log" "$BUILD/kernel"
}

warned 'vmlinux.o: warning: objtool: arch_bpf_walk_frames+0x12: unreachable instruction'
point "objtool about a function of ours" good arch_bpf_walk_frames
warned 'WARN: resolve_btfids: unresolved symbol bpf_stream_vprintk'
point "resolve_btfids about a kfunc of ours" good bpf_stream_vprintk
warned 'WARNING: modpost: vmlinux: section mismatch in reference: bpf_may_goto_check+0x1 (section: .text)'
point "modpost about a function of ours" good bpf_may_goto_check
warned 'vmlinux.o: warning: objtool: do_idle+0x12: unreachable instruction'
point "objtool about one of the base" bad
warned 'kernel/bpf/stream.c:12:3: warning: unused variable'
point "the compiler about a file of ours" good stream.c
warned 'kernel/bpf/ringbuf.c:12:3: warning: unused variable'
point "the compiler about one of the base" bad

plan_done
