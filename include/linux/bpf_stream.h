/* SPDX-License-Identifier: GPL-2.0 */
/*
 * BPF standard streams: interface for the rest of the kernel
 *
 * The design is described in kernel/bpf/stream.c, the use in
 * Documentation/bpf/bpf_streams.rst.
 */
#ifndef _LINUX_BPF_STREAM_H
#define _LINUX_BPF_STREAM_H

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/types.h>

struct bpf_insn;
struct bpf_insn_aux_data;
struct bpf_prog;
struct bpf_prog_aux;
struct bpf_reg_state;
struct bpf_stream;
struct llist_node;
struct pt_regs;
struct seq_file;
union bpf_attr;

/* The values are those of BPF_STREAM_STDOUT and BPF_STREAM_STDERR. */
enum bpf_stream_id {
	BPF_STDOUT = 1,
	BPF_STDERR = 2,
};

/**
 * struct bpf_stream_group - messages that appear as one group
 * @stream: the stream, or NULL if the program has no streams
 * @first: newest of the collected records
 * @last: oldest of the collected records
 * @bytes: text of all messages, collected or lost
 * @msgs: number of all messages, collected or lost
 * @err: first error, or 0
 *
 * On the stack of the context that fills it, see bpf_stream_stage().
 */
struct bpf_stream_group {
	struct bpf_stream *stream;
	struct llist_node *first;
	struct llist_node *last;
	unsigned int bytes;
	unsigned int msgs;
	int err;
};

/**
 * typedef bpf_frame_fn - visit a stack frame
 * @cookie: passed by the caller of arch_bpf_walk_frames()
 * @addr: address in the function
 * @at_ip: it is the address of an interrupted instruction, not a return address
 *
 * Return: true to continue with the next outer frame.
 */
typedef bool (*bpf_frame_fn)(void *cookie, unsigned long addr, bool at_ip);

void arch_bpf_walk_frames(bpf_frame_fn consume, void *cookie, struct pt_regs *regs);

#ifdef CONFIG_BPF_STREAMS

int bpf_prog_streams_alloc(struct bpf_prog_aux *aux);
void bpf_prog_streams_free(struct bpf_prog_aux *aux);
void bpf_prog_streams_show_fdinfo(struct seq_file *m,
				  const struct bpf_prog_aux *aux);
int bpf_prog_stream_read(const union bpf_attr *attr);
int bpf_prog_stream_open(const union bpf_attr *attr);
bool bpf_prog_may_show_addresses(const struct bpf_prog *prog);

bool bpf_stream_is_kfunc(u32 btf_id);
bool bpf_stream_ignores_arg(u32 btf_id, int arg);
void bpf_stream_note_call(struct bpf_insn_aux_data *aux, u32 btf_id,
			  const struct bpf_reg_state *regs);
int bpf_stream_fixup_call(const struct bpf_insn_aux_data *aux, u32 btf_id,
			  struct bpf_prog_aux *prog_aux, struct bpf_insn *buf);

void bpf_stream_stage_init(struct bpf_stream_group *ss,
			   const struct bpf_prog *prog,
			   enum bpf_stream_id stream_id);
__printf(2, 3)
int bpf_stream_stage_printk(struct bpf_stream_group *ss, const char *fmt, ...);
int bpf_stream_stage_commit(struct bpf_stream_group *ss);
int bpf_stream_stage_dump_stack(struct bpf_stream_group *ss, struct pt_regs *regs);

int bpf_prog_source_line(const struct bpf_prog *prog, unsigned long ip,
			 const char **line, const char **file, u32 *num);
struct bpf_prog *bpf_prog_find_from_stack(void);
void bpf_arena_report_fault(struct pt_regs *regs, u32 ptr, s16 off, bool write);

#else /* CONFIG_BPF_STREAMS */

static inline int bpf_prog_streams_alloc(struct bpf_prog_aux *aux)
{
	return 0;
}

static inline void bpf_prog_streams_free(struct bpf_prog_aux *aux)
{
}

static inline void
bpf_prog_streams_show_fdinfo(struct seq_file *m, const struct bpf_prog_aux *aux)
{
}

static inline int bpf_prog_stream_read(const union bpf_attr *attr)
{
	return -EINVAL;
}

static inline int bpf_prog_stream_open(const union bpf_attr *attr)
{
	return -EINVAL;
}

static inline bool bpf_prog_may_show_addresses(const struct bpf_prog *prog)
{
	return false;
}

static inline bool bpf_stream_is_kfunc(u32 btf_id)
{
	return false;
}

static inline bool bpf_stream_ignores_arg(u32 btf_id, int arg)
{
	return false;
}

static inline void bpf_stream_note_call(struct bpf_insn_aux_data *aux, u32 btf_id,
					const struct bpf_reg_state *regs)
{
}

static inline int bpf_stream_fixup_call(const struct bpf_insn_aux_data *aux, u32 btf_id,
					struct bpf_prog_aux *prog_aux, struct bpf_insn *buf)
{
	return 0;
}

static inline void bpf_stream_stage_init(struct bpf_stream_group *ss,
					 const struct bpf_prog *prog,
					 enum bpf_stream_id stream_id)
{
}

static inline __printf(2, 3)
int bpf_stream_stage_printk(struct bpf_stream_group *ss, const char *fmt, ...)
{
	return -EOPNOTSUPP;
}

static inline int bpf_stream_stage_commit(struct bpf_stream_group *ss)
{
	return -EOPNOTSUPP;
}

static inline int bpf_stream_stage_dump_stack(struct bpf_stream_group *ss,
					      struct pt_regs *regs)
{
	return -EOPNOTSUPP;
}

static inline struct bpf_prog *bpf_prog_find_from_stack(void)
{
	return NULL;
}

static inline void bpf_arena_report_fault(struct pt_regs *regs, u32 ptr, s16 off,
					  bool write)
{
}

#endif /* CONFIG_BPF_STREAMS */

/**
 * bpf_stream_printk - add a message to a group that is being staged
 * @ss: name of the group, as passed to bpf_stream_stage()
 * @...: format of printk() and its arguments
 *
 * The text is truncated to the size of the format buffer, MAX_BPRINTF_BUF.
 *
 * Context: Any, NMI included.
 * Return: 0 or a negative error, which makes the group fail as a whole.
 */
#define bpf_stream_printk(ss, ...) bpf_stream_stage_printk(&(ss), __VA_ARGS__)

/**
 * bpf_stream_dump_stack - add a stack trace to a group that is being staged
 * @ss: name of the group, as passed to bpf_stream_stage()
 *
 * Adds the CPU, the effective user ID, the task and each stack frame, with source
 * lines for BPF functions.
 *
 * Context: Any, NMI included.
 * Return: 0 or a negative error, which makes the group fail as a whole.
 */
#define bpf_stream_dump_stack(ss) bpf_stream_stage_dump_stack(&(ss), NULL)

/**
 * bpf_stream_stage - print a group of messages that is not interleaved
 * @ss: name of the group, for bpf_stream_printk() and others within @body
 * @prog: main program
 * @stream_id: the program's stream, BPF_STDOUT or BPF_STDERR
 * @body: expression that prints, usually a statement expression
 *
 * The messages are collected and appear in the stream together, in order, or not at
 * all: if one of them cannot be recorded or the group does not fit, all are counted
 * as dropped.
 *
 * Context: Any, NMI included. The caller keeps @prog alive.
 * Return: 0; -ENOENT if the stream does not exist; -EBUSY if no format buffer is
 *         free; -ENOMEM if no page is available; -ENOSPC if the stream is full.
 */
#define bpf_stream_stage(ss, prog, stream_id, body)		\
({								\
	struct bpf_stream_group ss;				\
								\
	bpf_stream_stage_init(&ss, prog, stream_id);		\
	(void)(body);						\
	bpf_stream_stage_commit(&ss);				\
})

#endif /* _LINUX_BPF_STREAM_H */
