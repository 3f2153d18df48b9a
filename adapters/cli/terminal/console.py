"""What people see on their terminal: nothing that was stored by others steers it or hides there."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import rich.console
import rich.text
from rich.highlighter import JSONHighlighter

from prefect_phantom.flows.inside.display.visible_text import visible


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


@contextmanager
def printing_through(console: Console) -> Iterator[None]:
    """Have what is printed within this block, by whatever code, go through `console`.

    The console needs a file of its own, not the standard stream of the moment.
    """
    lines = _Lines(console)
    with redirect_stdout(lines), redirect_stderr(lines):
        try:
            yield
        finally:
            lines.end()


class _Lines(io.TextIOBase):
    def __init__(self, console: Console) -> None:
        self._console = console
        self._rest = ""
        self._guard = threading.Lock()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with self._guard:
            *lines, self._rest = f"{self._rest}{text}".split("\n")
        for line in lines:
            self._console.print(Text(line), soft_wrap=True)
        return len(text)

    def end(self) -> None:
        """Print what no line break has followed."""
        if self._rest:
            self.write("\n")
