"""Rust's test binaries, some at a time, and what each test took.

`cargo test` runs one binary after another; while one waits for Kafka, a core is idle. Here each binary is started by itself, the longest first.
"""

import concurrent.futures
import dataclasses
import json
import pathlib
import re
import subprocess
import time

# A binary that takes longer hangs.
LIMIT_SECONDS = 1800

# As libtest prints it with `--report-time`.
TEST = re.compile(r"^test (?P<name>\S+)(?: - should panic)? \.\.\. (?P<result>ok|FAILED|ignored)[^<]*(?:<(?P<seconds>[\d.]+)s>)?$")
RESULT = re.compile(r"^test result: \w+\. (?P<passed>\d+) passed; (?P<failed>\d+) failed; (?P<ignored>\d+) ignored; .*$")


@dataclasses.dataclass(frozen=True)
class Binary:
    # "CRATE/TARGET"; of the tests inside a library or a program, "CRATE/lib" or "CRATE/bin NAME".
    name: str
    path: pathlib.Path
    folder: pathlib.Path

    @property
    def target(self) -> str:
        return self.name.split("/", 1)[1]


@dataclasses.dataclass
class Outcome:
    binary: Binary
    status: int
    seconds: float
    cpu_seconds: float
    output: str

    @property
    def results(self) -> list[str]:
        return [line for line in self.output.splitlines() if RESULT.match(line)]

    @property
    def tests(self) -> list[tuple[str, float]]:
        found = (TEST.match(line) for line in self.output.splitlines())
        return [(match["name"], float(match["seconds"])) for match in found if match and match["seconds"]]


def binaries_of(messages: str) -> list[Binary]:
    """From what `cargo test --no-run --message-format json` writes."""
    found = []
    for line in messages.splitlines():
        if not line.startswith("{"):
            continue
        message = json.loads(line)
        if message.get("reason") != "compiler-artifact" or not message.get("executable") or not message["profile"]["test"]:
            continue
        folder = pathlib.Path(message["manifest_path"]).parent
        # path+file:///…/workers/features#auscult-features@0.1.0, or …#0.1.0 where the folder's name is the crate's.
        crate = re.sub(r"@.*", "", message["package_id"].rsplit("#", 1)[1])
        crate = folder.name if re.fullmatch(r"[\d.]+", crate) else crate
        kind, target = message["target"]["kind"][0], message["target"]["name"]
        name = {"lib": "lib", "bin": f"bin {target}"}.get(kind, target)
        found.append(Binary(f"{crate.removeprefix('auscult-')}/{name}", pathlib.Path(message["executable"]), folder))
    return sorted(found, key=lambda binary: binary.name)


def tests_of(binary: Binary) -> list[str]:
    listed = subprocess.run([binary.path, "--list", "--format", "terse"], cwd=binary.folder, capture_output=True, text=True, check=True).stdout
    return [line.removesuffix(": test") for line in listed.splitlines() if line.endswith(": test")]


def totals(results: list[str]) -> tuple[int, int, int]:
    counts = [RESULT.match(line) for line in results]
    return tuple(sum(int(match[word]) for match in counts) for word in ("passed", "failed", "ignored"))


def run_one(log, binary: Binary, left_out: list[str], environment: dict) -> Outcome:
    # RUSTC_BOOTSTRAP lets a stable libtest tell times.
    words = ["timeout", "--kill-after=10", str(LIMIT_SECONDS), binary.path, "-Z", "unstable-options", "--report-time"]
    for name in left_out:
        words += ["--skip", name]
    if left_out:
        words.append("--exact")
    path = log.path.parent / "tests" / f"{binary.name.replace('/', '-').replace(' ', '-')}.log"
    path.parent.mkdir(exist_ok=True)
    begun = time.monotonic()
    with path.open("wb") as output:
        status, cpu_seconds = log.measured(words, {"RUSTC_BOOTSTRAP": "1", **environment}, folder=binary.folder, output=output)
    return Outcome(binary, status, time.monotonic() - begun, cpu_seconds, path.read_text(errors="replace"))


def run(log, binaries: list[Binary], jobs: int, left_out: dict[str, list[str]], environment: dict[str, dict], say) -> list[Outcome]:
    """Runs them, `jobs` at a time, in the order given. `left_out` and `environment` are by a binary's name."""
    def one(binary: Binary) -> Outcome:
        outcome = run_one(log, binary, left_out.get(binary.name, []), environment.get(binary.name, {}))
        say(f"   {outcome.seconds:5.0f} s  {binary.name}: {'; '.join(outcome.results) or f'ended with {outcome.status}'}")
        return outcome

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, binaries))
