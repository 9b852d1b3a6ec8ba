"""The code of the example `migration`."""
