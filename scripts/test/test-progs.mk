# SPDX-License-Identifier: GPL-2.0
#
# Builds $(OUT)/test_progs: the base's runner of BPF tests, with some of its tests
# and all of it from unmodified files. The base's own Makefile would build all that
# there is, with a kernel module and libraries that the test machine lacks.
#
# scripts/test/test-progs.sh calls this and sets
#
#   SRC        tools/testing/selftests/bpf of the composed tree
#   OUT        where the products go
#   FILES      what to take of prog_tests/, without .c
#   KERNEL     the kernel's build folder: types, configuration, uapi headers
#   LIBBPF     an installed libbpf
#   SHIM       the one file that is ours
#   STATIC     -static, or nothing where libelf cannot be linked so
#   BPFTOOL, CLANG, CC

SELF := $(lastword $(MAKEFILE_LIST))
TOOLS := $(abspath $(SRC)/../../..)
TESTS := $(foreach f,$(FILES),$(or $(wildcard $(SRC)/prog_tests/$f.c),		\
				   $(error the base has no prog_tests/$f.c)))

# What test_progs consists of, but for xsk.c, which only tests of AF_XDP use
HELPERS := test_progs test_loader testing_helpers trace_helpers network_helpers	\
	   netlink_helpers cgroup_helpers cap_helpers unpriv_helpers btf_helpers	\
	   disasm disasm_helpers jit_disasm_helpers json_writer

SKELS := $(sort $(shell sed -n 's/^\#include ["<]\(.*\)\.skel\.h[">]/\1/p' $(TESTS)))
OBJS := $(HELPERS:%=$(OUT)/%.o) $(FILES:%=$(OUT)/%.test.o) $(OUT)/shim.o
LIBBPF_A := $(firstword $(wildcard $(LIBBPF)/lib64/libbpf.a $(LIBBPF)/lib/libbpf.a))

# The flags are those of the base's Makefile. No warnings: the files are not ours
CFLAGS := -g -O0 -fno-omit-frame-pointer -w -DHAVE_GENHDR -I$(OUT) -I$(SRC)	\
	  -I$(LIBBPF)/include -I$(KERNEL)/include/generated -I$(TOOLS)/lib	\
	  -I$(TOOLS)/include -I$(TOOLS)/arch/x86/include -I$(TOOLS)/include/uapi
SYS_INCLUDES := $(shell $(CLANG) -v -E - </dev/null 2>&1 | sed -n		\
	'/<...> search starts here:/,/End of search list./s|^ \(/.*\)|-idirafter \1|p')
BPF_CFLAGS := -g -O2 --target=bpf -mcpu=v3 -mlittle-endian -w			\
	      -D__TARGET_ARCH_x86 -DENABLE_ATOMICS_TESTS -I$(OUT) -I$(SRC)	\
	      -I$(LIBBPF)/include -I$(TOOLS)/include/uapi			\
	      -I$(KERNEL)/usr/include $(SYS_INCLUDES)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all FORCE

all: $(OUT)/test_progs

$(OUT)/test_progs: $(OUT)/test_progs.debug
	@echo "STRIP $(@F)"
	@strip -o $@ $<

$(OUT)/test_progs.debug: $(OBJS) $(LIBBPF_A)
	@echo "LINK $(@F)"
	@$(CC) $(STATIC) -Wl,--wrap=open,--wrap=setns $^ -lelf -lz -lpthread -o $@

$(OUT)/shim.o: $(SHIM)
	@echo "CC $(<F)"
	@$(CC) -O2 -Wall -Wextra -Werror -c $< -o $@

$(OUT)/%.o: $(SRC)/%.c $(OUT)/prog_tests/tests.h $(SELF)
	@echo "CC $(<F)"
	@$(CC) $(CFLAGS) -MMD -MP -c $< -o $@

$(OUT)/%.test.o: $(SRC)/prog_tests/%.c $(SELF) | $(SKELS:%=$(OUT)/%.skel.h)
	@echo "CC prog_tests/$(<F)"
	@$(CC) $(CFLAGS) -MMD -MP -c $< -o $@

$(OUT)/%.bpf.o: $(SRC)/progs/%.c $(OUT)/vmlinux.h $(SELF)
	@echo "CLANG progs/$(<F)"
	@$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(OUT)/%.skel.h: $(OUT)/%.bpf.o $(BPFTOOL)
	@echo "SKEL $(@F)"
	@$(BPFTOOL) gen object $(OUT)/$*.linked.o $<
	@$(BPFTOOL) gen skeleton $(OUT)/$*.linked.o name $* >$@

# Both are written anew only if that changes them: all others depend on them
$(OUT)/vmlinux.h: FORCE
	@$(BPFTOOL) btf dump file $(KERNEL)/vmlinux format c >$@.tmp
	@cmp -s $@.tmp $@ || mv $@.tmp $@

$(OUT)/prog_tests/tests.h: FORCE
	@mkdir -p $(@D)
	@sed -n -E 's/^void (serial_)?test_([a-zA-Z0-9_]+)\((void)?\).*/DEFINE_TEST(\2)/p' \
		$(TESTS) | sort >$@.tmp
	@cmp -s $@.tmp $@ || mv $@.tmp $@

-include $(wildcard $(OUT)/*.d)
