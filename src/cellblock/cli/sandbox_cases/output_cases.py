"""Cases that are after whoever looks at the output: in a terminal, in a browser, in a folder.

What comes of them is judged on the host, from the text and the files of the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellblock.cli.sandbox_cases.case import Cases, Group, Open

__all__ = ["OUTPUTS"]

if TYPE_CHECKING:

    def display(bundle: object, *, raw: bool, metadata: object = None) -> None:
        """IPython puts it there."""


OUTPUTS = Cases(Group.OUTPUTS)


@OUTPUTS.case(open_to=Open.NOBODY)
def orders_to_the_terminal() -> str | None:
    """Prints orders to the terminal: to set its title, to copy, to move, to report."""
    print("\x1b]0;title\x07\x1b]52;c;aGk=\x07\x1b[2J\x1b[?1049h\x1b[6n\x1bP+q\x1b\\\x9b31m\x00\x08\x0e")
    return None


@OUTPUTS.case(open_to=Open.NOBODY)
def orders_in_an_error() -> str | None:
    """Puts such orders into an error, its name and its text."""
    raise type("Bad\x1b]0;x\x07Name", (Exception,), {})("\x1b]52;c;aGk=\x07\x9b\x00")


@OUTPUTS.case(open_to=Open.NOBODY)
def orders_in_objects() -> str | None:
    """Puts such orders into the text of objects it shows."""
    for kind in ("text/plain", "text/markdown", "text/latex", "application/json"):
        display({kind: "\x1b]0;x\x07\x1b[2J\x9b\x00"}, raw=True)
    return None


@OUTPUTS.case(open_to=Open.NOBODY)
def text_that_turns_around() -> str | None:
    """Prints characters that make text look like other text."""
    print("safe\u202e\u2066 = resu ;\u2069 \u2067 #")
    return None


@OUTPUTS.case(open_to=Open.NOBODY)
def names_that_lead_elsewhere() -> str | None:
    """Shows pictures that are to be saved under names of its choice."""
    picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    for name in ("../../escaped.png", "/tmp/escaped.png", "a\x00b.png", "\x1b[2J.png"):
        display({"image/png": picture}, raw=True, metadata={"image/png": {"filename": name, "name": name}})
        display({"image/../../escaped": picture, f"image/{name}": picture}, raw=True)
    return None


@OUTPUTS.case()
def script_in_a_page() -> str | None:
    """Shows pages with scripts that run as soon as they are opened."""
    for script in (
        "<script>fetch('http://192.0.2.1/')</script>",
        "<img src=x onerror=fetch('http://192.0.2.1/')>",
        "<svg onload=fetch('http://192.0.2.1/')></svg>",
        "<iframe src=javascript:fetch('http://192.0.2.1/')></iframe>",
        "<meta http-equiv=refresh content='0;url=http://192.0.2.1/'>",
    ):
        display({"text/html": f"<p>page</p>{script}"}, raw=True)
    return None


@OUTPUTS.case()
def script_in_a_drawing() -> str | None:
    """Shows drawings with scripts that run as soon as they are opened."""
    drawing = (
        "<svg xmlns='http://www.w3.org/2000/svg' onload='fetch(1)'><script>fetch('http://192.0.2.1/')</script></svg>"
    )
    display({"image/svg+xml": drawing}, raw=True)
    return None
