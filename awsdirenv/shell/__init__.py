"""What `setup` installs: the extension of direnv, the hooks, completion, and lines in the shells' start-up files."""
