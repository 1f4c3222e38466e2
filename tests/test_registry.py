import importlib.metadata
import sys
from dataclasses import dataclass
from typing import Literal

import pytest

from vestige import llm
from vestige.arguments import Count, NotNegative, Positive, check_fields
from vestige.data.registry import DATASETS
from vestige.errors import InputError, MissingExtra, need
from vestige.measures import MEASURES
from vestige.models import MODELS
from vestige.registry import Entry, Registry
from vestige.unlearning import METHODS


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose one module registers an entry, as a new measure or method does."""
    folder = tmp_path / "toys"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from vestige.registry import Registry\nTOYS = Registry('toy', 'toys', 'toys.more')\n"
    )
    (folder / "ball.py").write_text("from toys import TOYS\nTOYS.add('ball', 1)\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [n for n in sys.modules if n.split(".")[0] in ("toys", "plug")]:
        del sys.modules[name]


def test_a_new_file_is_all_it_takes(package):
    from toys import TOYS

    assert list(TOYS) == ["ball"] and TOYS["ball"] == 1 and "ball" in TOYS and len(TOYS) == 1


def test_another_installed_package_can_add_entries(package, tmp_path, monkeypatch):
    (tmp_path / "plug.py").write_text("from toys import TOYS\nTOYS.add('kite', 2)\n")
    point = importlib.metadata.EntryPoint("kite", "plug", "toys.more")
    monkeypatch.setattr(
        "vestige.registry.entry_points", lambda group: [point] if group == "toys.more" else []
    )
    from toys import TOYS

    assert list(TOYS) == ["ball", "kite"]


def test_unknown_and_repeated_names(package):
    from toys import TOYS

    with pytest.raises(InputError, match="There is no toy 'bal'. Did you mean 'ball'. Known: ball."):
        TOYS["bal"]
    with pytest.raises(ValueError, match="registered twice"):
        TOYS.add("ball", 3)


@pytest.mark.parametrize(("registry", "spec", "new"), [
    (MEASURES, "iam:family=norm,steps=5", "{name: iam, family: norm, steps: 5}"),
    (METHODS, "scrub:alpha=2", "{name: scrub, alpha: 2}"),
])  # fmt: skip
def test_options_behind_a_name_are_told_where_they_stand(registry, spec, new):
    with pytest.raises(InputError, match=f"There is no .*{spec}'; options stand beside the name.*{new}"):
        registry.chosen(spec)


def test_what_is_not_declared_is_named():
    def fading(model, split, work, *, label: float = 0.1): ...

    with pytest.raises(TypeError) as caught:
        METHODS.register("fading", worlds=("torch",), papre={"alpha": 1})(fading)
    text = str(caught.value)
    assert text.startswith(
        f"The method 'fading' in {__name__}: There is no declaration 'papre'. Did you mean 'paper'?"
    )
    for part in (
        "It does not declare 'needs'; add needs= to @register.",
        "It does not declare 'cites'; add cites= to @register.",
        "It has no docstring, whose first line says what it is.",
        "An option cannot be called 'label', which stands beside the options.",
    ):
        assert part in text
    assert "fading" not in METHODS
    with pytest.raises(TypeError, match="The measure 'fading' in .*: It does not declare 'unit'"):
        MEASURES.register("fading", cites="-")(lambda signals: signals)


@pytest.mark.parametrize("registry", [METHODS, MEASURES, MODELS, DATASETS, llm.METHODS])
def test_what_is_declared_is_of_its_kind_and_every_option_says_what_it_may_be(registry):
    for entry in registry.entries():
        check_fields(f"The {registry.kind} {entry.name!r}", entry)
        untyped = set(entry.options) - set(entry.hints)
        assert not untyped, f"The {registry.kind} {entry.name!r} has options without an annotation: {untyped}"
        for preset in (entry.paper, *entry.presets.values()):
            entry.resolve(preset)


def test_a_missing_extra_is_one_sentence_with_the_command():
    with pytest.raises(MissingExtra, match=r"Sailing needs no_such_module: pip install 'vestige\[boats\]'"):
        need("no_such_module", "boats", "Sailing")
    assert isinstance(Registry("a", "b", "c"), Registry)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": "x"}, "toy: share is 'x', which is text; a number is wanted."),
        ({"steps": 1.5}, "toy: steps is 1.5; a valid integer"),
        ({"steps": True}, "toy: steps is True; a truth value is not wanted here."),
        ({"limit": []}, r"toy: limit is \[\]; a valid number is wanted."),
        ({"after": 3}, "toy: after is 3; a valid tuple is wanted."),
        ({"kind": "gumbell"}, "toy: kind is 'gumbell'; 'gumbel' or 'norm' is wanted. Did you mean 'gumbel'"),
        ({"stpes": 3}, "toy: There is no option 'stpes'. Did you mean 'steps'"),
        ({"stpes": 3, "share": "x"}, "toy: There is no option 'stpes'.* share is 'x'"),
        ({"share": 1, "limit": None, "steps": 2.0, "kind": "norm", "how": 4}, None),
    ],
)
def test_an_option_that_there_is_not_or_of_the_wrong_type_is_a_sentence(options, message):
    def toy(
        x: "Unknown",  # noqa: F821
        *,
        share: "float" = 0.5,
        steps: "int" = 3,
        limit: "float | None" = None,
        after: "tuple[int, ...]" = (),
        kind: "Literal['gumbel', 'norm']" = "gumbel",
        how: "Unknown" = None,  # noqa: F821
    ):
        """A toy."""

    entry = Entry(name="toy", function=toy, cites="")
    if message:
        with pytest.raises(InputError, match=message):
            entry.resolve(options)
    else:  # what only the type checker knows is left to the function
        values = entry.resolve(options)
        assert values == entry.options | options and isinstance(values["steps"], int)


@dataclass(frozen=True)
class Steps:
    epochs: Count = 3
    rate: Positive = 0.1


def test_presets_and_the_fields_of_steps_are_options_too():
    def toy(*, kind: str = "a") -> None: ...

    entry = Entry(
        name="toy",
        function=toy,
        cites="",
        steps=Steps(epochs=5),
        paper={"kind": "b"},
        presets={"other": {"rate": 0.2}},
    )
    assert entry.resolve({}) == {"kind": "a", "epochs": 5, "rate": 0.1}
    assert entry.resolve({"epochs": 1}, "paper") == {"kind": "b", "epochs": 1, "rate": 0.1}
    assert entry.resolve({}, "other") == {"kind": "a", "epochs": 5, "rate": 0.2}
    for preset in ("othr", None, ["other"]):
        with pytest.raises(InputError, match="toy: There is no preset .*Known: other, paper, recommended"):
            entry.resolve({}, preset)
    with pytest.raises(
        InputError, match="toy: epochs is 0; greater than or equal to 1 is wanted. rate is -1;"
    ):
        entry.resolve({"epochs": 0, "rate": -1})
    with pytest.raises(InputError, match="bare: It takes no options; 'x' was given"):
        Entry(name="bare", function=lambda x: x, cites="").resolve({"x": 1})


def test_every_method_and_measure_takes_its_own_values():
    for registry in (MEASURES, METHODS):
        for entry in map(registry.__getitem__, registry):
            for preset in ("recommended", "paper"):
                own = entry.resolve({}, preset)
                assert entry.resolve(own) == own


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("times", 0, "times is 0; greater than or equal to 1"),
        ("times", None, None),
        ("rate", 0.0, "rate is 0.0; greater than 0"),
        ("rate", float("nan"), "rate is nan"),
        ("weight", -1, "weight is -1; greater than or equal to 0"),
        ("weight", float("inf"), "finite"),
        ("plain", float("nan"), "finite"),
        ("plain", -3.0, None),
    ],
)
def test_ranges_are_part_of_a_type(option, value, message):
    def toy(
        *, times: Count | None = 3, rate: Positive = 0.1, weight: NotNegative = 0.0, plain: float = 1.0
    ) -> None: ...

    def resolve():
        return Entry(name="toy", function=toy, cites="").resolve({option: value})[option]

    if message is None:
        assert resolve() == value
        return
    with pytest.raises(InputError, match=message):
        resolve()
