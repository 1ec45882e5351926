#!/usr/bin/env python3
"""Installs the chart on a real control plane as each of ci/*-values.yaml, and sees what becomes of it.

    suite.py PROGRAMS CRDS CHART FOLDER
"""

import contextlib
import json
import pathlib
import sys
import time

from control_plane import ControlPlane

RELEASE = "plant"
# What each installation is to come to: pods of feature workers and of scoring workers. With an autoscaler nobody says how many: one, until it does.
EXPECTED = {"minimal": (2, 2), "small": (1, 1), "gpu": (1, 1), "secured": (1, 3)}
passed, failed = [], []


@contextlib.contextmanager
def promise(text: str):
    """One thing that must be so; a failed one does not keep the others from being tried."""
    began = time.monotonic()
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the promise is broken
        failed.append(text)
        print(f"FAILED  {text}\n        {str(error).strip()[-2000:]}", flush=True)
    else:
        passed.append(text)
        print(f"ok      {text}  ({time.monotonic() - began:.1f} s)", flush=True)


def must(condition, message: str):
    if not condition:
        raise AssertionError(message)


class Installation:
    """One release in a namespace of its own that enforces PodSecurity `restricted`."""

    def __init__(self, plane: ControlPlane, chart: pathlib.Path, name: str):
        self.plane, self.chart, self.name = plane, chart, name
        self.values = chart / "ci" / f"{name}-values.yaml"
        self.namespace = f"auscult-{name}"

    def prepare(self):
        """What a platform has before anyone installs anything."""
        secret = {"apiVersion": "v1", "kind": "Secret"}
        in_namespace = {"namespace": self.namespace}
        self.plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": {
            "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest"}}})
        self.plane.wait("its account", lambda: self.plane.kubectl(
            "--namespace", self.namespace, "get", "serviceaccount/default", "configmap/kube-root-ca.crt", check=False).returncode == 0)
        self.plane.apply(
            {**secret, "metadata": {"name": "kafka-ca", **in_namespace}, "stringData": {"ca.crt": "-"}},
            {**secret, "metadata": {"name": "kafka-client", **in_namespace}, "stringData": {"tls.crt": "-", "tls.key": "-"}},
            {**secret, "metadata": {"name": "kafka-user", **in_namespace}, "stringData": {"username": "auscult", "password": "-"}},
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "models", **in_namespace},
             "spec": {"storageClassName": "", "volumeName": f"models-{self.name}", "accessModes": ["ReadWriteMany"],
                      "resources": {"requests": {"storage": "1Gi"}}}},
            self.volume(f"models-{self.name}", ""), self.volume(f"more-models-{self.name}", "models"))

    @staticmethod
    def volume(name: str, storage_class: str) -> dict:
        return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": {
            "storageClassName": storage_class, "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/models"}}}

    def helm(self, verb: str, *arguments, check=True):
        return self.plane.helm(verb, RELEASE, *arguments, "--namespace", self.namespace, check=check)

    def install(self, *arguments, check=True, seconds=120):
        return self.helm("install", self.chart, "--values", self.values, "--wait", "--wait-for-jobs", "--timeout", f"{seconds}s", *arguments, check=check)

    def upgrade(self, *arguments, seconds=120):
        return self.helm("upgrade", self.chart, "--values", self.values, "--wait", "--timeout", f"{seconds}s", *arguments)

    def pods(self, component: str) -> list:
        items = self.plane.get("pods", "--namespace", self.namespace, "--selector", f"app.kubernetes.io/component={component}")["items"]
        return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]

    def ready(self, component: str) -> list:
        return [pod["metadata"]["name"] for pod in self.pods(component)
                if any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))]

    def config(self, component: str) -> str:
        return self.plane.get("configmap", f"{RELEASE}-auscult-{component}", "--namespace", self.namespace)["data"]["worker.yaml"]

    def everything(self) -> set:
        """Every object of the namespace but events, which tell of the past."""
        kinds = self.plane.kubectl("api-resources", "--verbs=list", "--namespaced", "--output=name").stdout.split()
        kinds = [kind for kind in kinds if not kind.startswith("events")]
        listed = self.plane.kubectl("get", ",".join(kinds), "--namespace", self.namespace, "--output", "name", "--ignore-not-found").stdout
        return set(listed.split())


def walk_through(installation: Installation):
    """Install, look, test, upgrade, roll back, uninstall."""
    name, plane = installation.name, installation.plane
    features, scoring = EXPECTED[name]
    installation.prepare()
    before = installation.everything()
    with promise(f"{name}: installs into a restricted namespace, and waits until all is ready"):
        installation.install()
        must((len(installation.ready("features")), len(installation.ready("scoring"))) == (features, scoring),
             f"ready are {installation.ready('features')} and {installation.ready('scoring')}")
        names = sorted(installation.ready("scoring"))
        must(names == [f"plant-auscult-scoring-{number}" for number in range(scoring)], f"names are not stable: {names}")
    with promise(f"{name}: the topics' job has run and has left nothing"):
        jobs = plane.get("jobs,configmaps,serviceaccounts,networkpolicies", "--namespace", installation.namespace)["items"]
        left = [each["metadata"]["name"] for each in jobs if "topics" in each["metadata"]["name"]]
        must(not left, f"left: {left}")
        events = plane.get("events", "--namespace", installation.namespace)["items"]
        ran = [each for each in events if each["involvedObject"]["name"] == "plant-auscult-topics" and each["reason"] == "Completed"]
        must(ran, "no event says that the job completed")
    with promise(f"{name}: helm test passes"):
        installation.helm("test", "--timeout", "60s")
    with promise(f"{name}: an upgrade with another setting makes new pods, one with none does not"):
        first = {pod["metadata"]["uid"] for pod in installation.pods("features")}
        installation.upgrade()
        must({pod["metadata"]["uid"] for pod in installation.pods("features")} == first, "pods were replaced without a change")
        installation.upgrade("--set", "config.limits.max_chunk_bytes=4194304")
        must("max_chunk_bytes: 4194304" in installation.config("features"), installation.config("features"))
        plane.wait("the old pods to go", lambda: not first & {pod["metadata"]["uid"] for pod in installation.pods("features")}, 30)
        must(len(installation.ready("scoring")) == scoring, "scoring workers are missing")
    with promise(f"{name}: a rollback brings the former settings back"):
        installation.helm("rollback", "2", "--wait", "--timeout", "120s")
        must("max_chunk_bytes" not in installation.config("features"), installation.config("features"))
    with promise(f"{name}: uninstalling leaves nothing"):
        installation.helm("uninstall", "--wait", "--timeout", "60s")
        plane.wait("all that depended to go", lambda: installation.everything() <= before, 60)


def drain(plane: ControlPlane, chart: pathlib.Path):
    installation = Installation(plane, chart, "minimal")
    installation.namespace = "auscult-drain"
    installation.name = "drain"
    installation.prepare()
    nodes = [node["metadata"]["name"] for node in plane.get("nodes")["items"]]
    with promise("drain: of three feature and three scoring workers one each goes, and no other until its successor is ready"):
        # One worker of a kind a node, so that there is something to drain on each; CPU alone, so that the node with GPUs is left out.
        installation.install("--set", "features.replicas=3,scoring.replicas=3")
        # Nowhere to go: what is evicted stays away.
        for node in nodes:
            plane.kubectl("cordon", node)
        refused = plane.kubectl("drain", "--selector", "kubernetes.io/os=linux", "--ignore-daemonsets", "--delete-emptydir-data", "--force",
                                "--timeout=20s", check=False)
        must(refused.returncode != 0, "a drain went through that takes everything away")
        must("would violate the pod's disruption budget" in refused.stdout + refused.stderr, refused.stdout + refused.stderr)
        counts = len(installation.ready("features")), len(installation.ready("scoring"))
        must(counts == (2, 2), f"ready were {counts} during the drain, not two of each")
    with promise("drain: it goes on when successors have somewhere to be"):
        for node in nodes[1:]:
            plane.kubectl("uncordon", node)
        plane.kubectl("drain", nodes[0], "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s")
        plane.wait("all six to be ready", lambda: len(installation.ready("features")) == len(installation.ready("scoring")) == 3, 60)
        where = {pod["spec"].get("nodeName") for component in ("features", "scoring") for pod in installation.pods(component)}
        must(nodes[0] not in where, f"pods are on {where}")
        plane.kubectl("uncordon", nodes[0])
    installation.helm("uninstall", "--wait")


def refusals(plane: ControlPlane, chart: pathlib.Path):
    installation = Installation(plane, chart, "minimal")
    installation.namespace = "auscult-refused"
    installation.name = "refused"
    installation.prepare()
    for setting, words in {
        "features.replica=3": "additional properties 'replica' not allowed",
        "config.batch.max_age_ms=soon": "at '/config/batch/max_age_ms': got string, want integer",
        "features.config.kafka.security.sasl.password=secret": "additional properties 'security' not allowed",
        "kafka.brokers=": "kafka.brokers is empty. Name some of the brokers",
        "features.replicas=9": "a worker beyond that has nothing to read",
    }.items():
        with promise(f"refused: {setting}, with words that help"):
            done = installation.install("--set", setting, check=False, seconds=20)
            must(done.returncode != 0, "it was installed")
            must(words in done.stderr, done.stderr)
    with promise("refused: by PodSecurity, pods that may gain rights (so the namespaces above do enforce it)"):
        done = installation.install("--set", "securityContext.allowPrivilegeEscalation=true,topics.create=false", check=False, seconds=10)
        must(done.returncode != 0, "it was installed")
        events = plane.get("events", "--namespace", installation.namespace)["items"]
        must(any("violates PodSecurity" in each["message"] for each in events), "no event names PodSecurity")
        installation.helm("uninstall", "--wait")
    with promise("kept: a claim of models outlives its release, unless told otherwise"):
        claim = "scoring.models.existingClaim=,scoring.models.claim.create=true,scoring.models.claim.storageClassName=models"
        installation.install("--set", claim)
        installation.helm("uninstall", "--wait")
        plane.kubectl("get", "pvc", "plant-auscult-models", "--namespace", installation.namespace)


def main() -> int:
    programs, crds, chart, folder = map(pathlib.Path, sys.argv[1:])
    began = time.monotonic()
    with ControlPlane(programs, folder) as plane:
        version = json.loads(plane.kubectl("version", "--output", "json").stdout)["serverVersion"]["gitVersion"]
        print(f"Kubernetes {version}, ready after {time.monotonic() - began:.1f} s", flush=True)
        plane.kubectl("apply", "--server-side", "--filename", crds)
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        for number in range(3):
            plane.add_node(f"node-{number}", f"zone-{number}")
        plane.add_node("gpu-0", "zone-0", {"accelerator": "nvidia"}, {"nvidia.com/gpu": "4"},
                       [{"key": "nvidia.com/gpu", "effect": "NoSchedule", "value": "present"}])
        plane.apply({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "plant"}, "value": 1000},
                    {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "models"},
                     "provisioner": "kubernetes.io/no-provisioner"})
        plane.wait("the nodes to be ready", lambda: len([1 for node in plane.get("nodes")["items"] for each in node["status"].get("conditions", [])
                                                        if each["type"] == "Ready" and each["status"] == "True"]) == 4)
        files = sorted(file.name.removesuffix("-values.yaml") for file in (chart / "ci").glob("*-values.yaml"))
        with promise("all of ci/*-values.yaml are here"):
            must(files == sorted(EXPECTED), f"{files} are there, {sorted(EXPECTED)} expected")
        for name in files:
            walk_through(Installation(plane, chart, name))
        with promise("gpu: GPUs are where scoring workers were sent"):
            events = plane.get("events", "--namespace", "auscult-gpu")["items"]
            placed = [each["message"] for each in events if each["reason"] == "Scheduled" and "scoring" in each["involvedObject"]["name"]]
            must(placed and all("to gpu-0" in each for each in placed), f"{placed}")
        drain(plane, chart)
        refusals(plane, chart)
    print(f"{len(passed)} passed, {len(failed)} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
