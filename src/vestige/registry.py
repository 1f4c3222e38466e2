"""The whole plug-in system: a function with what is declared of it, found by its name.

An `Entry` is a plain function under a name: its keyword-only parameters are its options, their annotations what a value
may be. A `Registry` reads every module of its package once, when it is first asked, and then the entry points of other
installed packages. Adding an entry is adding a file; nothing else is edited.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import entry_points
from typing import Any, ClassVar, Generic, TypeVar, cast

from vestige.arguments import bind, fitting, hints_of, plain_type
from vestige.errors import InputError, shown, unknown

F = TypeVar("F", bound=Callable[..., Any])
PRESETS = ("recommended", "paper")
OLD = ("knobs", "options")
RESERVED = ("name", "preset", *OLD)
"""Words that stand beside the options where an entry is named; no option is called so."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A registered function and what is declared of it.

    Attributes
    ----------
    name : str
        What it is asked for by.
    function : Callable[..., Any]
        Its keyword-only parameters are options, with the recommended values as defaults.
    cites : str
        Its publication.
    paper : Mapping[str, Any]
        Values of the preset "paper", where they are not the recommended ones.
    presets : Mapping[str, Mapping[str, Any]]
        Further presets by name, such as another group's version.
    steps : Any
        A dataclass whose fields are options too, such as an optimiser's settings; None: there are none.
    """

    BESIDE: ClassVar[tuple[str, ...]] = ()
    """Further words that stand beside the options where an entry of this kind is named."""

    name: str
    function: Callable[..., Any]
    cites: str
    paper: Mapping[str, Any] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    steps: Any = None

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").split("\n", 1)[0]

    @cached_property
    def own_options(self) -> dict[str, Any]:
        """The function's own options with their recommended values."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    @property
    def own_steps(self) -> dict[str, Any]:
        """The options that are fields of its steps, with their recommended values."""
        return {} if self.steps is None else dataclasses.asdict(self.steps)

    @property
    def options(self) -> dict[str, Any]:
        """Every option with its recommended value: the function's own, then those of its steps."""
        return self.own_options | self.own_steps

    @cached_property
    def hints(self) -> dict[str, Any]:
        """What the value of each option may be."""
        steps = {} if self.steps is None else hints_of(type(self.steps))
        return {
            name: hint for name, hint in (hints_of(self.function) | steps).items() if name in self.options
        }

    def resolve(self, options: Mapping[str, Any], preset: str = "recommended") -> dict[str, Any]:
        """Return every option's value: recommended, then the preset's, then the caller's.

        Raises `InputError`: the preset or every option that there is not, and every value that an option cannot have.
        """
        if preset not in (*PRESETS, *self.presets):
            raise InputError(f"{self.name}: {unknown('preset', preset, (*PRESETS, *self.presets))}")
        preset_values = self.paper if preset == "paper" else self.presets.get(preset, {})
        values, faults = self.options | dict(preset_values), []
        for option, value in options.items():
            try:
                values[option] = self._checked(option, value)
            except InputError as fault:
                faults.append(str(fault).removeprefix(f"{self.name}: "))
        if faults:
            raise InputError(f"{self.name}: {' '.join(faults)}")
        return values

    def _checked(self, option: str, value: Any) -> Any:
        if not self.options:
            raise InputError(f"It takes no options; {option!r} was given.")
        if option not in self.options:
            raise InputError(unknown("option", option, self.options))
        return fitting(self.name, option, value, self.hints[option]) if option in self.hints else value


E = TypeVar("E", bound=Entry)


def spelled(what: str, spec: Any) -> dict[str, Any]:
    """Return a name with its options as one mapping: {"name": "iam", "family": "norm"}, from that or from "iam".

    Parameters
    ----------
    what : str
        Is named, for the message: "measure".

    Raises
    ------
    InputError
        For anything else, and for the spelling of earlier versions.
    """
    if isinstance(spec, str):
        return {"name": spec}
    if not isinstance(spec, Mapping):
        raise InputError(f"A {what} is {shown(spec)}; a name, or a mapping with a 'name', is wanted.")
    values = {str(key): value for key, value in spec.items()}
    for key in OLD:
        if key in values:
            raise InputError(new_spelling(key, values.pop(key), {"name": f"a {what}"} | values))
    return values


def new_spelling(key: str, options: Any, values: Mapping[str, Any]) -> str:
    """Return the sentence that says how options are written that stand under a key of their own, beside `values`."""
    pairs = {**values, **(options if isinstance(options, Mapping) else {"option": "value"})}
    new = ", ".join(f"{k}: {v if isinstance(v, str) else shown(v)}" for k, v in pairs.items())
    return f"Options stand beside the name, not under {key!r}: write {{{new}}}."


def bound(call: Callable[..., Any], entry: Entry, module: str) -> Callable[..., Any]:
    """Return `call` for one entry, with the entry's options in its signature and the entry's docstring.

    `call` takes the entry's name first and its options last: bound(unlearn, METHODS["scrub"], ...) is a function
    `scrub(model, split, *, ..., alpha=0.5, ...)`.
    """

    shared = inspect.signature(call)
    unnamed = shared.replace(parameters=list(shared.parameters.values())[1:])

    def function(*args: Any, **kwargs: Any) -> Any:
        bind(entry.name, unnamed, args, kwargs)
        return call(entry.name, *args, **kwargs)

    parameters = [p for p in unnamed.parameters.values() if p.kind is not p.VAR_KEYWORD]
    parameters += [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=value,
            annotation=plain_type(entry.hints.get(name, Any)),
        )
        for name, value in entry.options.items()
    ]
    function.__name__ = function.__qualname__ = entry.name
    function.__module__ = module
    also = f"The other arguments are those of `vestige.{call.__name__}`, which it calls."
    what, notes, rest = (inspect.getdoc(entry.function) or "").partition("\n\nNotes\n")
    function.__doc__ = f"{what}\n\n{also}{notes}{rest}"
    function.__signature__ = shared.replace(parameters=parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {p.name: p.annotation for p in parameters} | {
        "return": shared.return_annotation
    }
    return function


def callables(
    module: str,
    registry: Registry[Any],
    call_of: Callable[[Any], Callable[..., Any]],
    names: Collection[str] = (),
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a module that gives every entry of a registry as a function.

    Parameters
    ----------
    call_of : Callable[[Any], Callable[..., Any]]
        Which function an entry is called by, such as `unlearn`.
    names : Collection[str]
        What the module holds besides.
    """
    known: dict[str, Callable[..., Any]] = {}

    def get(name: str) -> Any:
        if name == "__all__":
            return [*names, *registry]
        if name.startswith("_") or name not in registry:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        if name not in known:
            known[name] = bound(call_of(registry[name]), registry[name], module)
        return known[name]

    return get, lambda: sorted({*names, *registry})


def _behind(spec: object, kind: str, names: Collection[str]) -> str:
    """Return the sentence for options behind a name, as commands take them, where none are taken so; "" elsewhere."""
    name, colon, options = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    if not colon or name not in names:
        return ""
    pairs = [pair.strip().replace("=", ": ", 1) for pair in options.split(",") if pair.strip()]
    new = ", ".join([f"name: {name}", *pairs])
    return f"There is no {kind} {shown(spec)}; options stand beside the name, where it takes any here: {{{new}}}."


class Registry(Generic[E]):
    """Names to entries of one kind (`measure`, `method`, `model`, `data set`).

    Modules of `package` register their entries on import; installed packages may add more through the
    entry-point group `group`, each entry point naming a module that registers on import.
    """

    def __init__(self, kind: str, package: str, group: str, entry: type[E] | None = None) -> None:
        self.kind, self.package, self.group = kind, package, group
        self.entry = entry or cast(type[E], Entry)
        self._entries: dict[str, E] = {}
        self._complete = False

    def register(self, name: str, **facts: Any) -> Callable[[F], F]:
        """Register a function under a name; it stays a plain function.

        Parameters
        ----------
        facts : Any
            What is declared of it: the fields of the registry's entry.

        Raises
        ------
        TypeError
            Naming each, where something is not declared, or is that there is not.
        """

        def keep(function: F) -> F:
            self._expect_declared(name, function, facts)
            self.add(name, self.entry(name=name, function=function, **facts))
            return function

        return keep

    def _expect_declared(self, name: str, function: Callable[..., Any], facts: Mapping[str, Any]) -> None:
        known = {f.name: f for f in dataclasses.fields(self.entry) if f.name not in ("name", "function")}
        faults = [unknown("declaration", fact, known) for fact in facts if fact not in known]
        for fact, one in known.items():
            if fact not in facts and one.default is one.default_factory is dataclasses.MISSING:
                faults.append(f"It does not declare {fact!r}; add {fact}= to @register.")
        if not inspect.getdoc(function):
            faults.append("It has no docstring, whose first line says what it is.")
        taken = {*RESERVED, *self.entry.BESIDE} & set(inspect.signature(function).parameters)
        faults += [f"An option cannot be called {word!r}, which stands beside the options." for word in taken]
        if faults:
            raise TypeError(f"The {self.kind} {name!r} in {function.__module__}: {' '.join(faults)}")

    def chosen(self, spec: Any) -> tuple[E, dict[str, Any], dict[str, Any]]:
        """Return the entry that is named, its options, and what else stands beside them: `preset`, `label`, ...

        Parameters
        ----------
        spec : Any
            A name, or a mapping with `name` and the options beside it: {"name": "iam", "family": "norm"}.

        Raises
        ------
        InputError
            For anything else, and for an unknown name.
        """
        values = spelled(self.kind, spec)
        if "name" not in values:
            raise InputError(f"A {self.kind} is {shown(values)}; its 'name' is missing.")
        entry = self[values.pop("name")]
        beside = {key: values.pop(key) for key in ("preset", *self.entry.BESIDE) if key in values}
        return entry, values, beside

    def add(self, name: str, entry: E) -> E:
        """Add an entry. Raises `ValueError` for a name that is taken."""
        if name in self._entries:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._entries[name] = entry
        return entry

    def entries(self) -> list[E]:
        """Return every entry, by name."""
        return [self[name] for name in self]

    def __getitem__(self, name: str) -> E:
        self._discover()
        try:
            return self._entries[name]
        except (KeyError, TypeError):
            raise InputError(
                _behind(name, self.kind, self._entries) or unknown(self.kind, name, self._entries)
            ) from None

    def __iter__(self) -> Iterator[str]:
        self._discover()
        return iter(sorted(self._entries))

    def __contains__(self, name: object) -> bool:
        self._discover()
        return name in self._entries

    def __len__(self) -> int:
        self._discover()
        return len(self._entries)

    def _discover(self) -> None:
        if self._complete:
            return
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")
        for point in entry_points(group=self.group):
            point.load()
        self._complete = True


class Part(Mapping[str, E]):
    """The entries of a registry that something holds for, such as the measures that texts can be asked by."""

    def __init__(self, registry: Registry[E], kind: str, belongs: Callable[[E], bool]) -> None:
        self.registry, self.kind, self.belongs = registry, kind, belongs

    def __getitem__(self, name: str) -> E:
        if name not in self.registry or not self.belongs(self.registry[name]):
            raise InputError(unknown(self.kind, name, list(self)))
        return self.registry[name]

    def __contains__(self, name: object) -> bool:
        return name in self.registry and self.belongs(self.registry[str(name)])

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.registry if self.belongs(self.registry[name]))

    def __len__(self) -> int:
        return sum(1 for _ in self)
