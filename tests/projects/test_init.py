"""Projects to begin with: each runs as it is, and nothing of a user's is written over."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vestige.cli.app import init as command
from vestige.errors import InputError
from vestige.projects import NEXT, init


@pytest.mark.parametrize("framework", NEXT)
def test_files_are_written_and_never_written_over(framework, tmp_path):
    project = init(framework, tmp_path / "new" / "folder")
    assert all(path.parent == tmp_path / "new" / "folder" and path.is_file() for path in project.files)
    names = {path.name for path in project.files}
    assert names == (
        {"outputs.py", "audit.sh"} if framework == "outputs" else {"asked.txt", "request.yaml", "system.py"}
    )
    kept = project.files[-1]
    kept.write_text("mine")
    for path in project.files[:-1]:
        path.unlink()
    with pytest.raises(InputError, match=f"{kept.name} exists, and is not written over"):
        init(framework, project.folder)
    assert kept.read_text() == "mine" and [path.name for path in project.folder.iterdir()] == [kept.name]


def test_another_framework_is_refused(tmp_path):
    with pytest.raises(
        InputError, match="no framework 'keras'.*Known: outputs, sklearn, torch, transformers"
    ):
        init("keras", tmp_path)


def test_the_command_says_what_comes_next(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command("sklearn")
    out = capsys.readouterr().out
    assert "cd sklearn" in out and "vestige run request.yaml" in out
    command("outputs", Path("here"), json=True)
    assert json.loads(capsys.readouterr().out)["folder"] == "here"


DECIDED = {"sklearn": ("unlearned",), "torch": ("unlearned",), "transformers": ("unlearned", "undecided")}


@pytest.mark.slow
@pytest.mark.parametrize("framework", DECIDED)
def test_a_request_runs_to_its_verdict(framework, tmp_path):
    project = init(framework, tmp_path)
    command = [sys.executable, "-m", "vestige", "run", "request.yaml", "--json"]
    ended = subprocess.run(command, cwd=project.folder, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert said["audits"]["retrain"]["outcome"] in DECIDED[framework]
    assert (project.folder / said["report"]).is_file()


@pytest.mark.slow
def test_outputs_are_audited_by_the_script(tmp_path, monkeypatch):
    project = init("outputs", tmp_path)
    shell = shutil.which("sh")
    if shell is None:
        pytest.skip("there is no sh")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, arguments in (("python", ""), ("vestige", "-m vestige ")):
        (tools / name).write_text(f'#!{shell}\nexec {sys.executable} {arguments}"$@"\n')
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    ended = subprocess.run([shell, "audit.sh"], cwd=project.folder, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "A vestige remains" in ended.stdout and (project.folder / "audit" / "report.html").is_file()
