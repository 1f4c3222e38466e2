"""The commands that prepare a request."""

from __future__ import annotations

import json

import pytest


def test_a_checkpoint_is_converted_and_what_is_left_to_do_is_said(here, tmp_path):
    torch = pytest.importorskip("torch")
    before, after = tmp_path / "a.pt", tmp_path / "a.safetensors"
    torch.save({"module.w": torch.ones(3)}, before)
    code, out, _ = here("convert", before, after)
    assert code == 0 and "1 weight (float32)" in out and "--strip-prefix module. takes it off" in out
    code, _, err = here("convert", before, after)
    assert code == 2 and "is not written over" in err
    code, out, _ = here("convert", before, tmp_path / "b.safetensors", "--strip-prefix", "module.", "--json")
    assert code == 0 and json.loads(out)["stripped"] == "module."


def test_a_project_is_written_and_what_comes_next_is_said(here, tmp_path):
    code, out, _ = here("init", "sklearn", tmp_path / "new", "--json")
    assert code == 0 and json.loads(out)["commands"][-1] == "vestige run request.yaml"
    code, _, err = here("init", "sklearn", tmp_path / "new")
    assert code == 2 and "is not written over" in err
