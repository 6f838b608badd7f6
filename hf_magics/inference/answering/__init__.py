"""What several tasks share, or what is too large for the file of one."""
