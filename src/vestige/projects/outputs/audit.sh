# What is left of the records in forget.csv? No model is needed, only what models answer. Run it: sh audit.sh
set -e
python outputs.py       # writes the example's files; leave it out where you have your own

vestige audit \
    --before before.csv \
    --after after.csv \
    --shadow shadow.csv \
    --forget forget.csv \
    --holdout never.csv \
    --id id --label digit --kind probabilities \
    --out audit         # report.html is there. --require unlearned makes the exit code say whether it passed
