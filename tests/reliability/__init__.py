"""That nothing is ever lost: kills, full disks, signals, hostile files, many at once.

`make test` runs a small sample of each; `make reliability` all of it, and prints the figures.
"""
