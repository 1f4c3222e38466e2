"""Merkle trees of RFC 6962, section 2.1: one hash over many entries, and a short proof that one of them is in it.

    leaf = SHA-256(0x00 || entry),   node = SHA-256(0x01 || left || right)

The left part of a tree of n entries holds the largest power of two below n.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over hashes of entries; of none, the hash of nothing."""
    level = list(leaves)
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        level = _above(level)
    return level[0]


def inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of the entry at `index`, from the leaf to the root: its neighbours on the way."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"there are {len(leaves)} entries, none at {index}")
    path, level = [], list(leaves)
    while len(level) > 1:
        neighbour = index ^ 1
        if neighbour < len(level):
            path.append(level[neighbour])
        level, index = _above(level), index // 2
    return path


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], top: bytes) -> bool:
    """Does the path lead from this leaf, at `index` of `size` entries, to the root `top`?"""
    if not 0 <= index < size:
        return False
    node, rest, last = leaf, list(path), size - 1
    while last:
        if index ^ 1 <= last:  # the last entry of an odd level has no neighbour, and goes up as it is
            if not rest:
                return False
            neighbour = rest.pop(0)
            node = _node(neighbour, node) if index & 1 else _node(node, neighbour)
        index, last = index // 2, last // 2
    return not rest and node == top


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _above(level: list[bytes]) -> list[bytes]:
    pairs = [_node(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
    return pairs + level[-1:] if len(level) % 2 else pairs
