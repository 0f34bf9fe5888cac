"""Write the matrix of what each provider can do into README.md beside this file."""

from __future__ import annotations

from pathlib import Path

from inboxkit.providers.matrix import written

if __name__ == "__main__":
    page = Path(__file__).with_name("README.md")
    page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
