"""Calls of `audit` with arguments of another kind are refused by the argument's name."""

import numpy as np
import pytest

import vestige
from vestige.errors import InputError

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(90, 3))
SIGNALS = vestige.Signals(
    np.resize([0, 1, 2], 90), Z, Z + 1, Z - 1, role=np.resize(["forget", "retain", "holdout"], 90)
)
BAD = {
    "signals is of type ndarray; Signals is wanted": {"signals": Z},
    "measures is 'iam'; a list is wanted": {"measures": "iam"},
    "measures is .'name'": {"measures": {"name": "iam"}},
    "A measure is 3": {"measures": [3]},
    "No measure was asked for": {"measures": []},
    "name is 3; a valid string": {"name": 3},
    "seed is -1": {"seed": -1},
    "seed is 0.5; a valid integer": {"seed": 0.5},
    "seed is True; a truth value": {"seed": True},
    "alpha is '0.05', which is text; a number": {"alpha": "0.05"},
    "alpha is 0.001; at least 0.005": {"alpha": 0.001},
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_no_argument_is_refused(message):
    with pytest.raises(InputError, match=message):
        vestige.audit(**{"signals": SIGNALS} | BAD[message])
