/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
#ifndef __BPF_STREAMS__
#define __BPF_STREAMS__

/*
 * Print into the standard streams of a BPF program, with one object file for all
 * kernels. bpf_helpers.h includes this file. It can also be used with the
 * bpf_helpers.h of any libbpf from 1.1 on, which has to be included before it (and
 * vmlinux.h or linux/types.h before that, as usual).
 *
 * The kfunc that prints has had several prototypes:
 *
 *   Linux 6.17          bpf_stream_vprintk() with 5 arguments
 *   Linux 6.18, 6.19    bpf_stream_vprintk_impl() with 5 arguments
 *   Linux 7.0 and up    bpf_stream_vprintk() with 4 arguments
 *
 * Each is declared here with a suffix that libbpf (since 1.3) ignores when it
 * resolves the kfunc. The suffixes prevent conflicts between these declarations,
 * and with those in vmlinux.h or an older header. libbpf does not resolve a kfunc
 * that the running kernel doesn't have, or has with another prototype.
 */

/* the verifier passes the program */
int bpf_stream_vprintk___implicit_prog(int stream_id, const char *fmt__str,
				       const void *args, __u32 len__sz) __weak __ksym;
/* the verifier replaces the last argument with the program */
int bpf_stream_vprintk___explicit_prog(int stream_id, const char *fmt__str,
				       const void *args, __u32 len__sz,
				       void *aux__prog) __weak __ksym;
/*
 * Its last argument must be void *. In Linux 7.0 and up it has another type, so libbpf
 * does not resolve it there; it cannot be called.
 */
int bpf_stream_vprintk_impl___explicit_prog(int stream_id, const char *fmt__str,
					    const void *args, __u32 len__sz,
					    void *aux__prog) __weak __ksym;
int bpf_stream_print_stack___any_kernel(int stream_id) __weak __ksym;

#ifndef bpf_ksym_exists /* libbpf 1.1 */
#define bpf_ksym_exists(sym) (!!(sym))
#endif

/* in case that vmlinux.h or linux/bpf.h doesn't define the streams */
#ifndef BPF_STDOUT
#define BPF_STDOUT 1
#endif
#ifndef BPF_STDERR
#define BPF_STDERR 2
#endif

/*
 * On a kernel without streams a message is printed as by bpf_printk(), or not at all
 * if BPF_STREAM_NO_FALLBACK is defined before any header that includes this one.
 */
#ifdef BPF_STREAM_NO_FALLBACK

#define ___bpf_stream_fallback(fmt, fmt_size, args, narg) (-95) /* EOPNOTSUPP */
#define ___bpf_stream_no_stack(stream_id) (-95)

#else

static __always_inline int
___bpf_stream_fallback(const char *fmt, __u32 fmt_size,
		       const unsigned long long *args, __u32 narg)
{
	long ret;

	/* all kernels have a helper for up to three arguments */
	if (narg > 3)
		ret = bpf_trace_vprintk(fmt, fmt_size, args, narg * sizeof(*args));
	else if (narg == 3)
		ret = bpf_trace_printk(fmt, fmt_size, args[0], args[1], args[2]);
	else if (narg == 2)
		ret = bpf_trace_printk(fmt, fmt_size, args[0], args[1]);
	else if (narg == 1)
		ret = bpf_trace_printk(fmt, fmt_size, args[0]);
	else
		ret = bpf_trace_printk(fmt, fmt_size);

	return ret < 0 ? (int)ret : 0;
}

#define ___bpf_stream_no_stack(stream_id)				\
	bpf_stream_printk(stream_id,					\
			  "%s() at %s:%d (this kernel dumps no stacks)\n", \
			  __func__, __FILE__, __LINE__)

#endif

/*
 * It is known at load time which kfuncs exist, so the verifier removes all branches
 * but one as dead code.
 *
 * Light skeletons resolve kfuncs by name, regardless of the prototype. They fail to
 * load on Linux 7.0 and up, which have bpf_stream_vprintk_impl() in their BTF but not
 * as a symbol.
 */
static __always_inline int
___bpf_stream_vprintk(int stream_id, const char *fmt, __u32 fmt_size,
		      const unsigned long long *args, __u32 narg)
{
	__u32 len = narg * sizeof(*args);

	if (bpf_ksym_exists(bpf_stream_vprintk___implicit_prog))
		return bpf_stream_vprintk___implicit_prog(stream_id, fmt, args, len);
	if (bpf_ksym_exists(bpf_stream_vprintk_impl___explicit_prog))
		return bpf_stream_vprintk_impl___explicit_prog(stream_id, fmt, args, len,
							       (void *)0);
	if (bpf_ksym_exists(bpf_stream_vprintk___explicit_prog))
		return bpf_stream_vprintk___explicit_prog(stream_id, fmt, args, len,
							  (void *)0);

	return ___bpf_stream_fallback(fmt, fmt_size, args, narg);
}

/* the macros of libbpf 1.6 to 1.7 support one prototype only */
#undef bpf_stream_printk
#undef bpf_stream_print_stack

/**
 * @brief **bpf_stream_printk()** prints a message into one of the two streams of
 * the calling program
 * @param stream_id BPF_STDOUT for regular output, BPF_STDERR for errors
 * @param fmt string literal with the conversions of bpf_printk()
 * @param args up to 12 arguments
 * @return 0; negative error code if the kernel refuses the message, and then nothing
 * is printed
 *
 * May be used in any context in which the program may run. The verifier requires
 * CAP_PERFMON. On kernels without streams, or if loaded by a libbpf before 1.3, the
 * message is printed as by bpf_printk(), which cannot be used with a bpf_spin_lock
 * held. If BPF_STREAM_NO_FALLBACK is defined, nothing is printed in these cases, and
 * -EOPNOTSUPP is returned.
 *
 * libbpf has this macro since 1.6; this version supports all kernels.
 */
#define bpf_stream_printk(stream_id, fmt, args...)			\
({									\
	static const char ___fmt[] = fmt;				\
	/* the kfunc needs a valid pointer even without args */		\
	unsigned long long ___param[___bpf_narg(args) ?: 1];		\
									\
	_Pragma("GCC diagnostic push")					\
	_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")		\
	___bpf_fill(___param, args);					\
	_Pragma("GCC diagnostic pop")					\
									\
	___bpf_stream_vprintk(stream_id, ___fmt, sizeof(___fmt),	\
			      ___param, ___bpf_narg(args));		\
})

/**
 * @brief **bpf_stream_print_stack()** prints a stack trace of the calling program
 * into one of its streams: the CPU, the task, and the functions with their source lines
 * @param stream_id BPF_STDOUT or BPF_STDERR
 * @return see bpf_stream_printk()
 *
 * On kernels without this kfunc it prints only the source location of the call, with
 * bpf_stream_printk(). If BPF_STREAM_NO_FALLBACK is defined, it prints nothing there
 * and returns -EOPNOTSUPP.
 *
 * The macro has the name of the kfunc, so do not declare the kfunc after including this
 * header. vmlinux.h, which is included before, may declare it.
 */
#define bpf_stream_print_stack(stream_id)				\
({									\
	int ___stream_id = (stream_id);					\
									\
	bpf_ksym_exists(bpf_stream_print_stack___any_kernel) ?		\
		bpf_stream_print_stack___any_kernel(___stream_id) :	\
		___bpf_stream_no_stack(___stream_id);			\
})

#endif
