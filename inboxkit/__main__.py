"""``python -m inboxkit`` is the command ``inboxkit``."""

from .cli.main import main

if __name__ == "__main__":
    main()
