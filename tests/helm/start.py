#!/usr/bin/env python3
"""What the chart would start, starts: rendered pods as processes, against a real Kafka.

    start.py HELM CHART AUSCULT

Every container becomes a process in the file system of its image (docker/rootfs.sh), as the user that the pod asks for, with the pod's arguments,
environment, configuration and secrets at the paths that the manifests say. Two things differ from a cluster: pods share one network, so each is
told a port of its own, and `chroot` stands in for the container.
"""

import contextlib
import os
import pathlib
import sys
import tempfile
import time

import yaml

from processes import ROOT, Kafka, Release, run, wait_for

HELM, CHART, AUSCULT = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
MACHINES, CHUNKS_EACH = 3, 20


def template(values: str, settings: str) -> str:
    file = CHART / "ci" / f"{values}-values.yaml"
    return run(HELM, "template", "plant", CHART, "--namespace", "auscult", "--values", file, "--set", settings,
               "--api-versions", "keda.sh/v1alpha1").stdout


def wait_for_rest(kafka: Kafka, group: str) -> int:
    """The lag when it has come to rest: 0, or what is left after ten seconds."""
    for _ in range(20):
        left = kafka.lag(group)
        if left == 0:
            break
        time.sleep(0.5)
    return left


def look_at_thresholds(kafka: Kafka, settings: str):
    """What is left when everything is read must wake nobody, and keep no second worker busy: KEDA compares totals, and divides them."""
    manifests = yaml.safe_load_all(template("minimal", f"{settings},features.autoscaling.kind=keda,scoring.autoscaling.kind=keda"))
    for manifest in manifests:
        if not manifest or manifest["kind"] != "ScaledObject":
            continue
        trigger = manifest["spec"]["triggers"][0]["metadata"]
        group, activation, each = trigger["consumerGroup"], int(trigger["activationLagThreshold"]), int(trigger["lagThreshold"])
        # Workers commit positions behind markers of transactions within a second of the last record.
        left = wait_for_rest(kafka, group)
        print(f"   {group}: a lag of {left} is left on {trigger['topic']}; above {activation} wakes workers, {each} is one worker's", flush=True)
        if activation:
            raise RuntimeError("the chart lets a lag lie that workers could take away")
        if left:
            raise RuntimeError("workers commit positions behind markers, so that the lag of a drained topic rests at 0; it does not")


def walk_through(kafka: Kafka, release: Release, name: str):
    """As an installation goes: topics, workers, probes, helm test, load, and the end of it."""
    release.job("plant-auscult-topics")
    with contextlib.ExitStack() as stack:
        pods = release.workers(stack)
        for pod in pods:
            probe = release.find("Deployment", "plant-auscult-features")["spec"]["template"]["spec"]["containers"][0]
            wait_for(f"{pod.name} to live", lambda pod=pod: pod.asked(probe["livenessProbe"]["httpGet"]["path"]) == 200, 60)
            wait_for(f"{pod.name} to be ready", lambda pod=pod: pod.asked(probe["readinessProbe"]["httpGet"]["path"]) == 200, 60)
            if pod.asked("/metrics") != 200:
                raise RuntimeError(f"{pod.name} has no metrics")
        release.job("plant-auscult-test")
        before = kafka.count("audio.scores")
        run(AUSCULT, "simulate", "--machines", MACHINES, "--days", CHUNKS_EACH * 600 / 86400, "--cadence", 600, "--chunk-seconds", 2,
            "--start", "now", "--seed", 7, "--failing", 0, "--brokers", f"127.0.0.1:{kafka.plain}")
        wanted = MACHINES * CHUNKS_EACH
        try:
            wait_for("the results", lambda: kafka.count("audio.scores") - before >= wanted, 60)
        finally:
            judged, dead = kafka.count("audio.scores") - before, kafka.count("audio.dead-letters")
            print(f"   {name}: {judged} of {wanted} chunks judged, {dead} dead letters", flush=True)
        if judged != wanted or dead:
            raise RuntimeError("not every chunk was judged once")
        slowest = max(pod.stop() for pod in pods)
        print(f"   {name}: {len(pods)} pods ready, tested, and gone in {slowest:.1f} s of the {pods[0].grace} s that they have", flush=True)


def main() -> int:
    if os.geteuid() != 0:
        print("start.py: must be root, for chroot", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="auscult-chart-") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        # The processes are somebody else's: they must come through.
        folder.chmod(0o755)
        image = folder / "image"
        run(ROOT / "docker/rootfs.sh", AUSCULT, image)
        (folder / "kafka").mkdir()
        kafka = Kafka(folder / "kafka")
        stack.callback(kafka.stop)
        sound, models = folder / "sound", folder / "models"
        run(AUSCULT, "simulate", "--machines", MACHINES, "--chunk-seconds", 2, "--seed", 7, "--train", sound, "--training-clips", 40)
        run(AUSCULT, "train", sound, "--out", models)
        common = "topics.partitions=4,topics.replication=1"
        plain = Release(folder / "plain", image, models, {}, template("minimal", f"kafka.brokers=127.0.0.1:{kafka.plain},{common}"))
        walk_through(kafka, plain, "minimal")
        look_at_thresholds(kafka, f"kafka.brokers=127.0.0.1:{kafka.plain},{common}")
        settings = f"kafka.brokers=127.0.0.1:{kafka.secured},{common},features.autoscaling.kind=none,scoring.replicas=1"
        secured = Release(folder / "secured", image, models, kafka.secrets(), template("secured", settings))
        walk_through(kafka, secured, "secured")
    print("what the chart would start, starts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
