"""Sources of versions: what is new is registered once, with the records that it saw."""

from __future__ import annotations

import subprocess

import pytest
from books import IDS, weights

from vestige.errors import InputError
from vestige.ledger.sources import Folder, Registry, Tags


def version(folder, name, ids=IDS):
    """Write a version with its manifest."""
    weights(folder / name, name)
    (folder / name / "manifest.txt").write_text("\n".join(ids))


def ids_of(versions):
    return [one.id for one in versions]


def test_a_folder_of_versions(book, tmp_path):
    for name in ("v10", "v2", ".hidden"):
        version(tmp_path / "churn", name)
    weights(tmp_path / "churn" / "v3")
    polled = book.models.poll(Folder(tmp_path / "churn", "churn"))
    assert ids_of(polled.added) == ["churn@v2", "churn@v10"] and polled.added[0].records == len(IDS)
    ((name, why),) = polled.waiting
    assert name == "churn@v3" and why.endswith(
        "manifest.txt is missing: the ids of the records that churn@v3 saw, one a line."
    )
    again = book.models.poll(Folder(tmp_path / "churn", "churn"), manifest=lambda offer, place: IDS[:3])
    assert ids_of(again.added) == ["churn@v3"] and again.added[0].records == 3 and again.waiting == ()
    assert ids_of(book.models.list()) == ["churn@v2", "churn@v10", "churn@v3"]
    with pytest.raises(InputError, match="is no folder"):
        book.models.poll(Folder(tmp_path / "none", "churn"))


def test_tags_of_a_repository(book, tmp_path):
    repository = tmp_path / "repository"
    version(repository / "models", "churn")

    def git(*arguments):
        name = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        subprocess.run(["git", *name, *arguments], cwd=repository, check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    git("tag", "churn@v1")
    version(repository / "models", "churn", IDS[:5])
    git("commit", "-qam", "two")
    git("tag", "churn@v2")
    git("tag", "release-1")
    source = Tags(repository, out=tmp_path / "versions")
    polled = book.models.poll(source)
    assert [(one.id, one.records) for one in polled.added] == [("churn@v1", 60), ("churn@v2", 5)]
    assert (tmp_path / "versions" / "churn" / "v1" / "model.bin").read_text() == "churn"
    assert book.models.poll(source).added == () and not book.verify().fault
    git("tag", "other@v1")
    ((name, why),) = book.models.poll(source).waiting
    assert name == "other@v1" and "git archive says" in why and "models/other" in why


@pytest.mark.slow
def test_a_registry_of_mlflow(book, tmp_path, monkeypatch):
    """Run locally on SQLite: versions, parents, which one is live, a roll-back, and a manifest of the run."""
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: pip install 'vestige[mlflow]'")
    pytest.importorskip("sqlparse", reason="MLflow's database needs sqlparse: pip install 'vestige[mlflow]'")
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.create_experiment("churn", artifact_location=(tmp_path / "artifacts").as_uri())
    client.create_registered_model("churn")

    def register(name, ids, inside=True, **tags):
        version(tmp_path / "work", name, ids)
        run = client.create_run(experiment).info
        if not inside:
            client.log_artifact(run.run_id, tmp_path / "work" / name / "manifest.txt")
            (tmp_path / "work" / name / "manifest.txt").unlink()
        client.log_artifacts(run.run_id, tmp_path / "work" / name, "model")
        client.create_model_version("churn", f"{run.artifact_uri}/model", run.run_id, tags=tags)

    register("v1", IDS)
    client.set_registered_model_alias("churn", "champion", "1")
    source = Registry(uri, live="champion", out=tmp_path / "versions", page=1)
    polled = book.models.poll(source)
    assert ids_of(polled.added) == ["churn@v1"] and polled.live == ("churn@v1",)
    request = book.requests.new("anna@example.org", IDS[:6]).id
    assert book.requests.scope(request).open == ("churn@v1",)
    register("v2", IDS[6:], inside=False, parent="v1")
    client.set_registered_model_alias("churn", "champion", "2")
    polled = book.models.poll(source)
    assert [(one.id, one.parent, one.records) for one in polled.added] == [("churn@v2", "churn@v1", 54)]
    assert (polled.live, polled.retired) == (("churn@v2",), ("churn@v1",))
    assert (tmp_path / "versions" / "churn" / "v2" / "model.bin").read_text() == "v2"
    book.requests.execute(request, version="churn@v2")
    client.set_registered_model_alias("churn", "champion", "1")
    assert book.models.poll(source).live == ("churn@v1",)
    assert book.requests.show(request).state == "re-opened", "a roll-back brings the records back"
    assert book.models.poll(source).added == () and not book.verify().fault
    other = book.models.poll(Registry(uri, live="chmapion", out=tmp_path / "versions"))
    assert other.retired == (), "an alias that nothing has retires nothing"
    with pytest.raises(InputError, match=r"sqlite:///.*: "):
        book.models.poll(Registry(uri, ["none"]))
