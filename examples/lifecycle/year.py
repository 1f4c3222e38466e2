"""A year of deletions: twelve monthly versions of a model, 30 requests from 25 people, and what goes wrong.

    python year.py [FOLDER]

The training of a month serves what people asked for in the month before: each request is executed, audited and
certified with that version, and audited again under every later one. Three times something else is done:

    May       the old model is trained on, in place of a new one: it does not forget
    August    a copy of the table from March is taken for the table of today: deleted contracts come back
    October   the new version fails, and that of April is used again: it saw contracts that are deleted since

The third is in the ledger's own records; the first two are found by measuring alone. For the ledger all of it happens
today: no script sets its clock.
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
from vestige.report import write

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
REQUESTS = {  # person and number of contracts; the same again repeats the request
    "january": [(1, 12), (2, 1), (3, 5)],
    "february": [(4, 20), (5, 3)],
    "march": [(6, 15), (7, 2), (8, 30), (6, 15)],
    "april": [(9, 25), (10, 40), (11, 1)],
    "may": [(12, 10), (13, 8), (14, 20), (14, 20)],
    "june": [(15, 12), (16, 4), (17, 18)],
    "july": [(18, 6), (19, 25), (8, 10)],
    "august": [(20, 15), (21, 2)],
    "september": [(22, 10), (10, 5), (23, 1)],
    "october": [(24, 12), (25, 3)],
    "november": [(1, 8)],
}
DENIED, EXTENDED, SUPPLIED = 13, 16, 17
"""People: who is not who they say; who was told that it takes longer; who hands the contracts over for each audit."""


class Year:
    """A company in a folder: its table of contracts, its models, and its ledger.

    Parameters
    ----------
    snapshot : bool
        Is August trained on the copy? If not, it is the same year without a return of data.
    """

    def __init__(self, folder: Path, seed: int = 0, *, snapshot: bool = True, say=print) -> None:
        self.folder, self.seed, self.snapshot, self.say = folder, seed, snapshot, say
        self.all, self.asked = churn.contracts(seed), {}
        free, every = iter(self.all.index), [one for month in REQUESTS.values() for one in month]
        for person, count in dict.fromkeys(every):  # who asks has had contracts since January
            self.asked[person, count] = [next(free) for _ in range(count)]
            self.all.loc[self.asked[person, count], "customer"] = f"customer-{person:05d}"
        self.table, self.never = self.all[self.all.since > 0], self.all[self.all.since == 0]
        self.live = self.model = self.copy = None
        self.supplied = {}

        folder.mkdir(parents=True)
        self.signing_key, self.public_key = evidence.new_key(folder / "signer", encrypt=False)
        key = Key.create(folder / "ledger.key")  # outside of the ledger: without it nobody can be named
        self.ledger = vestige.Ledger.create(f"sqlite:///{folder}/deletions.db", key.path, actor="privacy team")

    def run(self) -> None:
        for month in MONTHS:
            self.say(f"\n{month.capitalize()}")
            version = self.train(month)
            pending = self.pending()
            if not self.holds(version, pending):
                self.ledger.models.retire(version)  # it never goes live
                version = self.train(month, again=True)
                pending = self.pending()  # and what the first one brought back
                self.holds(version, pending)
            self.certify(version, pending)
            self.go_live(version)
            if month == "october":
                self.say("  it fails, and the version of April is used again")
                self.go_live("churn@april")
            for person, count in REQUESTS.get(month, []):
                self.receive(person, count, month)

    # models

    def train(self, month: str, again: bool = False) -> str:
        """Train a version, and register it with the contracts that it is said to have seen."""
        table = self.table[self.table.since <= 1 + MONTHS.index(month)]
        if month == "march":
            self.copy = table
        if month == "may" and not again:
            self.model = churn.fine_tune(self.model, table)
        else:
            rows = self.copy if month == "august" and self.snapshot and not again else table
            self.model = churn.train(rows, 100 * self.seed + MONTHS.index(month) + 50 * again)
        name = f"{month}-again" if again else month
        place = self.folder / "models" / name
        place.mkdir(parents=True)
        churn.system(self.model, table, self.never).save(self.model, place)
        version = self.ledger.models.add("churn", name, place, manifest=table.index, parent=self.live or "")
        self.say(f"  {version.id} is trained on {version.records:,} contracts, as the table says")
        return version.id

    def go_live(self, version: str) -> None:
        """Use a version, and the one before no more. Requests whose records it saw by its manifest are opened again."""
        bears = self.ledger.models.brings_back(version)
        self.ledger.models.live(version)
        if self.live:
            self.ledger.models.retire(self.live)
        self.live = version
        if bears:
            self.say(f"  {version} saw the contracts of {len(bears)} requests by its manifest: they are open again")

    # requests

    def receive(self, person: int, count: int, month: str) -> None:
        """Receive a request, find which versions saw the contracts, keep a copy for later audits, and delete them."""
        requests, ids = self.ledger.requests, self.asked[person, count]
        request = requests.new(f"customer-{person:05d}", ids, source="mail", note="by the customer's own mail")
        if request.duplicate_of:
            return self.say(f"  {request.id} repeats {request.duplicate_of}")
        request = requests.scope(request.id)
        if person == DENIED:
            requests.deny(request.id, "insufficient verification")
            return self.say(f"  {request.id} is denied")
        if person == EXTENDED:
            requests.extend(request.id, "the team is away", months=1)
        content = self.table.loc[ids].to_dict("index")
        if person == SUPPLIED:
            requests.keep(request.id, content, "supplied")
            self.supplied |= content
        else:
            requests.keep(request.id, content, "escrow", until=date.today() + timedelta(days=730))
        self.table = self.table.drop(index=ids)
        self.say(f"  {request.id}: {count} contracts; versions that saw them: {len(request.commitment().saw)}")

    def pending(self) -> list[str]:
        """Return the requests that no version serves yet, new ones and those that were opened again."""
        states = ("scoped", "executed", "audited", "re-opened")
        return [one.id for one in self.ledger.requests.list("open") if one.state in states and not one.duplicate_of]

    def holds(self, version: str, pending: list[str]) -> bool:
        """Audit a version: of the requests that it serves, and of all that were served before. Is it free of traces?"""
        requests = self.ledger.requests
        asking = {"system": self.system, "supplied": self.supplied or None, "seed": self.seed}
        under = []
        if pending:
            requests.execute(pending, version=version, reason="the monthly training serves all of them")
            audited = requests.audit(pending, out=self.folder / "runs", **asking)
            under = [request.id for request in audited if request.commitment().verdict == "under"]
        if under:
            self.say(f"  it was to forget {', '.join(under)}, and has not")
        watch = self.ledger.monitor("churn", folder=self.folder / "runs", **asking)
        reopened = [decision.commitment for decision in watch.reopened]
        if reopened:
            self.say(f"  it brings back {', '.join(reopened)}")
        return not under and not reopened

    def certify(self, version: str, pending: list[str]) -> None:
        """Sign evidence for each request whose audit holds; one whose audit does not waits for the next version."""
        for request in pending:
            if self.ledger.requests.show(request).commitment().verdict in ("unlearned", "undecided"):
                place = self.folder / "evidence" / version / request
                self.ledger.requests.certify(request, key=self.signing_key, folder=place)

    # what is there at the end

    def show(self) -> None:
        """Show every commitment under every version, what is left of the error budget, and whether everything holds."""
        overview, ledger = self.ledger.overview("churn"), self.ledger
        write(self.folder / "commitments.html", overview.page())
        budget = ledger.monitor("churn", lambda commitment, version: None).budget
        self.say(f"\n{overview.text()}")
        self.say(
            f"\n{budget.tests} tests by {budget.procedure}, {budget.reopened} re-openings, of which at most "
            f"{budget.alpha:.0%} are false; the next test is judged at {budget.next_level:.1g}"
        )
        signed = [one.commitment() for one in ledger.requests.list() if one.commitments and one.commitment().evidence]
        checks = [evidence.verify(Path(one.evidence["place"]) / "evidence.json", self.public_key) for one in signed]
        self.say(f"Evidence: {sum(check.holds for check in checks)} of {len(checks)} statements hold")
        self.say(f"Ledger: {ledger.verify().sentence}")

    def system(self, content):
        """Return who knows the contracts of today, those that were deleted and kept, and offers that nobody signed."""
        known = pd.concat([self.table, churn.restored(content)])
        return churn.system(churn.model(self.seed), known, self.never)


def main(folder: str = "year") -> None:
    begin, place = time.perf_counter(), Path(folder)
    if place.exists():
        sys.exit(f"{place} is there already; remove it, or name another folder.")
    year = Year(place)
    print("Contracts: Adult" if churn.has_adult() else "Contracts: made up, for VESTIGE_DATA has no adult/adult.csv")
    year.run()
    year.show()
    print(f"\n{time.perf_counter() - begin:.0f} s; everything is in {place}")


if __name__ == "__main__":
    main(*sys.argv[1:])
