"""Sizes of images as Pillow writes them, and of files as a person would say them."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cellblock._core.mime import byte_count, image_size, image_type, informative_text, is_animated

KINDS = [
    ("PNG", {}),
    ("JPEG", {}),
    ("JPEG", {"progressive": True, "exif": b"Exif\0\0" + b"\xff\xc0" * 50}),
    ("GIF", {}),
    ("WEBP", {}),
    ("WEBP", {"lossless": True}),
    ("WEBP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}),
]


def encoded(kind, options, size=(641, 483)):
    data = io.BytesIO()
    Image.new("RGB", size).save(data, kind, **options)
    return data.getvalue()


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_the_size_and_type_of_an_image(kind, options):
    data = encoded(kind, options)
    assert image_type(data) == f"image/{kind.lower()}"
    assert image_size(data) == (641, 483)


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_an_image_cut_anywhere_has_its_size_or_none(kind, options):
    data = encoded(kind, options)
    assert {image_size(data[:end]) for end in range(len(data))} == {(641, 483), None}


def test_an_animation_has_more_than_one_frame():
    frames = [Image.new("L", (9, 9), grey) for grey in (0, 90, 255)]
    data = io.BytesIO()
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:])
    assert is_animated(data.getvalue())
    assert not any(is_animated(encoded(kind, options)) for kind, options in KINDS)


@given(st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF0000WEBPVP8 ", b""]), st.binary())
def test_any_data_gives_a_size_or_none(start, rest):
    size = image_size(start + rest)
    assert size is None or all(side > 0 for side in size)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_345, "12.3 kB"),
        (999_949, "999.9 kB"),
        (999_951, "1.0 MB"),
        (5_000_000_000_000, "5000.0 GB"),
    ],
)
def test_a_number_of_bytes(count, text):
    assert byte_count(count) == text


@pytest.mark.parametrize(
    ("text", "informative"),
    [
        ("<Figure size 640x480 with 1 Axes>", False),
        ("<IPython.core.display.HTML object>", False),
        ("  \n", False),
        ("   a\n0  1", True),
        ("<xarray.Dataset> Size: 8B\nDimensions: ()", True),
        ("LinearRegression()", True),
    ],
)
def test_text_that_only_names_an_object_is_not_informative(text, informative):
    assert (informative_text({"text/plain": text}) is not None) is informative
