"""What `setup` installs: the extension of direnv, the hooks and completion; and the shells' start-up files."""
