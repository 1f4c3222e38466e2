"""A year of deletions: twelve monthly versions of a model, 30 requests from 25 people, and what goes wrong.

    python year.py [FOLDER]

Requests come in during a month and are served by the next retraining, which comes anyway: one training for all of them.
Each is executed, audited and certified, and from then on audited under every version to come. In three months somebody
does it otherwise:

    May       goes on training the old model, in place of a new one
    August    trains on a copy of the table from March, and takes it for the table of today
    October   goes back to the version of April

For the ledger all of this happens today: it takes no time from a script.
"""

import sys
import time
from datetime import date, timedelta
from pathlib import Path

import churn
import pandas as pd

import vestige
from vestige import evidence
from vestige.ledger import Key

MONTHS = ("", "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
          "november", "december")  # fmt: skip
REQUESTS = (  # month, person, how many contracts; the same person with as many again repeats the request
    (1, 1, 12), (1, 2, 1), (1, 3, 5),
    (2, 4, 20), (2, 5, 3),
    (3, 6, 15), (3, 7, 2), (3, 8, 30), (3, 6, 15),
    (4, 9, 25), (4, 10, 40), (4, 11, 1),
    (5, 12, 10), (5, 13, 8), (5, 14, 20), (5, 14, 20),
    (6, 15, 12), (6, 16, 4), (6, 17, 18),
    (7, 18, 6), (7, 19, 25), (7, 8, 10),
    (8, 20, 15), (8, 21, 2),
    (9, 22, 10), (9, 10, 5), (9, 23, 1),
    (10, 24, 12), (10, 25, 3),
    (11, 1, 8),
)  # fmt: skip
DENIED, EXTENDED, SUPPLIED = 13, 16, 17  # people: not who they say, served later, gives the contracts again for each audit


class Year:
    """A company in a folder: its table of contracts, its models, its ledger.

    snapshot  is the copy of March really trained on in August? Otherwise the same year without a return
    """

    def __init__(self, folder: Path, seed: int = 0, *, snapshot: bool = True, say=print) -> None:
        self.folder, self.seed, self.snapshot, self.say = folder, seed, snapshot, say
        folder.mkdir(parents=True)
        self.signing_key, self.public_key = evidence.new_key(folder / "evidence", encrypt=False)
        key = Key.create(folder / "ledger.key")
        self.ledger = vestige.Ledger.create(f"sqlite:///{folder}/deletions.db", key.path, actor="privacy team")
        self.table, self.asked = churn.contracts(seed), {}
        free = iter(self.table.index)
        for _, person, count in dict.fromkeys(REQUESTS):  # who will ask has contracts since January
            self.asked[person, count] = [next(free) for _ in range(count)]
            self.table.loc[self.asked[person, count], "customer"] = f"customer-{person:02d}"
        self.never, self.copy, self.live = self.table[self.table.since == 0], None, None
        self.fitted, self.trained_on, self.supplied = {}, {}, {}

    def run(self) -> None:
        for month in range(1, 13):
            self.say(f"\n{MONTHS[month].capitalize()}")
            pending = self.pending()
            table = self.table[self.table.since.between(1, month)]
            self.copy = table if month == 3 else self.copy
            version = self.train(month, table)
            if not self.serve(pending, version):
                version = self.train(month, table, again=True)
                self.serve(self.pending(), version)
            self.go_live(version)
            self.receive(month)
            if month == 10:
                self.say("  the new version fails; back to that of April")
                self.go_live("churn@april")

    def train(self, month: int, table: pd.DataFrame, again: bool = False) -> str:
        """Train the version of a month, and register it with the contracts that it is said to have seen."""
        name, rows, seed = MONTHS[month] + "-2" * again, table, 1000 * self.seed + month + 100 * again
        if month == 5 and not again:
            fitted = churn.fine_tune(self.fitted[self.live], table)
        else:
            if month == 8 and not again and self.snapshot:
                rows = self.copy
            fitted = churn.train(rows, seed)
        place = self.folder / "models" / name
        place.mkdir(parents=True)
        churn.system(fitted, rows, self.never).save(fitted, place)
        version = self.ledger.models.add("churn", name, place, manifest=table.index, parent=self.live or "")
        self.fitted[version.id], self.trained_on[version.id] = fitted, rows
        self.say(f"  {version.id} is trained on {version.records:,} contracts")
        return version.id

    def go_live(self, version: str) -> None:
        old, self.live = self.live, version
        self.ledger.models.live(version)
        if old:
            self.ledger.models.retire(old)

    # requests

    def receive(self, month: int) -> None:
        """Receive the requests of a month, find what saw the contracts, keep a copy for later audits, and delete them."""
        requests = self.ledger.requests
        for number, (when, person, count) in enumerate(REQUESTS):
            if when != month:
                continue
            ids = self.asked[person, count]
            request = requests.new(f"customer-{person:02d}", ids, external=f"mail {number}", source="mail")
            if request.duplicate_of:
                self.say(f"  {request.id} repeats {request.duplicate_of}")
                continue
            request = requests.scope(request.id)
            if person == DENIED:
                requests.deny(request.id, "insufficient verification")
                self.say(f"  {request.id} is denied")
                continue
            if person == EXTENDED:
                requests.extend(request.id, "many requests at once", months=1)
            content = self.table.loc[ids].to_dict("index")
            if person == SUPPLIED:
                requests.keep(request.id, content, "supplied")
                self.supplied |= content
            else:
                requests.keep(request.id, content, "escrow", until=date.today() + timedelta(days=730))
            self.table = self.table.drop(index=ids)
            self.say(f"  {request.id} asks for {count} contracts, which {len(request.open)} live version saw")

    def pending(self) -> list[str]:
        """Return the requests that no version has served yet, and those that a version has opened again."""
        states = ("received", "scoped", "executed", "audited", "re-opened")
        return [one.id for one in self.ledger.requests.list("open") if one.state in states and not one.duplicate_of]

    def serve(self, pending: list[str], version: str) -> bool:
        """Execute, audit and certify requests with one version; False where it bears traces, and is not used."""
        requests, bad = self.ledger.requests, []
        for request in pending:
            requests.execute(request, version=version, reason="the monthly retraining")
            commitment = requests.audit(request, folder=self.audit(request, version)).commitment()
            bad += [request] * (commitment.verdict == "under")
        if bad:
            self.say(f"  {version} still knows the contracts of {', '.join(bad)}")
            return False
        opened = self.monitor()
        if opened:
            self.say(f"  {version} brings back the contracts of {', '.join(opened)}")
            return False
        for request in pending:
            requests.certify(request, key=self.signing_key)
        return True

    def audit(self, request: str, version: str) -> Path:
        saw = self.ledger.requests.show(request).commitment().saw[-1]
        ids = list(self.ledger.requests.content(request, self.of(request)))
        system = churn.system(self.fitted[saw], self.trained_on[saw], self.never[2_000:])
        result = vestige.audit(
            measures=["scaled_logit_difference"], before=self.fitted[saw], after=self.fitted[version], data=system, ids=ids,
            shadows=[self.shadow()],
        )  # fmt: skip
        return result.save(self.folder / "audits" / version / request)

    def of(self, request):
        request = self.ledger.requests.show(request)
        if request.custody != "supplied":
            return None
        return self.supplied

    def shadow(self):
        if not hasattr(self, "_shadow"):
            self._shadow = churn.train(self.never[:2_000], 99)
        return self._shadow

    def monitor(self):
        from vestige.ledger import watch

        result = watch.monitor(self.ledger, "churn", lambda one, version: self.audit(one.request, version.id))
        return [one.commitment for one in result.reopened]


def main(folder="year", seed=0, snapshot=True):
    start = time.perf_counter()
    year = Year(Path(folder), seed, snapshot=snapshot)
    year.run()
    from vestige.ledger import watch

    for request, row in watch.matrix(year.ledger, "churn").items():
        print(request, row)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
