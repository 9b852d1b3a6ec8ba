"""What keeps a suspended coroutine alive: journal, gate, sleepers, desk, outbox, shards, timers."""
