"""The manifests: by Kubernetes' schemas, by what the worker serves, by what the query counts."""

import math
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import psycopg
import pytest
import yaml
from pgflow_client import Client
from psycopg.conninfo import make_conninfo

from tests.deploy.serving import DEPLOY, GRACE, PATIENCE, PGFLOW, option, serving
from tests.support import until

FOLDER = DEPLOY / "kubernetes"
FILES = sorted(path.name for path in FOLDER.glob("*.yaml"))
# The oldest that clouds still serve, and the newest whose schema is there.
VERSIONS = ["1.30", kubernetes_validate.latest_version()]


@cache
def manifests(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def manifest(name: str, kind: str) -> dict[str, Any]:
    [found] = [each for each in manifests(name) if each["kind"] == kind]
    return found


def pod() -> dict[str, Any]:
    return manifest("worker.yaml", "Deployment")["spec"]["template"]["spec"]


def container() -> dict[str, Any]:
    [found] = pod()["containers"]
    return found


def settings() -> dict[str, str]:
    return manifest("config.yaml", "ConfigMap")["data"]


def words() -> list[str]:
    """The worker's words, with variables put in as Kubernetes does."""
    return [
        re.sub(r"\$\((\w+)\)", lambda name: settings()[name[1]], w) for w in container()["args"]
    ]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [name for name in FILES if name != "autoscaling.yaml"])
def test_manifests_are_valid_by_the_schemas_of_kubernetes(name: str, version: str):
    for each in manifests(name):
        if not is_of_keda(each):
            kubernetes_validate.validate(each, version, strict=True)


def is_of_keda(document: dict[str, Any]) -> bool:
    return document["apiVersion"].startswith("keda.sh/")


@pytest.mark.parametrize("name", ["autoscaling.yaml", "former.yaml"])
def test_the_autoscaler_is_valid_by_the_models_of_keda(name: str):
    from cloudcoil.models.keda import v1alpha1

    for each in filter(is_of_keda, manifests(name)):
        model = getattr(v1alpha1, each["kind"]).model_validate(each)
        # The models take what they do not know, and leave it out.
        assert model.model_dump(mode="json", by_alias=True, exclude_unset=True) == each


def test_what_manifests_name_of_each_other_is_there():
    secret = manifest("config.yaml", "Secret")
    named: list[tuple[str, str]] = []

    def look(value: Any) -> None:
        if isinstance(value, dict):
            reference = value.get("secretKeyRef") or (value if "parameter" in value else None)
            if reference:
                named.append((reference["name"], reference["key"]))
            value = list(value.values())
        if isinstance(value, list):
            for each in value:
                look(each)

    for name in FILES:
        look(manifests(name))
    assert set(named) == {(secret["metadata"]["name"], key) for key in secret["stringData"]}
    config = manifest("config.yaml", "ConfigMap")["metadata"]["name"]
    assert container()["envFrom"] == [{"configMapRef": {"name": config}}]
    deployment = manifest("worker.yaml", "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    budget = manifest("worker.yaml", "PodDisruptionBudget")
    assert budget["spec"]["selector"]["matchLabels"] == labels
    scaled = manifest("autoscaling.yaml", "ScaledObject")["spec"]
    assert scaled["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    authentication = manifest("autoscaling.yaml", "TriggerAuthentication")["metadata"]["name"]
    assert scaled["triggers"][0]["authenticationRef"]["name"] == authentication
    former = manifest("former.yaml", "Deployment")
    scaled = manifest("former.yaml", "ScaledObject")["spec"]
    assert scaled["scaleTargetRef"]["name"] == former["metadata"]["name"]
    assert scaled["triggers"][0]["authenticationRef"]["name"] == authentication
    images = {c["image"] for name in ("install.yaml", "worker.yaml") for c in containers_of(name)}
    assert len(images) == 1


def test_the_former_code_is_the_same_deployment_by_another_name():
    suffix = "-v1"
    for kind, file in (("Deployment", "worker.yaml"), ("ScaledObject", "autoscaling.yaml")):
        former, ours = manifest("former.yaml", kind), manifest(file, kind)
        name = ours["metadata"]["name"]
        told = yaml.safe_dump(former).replace(name + suffix, name)
        assert former["metadata"]["name"] == name + suffix
        assert yaml.safe_load(told.replace("shop@1", "shop")) == ours


def containers_of(name: str) -> list[dict[str, Any]]:
    return [
        each
        for document in manifests(name)
        if "template" in document["spec"]
        for each in document["spec"]["template"]["spec"]["containers"]
    ]


def test_pods_are_given_longer_than_a_worker_takes_to_drain():
    patience = option(words(), "shutdown-timeout")
    assert pod()["terminationGracePeriodSeconds"] >= patience + GRACE


def test_the_worker_of_the_manifest_answers_its_probes(db: str, tmp_path: Path):
    [port] = container()["ports"]
    with serving(words(), tmp_path, {"PGFLOW_DATABASE_URL": db}) as served:
        for probe in ("livenessProbe", "readinessProbe"):
            get = container()[probe]["httpGet"]
            assert get["port"] == port["name"]
            assert served.answers(get["path"]) == 200
        annotations = manifest("worker.yaml", "Deployment")["spec"]["template"]["metadata"]
        assert annotations["annotations"]["prometheus.io/port"] == str(port["containerPort"])
        assert "pgflow_" in served.body("/metrics")
        assert served.end() == 0


@pytest.fixture
def reader(db: str, conn: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """The autoscaler's connection, of a user who reads and nothing else."""
    name = "keda_reader"
    conn.execute(f"create role {name} login in role pgflow_reader".encode())
    with psycopg.connect(make_conninfo(db, user=name), autocommit=True) as connection:
        yield connection
    conn.execute(f"drop role {name}".encode())


def pods_for(reader: psycopg.Connection[Any], name: str = "autoscaling.yaml") -> int:
    """Ask as KEDA does, and reckon as it does."""
    spec = manifest(name, "ScaledObject")["spec"]
    metadata = spec["triggers"][0]["metadata"]
    [(value,)] = reader.execute(metadata["query"].encode()).fetchall()
    if value <= float(metadata["activationTargetQueryValue"]):
        return spec["minReplicaCount"]
    wanted = math.ceil(value / float(metadata["targetQueryValue"]))
    return max(1, min(wanted, spec["maxReplicaCount"]))


def test_there_are_pods_for_what_is_to_be_done_and_none_for_nothing(
    db: str, conn: psycopg.Connection[Any], reader: psycopg.Connection[Any], tmp_path: Path
):
    conn.execute("select pgflow.create_flow('shop')")
    conn.execute("select pgflow.add_step('shop', 'pack', step_type => 'map')")
    assert pods_for(reader) == 0
    with Client(db) as client:
        client.start_flow("shop", [0.0] * 101)
        assert pods_for(reader) == 2
        client.start_flow("shop", [0.0] * 20_000, delay=timedelta(hours=1))
        assert pods_for(reader) == 2
        conn.execute("select pgflow.skip_delays(run_id) from pgflow.runs")
        # What is due counts before any worker has looked, and what is beyond the last pod costs
        # nothing to count.
        assert pods_for(reader) == 20
        conn.execute("select pgflow.cancel_flow_runs('shop')")
        assert pods_for(reader) == 0
        run = client.start_flow("shop", [0.0] * 10)
        with serving(words(), tmp_path, {"PGFLOW_DATABASE_URL": db}):
            run.wait()
            until(lambda: pods_for(reader) == 0, PATIENCE)


def test_pods_of_the_former_code_are_there_for_tasks_of_its_version_alone(
    db: str, conn: psycopg.Connection[Any], reader: psycopg.Connection[Any]
):
    conn.execute("select pgflow.create_flow('shop')")
    conn.execute("select pgflow.add_step('shop', 'pack')")
    with Client(db) as client:
        client.start_flow("shop", 1)
        shape = '{"steps": [{"slug": "pack"}, {"slug": "ship"}]}'
        conn.execute(
            "select pgflow.ensure_flow_compiled('shop', %s, make_version => true)", (shape,)
        )
        client.start_flow("shop", 2)
        assert (pods_for(reader), pods_for(reader, "former.yaml")) == (1, 1)
        conn.execute("select pgflow.cancel_flow_runs('shop@1')")
        assert (pods_for(reader), pods_for(reader, "former.yaml")) == (1, 0)


def test_the_query_counts_as_far_as_all_pods_together_go():
    spec = manifest("autoscaling.yaml", "ScaledObject")["spec"]
    metadata = spec["triggers"][0]["metadata"]
    [most] = re.findall(r", (\d+)\)$", metadata["query"])
    a_pod = float(metadata["targetQueryValue"])
    assert int(most) == a_pod * spec["maxReplicaCount"]
    assert a_pod == float(settings()["CONCURRENCY"])


def test_the_job_installs_and_may_run_again(postgres: Any, conn: psycopg.Connection[Any]):
    [install] = containers_of("install.yaml")
    conn.execute("create database installed_by_job")
    try:
        env = {**os.environ, "PGFLOW_DATABASE_URL": postgres.url("installed_by_job")}
        for _ in range(2):
            subprocess.run([PGFLOW, *install["args"]], env=env, check=True, capture_output=True)
        assert install["env"][0]["name"] == "PGFLOW_DATABASE_URL"
    finally:
        conn.execute("drop database installed_by_job with (force)")
