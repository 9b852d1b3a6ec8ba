"""Speed and memory, measured: `make bench`. Never a test: no number here makes a build fail."""
