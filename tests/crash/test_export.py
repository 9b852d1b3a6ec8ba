"""What is on record when the bot is killed right after people answered: everything that they said and decided."""

from __future__ import annotations

import signal
from pathlib import Path

from bot.domain.audit import parse_line, verify_chain
from bot.domain.invariants import check
from bot.domain.request import RunId
from bot.domain.transcript import transcript
from tests.crash.stage import Stage


async def test_both_decisions_and_all_that_was_said_are_there_after_a_kill(
    redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """AS-30, AU-26, D-32: two people sign, the bot is killed at once; the audit that is exported names both, when and
    what, and its chain holds. The run's transcript holds every message up to the kill, and both decisions.
    """
    async with Stage(redis_url, namespace, tmp_path) as stage:
        process = await stage.start()
        await stage.say("ana", "charge 5", delivery="task")
        await stage.platform.until(lambda: stage.platform.with_button("approve"), "the card")
        await stage.say("ana", "charge 120 instead, please", delivery="second thoughts")
        await stage.platform.until(lambda: len(stage.platform.cards) > 1, "a new card")
        for by in ("bo", "chris"):
            assert (await stage.press("approve", by)).is_taken

        process.send(signal.SIGKILL)
        assert await process.ended() == -signal.SIGKILL

        lines = await stage.store.audit_lines(0, 0, -1)
        entries = [parse_line(0, line) for line in lines]
        votes = [entry for entry in entries if entry.event == "vote_counted"]
        assert [(vote.fields["person"], vote.fields["move"]) for vote in votes] == [
            ("bo", "approve"),
            ("chris", "approve"),
        ]
        decided = [entry.fields for entry in entries if entry.event == "request_decided"]
        assert [(one["status"], one["by"]) for one in decided][-1] == ("approved", ["bo", "chris"])
        assert all(vote.fields["digest"] == votes[0].fields["digest"] and vote.at for vote in votes)
        assert not verify_chain(lines, shard=0)
        assert not check(entries, is_quiet=False)
        loaded = await stage.store.load(RunId(str(entries[0].fields["run"])))
        assert loaded is not None
        assert loaded.run.task.text == "charge 5"
        told = list(transcript(loaded.run, loaded.letters, loaded.entries, lambda _tool: None))
        assert [(one["by"], one["text"]) for one in told if one["kind"] in ("task", "said")] == [
            ("ana", "charge 5"),
            ("ana", "charge 120 instead, please"),
        ]
        assert [one["text"] for one in told if one["kind"] == "heard"] == ["charge 120 instead, please"]
        assert [one["by"] for one in told if one["kind"] == "decided"][-1] == ["bo", "chris"]
