"""The floor: records, tables and rules. No I/O, no clock, no network; everything above may import it."""
