"""One file for each command: its help (the first line of the docstring), its arguments, and what it does."""
