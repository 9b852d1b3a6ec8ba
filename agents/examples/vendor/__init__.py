"""The code of the example `vendor`."""
