#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds build/lockdep: the kernel of configs/vm.config that checks its use of locks.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

exec "$SCRIPTS/kernel.sh" --out "$BUILD/lockdep" \
	--config "$REPO/configs/vm.config" --config "$REPO/configs/lockdep.config"
