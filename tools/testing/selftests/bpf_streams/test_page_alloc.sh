#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# alloc_pages_nolock() and free_pages_nolock(): their KUnit tests

exec "$(dirname "$0")/kunit.sh" page_alloc_nolock CONFIG_PAGE_ALLOC_NOLOCK_KUNIT_TEST
