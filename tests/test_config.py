import pytest
from pydantic import model_validator

from vestige.config import Config, validated
from vestige.errors import InputError


class Inner(Config):
    size: int = 1


class Outer(Config):
    name: str
    inner: Inner = Inner()
    rate: float = 0.5


FAULTS = {
    "file: There is no key 'nme'. Did you mean 'name'? Known: inner, name, rate.": {"name": "a", "nme": "b"},
    "file: There is no key in 'inner' 'sise'. Did you mean 'size'? Known: size.": {
        "name": "a",
        "inner": {"sise": 2},
    },
    "file: 'name' is missing.": {},
    "file: 'inner.size' is 'x': input should be a valid integer": {"name": "a", "inner": {"size": "x"}},
}


@pytest.mark.parametrize("message", FAULTS)
def test_a_fault_is_one_sentence(message):
    with pytest.raises(InputError) as caught:
        validated(Outer, FAULTS[message], "file")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


class Pair(Config):
    low: str
    high: str = "b"

    @model_validator(mode="after")
    def _ordered(self):
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


def test_long_values_are_not_repeated():
    with pytest.raises(InputError) as caught:
        validated(Pair, {"low": "c"}, "file")
    assert str(caught.value) == "file: low is above high."
    with pytest.raises(InputError) as caught:
        validated(Pair, {"low": ["c"] * 100}, "file")
    assert str(caught.value) == "file: 'low': input should be a valid string."


def test_configurations_are_frozen():
    made = validated(Outer, {"name": "a"}, "file")
    with pytest.raises(ValueError, match="frozen"):
        made.name = "b"
