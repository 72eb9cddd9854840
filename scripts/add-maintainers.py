#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""add-maintainers.py FRAGMENT <MAINTAINERS >NEW

Puts each entry of FRAGMENT where the alphabet wants it in the kernel's list of
maintainers. Lines of the fragment that start with # are comments.
"""

import re
import sys

KEY = re.compile(r"[A-Z]:\t")


def paragraphs(text):
    return [p.strip("\n") for p in re.split(r"\n\s*\n", text) if p.strip("\n")]


def title(paragraph):
    """The name of an entry; None for anything that is not an entry."""
    lines = paragraph.split("\n")
    if len(lines) > 1 and KEY.match(lines[1]):
        return lines[0]
    return None


def place(base, name):
    """Where the entry belongs. The list is not quite sorted: take the place
    with the fewest entries on the wrong side."""
    entries = list(re.finditer(r"(?<=\n\n)([^\n\t].*)\n[A-Z]:\t", base))
    entries = [e for e in entries if e[1] != "THE REST"]
    if not entries:
        sys.exit("standard input: no list of maintainers")
    wrong = best = sum(e[1] < name for e in entries)
    at = entries[0].start()
    for entry, after in zip(entries, entries[1:]):
        wrong += 1 if entry[1] > name else -1
        if wrong < best:
            best, at = wrong, after.start()
    return at


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        text = "".join(line for line in file if not line.startswith("#"))
    new = paragraphs(text)
    for entry in new:
        if title(entry) is None:
            sys.exit(f"{sys.argv[1]}: not an entry: {entry.splitlines()[0]}")

    sys.stdin.reconfigure(encoding="utf-8")
    sys.stdout.reconfigure(encoding="utf-8")
    base = sys.stdin.read().rstrip("\n")
    for entry in new:
        at = place(base, title(entry))
        base = base[:at] + entry + "\n\n" + base[at:]
    print(base)


if __name__ == "__main__":
    main()
