"""What people see on their terminal: nothing that was stored by others steers it or hides there."""

from __future__ import annotations

import json
from typing import Any

import rich.console
import rich.text
from rich.highlighter import JSONHighlighter

from flows.visible import visible


class Text(rich.text.Text):
    """Rich's own, with what hides in it shown."""

    def __init__(self, text: str = "", style: str = "", **options: Any) -> None:  # noqa: ANN401 - see there
        super().__init__(visible(text), style, **options)


class Console(rich.console.Console):
    """Prints plain texts as they are: without markup or pictures, and with what hides shown."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - rich's own, see there
        super().__init__(**{"markup": False, "emoji": False, **options})

    def render_str(self, text: str, **options: Any) -> rich.text.Text:  # noqa: ANN401 - rich's own, see there
        """As rich's own, which makes of a plain text one with styles."""
        return super().render_str(visible(text), **options)

    def print_json(self, *, data: Any) -> None:  # type: ignore[override]  # noqa: ANN401 - any JSON
        """Print `data` as JSON, in which what hides is escaped."""
        text = JSONHighlighter()(visible(json.dumps(data, indent=2, ensure_ascii=False)))
        text.no_wrap, text.overflow = True, None
        self.print(text, soft_wrap=True)
