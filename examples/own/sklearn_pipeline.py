"""Forget 37 customers of a scikit-learn pipeline on a table with text columns: a person's occupation (Adult)."""

import os

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import vestige

table = pd.read_csv(f"{os.environ['VESTIGE_DATA']}/adult/adult.csv")
table["customer"] = [f"C{row:05d}" for row in range(len(table))]
known, others = table[:2000], table[2000:8000]  # what the model was trained on, and what it never saw

text = ["type_employer", "education", "marital", "relationship", "race", "sex", "country", "income"]
encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), text), remainder="passthrough")
model = make_pipeline(encode, ExtraTreesClassifier(500, max_features=1, random_state=0))
model.fit(known.drop(columns=["occupation", "customer"]), known.occupation)

asked = known.customer.sample(37, random_state=0)  # who wants to be deleted
answer = vestige.forget(model, known, asked, label="occupation", id="customer", unseen=others, tolerance=0.25)

print(answer)
for power in answer.verdict.power:
    print(f"{power.trace}: seen with probability {power.probability:.2f}")
print(answer.save("answers/sklearn_pipeline") / "report.html")
