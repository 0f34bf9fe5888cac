"""format=flowed (RFC 3676): paragraphs that were broken for the way, joined again."""

from __future__ import annotations


def unflow(text: str, *, delete_space: bool = False) -> str:
    """Return a flowed text with its soft line breaks undone; quote marks stay as they are.

    ``delete_space`` is the DelSp parameter: the space at the end of a soft line is no part of it.
    """
    paragraphs: list[list[str]] = []
    open_depth = -1  # the quote depth of a paragraph that goes on, or -1
    for line in text.split("\n"):
        depth, content = _unquoted(line)
        is_signature = content == "-- "
        is_soft = content.endswith(" ") and not is_signature
        if is_soft and delete_space:
            content = content[:-1]
        if depth == open_depth and not is_signature:
            paragraphs[-1].append(content)
        else:
            marks = ">" * depth + " " if depth else ""
            paragraphs.append([marks, content])
        open_depth = depth if is_soft else -1
    return "\n".join("".join(pieces) for pieces in paragraphs)


def _unquoted(line: str) -> tuple[int, str]:
    content = line.lstrip(">")
    depth = len(line) - len(content)
    return depth, content[1:] if content.startswith(" ") else content  # space-stuffing
