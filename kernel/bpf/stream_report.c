// SPDX-License-Identifier: GPL-2.0
/*
 * BPF standard streams: reports of run-time errors
 *
 * A report is one group of messages: the error, then a stack trace. Scripts
 * parse these texts, so they must not change.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/cred.h>
#include <linux/filter.h>
#include <linux/kallsyms.h>
#include <linux/limits.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <linux/uidgid.h>
#include "stream.h"

/* Maximum length of a source line and a file name, so that both fit a message */
#define STREAM_MAX_LINE 768
#define STREAM_MAX_FILE 128
static_assert(STREAM_MAX_LINE + STREAM_MAX_FILE + sizeof("   @ :4294967295\n") <= MAX_BPRINTF_BUF);

#ifdef CONFIG_ARCH_STACKWALK
struct stream_walk {
	bpf_frame_fn consume;
	void *cookie;
	bool at_ip;
};

/*
 * The first instruction of a program or a trampoline is never a return address, so it
 * was interrupted there.
 */
static bool is_bpf_entry(unsigned long addr)
{
	return is_bpf_text_address(addr) && !is_bpf_text_address(addr - 1);
}

static bool stream_walk_frame(void *cookie, unsigned long addr)
{
	struct stream_walk *walk = cookie;
	bool at_ip = walk->at_ip || is_bpf_entry(addr);

	walk->at_ip = false;
	return walk->consume(walk->cookie, addr, at_ip);
}

/**
 * arch_bpf_walk_frames - visit the frames of the stack
 * @consume: called for each frame, innermost first, until it returns false
 * @cookie: passed to @consume
 * @regs: where to start, NULL for the caller
 *
 * Architectures override this if they can distinguish the address of an interrupted
 * instruction from a return address.
 *
 * Context: Any, NMI included.
 */
void __weak arch_bpf_walk_frames(bpf_frame_fn consume, void *cookie, struct pt_regs *regs)
{
	struct stream_walk walk = {
		.consume	= consume,
		.cookie		= cookie,
		.at_ip		= regs,
	};

	arch_stack_walk(stream_walk_frame, &walk, current, regs);
}
#else
void __weak arch_bpf_walk_frames(bpf_frame_fn consume, void *cookie, struct pt_regs *regs)
{
}
#endif

/* Return: the first entry of the next function; each function has at least one. */
static u32 prog_linfo_end(const struct bpf_prog_aux *aux)
{
	u32 next = aux->func_idx + 1;

	return next < aux->func_cnt ? aux->func[next]->aux->linfo_idx : aux->nr_linfo;
}

/**
 * bpf_prog_source_line - find the source line of an instruction
 * @prog: main program or subprogram that the instruction belongs to
 * @ip: address of any byte of the instruction in the JITed code
 * @line: set to the text of the line, without leading blanks
 * @file: set to the name of the file, without directories
 * @num: set to the line number
 *
 * Context: Any, NMI included. The texts are valid as long as @prog is.
 * Return: 0, or -ENOENT if the program has no line info or is not JITed, or if
 *         the compiler did not associate the instruction with a line.
 */
int bpf_prog_source_line(const struct bpf_prog *prog, unsigned long ip,
			 const char **line, const char **file, u32 *num)
{
	const struct bpf_prog_aux *aux = prog->aux;
	const struct bpf_line_info *linfo;
	u32 first, last, mid;

	/* A function added by the verifier does not have a source. */
	if (!aux->jited_linfo || (aux->func && aux->func_idx >= aux->func_cnt))
		return -ENOENT;

	/* Find the last entry that is not above ip; the first one is not. */
	first = aux->linfo_idx;
	last = prog_linfo_end(aux) - 1;
	while (first < last) {
		mid = first + (last - first + 1) / 2;
		if ((unsigned long)aux->jited_linfo[mid] <= ip)
			first = mid;
		else
			last = mid - 1;
	}

	linfo = &aux->linfo[first];
	*num = BPF_LINE_INFO_LINE_NUM(linfo->line_col);
	if (!*num)
		return -ENOENT;

	bpf_linfo_source(aux->btf, linfo, line, file);
	return 0;
}

static bool stack_find_prog(void *cookie, unsigned long addr, bool at_ip)
{
	struct bpf_prog **found = cookie;
	struct bpf_prog *prog;

	prog = bpf_prog_ksym_find(addr);
	if (!prog)
		return true;

	*found = prog->aux->main_prog_aux->prog;
	return false;
}

/**
 * bpf_prog_find_from_stack - find the program that called into the kernel
 *
 * Context: RCU read side; any, NMI included.
 * Return: the main program of the innermost BPF function on the stack, or NULL if
 *         there is none or the stack cannot be walked.
 */
struct bpf_prog *bpf_prog_find_from_stack(void)
{
	struct bpf_prog *prog = NULL;

	arch_bpf_walk_frames(stack_find_prog, &prog, NULL);
	return prog;
}

static void stream_dump_line(struct bpf_stream_group *ss, unsigned long ip)
{
	const char *line, *file;
	struct bpf_prog *prog;
	u32 num;

	/* The texts are freed a grace period after the program's symbol was removed. */
	guard(rcu)();
	prog = bpf_prog_ksym_find(ip);
	if (!prog || bpf_prog_source_line(prog, ip, &line, &file, &num))
		return;

	bpf_stream_stage_printk(ss, "  %.*s @ %.*s:%u\n", STREAM_MAX_LINE, line,
				STREAM_MAX_FILE, file, num);
}

static bool stream_dump_frame(void *cookie, unsigned long addr, bool at_ip)
{
	struct bpf_stream_group *ss = cookie;
	/* A return address may belong to the next line; the byte before is in the call. */
	unsigned long ip = at_ip ? addr : addr - 1;

	/* Without a symbol %pS and %pB would print the raw address. */
	if (!kallsyms_lookup_size_offset(ip, NULL, NULL))
		bpf_stream_stage_printk(ss, "0x%p\n", (void *)addr);
	else if (at_ip)
		bpf_stream_stage_printk(ss, "%pS\n", (void *)addr);
	else
		bpf_stream_stage_printk(ss, "%pB\n", (void *)addr);
	stream_dump_line(ss, ip);

	return !ss->err;
}

/**
 * bpf_stream_stage_dump_stack - add a stack trace to a group
 * @ss: the group
 * @regs: where to start, NULL for the caller
 *
 * Use bpf_stream_dump_stack() to start at the caller.
 *
 * Context: Any, NMI included.
 * Return: 0 or the first error of the group.
 */
int bpf_stream_stage_dump_stack(struct bpf_stream_group *ss, struct pt_regs *regs)
{
	/* A task chooses its name; escape it so that it cannot imitate lines of a report. */
	bpf_stream_stage_printk(ss, "CPU: %d UID: %u PID: %d Comm: %*pEs\n",
				raw_smp_processor_id(),
				from_kuid_munged(&init_user_ns, current_euid()),
				task_pid_nr(current),
				(int)strnlen(current->comm, TASK_COMM_LEN), current->comm);
	bpf_stream_stage_printk(ss, "Call trace:\n");
	if (!ss->err)
		arch_bpf_walk_frames(stream_dump_frame, ss, regs);

	return bpf_stream_stage_printk(ss, "\n");
}

/* The user address of an arena pointer, of which programs use the lower half only */
static u64 arena_user_address(struct bpf_arena *arena, u32 ptr, s16 off)
{
	u64 upper = bpf_arena_get_user_vm_start(arena) & ~(u64)U32_MAX;

	/* As in pointer casts, 0 is NULL and not the first byte of the arena. */
	return (ptr ? upper | ptr : 0) + off;
}

/**
 * bpf_arena_report_fault - report an access to an unmapped arena address
 * @regs: registers of the faulting instruction in JITed code
 * @ptr: lower half of the pointer
 * @off: offset from the pointer
 * @write: it is a store or an atomic operation that stores
 *
 * Context: Page fault in any context, NMI included.
 */
void bpf_arena_report_fault(struct pt_regs *regs, u32 ptr, s16 off, bool write)
{
	struct bpf_prog *prog;
	u64 addr;

	guard(rcu)();
	prog = bpf_prog_ksym_find(instruction_pointer(regs));
	if (!prog)
		return;

	addr = arena_user_address(prog->aux->arena, ptr, off);
	bpf_stream_stage(ss, prog->aux->main_prog_aux->prog, BPF_STDERR, ({
		bpf_stream_printk(ss, "ERROR: Arena %s access at unmapped address 0x%llx\n",
				  write ? "WRITE" : "READ", addr);
		bpf_stream_stage_dump_stack(&ss, regs);
	}));
}
