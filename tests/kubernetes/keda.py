#!/usr/bin/env python3
"""KEDA itself on a real control plane and a real Kafka: lag raises the replicas, a drained topic lowers them to none, with a lag
of 0, though a marker ends the last transaction of each partition.

    keda.py PROGRAMS CRDS CHART AUSCULT FOLDER

For each pod that Kubernetes calls Running, the container's process is started as tests/helm/start.py does it; for each that is deleted it is ended.
"""

import json
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "helm"))

from control_plane import ControlPlane, free_ports  # noqa: E402
from processes import ROOT, Kafka, Pod, Release, run  # noqa: E402

PROGRAMS, CRDS, CHART, AUSCULT, FOLDER = map(pathlib.Path, sys.argv[1:])
NAMESPACE = "auscult"
PARTITIONS, MACHINES, CHUNKS_EACH = 4, 12, 250


class Kubelet:
    """Starts and ends the processes of pods."""

    def __init__(self, plane: ControlPlane, release: Release):
        self.plane, self.release, self.pods = plane, release, {}
        self.most = {"features": 0, "scoring": 0}

    def look(self) -> dict:
        """Brings processes in line with pods; gives how many pods of a kind run."""
        listed = self.plane.get("pods", "--namespace", NAMESPACE)["items"]
        running = {each["metadata"]["uid"]: each for each in listed if each["status"]["phase"] == "Running" and "deletionTimestamp" not in each["metadata"]
                   and each["metadata"]["labels"]["app.kubernetes.io/component"] in self.most}
        for uid in set(self.pods) - set(running):
            self.pods.pop(uid).stop()
        for uid in set(running) - set(self.pods):
            self.pods[uid] = Pod(self.release, running[uid], running[uid]["metadata"]["name"])
        counts = dict.fromkeys(self.most, 0)
        for each in running.values():
            counts[each["metadata"]["labels"]["app.kubernetes.io/component"]] += 1
        for component, count in counts.items():
            self.most[component] = max(self.most[component], count)
        return counts

    def until(self, what: str, holds, seconds: float) -> float:
        began = time.monotonic()
        while not holds(counts := self.look()):
            if time.monotonic() - began > seconds:
                raise RuntimeError(f"{what}: not within {seconds:.0f} s; pods: {counts}, at most {self.most}")
            time.sleep(0.5)
        return time.monotonic() - began

    def stop(self):
        for pod in self.pods.values():
            pod.process.kill()


def start_keda(plane: ControlPlane):
    grpc, health, serving, metrics = free_ports(4)
    certificates = plane.folder / "keda-certificates"
    certificates.mkdir()
    plane.certificate("keda")
    for source, name in ("keda-ca.crt", "ca.crt"), ("keda.crt", "tls.crt"), ("keda.key", "tls.key"):
        (certificates / name).write_bytes((plane.folder / source).read_bytes())
    environment = {"KUBECONFIG": str(plane.kubeconfig), "WATCH_NAMESPACE": "", "KEDA_CLUSTER_OBJECT_NAMESPACE": "keda", "POD_NAMESPACE": "keda"}
    plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keda"}})
    plane.run("keda-operator", "--enable-prometheus-metrics=false", f"--health-probe-bind-address=127.0.0.1:{health}",
              f"--metrics-service-bind-address=127.0.0.1:{grpc}", f"--cert-dir={certificates}", **environment)
    plane.run("keda-adapter", f"--secure-port={serving}", "--bind-address=127.0.0.1", f"--cert-dir={certificates}",
              f"--tls-cert-file={certificates}/tls.crt", f"--tls-private-key-file={certificates}/tls.key", f"--port={metrics}",
              f"--metrics-service-address=127.0.0.1:{grpc}", f"--lister-kubeconfig={plane.kubeconfig}", f"--authentication-kubeconfig={plane.kubeconfig}",
              f"--authorization-kubeconfig={plane.kubeconfig}", **environment)
    # The API server finds it by a name instead of an address of a pod.
    plane.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "keda-metrics", "namespace": "keda"},
                 "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": serving}]}},
                {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1beta1.external.metrics.k8s.io"},
                 "spec": {"group": "external.metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
                          "insecureSkipTLSVerify": True, "service": {"namespace": "keda", "name": "keda-metrics", "port": serving}}})
    plane.wait("KEDA's metrics", lambda: plane.kubectl("get", "--raw", "/apis/external.metrics.k8s.io/v1beta1", check=False).returncode == 0)


def main() -> int:
    with ControlPlane(PROGRAMS, FOLDER) as plane:
        (FOLDER / "kafka").mkdir()
        kafka = Kafka((FOLDER / "kafka").resolve())
        try:
            walk_through(plane, kafka)
        finally:
            kafka.stop()
    return 0


def walk_through(plane: ControlPlane, kafka: Kafka):
    image, sound, models = FOLDER / "image", FOLDER / "sound", FOLDER / "models"
    run(ROOT / "docker/rootfs.sh", AUSCULT, image)
    fleet = ["--machines", MACHINES, "--chunk-seconds", 1, "--seed", 7]
    run(AUSCULT, "simulate", *fleet, "--train", sound, "--training-clips", 30)
    run(AUSCULT, "train", sound, "--out", models)
    scaling = {"kind": "keda", "minReplicas": 0, "lagThreshold": 20, "pollingInterval": 2, "cooldownPeriod": 10, "scaleDownStabilizationSeconds": 5}
    values = {"kafka": {"brokers": f"127.0.0.1:{kafka.plain}"}, "topics": {"partitions": PARTITIONS, "replication": 1},
              "features": {"autoscaling": scaling}, "scoring": {"autoscaling": scaling, "models": {"existingClaim": "models"}}}
    file = FOLDER / "values.json"
    file.write_text(json.dumps(values))

    plane.kubectl("apply", "--server-side", "--filename", CRDS)
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    plane.add_node("node-0", "zone-0")
    start_keda(plane)
    print("KEDA's operator and metrics server run against the control plane", flush=True)
    plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    plane.apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "models"}, "spec": {
        "storageClassName": "", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"], "hostPath": {"path": "/models"}}},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "models", "namespace": NAMESPACE},
         "spec": {"storageClassName": "", "volumeName": "models", "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}})
    manifests = run(PROGRAMS / "helm", "template", "plant", CHART, "--namespace", NAMESPACE, "--values", file, "--api-versions", "keda.sh/v1alpha1").stdout
    release = Release((FOLDER / "pods").resolve(), image.resolve(), models, {}, manifests)
    # In a cluster helm waits for this job; here its pod is pretended, so it is run before.
    release.job("plant-auscult-topics")
    plane.helm("install", "plant", CHART, "--namespace", NAMESPACE, "--values", file, "--wait", "--timeout", "60s")
    kubelet = Kubelet(plane, release)
    try:
        none = {"features": 0, "scoring": 0}
        seconds = kubelet.until("nothing to do, and no worker", lambda counts: counts == none, 120)
        print(f"ok      empty topics: no worker of either kind, {seconds:.0f} s after the installation", flush=True)

        kubelet.most = dict(none)
        run(AUSCULT, "simulate", *fleet, "--days", CHUNKS_EACH * 600 / 86400, "--cadence", 600, "--start", "now", "--failing", 0,
            "--brokers", f"127.0.0.1:{kafka.plain}")
        sent = kafka.count("audio.chunks")
        seconds = kubelet.until("every chunk judged", lambda _: kafka.count("audio.scores") == sent, 240)
        print(f"ok      {sent} chunks: every one judged {seconds:.0f} s after they were sent; at most {kubelet.most['features']} feature and "
              f"{kubelet.most['scoring']} scoring workers of {PARTITIONS} partitions", flush=True)
        if min(kubelet.most.values()) < 2 or max(kubelet.most.values()) > PARTITIONS:
            raise RuntimeError("the lag did not raise the replicas as it should")

        seconds = kubelet.until("no worker again", lambda counts: counts == none, 180)
        left = {group: kafka.lag(f"auscult-{group}-worker") for group in ("feature", "scoring")}
        if any(left.values()):
            raise RuntimeError(f"workers went and left a lag: {left}")
        print(f"ok      drained: no worker of either kind {seconds:.0f} s later, and no lag", flush=True)

        began = time.monotonic()
        while time.monotonic() - began < 30:
            if kubelet.look() != none:
                raise RuntimeError("a worker woke up with nothing to do")
            time.sleep(1)
        print("ok      and none came back within 30 s", flush=True)
        print("4 passed, 0 failed, 0 skipped")
    finally:
        kubelet.stop()


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("keda.py: must be root, for chroot")
    sys.exit(main())
