#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of what is handed out, see dist-tests.sh. The last line counts, as that of
# check.sh.

. "$(dirname "$0")/../lib.sh"
use test/counted-steps dist/dist-tests

build_all
dist_tests
finish
