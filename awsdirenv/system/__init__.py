"""What a program needs of the machine: files, locks, child processes, clocks, the terminal, direnv. Knows no AWS."""
