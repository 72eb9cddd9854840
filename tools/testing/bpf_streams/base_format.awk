# SPDX-License-Identifier: GPL-2.0
#
# Extracts the unmodified code that renders BPF's messages from lib/vsprintf.c and
# kernel/bpf/helpers.c. If there are several variants for different word sizes, the first
# one, for 64 bits, is used.

BEGIN {
	n = split("^int skip_atoi\\(;^static const u16 decpair;^char \\*put_dec_trunc8\\(;" \
		  "^char \\*put_dec_full8\\(;^char \\*put_dec\\(;^enum format_type;" \
		  "^struct printf_spec \\{;^char \\*number\\(;^static void move_right\\(;" \
		  "^char \\*widen_string\\(;^static char \\*string_nocheck\\(;" \
		  "^int format_decode\\(;^set_field_width\\(;^set_precision\\(;" \
		  "^int bstr_printf\\(;^int bpf_bprintf_prepare\\(", starts, ";")
}

/^#define (SIGN|LEFT|PLUS|SPACE|ZEROPAD|SMALL|SPECIAL|FIELD_WIDTH_MAX|PRECISION_MAX)[ \t]/ {
	print
	next
}

!inside {
	for (i = 1; i <= n; i++)
		if (!(i in seen) && $0 ~ starts[i]) {
			seen[i]
			inside = 1
			if ($0 ~ /^set_/)
				print "static void"
			break
		}
}

inside { print }
/^}( [a-z_]+)?;?$/ { inside = 0 }

END {
	for (i = 1; i <= n; i++)
		if (!(i in seen)) {
			print "#error \"" starts[i] " was not found in the base's files\""
			exit 1
		}
}
