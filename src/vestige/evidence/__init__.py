"""Evidence: one signed, self-contained statement on one request and one model version, and how anybody verifies it.

merkle      RFC 6962: one hash over many answers, a proof for one of them
keys        Ed25519 keys in files
envelope    DSSE: bytes, their type, signatures
statement   what is signed, as in-toto wants it, and its schema
disclosure  salted digests of arrays and answers, and what opens them
certificate  from an audit to evidence
recompute   from signals to the same figures, or not
verification does it hold? Every fault named by its place
findings    what it says
page        the same for people
"""

from vestige.evidence.certificate import certify, prove, sign
from vestige.evidence.findings import Finding, Verification
from vestige.evidence.keys import new_key, private_key, public_key
from vestige.evidence.statement import PREDICATE_TYPE, Statement, schema
from vestige.evidence.verification import verify

__all__ = [
    "PREDICATE_TYPE",
    "Finding",
    "Statement",
    "Verification",
    "certify",
    "new_key",
    "private_key",
    "prove",
    "public_key",
    "schema",
    "sign",
    "verify",
]
