"""Steps that run side by side, each as soon as those that it needs have passed.

    run(steps) ─► a thread per step: waits for `needs`, takes its lane, runs; its output goes into a log of its own
               ─► when it ends: its closing lines, or all that it wrote where it failed
"""

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable


@dataclasses.dataclass
class Step:
    name: str
    # A command; or a function that writes into the log and tells whether all went well.
    work: list | Callable[["Log"], bool]
    needs: tuple[str, ...] = ()
    # Steps of one lane run one after another; of those that are ready, the one that is listed first.
    lane: str = ""
    # How many of the last lines are shown when it has passed.
    shown: int = 1
    environment: dict = dataclasses.field(default_factory=dict)
    # Gives way to others.
    is_nice: bool = False
    # Set by `run`.
    state: str = "waiting"
    seconds: float = 0.0
    cpu_seconds: float = 0.0


class Log:
    """What a step writes. Commands that it starts are ended with the run."""

    def __init__(self, path: pathlib.Path, run: "Run"):
        self.path, self._run = path, run
        self.file = path.open("wb", buffering=0)
        self.cpu_seconds = 0.0
        self._adding = threading.Lock()

    def write(self, text: str):
        self.file.write(text.encode())

    def command(self, command: list, environment: dict | None = None, is_nice: bool = False, folder=None, output=None) -> int:
        """Runs it to its end and gives its exit status."""
        return self.measured(command, environment, is_nice, folder, output)[0]

    def measured(self, command: list, environment: dict | None = None, is_nice: bool = False, folder=None, output=None) -> tuple[int, float]:
        """Runs it to its end and gives its exit status and its seconds of CPU, those of its children included."""
        words = [str(word) for word in (["nice", "-n", "15", *command] if is_nice else command)]
        process = subprocess.Popen(words, cwd=folder or self._run.root, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL,
                                   stdout=output or self.file, stderr=subprocess.STDOUT, start_new_session=True)
        with self._run.started(process):
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu_seconds = used.ru_utime + used.ru_stime
        with self._adding:
            self.cpu_seconds += cpu_seconds
        return process.returncode, cpu_seconds

    def lines(self) -> list[str]:
        return [line for line in self.path.read_text(errors="replace").splitlines() if line.strip()]


class Run:
    def __init__(self, root: pathlib.Path, logs: pathlib.Path, say: Callable[[str], None] = lambda text: print(text, flush=True)):
        self.root, self.logs, self.say = root, logs, say
        self.begun = time.monotonic()
        self._processes: set[subprocess.Popen] = set()
        self._changed = threading.Condition()
        self._busy: set[str] = set()
        self._is_over = False
        logs.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def started(self, process: subprocess.Popen):
        with self._changed:
            self._processes.add(process)
            is_over = self._is_over
        if is_over:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            yield
        finally:
            with self._changed:
                self._processes.discard(process)

    def end(self):
        """Ends every command that still runs."""
        with self._changed:
            self._is_over = True
            running = list(self._processes)
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)

    def steps(self, steps: list[Step]) -> bool:
        """Runs them all. A step whose needs have failed is not run. Tells whether all passed."""
        by_name = {step.name: step for step in steps}
        for step in steps:
            if unknown := [need for need in step.needs if need not in by_name]:
                raise ValueError(f"{step.name} needs {unknown}, which are no steps")
        threads = [threading.Thread(target=self._one, args=(step, by_name), daemon=True) for step in steps]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            self.end()
            raise
        return all(step.state == "passed" for step in steps)

    def _one(self, step: Step, by_name: dict[str, Step]):
        def is_ready(one: Step) -> bool:
            return all(by_name[name].state not in ("waiting", "running") for name in one.needs)

        def is_next() -> bool:
            """Whether its lane is free and nothing that is listed before it wants it."""
            if step.lane in self._busy:
                return False
            of_lane = [one for one in by_name.values() if one.lane == step.lane and one.state == "waiting" and is_ready(one)]
            return of_lane[0] is step

        needed = [by_name[name] for name in step.needs]
        with self._changed:
            self._changed.wait_for(lambda: is_ready(step))
        if bad := [each.name for each in needed if each.state != "passed"]:
            self.say(f"-- {step.name}: not run, for it needs {', '.join(bad)}")
            self._set(step, "not run")
            return
        if step.lane:
            with self._changed:
                self._changed.wait_for(is_next)
                self._busy.add(step.lane)
                step.state = "running"
        try:
            self._set(step, "running")
            self.say(f"-- {step.name}: started after {self.elapsed():.0f} s")
            log = Log(self.logs / f"{step.name.translate(str.maketrans(' /:', '---'))}.log", self)
            begun = time.monotonic()
            try:
                if callable(step.work):
                    is_good = step.work(log)
                else:
                    is_good = log.command(step.work, step.environment, step.is_nice) == 0
            except Exception as error:  # noqa: BLE001 - whatever went wrong, the step has failed
                log.write(f"{type(error).__name__}: {error}\n")
                is_good = False
            log.file.close()
            step.seconds = time.monotonic() - begun
            step.cpu_seconds = log.cpu_seconds
        finally:
            with self._changed:
                self._busy.discard(step.lane)
                self._changed.notify_all()
        lines = log.lines()
        shown = (lines[-step.shown:] if step.shown else []) if is_good else lines[-400:]
        word = "passed" if is_good else "FAILED"
        self.say("\n".join([f"== {step.name}: {word} in {step.seconds:.0f} s", *(f"   {line}" for line in shown)]))
        self._set(step, "passed" if is_good else "failed")

    def _set(self, step: Step, state: str):
        with self._changed:
            step.state = state
            self._changed.notify_all()

    def elapsed(self) -> float:
        return time.monotonic() - self.begun


def table(steps: list[Step]) -> str:
    """Seconds of each step, in the order in which they are listed."""
    width = max(len(step.name) for step in steps)
    rows = [f"{'step':<{width}}  seconds  of CPU  result"]
    for step in steps:
        rows.append(f"{step.name:<{width}}  {step.seconds:>7.0f}  {step.cpu_seconds:>6.0f}  {step.state}")
    return "\n".join(rows)
