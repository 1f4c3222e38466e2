"""A folder of images: what is read of it, what its notes say, and what would lose something."""

import numpy as np
import pytest
from PIL import Image

import vestige
from vestige.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 255, (6, 5, 4)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.fromarray(PIXELS[..., :3]).save(tmp_path / "pets" / name / "1.png")
    return tmp_path / "pets"


def several(path):
    pictures = [Image.fromarray(PIXELS[..., k : k + 1].repeat(3, axis=2)) for k in range(3)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:])


def deeper(path):
    path.mkdir()
    Image.fromarray(PIXELS[..., :3]).save(path / "2.png")


LOST = {
    r"cat/2\.png has more than 8 bits a channel .mode I;16": lambda p: Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 200).save(p / "2.png"),
    r"cat/2\.tif has more than 8 bits a channel .mode F": lambda p: Image.fromarray(PIXELS[..., 0] / np.float32(255)).save(p / "2.tif"),
    r"cat/2\.png has transparent pixels": lambda p: Image.fromarray(PIXELS, "RGBA").save(p / "2.png"),
    r"cat/2\.gif holds 3 pictures": lambda p: several(p / "2.gif"),
    r"cat/2\.png: cannot be decoded": lambda p: (p / "2.png").write_bytes(b"no picture"),
    r"pets/2\.png lies in no subfolder": lambda p: Image.fromarray(PIXELS[..., :3]).save(p.parent / "2.png"),
    r"cat/deep/2\.png lies in no subfolder": lambda p: deeper(p / "deep"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("message", LOST)
def test_an_image_that_would_lose_something_is_named(folder, message):
    LOST[message](folder / "cat")
    with pytest.raises(InputError, match=message):
        vestige.load_dataset(folder)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_opaque_and_gray_images_are_colours(folder):
    opaque = PIXELS.copy()
    opaque[..., 3] = 255
    Image.fromarray(opaque, "RGBA").save(folder / "cat" / "2.png")
    Image.fromarray(PIXELS[..., 0]).save(folder / "cat" / "3.png")
    pixels = vestige.load_dataset(folder).x
    assert np.array_equal(pixels[0], pixels[1]) and np.array_equal(
        pixels[2], PIXELS[None, ..., 0].repeat(3, axis=0)
    )


def test_a_photo_with_a_small_copy_of_itself_is_one_image(folder):
    photo = Image.fromarray(PIXELS[..., :3])
    photo.save(folder / "cat" / "2.jpg")
    photo.save(folder / "cat" / "3.jpg", "MPO", save_all=True, append_images=[photo.resize((2, 2))])
    pixels = vestige.load_dataset(folder).x
    assert np.array_equal(pixels[1], pixels[2])


def test_what_is_no_image_is_said_and_what_is_hidden_is_no_class(folder):
    assert vestige.load_dataset(folder).notes == ()
    (folder / ".checkpoints").mkdir()
    (folder / "cat" / "._1.png").write_bytes(b"of another system")
    (folder / "cat" / "notes.txt").write_text("a")
    (folder / "cat" / "settings").mkdir()
    (folder / "eel").mkdir()
    data = vestige.load_dataset(folder)
    assert data.classes == ("cat", "dog", "eel") and data.ids.tolist() == ["pets/cat/1.png", "pets/dog/1.png"]
    assert data.notes == (
        "No image is of the class eel.",
        "Left out, for they are no images: 2 files, among them notes.txt.",
    )
