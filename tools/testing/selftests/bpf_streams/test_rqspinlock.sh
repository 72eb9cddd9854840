#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Resilient queued spin locks: their KUnit tests

exec "$(dirname "$0")/kunit.sh" rqspinlock CONFIG_RQSPINLOCK_KUNIT_TEST
