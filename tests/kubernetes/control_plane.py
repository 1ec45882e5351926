"""A real Kubernetes control plane on loopback, without containers: etcd, API server, controllers, scheduler, and kwok in the kubelets' place.

        helm, kubectl ──► kube-apiserver ──► etcd
                             ▲   ▲   ▲
     kube-controller-manager ┘   │   └ kwok: nodes that say they are ready, pods that become Running, jobs that complete
                  kube-scheduler ┘

What is judged here is judged by Kubernetes itself: admission with PodSecurity, scheduling, rollouts, disruption budgets, quotas, garbage collection.
Containers do not run, and networks are not enforced.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from ports import free_ports  # noqa: E402

TOKEN = "loopback-only"


class ControlPlane:
    """Started by `with`; ends with it, whatever happens."""

    def __init__(self, programs: pathlib.Path, folder: pathlib.Path):
        self.programs, self.folder = programs.resolve(), folder.resolve()
        self.kubeconfig = self.folder / "kubeconfig"
        self.processes = {}

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes.values()):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.processes.values()):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def run(self, name: str, *arguments: str, **environment: str):
        """A program that is part of it, and ends with it."""
        log = (self.folder / f"{name}.log").open("w")
        self.processes[name] = subprocess.Popen(
            [self.programs / name, *arguments], stdout=log, stderr=log, cwd=self.folder, start_new_session=True, env=os.environ | environment)

    def certificate(self, name: str):
        """NAME-ca.crt, and NAME.crt and NAME.key that it has signed, for this address."""
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=self.folder)
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}-ca", "-days", "2", "-keyout", f"{name}-ca.key",
                "-out", f"{name}-ca.crt")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (self.folder / f"{name}.names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{name}-ca.crt", "-CAkey", f"{name}-ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", f"{name}.names", "-out", f"{name}.crt")

    def _start(self):
        self.folder.mkdir(parents=True)
        etcd, peer, server, controllers, scheduler = free_ports(5)
        key = self.folder / "service-accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        self.certificate("front-proxy")
        (self.folder / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n")
        certificates = self.folder / "certificates"
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "loopback",
            # The API server makes its certificate itself at its first start.
            "clusters": [{"name": "loopback", "cluster": {"server": f"https://127.0.0.1:{server}",
                                                         "certificate-authority": str(certificates / "apiserver.crt")}}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "loopback", "context": {"cluster": "loopback", "user": "admin"}}]}))
        self.run("etcd", "--data-dir", "etcd", "--listen-client-urls", f"http://127.0.0.1:{etcd}", "--advertise-client-urls",
                  f"http://127.0.0.1:{etcd}", "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls",
                  f"http://127.0.0.1:{peer}", "--initial-cluster", f"default=http://127.0.0.1:{peer}", "--unsafe-no-fsync")
        self.run("kube-apiserver", "--etcd-servers", f"http://127.0.0.1:{etcd}", "--bind-address", "127.0.0.1", "--secure-port", str(server),
                  "--cert-dir", str(certificates), "--service-account-issuer", "https://kubernetes.default.svc",
                  "--service-account-key-file", str(key), "--service-account-signing-key-file", str(key),
                  "--token-auth-file", "tokens.csv", "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.0.0.0/24",
                  # For API servers beside it, such as KEDA's of metrics: they are asked in the name of whoever asked.
                  "--requestheader-client-ca-file", "front-proxy-ca.crt", "--requestheader-allowed-names", "front-proxy",
                  "--requestheader-username-headers", "X-Remote-User", "--requestheader-group-headers", "X-Remote-Group",
                  "--requestheader-extra-headers-prefix", "X-Remote-Extra-", "--proxy-client-cert-file", "front-proxy.crt",
                  "--proxy-client-key-file", "front-proxy.key")
        self.wait("the API server", lambda: self.kubectl("get", "--raw", "/readyz", check=False).stdout.strip() == "ok")
        config = ["--kubeconfig", str(self.kubeconfig), "--leader-elect=false", "--bind-address", "127.0.0.1"]
        self.run("kube-controller-manager", *config, "--secure-port", str(controllers), "--service-account-private-key-file", str(key),
                  "--root-ca-file", str(certificates / "apiserver.crt"), "--horizontal-pod-autoscaler-sync-period", "2s")
        self.run("kube-scheduler", *config, "--secure-port", str(scheduler))
        self.run("kwok", "--kubeconfig", str(self.kubeconfig), "--manage-all-nodes=true", "--config", str(self.programs / "stages.yaml"))
        self.wait("the default account", lambda: self.kubectl("get", "serviceaccount", "default", check=False).returncode == 0)

    def wait(self, what: str, holds, seconds: float = 90):
        """Until it holds; a process that has ended, or the deadline, is the end of it."""
        deadline = time.monotonic() + seconds
        while not holds():
            for name, process in self.processes.items():
                if process.poll() is not None:
                    log = (self.folder / f"{name}.log").read_text()[-3000:]
                    raise RuntimeError(f"{name} ended with {process.returncode} before {what}:\n{log}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what}: not within {seconds:.0f} s (logs: {self.folder})")
            time.sleep(0.2)

    def _call(self, program: str, *arguments, check=True, stdin=None) -> subprocess.CompletedProcess:
        environment = os.environ | {"KUBECONFIG": str(self.kubeconfig), "HELM_CACHE_HOME": str(self.folder / "helm"),
                                    "HELM_CONFIG_HOME": str(self.folder / "helm"), "HELM_DATA_HOME": str(self.folder / "helm")}
        done = subprocess.run([self.programs / program, *map(str, arguments)], env=environment, input=stdin, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise RuntimeError(f"{program} {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def kubectl(self, *arguments, **how):
        return self._call("kubectl", *arguments, **how)

    def helm(self, *arguments, **how):
        return self._call("helm", *arguments, **how)

    def apply(self, *objects):
        self.kubectl("apply", "--server-side", "--filename", "-", stdin="\n---\n".join(json.dumps(each) for each in objects))

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "--output", "json").stdout)

    def add_node(self, name: str, zone: str, labels: dict | None = None, resources: dict | None = None, taints: list | None = None):
        amounts = {"cpu": "16", "memory": "64Gi", "pods": "110", "ephemeral-storage": "100Gi", **(resources or {})}
        node = {
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone,
                                                  "kubernetes.io/os": "linux", **(labels or {})}},
            "spec": {"taints": taints or []}, "status": {"capacity": amounts, "allocatable": amounts}}
        self.kubectl("create", "--filename", "-", stdin=json.dumps(node))
