#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of what is handed out, see dist-lib.sh. The last line counts, as that of
# check.sh.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=series-lib.sh
. "$SCRIPTS/series-lib.sh"
# shellcheck source=tap-lib.sh
. "$SCRIPTS/tap-lib.sh"
# shellcheck source=selftests-lib.sh
. "$SCRIPTS/selftests-lib.sh"
# shellcheck source=check-lib.sh
. "$SCRIPTS/check-lib.sh"
# shellcheck source=link-lib.sh
. "$SCRIPTS/link-lib.sh"
# shellcheck source=dist-lib.sh
. "$SCRIPTS/dist-lib.sh"

build_all
dist_tests
finish
