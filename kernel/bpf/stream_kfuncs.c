// SPDX-License-Identifier: GPL-2.0
/* BPF standard streams: kfuncs for printing */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/init.h>
#include <linux/limits.h>
#include <linux/string.h>
#include <linux/tnum.h>
#include "stream.h"

/* Not a constant text, or texts of different lengths */
#define STREAM_TEXT_ANY U64_MAX

static int stream_print_text(struct bpf_stream *stream, const char *text, unsigned int len)
{
	int err = -E2BIG;

	preempt_disable();
	if (likely(len < MAX_BPRINTF_BUF))
		err = bpf_stream_write(stream, text, len);
	else
		bpf_stream_drop(stream, 1, len);
	preempt_enable();

	return err;
}

/* Print in two passes what bpf_stream_format() does not support. */
static noinline int stream_vprintk_any(struct bpf_stream *stream, const char *fmt,
				       const u64 *args, u32 nr_args)
{
	struct bpf_bprintf_data data = {
		.get_bin_args	= true,
		.get_buf	= true,
	};
	int err;

	/* The verifier has checked that fmt is a terminated, constant string. */
	err = bpf_bprintf_prepare((char *)fmt, UINT_MAX, args, nr_args, &data);
	if (err) {
		bpf_stream_drop(stream, 1, 0);
		/* The buffer is too small for the strings among the arguments. */
		return err == -ENOSPC ? -E2BIG : err;
	}

	err = stream_print_text(stream, data.buf,
				bstr_printf(data.buf, MAX_BPRINTF_BUF, fmt, data.bin_args));
	bpf_bprintf_cleanup(&data);
	return err;
}

/* Print a format without arguments; usually it is plain text. */
static int stream_print(struct bpf_stream *stream, const char *fmt)
{
	unsigned int len = bpf_stream_plain_len(fmt);

	if (unlikely(fmt[len]))
		return stream_vprintk_any(stream, fmt, NULL, 0);

	return stream_print_text(stream, fmt, len);
}

static noinline int stream_vprintk(struct bpf_stream *stream, const char *fmt,
				   const u64 *args, u32 size)
{
	struct bpf_bprintf_buffers *bufs;
	u32 nr_args = size / sizeof(u64);
	int len, err;

	if (size % sizeof(u64) || nr_args > MAX_BPRINTF_VARARGS || (size && !args)) {
		bpf_stream_drop(stream, 1, 0);
		return -EINVAL;
	}

	if (!size)
		return stream_print(stream, fmt);

	if (bpf_try_get_buffers(&bufs)) {
		bpf_stream_drop(stream, 1, 0);
		return -EBUSY;
	}

	len = bpf_stream_format(bufs->buf, fmt, args, nr_args);
	err = len < 0 ? len : bpf_stream_write(stream, bufs->buf, len);
	bpf_put_buffers();
	if (likely(len >= 0))
		return err;

	return stream_vprintk_any(stream, fmt, args, nr_args);
}

/*
 * The verifier replaces calls of the kfuncs with calls of these functions, see
 * bpf_stream_fixup_call(). They are not kfuncs, so a program cannot pass an aux of its
 * choice.
 */
BPF_CALL_5(bpf_stream_prog_vprintk, int, stream_id, const char *, fmt, const void *, args,
	   u32, size, struct bpf_prog_aux *, aux)
{
	struct bpf_stream *stream = bpf_prog_stream(aux, stream_id);

	if (!stream)
		return -ENOENT;

	return stream_vprintk(stream, fmt, args, size);
}

/* For a constant text of @len bytes */
BPF_CALL_4(bpf_stream_prog_print, int, stream_id, const char *, text, u32, len,
	   struct bpf_prog_aux *, aux)
{
	struct bpf_stream *stream = bpf_prog_stream(aux, stream_id);

	if (!stream)
		return -ENOENT;

	return stream_print_text(stream, text, len);
}

BPF_CALL_2(bpf_stream_prog_print_stack, int, stream_id, struct bpf_prog_aux *, aux)
{
	return bpf_stream_stage(ss, aux->prog, stream_id, ({
		bpf_stream_dump_stack(ss);
	}));
}

__bpf_kfunc_start_defs();

/**
 * bpf_stream_vprintk - print into a stream of the calling program
 * @stream_id: BPF_STDOUT or BPF_STDERR
 * @fmt__str: format of bpf_trace_vprintk()
 * @args: array of u64, one for each conversion
 * @len__sz: size of @args in bytes
 *
 * The interface is that of Linux 7.0. Programs see this declaration only; the verifier
 * replaces their calls.
 *
 * Context: Any, NMI included. A bpf_spin_lock may be held, unless a tracing program
 *          that can run during this call takes the same lock.
 * Return: 0; -ENOENT if the stream does not exist; -EINVAL if the format is invalid
 *         or does not match the arguments, or if there are more than 12 arguments;
 *         -EBUSY if no format buffer is free, as in an NMI that interrupts other
 *         contexts that print (plain text, without a '%', needs no buffer); -E2BIG if
 *         the text is longer than 1023 bytes; -ENOSPC if the stream is full; -ENOMEM
 *         if no page is available without waiting, or if the limit of the memory
 *         cgroup or of all streams is reached. Refused messages are counted, except
 *         for -ENOENT.
 */
__bpf_kfunc int bpf_stream_vprintk(int stream_id, const char *fmt__str,
				   const void *args, u32 len__sz)
{
	WARN_ON_ONCE(1);
	return -EOPNOTSUPP;
}

/**
 * bpf_stream_vprintk_impl - print into a stream of the calling program
 * @stream_id: BPF_STDOUT or BPF_STDERR
 * @fmt__str: format of bpf_trace_vprintk()
 * @args: array of u64, one for each conversion
 * @len__sz: size of @args in bytes
 * @aux__prog: ignored
 *
 * The interface is that of Linux 6.18 and 6.19. See bpf_stream_vprintk().
 *
 * Context: As bpf_stream_vprintk().
 * Return: As bpf_stream_vprintk().
 */
__bpf_kfunc int bpf_stream_vprintk_impl(int stream_id, const char *fmt__str,
					const void *args, u32 len__sz,
					void *aux__prog)
{
	WARN_ON_ONCE(1);
	return -EOPNOTSUPP;
}

/**
 * bpf_stream_print_stack - print a stack trace into a stream
 * @stream_id: BPF_STDOUT or BPF_STDERR
 *
 * The interface is that of Linux 6.18. See bpf_stream_vprintk(). The stack trace begins
 * on a new line: if the text before it does not end in a newline, one is inserted.
 *
 * Context: As bpf_stream_vprintk().
 * Return: 0; -ENOENT if the stream does not exist; -EBUSY if no format buffer is free;
 *         -ENOSPC if the stack trace does not fit the stream; -ENOMEM as
 *         bpf_stream_vprintk(). On failure nothing is printed.
 */
__bpf_kfunc int bpf_stream_print_stack(int stream_id)
{
	WARN_ON_ONCE(1);
	return -EOPNOTSUPP;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(stream_kfunc_set)
BTF_ID_FLAGS(func, bpf_stream_vprintk, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_stream_vprintk_impl, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_stream_print_stack)
BTF_KFUNCS_END(stream_kfunc_set)

BTF_ID_LIST_SINGLE(stream_vprintk_id, func, bpf_stream_vprintk)
BTF_ID_LIST_SINGLE(stream_vprintk_impl_id, func, bpf_stream_vprintk_impl)

/**
 * bpf_stream_is_kfunc - test for the kfuncs that print
 * @btf_id: of a function in vmlinux
 *
 * They neither take locks nor sleep.
 */
bool bpf_stream_is_kfunc(u32 btf_id)
{
	return btf_id_set8_contains(&stream_kfunc_set, btf_id);
}

/**
 * bpf_stream_ignores_arg - test if an argument is ignored
 * @btf_id: of a function in vmlinux
 * @arg: number of the argument, from 0
 *
 * bpf_stream_vprintk_impl() does not use the aux that is passed to it.
 */
bool bpf_stream_ignores_arg(u32 btf_id, int arg)
{
	return btf_id == stream_vprintk_impl_id[0] && arg == 4;
}

static bool is_vprintk(u32 btf_id)
{
	return btf_id == stream_vprintk_id[0] || btf_id == stream_vprintk_impl_id[0];
}

/* Return: the length of the text if the call can only print this constant text; or 0. */
static unsigned int stream_const_len(const struct bpf_reg_state *fmt,
				     const struct bpf_reg_state *size)
{
	unsigned int len, off = fmt->off + fmt->var_off.value;
	struct bpf_map *map = fmt->map_ptr;
	const char *text;
	u64 value;

	if (!tnum_equals_const(size->var_off, 0))
		return 0;

	/* It succeeded when the format was checked. */
	if (WARN_ON_ONCE(map->ops->map_direct_value_addr(map, &value, off)))
		return 0;

	text = (const char *)(unsigned long)value + off;
	len = bpf_stream_plain_len(text);
	return text[len] || len >= MAX_BPRINTF_BUF ? 0 : len;
}

/**
 * bpf_stream_note_call - note the length of a constant text
 * @aux: of the call instruction
 * @btf_id: of the function, which is in vmlinux
 * @regs: registers at the call, already checked
 *
 * Most messages without arguments are constant texts. @aux->stream_text_len gets the
 * length of such a text, so that it is not scanned each time it is printed. If the
 * instruction can print several texts, they must have the same length.
 */
void bpf_stream_note_call(struct bpf_insn_aux_data *aux, u32 btf_id,
			  const struct bpf_reg_state *regs)
{
	u64 len;

	if (!is_vprintk(btf_id))
		return;

	len = stream_const_len(&regs[BPF_REG_2], &regs[BPF_REG_4]) ?: STREAM_TEXT_ANY;
	if (aux->stream_text_len && aux->stream_text_len != len)
		len = STREAM_TEXT_ANY;
	aux->stream_text_len = len;
}

static bool is_text(const struct bpf_insn_aux_data *aux)
{
	return aux->stream_text_len && aux->stream_text_len != STREAM_TEXT_ANY;
}

/* Load the program's aux into a register, and call. */
static int stream_emit_call(struct bpf_insn *buf, int reg, struct bpf_prog_aux *prog_aux,
			    struct bpf_insn call)
{
	const struct bpf_insn ld_aux[] = { BPF_LD_IMM64(reg, (long)prog_aux) };

	buf[0] = ld_aux[0];
	buf[1] = ld_aux[1];
	buf[2] = call;
	return 3;
}

/**
 * bpf_stream_fixup_call - generate the call that replaces that of a kfunc
 * @aux: of the call instruction
 * @btf_id: of the kfunc, for which bpf_stream_is_kfunc() is true
 * @prog_aux: of the program
 * @buf: buffer for INSN_BUF_SIZE instructions
 *
 * Return: number of instructions.
 */
int bpf_stream_fixup_call(const struct bpf_insn_aux_data *aux, u32 btf_id,
			  struct bpf_prog_aux *prog_aux, struct bpf_insn *buf)
{
	prog_aux->may_print = true;
	if (!is_vprintk(btf_id))
		return stream_emit_call(buf, BPF_REG_2, prog_aux,
					BPF_EMIT_CALL(bpf_stream_prog_print_stack));

	if (!is_text(aux))
		return stream_emit_call(buf, BPF_REG_5, prog_aux,
					BPF_EMIT_CALL(bpf_stream_prog_vprintk));

	buf[0] = BPF_MOV64_IMM(BPF_REG_3, aux->stream_text_len);
	return 1 + stream_emit_call(buf + 1, BPF_REG_4, prog_aux,
				    BPF_EMIT_CALL(bpf_stream_prog_print));
}

/* The text can contain kernel addresses. */
static int stream_kfunc_filter(const struct bpf_prog *prog, u32 kfunc_id)
{
	if (!bpf_stream_is_kfunc(kfunc_id) ||
	    bpf_token_capable(prog->aux->token, CAP_PERFMON))
		return 0;

	return -EACCES;
}

static const struct btf_kfunc_id_set stream_kfuncs = {
	.owner	= THIS_MODULE,
	.set	= &stream_kfunc_set,
	.filter	= stream_kfunc_filter,
};

static int __init stream_kfuncs_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_UNSPEC, &stream_kfuncs);
}
late_initcall(stream_kfuncs_init);
