# SPDX-License-Identifier: GPL-2.0
# What printing a message costs; "data" and "columns" are set by measure.sh.

set terminal svg size 760,380 font "sans,12" noenhanced
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 border -1
set boxwidth 0.9
set key top left
set ylabel "instructions per message"
set yrange [0:*]
set xrange [-0.6:5.6]
set xtics scale 0
set bmargin 3
set grid ytics
set datafile missing "-"
plot for [column=2:columns] data using column:xticlabels(1) title columnheader
