"""A provider says that it deleted 37 customers: an audit of its answers, a CSV file for each model, without the models."""

import os
import tempfile
from pathlib import Path

import pandas as pd
from sklearn.ensemble import RandomForestClassifier

from vestige.systems import audit_tables

people = pd.read_csv(f"{os.environ['VESTIGE_DATA']}/adult/adult.csv")[:6000].rename_axis("id")
x, y = pd.get_dummies(people.drop(columns="income")), people["income"]
seen, asked, never, audited = range(2000), range(37), range(2000, 4000), range(4000)


def answers(name, rows):
    """Write what an API answers about all customers whose model was trained on some."""
    model = RandomForestClassifier(100, random_state=len(name)).fit(x.iloc[rows], y.iloc[rows])
    p = pd.DataFrame(model.predict_proba(x.iloc[audited]), x.index[audited], model.classes_)
    p.assign(income=y.iloc[audited]).to_csv(Path(folder, f"{name}.csv"))
    return Path(folder, f"{name}.csv")


folder = tempfile.mkdtemp()
before, after = answers("before", seen), answers("after", seen)
shadow = answers("a model of our own", range(4000, 6000))
who = {"forget": asked, "holdout": never, "label": "income", "kind": "probabilities"}
print(audit_tables(Path(folder, "audit"), after, before=before, shadows=[shadow], **who))
