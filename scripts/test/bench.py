#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Figures of bench_streams, lines "SUBJECT.WHAT VALUE", for bench.sh

bench.py table DIR NAME...       a table of DIR/NAME, and ratios to the first
bench.py json FILE               as JSON
bench.py plot DIR NAME...        data for bench.gnuplot
bench.py compare BASELINE FILE   fails if a figure is more than 3 % above the baseline's,
                                 or above its budget
"""
import json
import sys

TITLES = {
    'const1': '1 byte of text: what the stream itself takes',
    'const16': '16 bytes of text',
    'ints24': 'three integers, 24 bytes',
    'str32': '%s of 32 bytes, two integers',
    'const200': '200 bytes of text',
    'mixed8': 'eight arguments, 105 bytes',
    'syscall': 'system call',
    'read': 'read, buffer of so many bytes',
    'follow': 'following',
    'memory': 'memory, message of so many bytes',
}
SHAPES = {
    'const1': '1 byte\\nof text',
    'const16': '16 bytes\\nof text',
    'ints24': 'three\\nintegers',
    'str32': '%s, two\\nintegers',
    'const200': '200 bytes\\nof text',
    'mixed8': 'eight\\narguments',
}
TOLERANCE = 1.03

# What a figure must never be above, whatever the baseline says
BUDGETS = {
    'const1.stream': 140,
    'const16.stream': 350,
    'ints24.stream': 850,
    'str32.stream': 1000,
    'const200.stream': 500,
    'const16.refused': 100,
    'const200.refused': 100,
    'read.64': 450,
    'read.4096': 150,
    'memory.1': 24,
    # records of 32 bytes, of which a page has 127
    'memory.16': 32.3,
    # records of 80 bytes, of which a page has 51
    'memory.64': 80.4,
    'memory.left_KiB': 256,
}


def figures(path):
    with open(path, encoding='ascii') as file:
        return {name: float(value) for name, value in (line.split() for line in file)}


def table(folder, names):
    columns = [figures(f'{folder}/{name}') for name in names]
    print(f'{"":46}', ''.join(f'{name:>16}' for name in names))
    last = None
    for name in columns[0]:
        subject, what = name.split('.', 1)
        if subject != last:
            print(TITLES.get(subject, subject))
            last = subject
        ours = columns[0][name]
        cells = f'{ours:>16.1f}'
        for column in columns[1:]:
            theirs = column.get(name)
            if theirs is None:
                cells += f'{"-":>16}'
            elif ours > 0:
                cells += f'{theirs:>9.1f} {f"x{theirs / ours:.1f}":>6}'
            else:
                cells += f'{theirs:>16.1f}'
        print(f'    {what:42}', cells)


def plot(folder, names):
    """Printing on each kernel, and the other ways on the first"""
    columns = [figures(f'{folder}/{name}') for name in names]
    print('""', '"stream"', *(f'"stream, {name}"' for name in names[1:]),
          '"ring buffer"', '"bpf_snprintf() alone"', '"trace_pipe"')
    for shape, label in SHAPES.items():
        cells = [column.get(f'{shape}.stream') for column in columns]
        cells += [columns[0][f'{shape}.{way}'] for way in ('ringbuf', 'snprintf', 'trace')]
        print(f'"{label}"', *('-' if cell is None else f'{cell:.1f}' for cell in cells))


def compare(baseline, path):
    with open(baseline, encoding='ascii') as file:
        known = json.load(file)
    now = figures(path)
    worse = 0
    for name, value in now.items():
        if name not in known:
            print(f'{name}: {value:.1f} is new')
            worse += 1
        elif value > known[name] * TOLERANCE:
            print(f'{name}: {value:.1f}, was {known[name]:.1f}')
            worse += 1
        elif value * TOLERANCE < known[name]:
            print(f'{name}: {value:.1f}, was {known[name]:.1f}: better')
    for name in known.keys() - now.keys():
        print(f'{name}: was {known[name]:.1f} and is not measured any more')
        worse += 1
    for name in BUDGETS.keys() & now.keys():
        if now[name] > BUDGETS[name]:
            print(f'{name}: {now[name]:.1f}, and may be {BUDGETS[name]}')
            worse += 1
    for name, value in now.items():
        shape, what = name.split('.', 1)
        if what == 'refused' and value > now[f'{shape}.stream']:
            print(f'{name}: {value:.1f}, more than a message that is accepted')
            worse += 1
    return worse == 0


def main(args):
    if len(args) >= 3 and args[0] == 'table':
        table(args[1], args[2:])
    elif len(args) >= 3 and args[0] == 'plot':
        plot(args[1], args[2:])
    elif len(args) == 2 and args[0] == 'json':
        print(json.dumps(figures(args[1]), indent=4))
    elif len(args) == 3 and args[0] == 'compare':
        return 0 if compare(args[1], args[2]) else 1
    else:
        sys.exit(__doc__)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
