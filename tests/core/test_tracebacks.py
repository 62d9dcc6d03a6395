"""Exceptions as text: IPython's tracebacks as it sends them, and those of other kernels."""

from cellblock._core.outputs import ErrorOutput
from cellblock._core.tracebacks import error_text

RULE = "\x1b[31m" + "-" * 75 + "\x1b[39m"
HEADER = "\x1b[31mNameError\x1b[39m                                 Traceback (most recent call last)"
FRAME = "\x1b[36mCell\x1b[39m \x1b[32mIn[1]\x1b[39m\x1b[32m, line 1\x1b[39m\n\x1b[32m----> 1\x1b[39m x\n"


def test_a_traceback_of_ipython_reads_like_one_of_python():
    last = "\x1b[31mNameError\x1b[39m: name 'x' is not defined"
    error = ErrorOutput("NameError", "name 'x' is not defined", (RULE, HEADER, FRAME, last))
    assert error_text(error) == (
        "Traceback (most recent call last):\nCell In[1], line 1\n----> 1 x\n\nNameError: name 'x' is not defined"
    )


def test_an_exception_without_a_message_ends_with_its_name():
    error = ErrorOutput("NameError", "", (RULE, HEADER, FRAME, "\x1b[31mNameError\x1b[39m: "))
    assert error_text(error).endswith("----> 1 x\n\nNameError")


def test_a_syntax_error_is_not_named_twice():
    """Its message in the reply has the place, the one in the traceback has not."""
    lines = ("  Cell In[3], line 1\n    x = (\n         ^\nSyntaxError: incomplete input\n",)
    text = error_text(ErrorOutput("SyntaxError", "incomplete input (3046560625.py, line 1)", lines))
    assert text.endswith("^\nSyntaxError: incomplete input")


def test_notes_stay_behind_the_message():
    error = ErrorOutput("NameError", "x", (RULE, HEADER, FRAME, "NameError: x", "a note"))
    assert error_text(error).endswith("NameError: x\na note")


def test_a_recursion_is_counted():
    error = ErrorOutput("NameError", "x", (RULE, HEADER, *[FRAME] * 1000, "NameError: x"))
    text = error_text(error)
    assert text.count("----> 1 x") == 3
    assert "[The frame above was repeated 997 more times.]" in text


def test_without_a_traceback_the_exception_is_its_name_and_message():
    assert error_text(ErrorOutput("NameError", "name 'x' is not defined")) == "NameError: name 'x' is not defined"
    assert error_text(ErrorOutput("KeyboardInterrupt", "")) == "KeyboardInterrupt"
    assert error_text(ErrorOutput("", "127")) == "127"


def test_a_traceback_that_does_not_name_the_exception_gets_it_at_the_end():
    assert error_text(ErrorOutput("Err", "no such thing", ("in f()", "in g()"))) == "in f()\nin g()\nErr: no such thing"


def test_a_kernel_that_names_the_exception_in_its_message_too():
    """IJulia does."""
    message = "UndefVarError: `x` not defined"
    assert error_text(ErrorOutput("UndefVarError", message)) == message
    assert error_text(ErrorOutput("UndefVarError", message, (message, "", "Stacktrace:"))).count("UndefVarError") == 1
