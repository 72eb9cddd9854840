// SPDX-License-Identifier: GPL-2.0
/* Text goes to the streams of the program that printed it, in all kinds of functions */
#include "../kselftest_harness.h"
#include "streams_test.h"
#include "attribution.skel.h"
#include "extension.skel.h"

FIXTURE(attribution)
{
	struct attribution_bpf *skel;
};

FIXTURE_SETUP(attribution)
{
	self->skel = attribution_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
}

FIXTURE_TEARDOWN(attribution)
{
	attribution_bpf__destroy(self->skel);
}

TEST_F(attribution, of_subprograms)
{
	ASSERT_EQ(0, run(self->skel->progs.subprogs));
	EXPECT_TRUE(stream_is(self->skel->progs.subprogs, STDOUT, "static 64\n"));
	EXPECT_TRUE(stream_is(self->skel->progs.subprogs, STDERR, "global 64\n"));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(attribution, of_subprograms_that_two_programs_call)
{
	ASSERT_EQ(0, run(self->skel->progs.subprogs));
	ASSERT_EQ(0, run(self->skel->progs.same_subprogs));
	EXPECT_TRUE(stream_is(self->skel->progs.subprogs, STDOUT, "static 64\n"));
	EXPECT_TRUE(stream_is(self->skel->progs.subprogs, STDERR, "global 64\n"));
	EXPECT_TRUE(stream_is(self->skel->progs.same_subprogs, STDOUT, "static 1\n"));
	EXPECT_TRUE(stream_is(self->skel->progs.same_subprogs, STDERR, "global 2\n"));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

#define NR_TAGS 8

/* Return: number of functions of the program, with their tags. */
static int get_tags(const struct bpf_program *prog, unsigned char tags[NR_TAGS][BPF_TAG_SIZE])
{
	struct bpf_prog_info info = {
		.prog_tags = (unsigned long)tags,
		.nr_prog_tags = NR_TAGS,
	};
	__u32 len = sizeof(info);

	memset(tags, 0, NR_TAGS * BPF_TAG_SIZE);
	if (bpf_prog_get_info_by_fd(bpf_program__fd(prog), &info, &len))
		return -1;
	return info.nr_prog_tags;
}

/* Those who look for a function by its symbol, which has the tag, find it again. */
TEST_F(attribution, tags_are_the_same_whenever_a_program_is_loaded)
{
	unsigned char first[NR_TAGS][BPF_TAG_SIZE], second[NR_TAGS][BPF_TAG_SIZE];
	struct bpf_program *a = NULL, *b = NULL;
	struct attribution_bpf *again;
	int nr;

	SKIP_UNLESS_OURS("tags of functions that print are stable");
	again = attribution_bpf__open_and_load();
	ASSERT_NE(NULL, again);
	while ((a = bpf_object__next_program(self->skel->obj, a))) {
		b = bpf_object__next_program(again->obj, b);
		if (!bpf_program__autoload(a))
			continue;
		nr = get_tags(a, first);
		EXPECT_LT(0, nr);
		EXPECT_EQ(nr, get_tags(b, second));
		EXPECT_EQ(0, memcmp(first, second, sizeof(first)))
			TH_LOG("%s", bpf_program__name(a));
	}
	attribution_bpf__destroy(again);
}

TEST_F(attribution, of_bpf_loop_callback)
{
	ASSERT_EQ(0, run(self->skel->progs.loop));
	EXPECT_TRUE(stream_is(self->skel->progs.loop, STDOUT,
			      "loop 0\nloop 1\nloop 2\n"));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(attribution, of_for_each_map_elem_callback)
{
	ASSERT_EQ(0, run(self->skel->progs.each_elem));
	EXPECT_TRUE(stream_is(self->skel->progs.each_elem, STDOUT,
			      "element 0\nelement 1\nelement 2\n"));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(attribution, of_timer_callback)
{
	ASSERT_EQ(0, run(self->skel->progs.timer));
	wait_until(__atomic_load_n(&self->skel->bss->timer_done, __ATOMIC_ACQUIRE));
	EXPECT_EQ(0, self->skel->bss->timer_err);
	EXPECT_TRUE(stream_is(self->skel->progs.timer, STDERR, "timer\n"));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(attribution, of_tail_call)
{
	int key = 0, callee = bpf_program__fd(self->skel->progs.tail_callee);

	ASSERT_EQ(0, bpf_map_update_elem(bpf_map__fd(self->skel->maps.tails),
					 &key, &callee, BPF_ANY));
	ASSERT_EQ(0, run(self->skel->progs.tail_caller));
	EXPECT_TRUE(stream_is(self->skel->progs.tail_caller, STDOUT,
			      "before the tail call\n"));
	EXPECT_TRUE(stream_is(self->skel->progs.tail_callee, STDOUT, "tail call\n"));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(attribution, of_freplace_is_the_extension)
{
	struct bpf_program *target = self->skel->progs.replaced;
	struct extension_bpf *ext;
	struct bpf_link *link;

	ext = extension_bpf__open();
	ASSERT_NE(NULL, ext);
	ASSERT_EQ(0, bpf_program__set_attach_target(ext->progs.extension,
						    bpf_program__fd(target),
						    "replaceable"));
	ASSERT_EQ(0, extension_bpf__load(ext));

	ASSERT_EQ(0, run(target));
	EXPECT_TRUE(stream_is(target, STDOUT, "target\noriginal\n"));
	EXPECT_TRUE(stream_is(ext->progs.extension, STDOUT, ""));

	link = bpf_program__attach(ext->progs.extension);
	ASSERT_NE(NULL, link);
	ASSERT_EQ(0, run(target));
	EXPECT_TRUE(stream_is(target, STDOUT, "target\n"));
	EXPECT_TRUE(stream_is(ext->progs.extension, STDOUT, "replacement\n"));

	ASSERT_EQ(0, bpf_link__destroy(link));
	ASSERT_EQ(0, run(target));
	EXPECT_TRUE(stream_is(target, STDOUT, "target\noriginal\n"));
	EXPECT_TRUE(others_are_empty(ext->obj));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
	extension_bpf__destroy(ext);
}

TEST(attribution_of_sleepable_program)
{
	static const char * const names[] = {
		"__x64_sys_getpgid", "__arm64_sys_getpgid", "__s390x_sys_getpgid",
		"__riscv_sys_getpgid", "sys_getpgid",
	};
	struct attribution_bpf *skel;
	struct bpf_program *prog;
	size_t i;

	mount_debugfs();
	if (access("/sys/kernel/debug/error_injection/list", R_OK))
		SKIP(return, "kernel without CONFIG_FUNCTION_ERROR_INJECTION");

	skel = attribution_bpf__open();
	ASSERT_NE(NULL, skel);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (kernel_has_func(names[i]))
			break;
	ASSERT_GT(ARRAY_SIZE(names), i);

	prog = skel->progs.sleepable;
	bpf_program__set_autoload(prog, true);
	ASSERT_EQ(0, bpf_program__set_attach_target(prog, 0, names[i]));
	ASSERT_EQ(0, attribution_bpf__load(skel));
	skel->bss->pid = getpid();
	skel->links.sleepable = bpf_program__attach(prog);
	ASSERT_NE(NULL, skel->links.sleepable);
	getpgid(0);
	attribution_bpf__detach(skel);

	EXPECT_TRUE(stream_is(prog, STDOUT, "sleepable\n"));
	EXPECT_TRUE(others_are_empty(skel->obj));
	attribution_bpf__destroy(skel);
}

STREAMS_TEST_MAIN
