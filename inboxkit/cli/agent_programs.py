"""The programs of agents: where each keeps which MCP servers it starts, and how one is added there.

As their documentation says it, looked up in November 2026:

- Claude Code, https://code.claude.com/docs/en/mcp: ``.mcp.json`` in a project.
- Claude Desktop, https://modelcontextprotocol.io/quickstart/user: ``claude_desktop_config.json`` in
  ``~/Library/Application Support/Claude`` or ``%APPDATA%\\Claude``; there is none for Linux.
- Cursor, https://cursor.com/docs/mcp: ``~/.cursor/mcp.json``, or ``.cursor/mcp.json`` in a project.
- Gemini CLI, https://geminicli.com/docs/cli/configuration: ``~/.gemini/settings.json``, or
  ``.gemini/settings.json`` in a project.
- VS Code, https://code.visualstudio.com/docs/agents/reference/mcp-configuration:
  ``.vscode/mcp.json`` in a workspace, where the servers stand under ``servers``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

_INDENT = re.compile(r"^[\[{][ \t]*\r?\n([ \t]+)")
# What says how a server is reached; whatever else an entry holds is the user's.
_OURS = ("type", "command", "args", "env", "url", "httpUrl", "headers")


@dataclass(frozen=True, slots=True)
class Program:
    """A program: its file below ``home`` ("" for the working directory), by platform if need be.

    ``key`` is the object in it that holds the servers, ``more`` what each entry needs beside the
    command.
    """

    file: str = ""
    at_home: bool = True
    by_platform: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    key: str = "mcpServers"
    more: Mapping[str, str] = field(default_factory=dict[str, str])

    def path(self, platform: str, environ: Mapping[str, str], home: Path) -> Path | None:
        """Return where its file is, None where nobody has said so."""
        if not self.by_platform:
            return home / self.file if self.at_home else Path(self.file)
        variable, below = self.by_platform.get(platform, ("", ""))
        base = environ.get(variable, "") if variable else str(home)
        return Path(base) / below if base and below else None


_DESKTOP = {
    "darwin": ("", "Library/Application Support/Claude/claude_desktop_config.json"),
    "win32": ("APPDATA", "Claude/claude_desktop_config.json"),
}
ANY = Program()  # the form that most of them read
PROGRAMS: Mapping[str, Program] = {
    "claude-code": Program(".mcp.json", at_home=False),
    "claude-desktop": Program(by_platform=_DESKTOP),
    "cursor": Program(".cursor/mcp.json"),
    "gemini-cli": Program(".gemini/settings.json"),
    "vscode": Program(".vscode/mcp.json", at_home=False, key="servers", more={"type": "stdio"}),
}


def shown(key: str, name: str, entry: Mapping[str, Any]) -> str:
    """Return the JSON of a file that holds this server alone."""
    return json.dumps({key: {name: entry}}, indent=2, ensure_ascii=False) + "\n"


def merged(text: str, key: str, name: str, entry: Mapping[str, Any]) -> str:
    """Return a file's JSON with this server in it; all else stays, also what is in its entry.

    Raise ValueError for what could not be written again as it was.
    """
    if not text.strip():
        return shown(key, name, entry)
    whole = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    servers = whole.setdefault(key, {}) if isinstance(whole, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON
    if not isinstance(servers, dict):
        raise ValueError(f"it holds no object {key}")
    known = cast("dict[str, Any]", servers)
    before = known.get(name)
    kept = cast("dict[str, Any]", before) if isinstance(before, dict) else {}
    known[name] = {**entry, **{k: v for k, v in kept.items() if k not in _OURS}}
    indent = _INDENT.match(text.lstrip())
    made = json.dumps(whole, indent=indent[1] if indent else 2, ensure_ascii=False)
    try:
        made.encode()
    except UnicodeEncodeError:  # half a character, which JSON can only spell
        made = json.dumps(whole, indent=indent[1] if indent else 2)
    return made + "\n"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it holds {twice[:80]!r} twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}")
