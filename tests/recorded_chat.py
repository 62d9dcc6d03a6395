"""A chat of the command line as a transcript has it, for tests that replay it."""

import json

CODE = "Let me look.\n\n```python\nx = 20\nprint('x is', x)\n```\n\nand\n\n```python\nx + 1\n```"
DONE = "It is 21.\n\nTERMINATE"

TRANSCRIPT = f"""<!-- message from user -->
## user

Add one to twenty.

<!-- message from writer -->
## writer

{CODE}

<!-- message from runner -->
## runner

an outcome of another day

<!-- message from writer -->
## writer

{DONE}
"""


def notebook_of(folder):
    cells = json.loads((folder / "chat" / "chat.ipynb").read_text())["cells"]
    return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
