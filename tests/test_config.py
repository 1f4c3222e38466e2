from dataclasses import dataclass

import pytest
from pydantic import model_validator

from vestige.config import Config, option_value, over, overridden, parse_yaml, read_yaml, validated
from vestige.errors import InputError
from vestige.experiments import RunConfig


class Inner(Config):
    size: int = 1


class Outer(Config):
    name: str
    inner: Inner = Inner()
    rate: float = 0.5


FAULTS = {
    "file: There is no key 'nme'. Did you mean 'name'? Known: inner, name, rate.": {"name": "a", "nme": "b"},
    "file: In 'inner' there is no key 'sise'. Did you mean 'size'? Known: size.": {
        "name": "a",
        "inner": {"sise": 2},
    },
    "file: 'name' is missing.": {},
    "file: 'inner.size' is '5': a text is no number; write it without quotes": {
        "name": "a",
        "inner": {"size": "5"},
    },
    "file: 'rate' is ' 1e-3 ': a text is no number": {"name": "a", "rate": " 1e-3 "},
    "file: 'rate' is True: a truth value is no number": {"name": "a", "rate": True},
    "file: 'inner.size' is 'x': input should be a valid integer": {"name": "a", "inner": {"size": "x"}},
}


@pytest.mark.parametrize("message", FAULTS)
def test_a_fault_is_one_sentence(message):
    with pytest.raises(InputError) as caught:
        validated(Outer, FAULTS[message], "file")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_all_faults_are_told_together():
    with pytest.raises(InputError) as caught:
        validated(Outer, {"nme": "a", "inner": {"size": "x", "sise": 2}, "rate": None}, "file")
    assert str(caught.value).split("\n  - ") == [
        "file: 4 faults.",
        "In 'inner' there is no key 'sise'. Did you mean 'size'? Known: size.",
        "There is no key 'nme'. Did you mean 'name'? Known: inner, name, rate.",
        "'inner.size' is 'x': input should be a valid integer, unable to parse string as an integer.",
        "'rate' is None: input should be a valid number.",
    ]
    assert len(caught.value.faults) == 4
    with pytest.raises(InputError, match="Outer: 2 faults") as caught:
        Outer(name=3, rate="x")
    assert len(caught.value.faults) == 2
    with pytest.raises(InputError, match="24 faults.(\n.*){20}\n  - and 4 more.$"):
        validated(Outer, {"name": "a", **{f"k{i}": i for i in range(24)}}, "file")


@dataclass(frozen=True)
class Side:
    model: str | dict = "mlp"
    size: int = 1


class Union(Config):
    side: str | Side = "a"
    count: int | float = 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"side": {"size": "x"}}, "file: 'side.size' is 'x': input should be a valid integer"),
        (
            {"side": {"sise": 3}},
            "file: In 'side' there is no key 'sise'. Did you mean 'size'. Known: model, size.",
        ),
        ({"side": {"knobs": {"width": 8}}}, "file: 'side': Options stand beside the name, .* width: 8"),
        ({"count": "x"}, "file: 'count' is 'x': input should be a valid integer"),
    ],
)
def test_of_a_union_the_member_that_was_meant_is_told(values, message):
    with pytest.raises(InputError, match=message) as caught:
        validated(Union, values, "file")
    assert "\n" not in str(caught.value)


def test_faults_of_names_options_and_recipes_are_among_them():
    values = {
        "name": "a",
        "data": {"name": "digits", "part": "test"},
        "model": {"name": "mlp", "hiden": [3]},
        "recipe": {"epochs": 0, "lr": "x"},
        "methods": [
            "fintune",
            {"name": "finetune", "epochs": 0, "lr": -1},
            {"name": "ssd", "knobs": {"alpha": 2}},
        ],
        "audit": {"measures": ["iam", {"name": "iam", "family": "gumbell"}]},
        "seed": -1,
    }
    with pytest.raises(InputError) as caught:
        validated(RunConfig, values, "file")
    first, *lines = str(caught.value).split("\n  - ")
    assert first == "file: 9 faults."
    for line, parts in zip(
        lines,
        (
            ("'data'", "digits: It takes no options; 'part' was given."),
            ("'model'", "Did you mean 'hidden'"),
            ("'recipe'", "'epochs' is 0"),
            ("'recipe'", "'lr' is 'x'"),
            ("'methods.0' is 'fintune'", "Did you mean 'finetune'"),
            (
                "'methods.1'",
                "epochs is 0; greater than or equal to 1 is wanted. lr is -1; greater than 0 is wanted.",
            ),
            ("'methods.2'", "write {name: ssd, alpha: 2}"),
            ("'audit.measures.1'", "Did you mean 'gumbel'"),
            ("'seed' is -1",),
        ),
        strict=True,
    ):
        assert all(part in line for part in parts), line


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


def bomb(levels):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, levels)]
    return "\n".join(lines)


HOSTILE = {
    "expands to more than 100,000 values": bomb(9),
    "an alias stands inside what it names": "a: &a [*a]",
    "nests deeper than 50 levels": "[" * 60 + "]" * 60,
    "deeper than 50": "[" * 5000,
    "an integer of 5000 characters; at most 40": "a: " + "9" * 5000,
    "an integer of 5002 characters": "a: 0x" + "f" * 5000,
    "the key 'a' stands twice": "b: {a: 1, a: 2}",
    "lone surrogate": 'a: "\\ud800"',
    "could not determine a constructor": "!!python/object/apply:os.system [ls]",
    "month must be in 1..12": "a: 2024-99-99",
    "could not convert string to float": "a: !!float abc",
    "found unhashable key": "[a]: b",
    "special characters are not allowed": "a: \0",
    "line 2: 010 is not the same number to all": "a: 1\nids: [010]",
    "line 1: 12:30 is not the same": "a: 12:30",
    "line 1: 1_0.5 is not the same": "a: 1_0.5",
    "line 1: 0x1F is not the same": "a: 0x1F",
}


@pytest.mark.parametrize("message", HOSTILE)
def test_yaml_that_is_refused(message, tmp_path):
    (tmp_path / "c.yaml").write_text(HOSTILE[message], encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_yaml(tmp_path / "c.yaml")
    assert str(caught.value).startswith(f"{tmp_path / 'c.yaml'}: not readable as YAML (") and "\n" not in str(
        caught.value
    )
    if "integer" not in message and "\0" not in HOSTILE[message]:
        with pytest.raises(InputError, match="--option a: "):
            option_value(HOSTILE[message], "--option a")


def test_yaml_numbers_in_plain_digits_are_read():
    text = "[0, -1, +2, 1., .5, 1e-5, 0.010, .5E3, '010', 1.5e+3, 0o10]"
    assert parse_yaml(text) == [0, -1, 2, 1.0, 0.5, 1e-5, 0.01, 500.0, "010", 1500.0, "0o10"]


def test_yaml_with_aliases_a_mark_and_merges_is_read(tmp_path):
    (tmp_path / "c.yaml").write_text("\ufeffa: &a {x: 1}\nb: {<<: *a, y: [2, *a]}\n", encoding="utf-8")
    assert read_yaml(tmp_path / "c.yaml") == {"a": {"x": 1}, "b": {"x": 1, "y": [2, {"x": 1}]}}
    assert parse_yaml(bomb(4)) is not None and parse_yaml("") is None


def test_files_that_are_no_configuration(tmp_path):
    (tmp_path / "large.yaml").write_text("a: " + "x" * 300_000)
    (tmp_path / "device.yaml").symlink_to("/dev/zero")
    for name, message in (
        ("large", "at most 256 KB are read"),
        ("device", "is a device"),
        ("gone", "no such file"),
    ):
        with pytest.raises(InputError, match=message):
            read_yaml(tmp_path / f"{name}.yaml")


def test_overrides_have_limits_too():
    for text, message in (
        (".".join("a" * 60) + "=1", "names 60 keys; at most 50"), ("a=" + "x" * 300_000, "300,000 characters"), (f"a={bomb(9)}", "expands to more"), ("a.b=1", "'a' holds a value"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            overridden({"a": 1} if text == "a.b=1" else {}, [text])


def test_values_that_no_field_means():
    cycle: list = []
    cycle.append(cycle)
    for value, message in (
        (b"a", "bytes"),
        (10**50, "more than 40 digits"),
        (cycle, "deeper than 50 levels"),
        ([[0] * 1000] * 1000, "100,000 values"),
    ):
        with pytest.raises(InputError, match=f"file: .*{message}"):
            validated(Outer, {"name": value}, "file")
    for values in (None, [1], "a", 3):
        with pytest.raises(InputError, match="file: a mapping of keys is wanted"):
            validated(Outer, values, "file")


def test_what_is_given_is_put_over_a_bare_name_too():
    given = {"data": {"name": None, "id": "n"}, "side": {"size": None}, "rate": None}
    assert over({"data": "digits", "side": [3]}, given) == {
        "data": {"name": "digits", "id": "n"},
        "side": [3],
    }
