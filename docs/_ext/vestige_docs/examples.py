"""Examples of the pages of methods and measures: programs that run, made of what an entry needs."""

from __future__ import annotations

from typing import Any

from vestige.measures import Measure
from vestige.unlearning import Method

MODEL = """import vestige

data = vestige.load_dataset("digits")
split = vestige.make_split(data, {request}, train=120, holdout=200, shadow=300, seed=0)
recipe = vestige.Recipe(epochs=5, batch_size=32, lr=0.05)
start = vestige.build_model("mlp", data.shape, 10, hidden=(32,))
model = vestige.train(start, data.take(split.train), recipe).model
"""
SIGNALS = """import numpy as np
import vestige

rng = np.random.default_rng(0)
labels, role = rng.integers(0, 5, 300), np.repeat(["forget", "retain", "holdout"], 100)
fit = 3 * np.eye(5)[labels]                                        # what a model adds that saw a record
original = rng.normal(size=(300, 5)) + fit * (role != "holdout")[:, None]
unlearned = rng.normal(size=(300, 5)) + fit * (role == "retain")[:, None]
shadow = rng.normal(size=(1, 300, 5))                              # never saw any of them
signals = vestige.Signals(labels, unlearned, original, shadow, role=role)
"""
FURTHER = {
    "sensitivity": "signals = signals.with_(sensitivity=np.abs(rng.normal(size=(300, 5))))  # collect_sensitivity",
    "population_in": """population = signals.of_role("holdout")
signals = signals.with_(population=population, population_in=rng.normal(size=(100, 5)) + fit[role == "holdout"])""",
}
LOSSES = """import numpy as np

rng = np.random.default_rng(0)
out = rng.gamma(8, 0.3, 100)                                       # mean losses of 100 texts: a model that saw none
arrays = {
    "nll": out * 0.9,                                              # after unlearning
    "fit": out * 0.5,                                              # before it
    "out": out,
    "lower": out * 1.1,                                            # of the texts in lower case
    "prefixed": out * 0.95,                                        # behind a prefix
    "neighbours": out[:, None] * [1.0, 1.1],                       # of two neighbours of each text
    "information": [rng.normal(size=40) for _ in out],             # of every token, vestige.signals.token_information
    "information": list(rng.normal(size=(100, 40))),               # of 40 tokens, vestige.signals.token_information
}
"""
TOKENS = """import numpy as np
from vestige.signals.texts import TextSignals

rng = np.random.default_rng(0)
texts = [f"Text {i}, of forty words or so." for i in range(20)]

def tokens():
    \"\"\"What `vestige.llm.collect` gives for 20 texts of 40 tokens.\"\"\"
    logp = rng.gamma(2, 1, 800).astype(np.float32)
    level = np.full(800, 8, np.float32)
    return TextSignals(
        -logp, -level, level / 4, level / 8, level / 4, np.zeros(800, np.int32), np.zeros(800, np.int32),
        np.arange(0, 801, 40), np.full(20, 200), np.arange(20).astype(str),
    )

arrays = {"tokens": tokens(), "swapped": [tokens(), tokens()], "texts": texts}
"""


def block(program: str) -> str:
    """Return a program as a block of Markdown."""
    return f"```python\n{program.strip()}\n```\n"


def session(lines: str) -> str:
    """Return a session, with prompts, as a block of Markdown."""
    return f"```pycon\n{lines}\n```\n"


def model_program(entry: Method) -> str:
    """Return the program that makes the model and the request that a method's example begins with."""
    return MODEL.format(request='"class", label=1' if entry.whole_classes else '"random", forget=20')


def method_call(entry: Method) -> str:
    """Return the call of a method's example."""
    options = "".join(f", {name}={value!r}" for name, value in entry.trial.quick.items()).replace("'", '"')
    return f"""from vestige.methods import {entry.name}

result = {entry.name}(model, split, recipe=recipe, seed=0{options})
print(result.epochs, result.seconds)
"""


def of_method(entry: Method, lines: str) -> str:
    """Return the example of a method on samples.

    Parameters
    ----------
    lines : str
        Its own, for a method whose model is not trained as all others are.
    """
    return session(lines) if lines else block(model_program(entry) + "\n" + method_call(entry))


def of_text_method(entry: Any) -> str:
    """Return the example of a method on texts: a command, and the same call in Python."""
    sides = "".join(f" --{side} {side}.jsonl" for side in entry.needs)
    base = " --base base/" if "base" in entry.own_options else ""
    sides_in_python = ", ".join(f"{side}={side}" for side in entry.needs)
    command = f"vestige llm unlearn {entry.name} --model original/{sides}{base} --out unlearned/"
    call = f'vestige.llm.unlearn("{entry.name}", model, tokenizer, {sides_in_python})'
    return f"```sh\n{command}\n```\n\nIn Python: `{call}`.\n"


def measure_call(entry: Measure) -> str:
    """Return the call of a measure's example."""
    if not entry.of_samples:
        arrays = ", ".join(f'{array}=arrays["{array}"]' for array in entry.texts)
        return f'from vestige.llm import measure\n\nscores = measure("{entry.name}", {arrays})\nprint(scores.mean())\n'
    further = "".join(f"{FURTHER[array]}\n" for array in (*entry.needs, *entry.uses) if array in FURTHER)
    return f"""{further}from vestige.measures import {entry.name}

scores = {entry.name}(signals)
print(scores[role == "forget"].mean(), scores[role == "retain"].mean())
"""


def measure_program(entry: Measure) -> str:
    """Return the program that makes what a measure reads."""
    if entry.of_samples:
        return SIGNALS
    return TOKENS if "tokens" in entry.texts else LOSSES


def of_measure(entry: Measure, lines: str) -> str:
    """Return the example of a measure, of samples or of texts."""
    return session(lines) if lines else block(measure_program(entry) + "\n" + measure_call(entry))
