"""The minds. They touch the world only through `RunContext`; they import the floor and nothing else of ours."""
