/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
#ifndef __BPF_STREAMS__
#define __BPF_STREAMS__

/*
 * Printing into the standard streams of a BPF program, from one object file for
 * all kernels. bpf_helpers.h includes this file. Alone, it goes with the
 * bpf_helpers.h of any libbpf from 1.1 on, if that is included first (and
 * vmlinux.h or linux/types.h before it, as always).
 *
 * The kfunc that prints has had several prototypes:
 *
 *   Linux 6.17          bpf_stream_vprintk() with 5 arguments
 *   Linux 6.18, 6.19    bpf_stream_vprintk_impl() with 5 arguments
 *   Linux 7.0 and up    bpf_stream_vprintk() with 4 arguments
 *
 * Each is declared here, under a name with a suffix that libbpf (since 1.3)
 * leaves out when it looks for the kfunc in the kernel. The suffixes keep them
 * apart from each other, and from what vmlinux.h or an older header may declare.
 * libbpf leaves those unset that the running kernel doesn't have, or has with
 * another prototype.
 */

/* the verifier adds the program */
int bpf_stream_vprintk___implicit_prog(int stream_id, const char *fmt__str,
				       const void *args, __u32 len__sz) __weak __ksym;
/* the verifier replaces the last argument by the program */
int bpf_stream_vprintk___explicit_prog(int stream_id, const char *fmt__str,
				       const void *args, __u32 len__sz,
				       void *aux__prog) __weak __ksym;
/*
 * Its last argument must be void *: that of Linux 7.0 and up, which cannot be called,
 * has another type, by which libbpf tells them apart.
 */
int bpf_stream_vprintk_impl___explicit_prog(int stream_id, const char *fmt__str,
					    const void *args, __u32 len__sz,
					    void *aux__prog) __weak __ksym;
int bpf_stream_print_stack___any_kernel(int stream_id) __weak __ksym;

#ifndef bpf_ksym_exists /* libbpf 1.1 */
#define bpf_ksym_exists(sym) (!!(sym))
#endif

/* The streams, for those whose vmlinux.h or linux/bpf.h doesn't know them */
#ifndef BPF_STDOUT
#define BPF_STDOUT 1
#endif
#ifndef BPF_STDERR
#define BPF_STDERR 2
#endif

/*
 * What becomes of a message on a kernel without streams: what bpf_printk() does
 * with it or, where BPF_STREAM_NO_FALLBACK is defined before any header that includes
 * this one, nothing.
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

	/* for up to three arguments there is a helper in every kernel */
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
 * When the program is loaded it is known which kfuncs there are, so the verifier
 * finds all branches but one dead and drops them.
 *
 * Light skeletons find kfuncs by name alone, whatever the prototype. Linux 7.0 and
 * up refuse to load them: there is a bpf_stream_vprintk_impl() in their BTF that
 * exists nowhere else.
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

/* those of libbpf 1.6 to 1.7 go with one prototype only */
#undef bpf_stream_printk
#undef bpf_stream_print_stack

/**
 * @brief **bpf_stream_printk()** prints a message into one of the two streams of
 * the calling program
 * @param stream_id BPF_STDOUT for regular output, BPF_STDERR for errors
 * @param fmt string literal with the conversions of bpf_printk()
 * @param args up to 12 arguments
 * @return 0; negative error code if the kernel refuses the message, nothing of
 * which is printed then
 *
 * In any context in which the program may run. The verifier asks for CAP_PERFMON.
 * On kernels without streams, or when loaded by a libbpf before 1.3, the message
 * goes where those of bpf_printk() go: then it cannot be used with a bpf_spin_lock
 * held. In a program with BPF_STREAM_NO_FALLBACK it goes nowhere, and -EOPNOTSUPP
 * is returned.
 *
 * The macro is libbpf's own since 1.6; this one is for all kernels.
 */
#define bpf_stream_printk(stream_id, fmt, args...)			\
({									\
	static const char ___fmt[] = fmt;				\
	/* the kfunc needs a valid pointer also if there are no args */	\
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
 * @brief **bpf_stream_print_stack()** prints where the calling program is into
 * one of its streams: the CPU, the task, and the functions with their source lines
 * @param stream_id as of bpf_stream_printk()
 * @return as of bpf_stream_printk()
 *
 * Where the kernel has no such kfunc, it prints the place of the call only, by
 * bpf_stream_printk(). In a program with BPF_STREAM_NO_FALLBACK it prints nothing
 * there and returns -EOPNOTSUPP.
 *
 * A macro named like the kfunc: do not declare that yourself. vmlinux.h may, as it
 * is included before.
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
