"""Access to the machine: files, locks, child processes, clocks, the terminal, direnv. It knows nothing of AWS."""
