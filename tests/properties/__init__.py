"""Properties: what holds for any input, tried on many."""
