"""Results as parts of chat messages, in the forms the OpenAI and Anthropic APIs take."""

import base64
import io

import pytest
from PIL import Image

from cellblock._core.blocks import IPythonCodeResult
from cellblock._core.outputs import DisplayOutput, OmittedOutput, StreamOutput
from cellblock._core.render import message_parts
from cellblock._core.results import CellResult, CellStatus
from cellblock.errors import ConfigError


def picture(kind, size=(4, 3)):
    data = io.BytesIO()
    Image.new("L", size).save(data, kind)
    return base64.b64encode(data.getvalue()).decode()


PNG, JPEG = picture("PNG"), picture("JPEG")


def out(text):
    return StreamOutput("stdout", text)


def shown(media_type, data):
    return DisplayOutput({media_type: data, "text/plain": "<Figure>"})


def result_of(*cells, files=()):
    results = tuple(CellResult(CellStatus.OK, tuple(outputs)) for outputs in cells)
    return IPythonCodeResult(exit_code=0, output="", output_files=list(files), cells=results)


def test_openai_parts_in_the_order_shown():
    result = result_of([out("a\n"), shown("image/png", PNG), out("b\n")], [out("c\n")], files=["/o/1.png"])
    assert result.for_model() == [
        {"type": "text", "text": "a\nImage data saved to /o/1.png"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "text", "text": "\nb\nc\n"},
    ]


def test_anthropic_parts_in_the_order_shown():
    result = result_of([shown("image/jpeg", JPEG)], [shown("image/png", PNG)], files=["/o/1.jpg", "/o/2.png"])
    assert result.for_model("anthropic") == [
        {"type": "text", "text": "Image data saved to /o/1.jpg"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": JPEG}},
        {"type": "text", "text": "\nImage data saved to /o/2.png"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
    ]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_every_image_type_the_apis_take_is_given(kind):
    result = result_of([shown(f"image/{kind.lower()}", picture(kind))])
    assert [part["type"] for part in message_parts(result, "openai")] == ["text", "image_url"]
    assert [part["type"] for part in message_parts(result, "anthropic")] == ["text", "image"]


def test_svg_stays_a_line_of_text():
    result = result_of([shown("image/svg+xml", "<svg/>")], files=["/o/1.svg"])
    assert result.for_model() == [{"type": "text", "text": "SVG data saved to /o/1.svg"}]


def test_without_images_their_lines_stay_and_texts_are_joined():
    result = result_of([out("a\n"), shown("image/png", PNG), out("b\n")], files=["/o/1.png"])
    assert result.for_model(images=False) == [{"type": "text", "text": "a\nImage data saved to /o/1.png\nb\n"}]


def test_an_image_the_api_would_refuse_stays_text():
    wide = result_of([shown("image/png", picture("PNG", (8001, 2)))])
    assert [part["type"] for part in wide.for_model("anthropic")] == ["text"]
    assert [part["type"] for part in wide.for_model("openai")] == ["text", "image_url"]


def test_an_animation_is_given_to_the_api_that_takes_it():
    first, second = Image.new("L", (9, 9), 0), Image.new("L", (9, 9), 255)
    data = io.BytesIO()
    first.save(data, "GIF", save_all=True, append_images=[second], duration=100)
    result = result_of([shown("image/gif", base64.b64encode(data.getvalue()).decode())])
    assert [part["type"] for part in result.for_model("anthropic")] == ["text", "image"]
    assert [part["type"] for part in result.for_model("openai")] == ["text"]


def test_an_image_of_too_many_bytes_stays_text():
    noise = Image.effect_noise((2500, 2500), 100)
    data = io.BytesIO()
    noise.save(data, "PNG")
    big = result_of([shown("image/png", base64.b64encode(data.getvalue()).decode())])
    assert len(data.getvalue()) > 4_000_000
    assert [part["type"] for part in big.for_model("anthropic")] == ["text"]


@pytest.mark.parametrize("outputs", [[], [out("")], [out(" \n\t")]])
def test_there_is_always_a_part_and_never_one_without_text(outputs):
    assert result_of(outputs).for_model("anthropic") == [{"type": "text", "text": "[The code showed no output.]"}]


def test_blank_text_between_images_is_no_part():
    result = result_of([shown("image/png", PNG), out("\n\n"), shown("image/png", PNG)])
    kinds = [part["type"] for part in result.for_model()]
    assert kinds == ["text", "image_url", "text", "image_url"]


def test_the_budget_holds_for_all_text_together_and_images_stay():
    lines = "".join(f"line {n}\n" for n in range(200))
    result = result_of([out(lines), shown("image/png", PNG), out(lines)])
    parts = result.for_model(budget=400)
    text = "".join(part.get("text", "") for part in parts)
    assert [part["type"] for part in parts] == ["text", "image_url", "text"]
    assert len(text) <= 400
    assert text.startswith("line 0\n")
    assert text.endswith("line 199\n")
    assert text.count("characters of output were left out here.") == 1


def test_a_budget_that_cuts_only_the_first_text():
    result = result_of([out("x" * 1000 + "\n"), shown("image/png", PNG), out("end\n")])
    parts = result.for_model(budget=200)
    assert parts[1]["type"] == "image_url"
    assert parts[2] == {"type": "text", "text": "\nend\n"}
    assert "left out here" in parts[0]["text"]


def test_the_budget_names_where_the_whole_of_a_flood_is():
    result = result_of([out("x" * 500), OmittedOutput(10_000, "/tmp/whole.txt"), out("y" * 500)])
    (part,) = result.for_model(budget=300)
    assert "The whole output is in /tmp/whole.txt." in part["text"]
    assert part["text"].count("[1") == 1


def test_the_budget_names_the_file_an_executor_kept_the_whole_text_in():
    result = result_of([out("x" * 500), shown("image/png", PNG)], files=["/o/1.png", "/o/2.txt"])
    text = result.for_model(budget=300)[0]["text"]
    assert "The whole output is in /o/2.txt." in text


def test_a_result_without_cells_gives_its_output():
    result = IPythonCodeResult(exit_code=1, output="unknown language x")
    assert result.for_model() == [{"type": "text", "text": "unknown language x"}]


def test_another_api_is_refused():
    with pytest.raises(ConfigError, match='The api must be "openai" or "anthropic", not \'gemini\''):
        result_of([]).for_model("gemini")
