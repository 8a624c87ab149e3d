"""The command line: arguments, output, exit codes, and one file for each command."""
