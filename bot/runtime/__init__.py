"""What keeps a suspended coroutine alive: journal, gate, host, desk, outbox, shards, timers."""
