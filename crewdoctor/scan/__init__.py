"""Reading source without running it."""
