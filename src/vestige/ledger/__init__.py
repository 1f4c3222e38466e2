"""The ledger: requests to delete, model versions and what was done, in a chain of events that is not changed unseen."""

from vestige.ledger.keys import Key
from vestige.ledger.ledger import Ledger

__all__ = ["Key", "Ledger"]
