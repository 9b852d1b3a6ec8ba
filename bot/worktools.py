"""The tools for those who work on programs, from the settings: code in a box, git, GitHub and GitLab.

Each is there only where somebody set it up; nothing is opened or asked before an agent uses it. Owns what the settings
mean together. Not what a setting may look like (config), nor what the tools do (agents/tools).
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from agents.tools import github, gitlab
from agents.tools.box import Box, Boxes, Kind
from agents.tools.code import Workshop, code_tools
from agents.tools.forge import Forge, Forges, forge_tools
from agents.tools.git import Repos, git_tools
from agents.tools.gitrepo import Clone, Login, Source
from bot.config import Settings
from bot.domain.errors import BadSettings
from bot.domain.ports import Tool


def work_tools(settings: Settings) -> tuple[Tool, ...]:
    """Those that are set up. Raises BadSettings."""
    return (*_code(settings), *_git(settings), *_forges(settings))


async def tried_box(settings: Settings) -> tuple[str, bool] | None:
    """What scripts run in here, found out by trying, and whether that is a box; None where they are not switched on.

    Raises ToolProblem where no box can be made.
    """
    if settings.code == "off":
        return None
    settings.work.mkdir(parents=True, exist_ok=True)
    boxes = _boxes(settings)
    return (await boxes.told()).partition("\n")[0], await boxes.kind() is not Kind.NONE


def _code(settings: Settings) -> tuple[Tool, ...]:
    return () if settings.code == "off" else code_tools(Workshop(_boxes(settings)))


def _boxes(settings: Settings) -> Boxes:
    return Boxes(Box(folder=settings.work, has_network=settings.code_network, may_be_none=settings.code == "unboxed"))


def _git(settings: Settings) -> tuple[Tool, ...]:
    if not settings.repos:
        return ()
    logins = tuple(_logins(settings))
    sources = [_source(text) for text in settings.repos]
    if twice := {one.name for one in sources if [other.name for other in sources].count(one.name) > 1}:
        raise BadSettings([f"COUNTERSIGN_REPOS names {min(twice)} twice"])
    return git_tools(Repos(Clone(one, settings.var / "repos", logins) for one in sources))


def _source(text: str) -> Source:
    try:
        return Source.read(text)
    except ValueError as error:
        raise BadSettings([f"COUNTERSIGN_REPOS: {error}"]) from None


def _logins(settings: Settings) -> Iterator[Login]:
    """The same tokens open the same people's repositories, each at its own site."""
    if settings.github_token is not None:
        site = "https://github.com/" if settings.github_url == github.URL else _site(settings.github_url)
        yield Login(site=site, user="x-access-token", token=settings.github_token.get_secret_value)
    if settings.gitlab_token is not None:
        yield Login(site=_site(settings.gitlab_url), user="oauth2", token=settings.gitlab_token.get_secret_value)


def _site(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def _forges(settings: Settings) -> tuple[Tool, ...]:
    found: dict[str, tuple[Forge, tuple[str, ...]]] = {}
    if settings.github_token is not None:
        hub = github.GitHub(settings.github_token.get_secret_value, settings.github_url)
        found["github"] = (hub, settings.github_repos)
    if settings.gitlab_token is not None:
        lab = gitlab.GitLab(settings.gitlab_token.get_secret_value, settings.gitlab_url)
        found["gitlab"] = (lab, settings.gitlab_repos)
    return forge_tools(Forges(found)) if found else ()
