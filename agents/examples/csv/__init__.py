"""The code of the example `csv`."""
