"""The image: built once, told about, and another one when what it is made of changes."""

import pytest

from cellblock.errors import ImageError
from cellblock.servers.docker_image import DEFAULT_BASE_IMAGE, DEFAULT_DOCKERFILE, image_tag, provide_image
from docker_engine import BASE_IMAGE, engine

__all__ = ["engine"]

pytestmark = pytest.mark.docker


def test_the_tag_follows_what_the_image_is_made_of():
    tag = image_tag(DEFAULT_DOCKERFILE, DEFAULT_BASE_IMAGE)
    assert tag == image_tag(DEFAULT_DOCKERFILE, DEFAULT_BASE_IMAGE)
    assert len(tag.partition("cellblock-jupyter:")[2]) == 12
    assert tag != image_tag(DEFAULT_DOCKERFILE, "python:3-slim")
    assert tag != image_tag(DEFAULT_DOCKERFILE + "\n", DEFAULT_BASE_IMAGE)


def test_a_build_is_told_about_and_done_once(engine):
    dockerfile = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN echo from the build\n"
    told = []
    image = provide_image(engine, dockerfile, BASE_IMAGE, network=None, on_build=told.append)
    assert image.tags == [image_tag(dockerfile, BASE_IMAGE)]
    assert any(line.startswith("Step 3/3 : RUN") for line in told)
    told.clear()
    assert provide_image(engine, dockerfile, BASE_IMAGE, network=None, on_build=told.append).id == image.id
    assert told == []
    engine.images.remove(image.id, force=True)


def test_a_failed_build_shows_its_end(engine):
    dockerfile = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN echo words of the step; exit 3\n"
    with pytest.raises(ImageError, match=r"returned a non-zero code: 3\.(.|\n)*words of the step"):
        provide_image(engine, dockerfile, BASE_IMAGE, network=None, on_build=None)


def test_a_base_that_is_not_to_be_had_is_said(engine):
    with pytest.raises(ImageError, match=r"^The image on localhost:1/none cannot be built: "):
        provide_image(engine, DEFAULT_DOCKERFILE, "localhost:1/none", network=None, on_build=None)
