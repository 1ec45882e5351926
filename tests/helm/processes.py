"""Rendered pods as processes, and the broker that they talk to: for tests without a container engine."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from ports import free_ports  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PASSWORD = "kept in a Secret"


def run(*command, **how) -> subprocess.CompletedProcess:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **how)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def wait_for(what: str, holds, seconds: float):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.2)


class Kafka:
    """One broker: in plain text for the test, and for clients with a certificate and a password."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.plain, self.secured, controller = free_ports(3)
        self._make_certificates()
        properties = (ROOT / "tests/kafka/server.properties").read_text().replace(
            "listener.security.protocol.map=", "listener.security.protocol.map=SECURED:SASL_SSL,")
        properties += f"""
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{self.plain},SECURED://127.0.0.1:{self.secured},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{self.plain},SECURED://127.0.0.1:{self.secured}
log.dirs={folder}/log
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.crt
listener.name.secured.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.secured.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
"""
        (folder / "server.properties").write_text(properties)
        self.libs = run(ROOT / "tests/kafka/fetch.sh").stdout.strip()
        archive = pathlib.Path(self.libs, "kafka.jsa")
        java = ["java", *([f"-XX:SharedArchiveFile={archive}"] if archive.is_file() else []), "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                f"-Dlog4j2.configurationFile={ROOT}/tests/kafka/log4j2.properties", "-cp", f"{self.libs}/*"]
        run(*java, "kafka.tools.StorageTool", "format", "-t", "YXVzY3VsdC10ZXN0cy0wMQ", "-c", folder / "server.properties",
            "--add-scram", f"SCRAM-SHA-512=[name=auscult,password={PASSWORD}]")
        self.log = (folder / "broker.log").open("w")
        self.process = subprocess.Popen([*java, "kafka.Kafka", str(folder / "server.properties")], stdout=self.log, stderr=self.log)
        wait_for("the broker", self._answers, 60)

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"the broker ended:\n{(self.folder / 'broker.log').read_text()[-2000:]}")
        return subprocess.run(["kcat", "-L", "-b", f"127.0.0.1:{self.plain}", "-m", "1"], capture_output=True).returncode == 0

    def _make_certificates(self):
        def openssl(*arguments):
            run("openssl", *arguments, cwd=self.folder)
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=plant", "-days", "2", "-keyout", "ca.key", "-out", "ca.crt")
        for name in ("broker", "client"):
            openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
            (self.folder / "names").write_text("subjectAltName=IP:127.0.0.1")
            openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                    "-extfile", "names", "-out", f"{name}.crt")
        # Kafka wants the key as PKCS 8, and after it what leads to the authority.
        (self.folder / "broker.pem").write_text(
            "".join((self.folder / part).read_text() for part in ("broker.key", "broker.crt", "ca.crt")))

    def secrets(self) -> dict:
        def text(name):
            return (self.folder / name).read_text()
        return {"kafka-ca": {"ca.crt": text("ca.crt")}, "kafka-client": {"tls.crt": text("client.crt"), "tls.key": text("client.key")},
                "kafka-user": {"username": "auscult", "password": PASSWORD}}

    def count(self, topic: str) -> int:
        """Committed records of a topic."""
        out = run("kcat", "-C", "-q", "-e", "-b", f"127.0.0.1:{self.plain}", "-t", topic, "-o", "beginning", "-f", "%k\n",
                  "-X", "isolation.level=read_committed").stdout
        return len(out.splitlines())

    def lag(self, group: str) -> int:
        """What Kafka's own tool says of a group, over all partitions."""
        out = run("java", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={ROOT}/tests/kafka/log4j2.properties", "-cp", f"{self.libs}/*",
                  "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", f"127.0.0.1:{self.plain}",
                  "--describe", "--group", group).stdout
        # GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG …
        return sum(int(line.split()[5]) for line in out.splitlines() if line.startswith(group))

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


class Pod:
    """One pod as a process."""

    def __init__(self, release: "Release", template: dict, name: str):
        self.name, self.release = name, release
        spec = template["spec"]
        self.grace = spec.get("terminationGracePeriodSeconds", 30)
        container, = spec["containers"]
        self.root = release.folder / name
        # A pod of a StatefulSet comes again under its old name, with nothing of the one before.
        shutil.rmtree(self.root, ignore_errors=True)
        # Hard links: the image's files are root's, and the process is somebody else.
        shutil.copytree(release.image, self.root, copy_function=os.link)
        (self.root / "tmp").chmod(0o1777)
        user, group = spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsGroup"]
        for mount in container["volumeMounts"]:
            volume, = (each for each in spec["volumes"] if each["name"] == mount["name"])
            self._fill(self.root / mount["mountPath"].lstrip("/"), volume, spec["securityContext"]["fsGroup"])
        environment = {each["name"]: self._value(each) for each in container["env"]}
        self.port, = free_ports(1)
        environment["AUSCULT__HTTP__LISTEN"] = f"127.0.0.1:{self.port}"
        self.log = release.folder / f"{name}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [shutil.which("chroot"), f"--userspec={user}:{group}", str(self.root), "/usr/local/bin/auscult", *container["args"]],
                env=environment, stdout=log, stderr=log)

    def _fill(self, folder: pathlib.Path, volume: dict, group: int):
        folder.mkdir(parents=True, exist_ok=True)
        if "configMap" in volume:
            for name, text in self.release.find("ConfigMap", volume["configMap"]["name"])["data"].items():
                (folder / name).write_text(text)
        elif "secret" in volume:
            secret = self.release.secrets[volume["secret"]["secretName"]]
            for item in volume["secret"]["items"]:
                file = folder / item["path"]
                file.write_text(secret[item["key"]])
                os.chown(file, 0, group)
                file.chmod(volume["secret"].get("defaultMode", 0o644))
        elif "persistentVolumeClaim" in volume:
            shutil.copytree(self.release.models, folder, dirs_exist_ok=True)
        elif "emptyDir" not in volume:
            raise RuntimeError(f"start.py does not know the volume {volume}")

    def _value(self, entry: dict) -> str:
        if "value" in entry:
            return entry["value"]
        if "secretKeyRef" in entry["valueFrom"]:
            reference = entry["valueFrom"]["secretKeyRef"]
            return self.release.secrets[reference["name"]][reference["key"]]
        if entry["valueFrom"].get("fieldRef", {}).get("fieldPath") == "metadata.name":
            return self.name
        raise RuntimeError(f"start.py does not know where {entry} comes from")

    def asked(self, path: str) -> int:
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=3) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def finish(self, seconds: float):
        """A job's pod: ends by itself, well."""
        code = self.process.wait(seconds)
        if code != 0:
            raise RuntimeError(f"{self.name} ended with {code}:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> float:
        """As the kubelet does it, and no longer than the pod is given."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(self.grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise RuntimeError(f"{self.name} was still there after its {self.grace} s") from None
        if code != 0:
            raise RuntimeError(f"{self.name} ended with {code} when told to stop:\n{self.log.read_text()[-3000:]}")
        return time.monotonic() - began


class Release:
    """Rendered manifests, and what the cluster around them would have."""

    def __init__(self, folder: pathlib.Path, image: pathlib.Path, models: pathlib.Path, secrets: dict, manifests: str):
        self.folder, self.image, self.models, self.secrets = folder, image, models, secrets
        folder.mkdir()
        self.manifests = [each for each in yaml.safe_load_all(manifests) if each]

    def find(self, kind: str, name: str) -> dict:
        found, = (each for each in self.manifests if each["kind"] == kind and each["metadata"]["name"] == name)
        return found

    def job(self, name: str):
        Pod(self, self.find("Job", name)["spec"]["template"], name).finish(60)

    def workers(self, stack: contextlib.ExitStack) -> list:
        pods = []
        for kind, name in ("Deployment", "plant-auscult-features"), ("StatefulSet", "plant-auscult-scoring"):
            spec = self.find(kind, name)["spec"]
            for number in range(spec["replicas"]):
                pods.append(Pod(self, spec["template"], f"{name}-{number}"))
                stack.callback(pods[-1].process.kill)
        return pods
