"""An image's build, seen from the command line."""

from cellblock.cli.build_progress import show_build


def test_lines_go_to_the_standard_error_without_control_characters(capsys):
    show_build("Step 1/9 : FROM \x1b[31mbase\x1b[0m\x07")
    show_build("50 %\r100 %")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "Step 1/9 : FROM base\n100 %\n")
