"""What was done, taken home as plain code: a script, a notebook, with or without the reasons."""
