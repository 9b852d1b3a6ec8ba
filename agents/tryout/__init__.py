"""Rooms behind `agents.testing`: an agent's run with simulated people, without chat, store, network or keys."""
