"""Reports that change nothing: status, list, whoami, explain, doctor, and links to the console."""
