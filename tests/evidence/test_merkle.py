"""RFC 6962: the known answers of certificate transparency, and what must hold for every tree."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestige.evidence.merkle import inclusion, is_included, leaf_hash, root

ENTRIES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


@pytest.mark.parametrize("size", range(1, 9))
def test_known_roots(size):
    assert root([leaf_hash(entry) for entry in ENTRIES[:size]]).hex() == ROOTS[size - 1]


def test_the_root_of_nothing():
    assert root([]) == hashlib.sha256(b"").digest()


def test_a_known_path():
    """The path of the first of eight entries, as it is published."""
    leaves = [leaf_hash(entry) for entry in ENTRIES]
    path = [node.hex() for node in inclusion(leaves, 0)]
    assert path == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


def slow(entries):
    """The tree as the RFC defines it, by recursion."""
    if len(entries) == 1:
        return leaf_hash(entries[0])
    left = 1
    while left * 2 < len(entries):
        left *= 2
    return hashlib.sha256(b"\x01" + slow(entries[:left]) + slow(entries[left:])).digest()


entries = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


@settings(deadline=None)
@given(entries, st.data())
def test_every_proof_holds_and_no_other(entries, data):
    leaves = [leaf_hash(entry) for entry in entries]
    top, size = root(leaves), len(entries)
    assert top == slow(entries)
    index = data.draw(st.integers(0, size - 1))
    path = inclusion(leaves, index)
    assert is_included(leaves[index], index, size, path, top)
    assert not is_included(leaf_hash(b"another entry"), index, size, path, top)
    assert not is_included(leaves[index], index, size, [*path, top], top)
    other = data.draw(st.integers(0, size - 1))
    if leaves[other] != leaves[index]:
        assert not is_included(leaves[index], other, size, path, top)
    if path:
        place = data.draw(st.integers(0, len(path) - 1))
        wrong = [bytes(32) if k == place else node for k, node in enumerate(path)]
        assert not is_included(leaves[index], index, size, wrong, top)
        assert not is_included(leaves[index], index, size, path[:-1], top)


def test_places_that_are_not_there():
    assert not is_included(bytes(32), 1, 1, [], bytes(32)) and not is_included(
        bytes(32), -1, 1, [], bytes(32)
    )
    with pytest.raises(IndexError):
        inclusion([bytes(32)], 1)
