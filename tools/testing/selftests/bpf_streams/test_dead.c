// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel removes functions that a program never calls. The properties of the others
 * must be preserved.
 */
#include "../kselftest_harness.h"
#include "streams_test.h"
#include "dead.skel.h"
#include "dead_extension.skel.h"

FIXTURE(dead)
{
	struct dead_bpf *skel;
};

/* With all functions, and with only those that are called */
FIXTURE_VARIANT(dead)
{
	bool wanted;
};

FIXTURE_VARIANT_ADD(dead, all_functions) { .wanted = true };
FIXTURE_VARIANT_ADD(dead, some_removed) { .wanted = false };

FIXTURE_SETUP(dead)
{
	SKIP_UNLESS_OURS("what is known of functions stays with them");
	self->skel = dead_bpf__open();
	ASSERT_NE(NULL, self->skel);
	self->skel->rodata->wanted = variant->wanted;
}

FIXTURE_TEARDOWN(dead)
{
	dead_bpf__destroy(self->skel);
}

TEST_F(dead, exception_callback_is_called)
{
	struct bpf_program *prog = self->skel->progs.throws;

	bpf_program__set_autoload(prog, true);
	ASSERT_EQ(0, dead_bpf__load(self->skel));
	EXPECT_EQ(6, run(prog));
}

TEST_F(dead, address_of_a_function_may_be_loaded)
{
	struct bpf_program *prog = self->skel->progs.addresses;

	bpf_program__set_autoload(prog, true);
	ASSERT_EQ(0, dead_bpf__load(self->skel));
	EXPECT_EQ(1, run(prog));
}

TEST_F(dead, callback_that_is_never_called_may_be_given)
{
	struct bpf_program *first = self->skel->progs.loops_not_at_all_first;
	struct bpf_program *last = self->skel->progs.loops_not_at_all_last;

	bpf_program__set_autoload(first, true);
	bpf_program__set_autoload(last, true);
	ASSERT_EQ(0, dead_bpf__load(self->skel));
	EXPECT_EQ(0, run(first));
	EXPECT_EQ(0, run(last));
}

TEST_F(dead, program_may_end_with_a_call_that_throws)
{
	struct bpf_program *prog = self->skel->progs.throws_in_the_end;

	bpf_program__set_autoload(prog, true);
	ASSERT_EQ(0, dead_bpf__load(self->skel));
	EXPECT_EQ(0, run(prog));
	self->skel->bss->how = 1;
	EXPECT_EQ(5, run(prog));
	self->skel->bss->how = 2;
	EXPECT_EQ(5, run(prog));
}

static char log_buf[4096];

/* Load the extension of that name for that function. Return: 0 or an error. */
static int replace(struct dead_bpf *skel, const char *name, const char *func)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts,
		    .kernel_log_buf = log_buf,
		    .kernel_log_size = sizeof(log_buf),
		    .kernel_log_level = 1);
	struct dead_extension_bpf *ext = dead_extension_bpf__open_opts(&opts);
	struct bpf_program *prog;
	int err;

	if (!ext)
		return -errno;
	prog = bpf_object__find_program_by_name(ext->obj, name);
	bpf_program__set_autoload(prog, true);
	bpf_program__set_attach_target(prog, bpf_program__fd(skel->progs.target), func);
	quiet_libbpf(true);
	err = dead_extension_bpf__load(ext);
	quiet_libbpf(false);
	dead_extension_bpf__destroy(ext);
	return err;
}

TEST_F(dead, function_is_replaced_only_if_its_type_is_right)
{
	bpf_program__set_autoload(self->skel->progs.target, true);
	ASSERT_EQ(0, dead_bpf__load(self->skel));
	EXPECT_EQ(0, replace(self->skel, "of_reliable", "reliable"));
	EXPECT_EQ(-EINVAL, replace(self->skel, "of_unreliable", "unreliable"));
	EXPECT_NE(NULL, strstr(log_buf, "Cannot replace static functions"))
		TH_LOG("%s", log_buf);
}

STREAMS_TEST_MAIN
