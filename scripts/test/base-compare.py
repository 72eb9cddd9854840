#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the base's BPF tests come to on two kernels, for base-compare.sh

base-compare.py again BASE SERIES
    the tests that differ, one a line: they are run again
base-compare.py table [--some] REASONS BASE SERIES [BASE SERIES]...
    a table of what differs, after all runs. Fails if a difference has no reason in
    REASONS, or, unless only some tests were run, if a reason there explains nothing

BASE and SERIES are results of one run: lines "RESULT TEST POINT", separated by tabs.
The line without a POINT says how the whole test ended, "ran" if it did by itself. What
one kernel gives now and the other then is no difference, but unsteady.
"""
import re
import sys

RAN = 'ran'
ABSENT = 'absent'


def read_results(path):
    """{test: {point: result}}"""
    tests = {}
    with open(path, encoding='utf-8', errors='replace') as file:
        for line in file:
            result, test, point = line.rstrip('\n').split('\t', 2)
            tests.setdefault(test, {})[point] = result
    return tests


def results(runs, test, point):
    """What the runs that had the test gave, in their order"""
    return [run[test].get(point, ABSENT) for run in runs if test in run]


def points(runs, test):
    return {point for run in runs for point in run.get(test, ()) if point}


class Row:
    def __init__(self, name, test, base, series):
        self.name = name
        self.test = test
        self.base = base or [ABSENT]
        self.series = series or [ABSENT]

    def same(self):
        return len(set(self.base + self.series)) == 1

    def unsteady(self):
        return not self.same() and bool(set(self.base) & set(self.series))


def compare(base, series):
    """A row for each point. Of tests that did not end by themselves there are no
    points that could be compared, but only how they ended."""
    for test in sorted({test for run in base + series for test in run}):
        ends = Row(test, test, results(base, test, ''), results(series, test, ''))
        if set(ends.base + ends.series) != {RAN}:
            yield ends
            continue
        for point in sorted(points(base, test) | points(series, test)):
            yield Row(point, test, results(base, test, point), results(series, test, point))


class Reason:
    def __init__(self, pattern, text):
        self.pattern = pattern
        self.text = text
        self.used = False
        self.regex = re.compile('.*'.join(map(re.escape, pattern.split('*'))))

    def explains(self, row):
        return self.regex.fullmatch(row.name)


def read_reasons(path):
    """Those of differences. What is left out begins with a sign."""
    reasons = []
    with open(path, encoding='utf-8') as file:
        for line in file:
            pattern, _, text = (part.strip() for part in line.partition('##'))
            if pattern and not pattern.startswith(('#', '- ', '! ')):
                reasons.append(Reason(pattern, text))
    return reasons


def words(found):
    """Each result once, in the order in which they came"""
    return '/'.join(dict.fromkeys(found))


def print_rows(title, rows, reasons):
    if not rows:
        return
    width = max(len(row.name) for row in rows)
    print(f'{title:{width}}  {"base":11} series')
    for row in rows:
        print(f'{row.name:{width}}  {words(row.base):11} {words(row.series)}')
        for reason in reasons:
            if reason.explains(row):
                print(f'    {reason.text}')
                reason.used = True
                break
    print()


def tally(rows):
    counts = {}
    for row in rows:
        counts[row.base[0]] = counts.get(row.base[0], 0) + 1
    return ', '.join(f'{count} {result}' for result, count in
                     sorted(counts.items(), key=lambda item: -item[1]))


def table(reasons_path, paths, some):
    base = [read_results(path) for path in paths[0::2]]
    series = [read_results(path) for path in paths[1::2]]
    reasons = read_reasons(reasons_path)
    rows = list(compare(base, series))
    same = [row for row in rows if row.same()]
    unsteady = [row for row in rows if row.unsteady()]
    differ = [row for row in rows if not row.same() and not row.unsteady()]

    print_rows('differs', differ, reasons)
    print_rows('unsteady', unsteady, reasons)
    unexplained = [row for row in differ
                   if not any(reason.explains(row) for reason in reasons)]
    stale = [] if some else [reason for reason in reasons if not reason.used]
    for row in unexplained:
        print(f'no reason: {row.name}')
    for reason in stale:
        print(f'explains nothing: {reason.pattern}')
    print(f'the same: {len(same)} ({tally(same)}); {len(unsteady)} unsteady; '
          f'{len(differ)} differ, {len(unexplained)} of them without a reason')
    return not same or bool(unexplained or stale)


def again(base, series):
    rows = compare([read_results(base)], [read_results(series)])
    for test in sorted({row.test for row in rows if not row.same()}):
        print(test)


def main(command, *args):
    if command == 'again':
        again(*args)
        return 0
    some = args[0] == '--some'
    return table(args[some], args[some + 1:], some)


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
