"""Forget 37 people of a LightGBM model that predicts a number, the age, from a table with categories (Adult)."""

import os

import lightgbm
import pandas as pd

import vestige

table = pd.read_csv(f"{os.environ['VESTIGE_DATA']}/adult/adult.csv")
table = table.astype({name: "category" for name in table.columns[table.dtypes != "int64"]})
table.index = [f"P{row:05d}" for row in range(len(table))]
known, others = table[:1500], table[1500:6000]  # what the model was trained on, and what it never saw

model = lightgbm.LGBMRegressor(
    n_estimators=500, num_leaves=127, learning_rate=0.2, min_child_samples=2, verbose=-1
)
model.fit(known.drop(columns="age"), known.age)

asked = known.index[100:137]  # who wants to be deleted
answer = vestige.forget(model, known, asked, label="age", unseen=others, say=print)

print(answer)
for power in answer.verdict.power:
    print(f"{power.trace}: seen with probability {power.probability:.2f}")
print(answer.save("answers/lightgbm_adult") / "report.html")
