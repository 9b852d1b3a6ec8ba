"""The command line: serve · play · demo · doctor · manifest · runs · transcript · requests · agents · policy · audit …

What cannot be done is said in one sentence a line on standard error, and ends with exit 2. Nothing heavy is
imported until a command needs it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot import __version__
from bot.domain.errors import BadSettings, CountersignError
from bot.garbage import hold, settle

if TYPE_CHECKING:
    from bot.cellar import Server
    from bot.config import Settings

app = typer.Typer(
    help="A chat bot that runs LLM agents and lets people sign what could hurt.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
policy_app = typer.Typer(help="Check and explain the policy.", no_args_is_help=True)
audit_app = typer.Typer(help="Read and verify the audit.", no_args_is_help=True)
app.add_typer(policy_app, name="policy")
app.add_typer(audit_app, name="audit")

REFUSED = 2
HARD_EXIT_AFTER = 12.0  # seconds; the grace of running tools and of the outbox is over by then


def main() -> None:
    """Run a command; a refusal becomes its sentences and an exit code, also the first one out of a task group."""
    try:
        with _alone():
            app()
    except CountersignError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(REFUSED) from error


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


# ------------------------------------------------------------------- serve


@app.command()
def serve(
    terminal: Annotated[bool, typer.Option("--terminal", help="Chat in this terminal instead of on a page.")] = False,
) -> None:
    """Run the bot: agents, cards, and the chats that are set: Slack, Teams, else the local page (or this terminal)."""
    _run(lambda: _serve("terminal" if terminal else "", welcome=False))


@app.command()
def play() -> None:
    """Run the bot on this machine with its local chat page: no account, key or server needed."""
    _run(lambda: _serve("playground", welcome=True))


async def _serve(chat: str, *, welcome: bool) -> None:
    from bot.cellar import launched
    from bot.config import load_settings

    hold()
    settings = load_settings()
    async with launched(settings) as server:  # it reads its file while the rest is imported
        await _serving(settings, chat, server, welcome=welcome)


async def _serving(settings: Settings, chat: str, server: Server, *, welcome: bool) -> None:
    from bot.app import opened
    from bot.modelkeys import named_secrets
    from bot.telemetry import configure_logging

    level = "WARNING" if (welcome or chat == "terminal") and settings.log_level == "INFO" else settings.log_level
    configure_logging(level, sys.stderr, secrets=(*settings.secrets, *named_secrets(settings)))
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    async with opened(settings, chat=chat, server=server) as bot:
        settle()
        if bot.where:
            typer.echo(
                _welcome(bot.url, is_rehearsal=settings.is_rehearsal) if welcome else f"listening on {bot.where}"
            )
        sys.stdout.flush()
        await _first_of(stop.wait(), bot.ended())
        asyncio.get_running_loop().call_later(HARD_EXIT_AFTER, _give_up)


def _give_up() -> None:
    """An agent that swallows its cancellation cannot be waited for: what it holds is in the store."""
    typer.echo("something would not end; leaving without it", err=True)
    os._exit(1)


async def _first_of(*ends: Awaitable[object]) -> None:
    """Return when one of them has ended."""
    over = asyncio.Event()

    async def tell(end: Awaitable[object]) -> None:
        await end
        over.set()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(tell(end)) for end in ends]
        await over.wait()
        for task in tasks:
            task.cancel()


def _welcome(url: str, *, is_rehearsal: bool) -> str:
    mind = "a rehearsal of a model (set OPENAI_API_KEY for a real one)" if is_rehearsal else "your model"
    return f"\n  Countersign is at {url}\n  It thinks with {mind}. Stop it with Ctrl-C.\n"


# -------------------------------------------------------------------- demo


@app.command()
def demo(
    kill: Annotated[bool, typer.Option("--kill", help="Kill the bot twice on the way, and see it recover.")] = False,
    slack: Annotated[bool, typer.Option("--slack", help="Play it in a strict imitation of Slack.")] = False,
    teams: Annotated[bool, typer.Option("--teams", help="Play it in a strict imitation of Teams.")] = False,
    both: Annotated[bool, typer.Option("--both", help="One request in Slack and Teams at once.")] = False,
) -> None:
    """Play one whole story with simulated people, printed as it happens."""
    from bot.demo import play_demo

    named = {"slack": slack, "teams": teams, "both": both or (slack and teams)}
    where = next((name for name in ("both", "slack", "teams") if named[name]), "page")
    raise SystemExit(asyncio.run(play_demo(typer.echo, is_deadly=kill, where=where)))


# ------------------------------------------------------------------ doctor


@app.command()
def doctor() -> None:
    """Look at the settings, the files, the store and the chats that are set, and say what is wrong or weak."""
    from bot.doctor import examine
    from bot.telemetry import configure_logging

    configure_logging("CRITICAL", sys.stderr)  # what a log would say of it is a sentence here
    found = asyncio.run(examine())
    for finding in sorted(found, key=lambda one: (one.is_bad, one.is_weak)):  # what needs a look stands last
        typer.echo(f"{finding.mark} {finding.text}")
    raise SystemExit(REFUSED if any(finding.is_bad for finding in found) else 0)


# ---------------------------------------------------------------- manifest


@app.command()
def manifest(
    url: Annotated[str | None, typer.Option(help="Where Slack posts to, https://…; without it, Socket Mode.")] = None,
    teams: Annotated[bool, typer.Option("--teams", help="Write the package of the app in Teams instead.")] = False,
    app_id: Annotated[str, typer.Option(help="With --teams: the bot's application id; unsaid, TEAMS_APP_ID.")] = "",
    domain: Annotated[str, typer.Option(help="With --teams: where it is reached, such as bot.example.com.")] = "",
    out: Annotated[Path, typer.Option(help="With --teams: the file to write.")] = Path("countersign-teams.zip"),
) -> None:
    """Print the manifest that makes this bot's app in Slack, or write the app package for Teams."""
    if not teams:
        from adapters.slack.manifest import written

        typer.echo(written(url), nl=False)
        return
    from adapters.teams.manifest import App, package
    from bot.config import one_setting

    data = package(App(id=app_id or one_setting("TEAMS_APP_ID"), domain=domain))
    try:
        out.write_bytes(data)
    except OSError as error:
        raise BadSettings([f"--out {out} cannot be written ({error.strerror})"]) from error
    typer.echo(f"{out} is written: Teams admin centre, Manage apps, Upload new app.")


# ------------------------------------------------------------ runs, requests


@app.command()
def runs(most: Annotated[int, typer.Option(help="How many.", min=1)] = 20) -> None:
    """The latest runs."""
    from bot.looks import latest_runs

    _print_lines(latest_runs(most))


@app.command("transcript")
def run_transcript(run: Annotated[str, typer.Argument(help="A run's id, as `runs` lists it.")]) -> None:
    """Everything said, thought, done and decided in one run, as JSON lines on standard output; secrets masked."""
    from bot.looks import told_run

    for line in asyncio.run(told_run(run)):
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")


@app.command()
def requests() -> None:
    """Everything that waits for people, oldest first."""
    from bot.looks import open_requests

    _print_lines(open_requests())


# ------------------------------------------------------------------ agents


@app.command()
def agents() -> None:
    """The agents: kind, model, tools, who may give them tasks, and how a task comes to them."""
    from bot.looks import listed_agents

    _print_lines(listed_agents())


# ------------------------------------------------------------------ policy


@policy_app.command("check")
def policy_check() -> None:
    """Check policy.yml and people.yml against the tools there are."""
    from bot.looks import checked_policy

    text, is_clean = asyncio.run(checked_policy())
    typer.echo(text)
    raise SystemExit(0 if is_clean else REFUSED)


@policy_app.command("explain")
def policy_explain(
    tool: Annotated[str, typer.Argument(help="The tool's name.")],
    args: Annotated[str, typer.Option(help="Its arguments, as JSON.")] = "{}",
    as_: Annotated[str, typer.Option("--as", help="The person who asks.")] = "",
    agent: Annotated[str, typer.Option(help="The agent that asks; without it, the first one.")] = "",
) -> None:
    """What the policy says about one call, rule by rule."""
    from bot.looks import Asked, explained_policy

    _print_lines(explained_policy(tool, args, Asked(as_, agent)))


@policy_app.command("try")
def policy_try(
    file: Annotated[Path, typer.Argument(help="The changed policy.", show_default=False)],
    since: Annotated[str, typer.Option(help="How far back: 30d, 12h, 90m.")] = "30d",
    most: Annotated[int, typer.Option(help="How many calls, the newest ones.", min=1)] = 5_000,
) -> None:
    """What a changed policy would say about the calls there were.

    Exit 0: nothing changes, or only more strictly. 1: calls would run unasked that do not now. 3: none would, and yet
    not all that changes is stricter. 2: a file that cannot be used.
    """
    from bot.policytry import as_text, code_of, tried
    from bot.telemetry import configure_logging

    configure_logging("CRITICAL", sys.stderr)  # what a log would say of a platform is a sentence here
    trial = asyncio.run(tried(file, since, most))
    typer.echo(as_text(trial))
    raise SystemExit(code_of(trial))


# ------------------------------------------------------------------- audit


@audit_app.command("verify")
def audit_verify(
    file: Annotated[Path | None, typer.Option(help="Verify an exported file instead of the store.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Nothing is running: every request must have ended.")] = False,
) -> None:
    """Check the hash chain, the checkpoints and the invariants I1 to I15; name the first bad record."""
    from bot.looks import verified_audit

    text, is_good = asyncio.run(verified_audit(file, is_quiet=quiet))
    typer.echo(text)
    raise SystemExit(0 if is_good else 1)


@audit_app.command("show")
def audit_show(
    run: Annotated[str, typer.Option(help="One run only.")] = "",
    most: Annotated[int, typer.Option(help="How many records.", min=1)] = 50,
) -> None:
    """The newest audit records, readable."""
    from bot.looks import shown_audit

    _print_lines(shown_audit(run, most))


@audit_app.command("export")
def audit_export() -> None:
    """Every audit record, as JSON lines on standard output."""
    from bot.looks import exported_audit

    for record in asyncio.run(exported_audit()):
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")


# ------------------------------------------------------------------ report


@app.command()
def report(
    since: Annotated[str, typer.Option(help="How far back: 30d, 12h, 90m.")] = "30d",
    as_of: Annotated[str, typer.Option(help="Where it ends, in ISO 8601; without it, now.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; times are seconds.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Draw it into this .svg file.")] = None,
) -> None:
    """How approvals go: who decides how much and how fast, and what nobody answered."""
    from bot import reports
    from bot.telemetry import configure_logging

    configure_logging("CRITICAL", sys.stderr)  # what a log would say of a platform is a sentence here
    told = asyncio.run(reports.reported(since, as_of))
    if picture is not None:
        reports.draw(told, picture)
    typer.echo(json.dumps(reports.as_json(told), ensure_ascii=False) if as_json else reports.as_text(told))


# ----------------------------------------------------------------- helpers


def _print_lines(lines: Coroutine[Any, Any, list[str]]) -> None:
    for line in asyncio.run(lines):
        typer.echo(line)


def _run(job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run the bot on uvloop where there is one."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(job())


@contextmanager
def _alone() -> Iterator[None]:
    """The first refusal inside a group of errors, by itself."""
    try:
        yield
    except BaseExceptionGroup as several:
        told = several.split(CountersignError)[0]
        if told is None:
            raise
        raise _first(told) from several


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop, where it exists."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
