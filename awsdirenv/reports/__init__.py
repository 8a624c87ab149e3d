"""Looks and never touches: status, list, whoami, explain, doctor, and links to the console."""
