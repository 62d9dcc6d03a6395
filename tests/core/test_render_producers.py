"""Every type of output from the library that makes it, through a real kernel to the text and the file."""

import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import altair as alt
import plotly.io
import pytest
from PIL import Image

from cellblock._core.render import ImagePart, render_cell
from cellblock.blocking import Session
from cellblock.files import DirectorySink

SETUP = """
import altair, matplotlib.pyplot as plt, pandas as pd, plotly.graph_objects as go, sympy
from IPython.display import *
from matplotlib_inline.backend_inline import set_matplotlib_formats
from PIL import Image as Pictures
frame = pd.DataFrame({"city": ["Oslo", "Bergen"], "people": [717710, 291940]})
"""


@pytest.fixture(scope="module")
def session():
    with Session() as session:
        session.run(SETUP).raise_for_error()
        yield session


@pytest.fixture
def show(session, tmp_path):
    def run(code):
        return render_cell(session.run(code), DirectorySink(tmp_path))

    return run


def saved(rendered, line, extension):
    """The one file, after checking that the text is its line."""
    (path,) = rendered.files
    assert rendered.text == f"{line} saved to {path}"
    assert path.endswith(extension)
    assert Path(path).is_absolute()
    return Path(path)


def picture(path):
    """Opened from memory: Pillow keeps files open."""
    return Image.open(io.BytesIO(path.read_bytes()))


def test_a_matplotlib_figure(show):
    rendered = show("plt.plot([1, 2]); plt.show()")
    image = picture(saved(rendered, "Image data", ".png"))
    assert image.format == "PNG"
    (part,) = [part for part in rendered.parts if isinstance(part, ImagePart)]
    assert Image.open(io.BytesIO(part.data)).size == image.size


def test_a_matplotlib_figure_without_files(session):
    cell = session.run("figure, _ = plt.subplots(); plt.close(); figure")
    assert cell.text.startswith("[PNG image, ")
    assert cell.text.endswith(" kB]")


def test_two_figures_and_text_stand_in_the_order_shown(show):
    show("one, _ = plt.subplots(); two, _ = plt.subplots(); plt.close('all')")
    rendered = show("print('one'); display(one); print('two'); display(two)")
    first, second = rendered.files
    assert rendered.text == f"one\nImage data saved to {first}\ntwo\nImage data saved to {second}"


def test_a_matplotlib_figure_as_svg(show):
    show("set_matplotlib_formats('svg')")
    rendered = show("plt.plot([1, 2]); plt.show(); set_matplotlib_formats('png')")
    assert ET.parse(saved(rendered, "SVG data", ".svg")).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_a_matplotlib_figure_as_pdf(show):
    show("set_matplotlib_formats('pdf')")
    rendered = show("plt.plot([1, 2]); plt.show(); set_matplotlib_formats('png')")
    assert saved(rendered, "PDF data", ".pdf").read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize(("kind", "extension"), [("JPEG", ".jpg"), ("GIF", ".gif"), ("WEBP", ".webp"), ("PNG", ".png")])
def test_an_image_file_of_each_type(show, kind, extension):
    code = f"import io; data = io.BytesIO(); Pictures.new('L', (40, 30)).save(data, {kind!r}); Image(data.getvalue())"
    image = picture(saved(show(code), "Image data", extension))
    assert (image.format, image.size) == (kind, (40, 30))


def test_a_pillow_image(show):
    """Pillow sends it as PNG and as JPEG; it is saved once."""
    assert picture(saved(show("Pictures.new('RGB', (8, 6))"), "Image data", ".png")).size == (8, 6)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_without_files_an_image_is_described(session, kind):
    code = f"import io; data = io.BytesIO(); Pictures.new('L', (40, 30)).save(data, {kind!r}); Image(data.getvalue())"
    assert session.run(code).text.lower().startswith(f"[{kind.lower()} image, 40x30, ")


def test_an_svg(show):
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><text>é</text></svg>'
    assert ET.parse(saved(show(f"SVG({svg!r})"), "SVG data", ".svg")).getroot()[0].text == "é"


def test_a_pandas_table_is_readable_and_saved(show, session):
    rendered = show("frame")
    table = "     city  people\n0    Oslo  717710\n1  Bergen  291940"
    (path,) = rendered.files
    assert rendered.text == f"{table}\nHTML data saved to {path}"
    assert "<td>717710</td>" in Path(path).read_text("utf-8")
    assert session.run("frame").text == table


def test_a_styled_pandas_table(show):
    assert "<table" in saved(show("frame.style"), "HTML data", ".html").read_text("utf-8")


def test_html_of_ipython(show):
    assert saved(show("HTML('<b>x</b>')"), "HTML data", ".html").read_text("utf-8") == "<b>x</b>"


def test_markdown_of_ipython(show):
    assert show("Markdown('# Title')").text == "# Title"


def test_a_sympy_formula_is_latex(show):
    rendered = show("sympy.init_printing(); sympy.sqrt(sympy.Symbol('x')) / 2")
    assert rendered.text == "$\\displaystyle \\frac{\\sqrt{x}}{2}$"
    assert rendered.files == []


def test_json_of_ipython(show):
    assert json.loads(show("JSON({'a': [1, 'é']})").text) == {"a": [1, "é"]}


def test_geojson_of_ipython(show):
    code = "GeoJSON({'type': 'Point', 'coordinates': [5.3, 60.4]})"
    assert json.loads(saved(show(code), "GeoJSON data", ".geojson").read_bytes())["type"] == "Point"


def test_a_plotly_figure(show):
    path = saved(show("go.Figure(go.Scatter(x=[1, 2], y=[3.5, 4]))"), "Plotly figure", ".plotly.json")
    assert plotly.io.read_json(path).data[0].y == (3.5, 4)


def test_an_altair_chart_as_data(show):
    show("altair.renderers.enable('mimetype')")
    path = saved(show("altair.Chart(frame).mark_bar().encode(x='city')"), "Vega-Lite chart", ".vl.json")
    assert alt.Chart.from_json(path.read_text("utf-8")).to_dict()["mark"] == {"type": "bar"}


def test_an_altair_chart_as_a_page(show):
    show("altair.renderers.enable('html')")
    rendered = show("altair.Chart(frame).mark_bar().encode(x='city')")
    (path,) = rendered.files
    assert rendered.text == f"alt.Chart(...)\nHTML data saved to {path}"


def test_a_vega_chart(show):
    code = "display({'application/vnd.vega.v5+json': {'marks': []}, 'text/plain': '<Vega>'}, raw=True)"
    assert json.loads(saved(show(code), "Vega chart", ".vg.json").read_bytes()) == {"marks": []}


def test_an_updated_display_is_shown_once(show):
    assert show("h = display('first', display_id=True); print('x'); h.update('second')").text == "'second'\nx\n"


def test_a_cleared_output_is_gone(show):
    assert show("print('gone'); clear_output(); print('kept')").text == "kept\n"


def test_a_traceback_of_ipython(show):
    text = show("def f():\n    return undefined\nf()").text
    assert text.startswith("Traceback (most recent call last):\n")
    assert "in f()" in text
    assert text.endswith("\nNameError: name 'undefined' is not defined")
    assert text.count("NameError") == 1
    assert "\x1b" not in text


def test_an_exception_group_ends_with_its_name(show):
    """IPython writes its traceback to stderr and sends no error output."""
    text = show("raise ExceptionGroup('two', [ValueError(1), KeyError(2)])").text
    assert "ValueError: 1" in text
    assert text.endswith("\nExceptionGroup: two (2 sub-exceptions)")


def test_a_command_on_a_terminal(show):
    assert show(r"!printf '\033[31mred\033[0m\r\n10%%\r100%%\n'").text == "red\n100%\n"
