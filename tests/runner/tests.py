#!/usr/bin/env python3
"""The runner's own tests: the rotation, the steps, what is read of libtest."""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import libtest
import rotation
from rotation import Case, Cases
from steps import Run, Step

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Rotation(unittest.TestCase):
    def setUp(self):
        self.cases = Cases.read()

    def test_any_ten_rotations_in_a_row_have_every_case_of_every_suite(self):
        for first in (0, 1, 7, 253, 4_294_967_290):
            seen = [case for number in range(first, first + 10) for case in self.cases.of(number)]
            self.assertEqual(sorted(seen, key=self.cases.all.index), list(self.cases.all), f"from rotation {first} on")

    def test_a_rotation_is_the_same_each_time(self):
        for number in range(10):
            self.assertEqual(Cases.read().of(number), self.cases.of(number))
            self.assertEqual(self.cases.of(number + 10), self.cases.of(number))

    def test_no_part_takes_much_longer_than_the_others(self):
        lengths = [rotation.seconds(part) for part in self.cases.dealt()]
        # A part has the longest case, or its share of all; and what suites of many cases give to every part.
        longest_case = max(case.seconds for case in self.cases.all)
        many = [case for case in self.cases.all if sum(other.suite == case.suite for other in self.cases.all) > 10]
        lengths_of_all, short = sum(lengths) / len(lengths), rotation.seconds(many) / 10
        self.assertLessEqual(max(lengths), 1.1 * max(lengths_of_all, longest_case + short))

    def test_every_part_has_its_share_of_every_suite(self):
        for suite in {case.suite for case in self.cases.all}:
            counts = [sum(case.suite == suite for case in part) for part in self.cases.dealt()]
            self.assertLessEqual(max(counts) - min(counts), 1, suite)

    def test_names_are_unique(self):
        names = [(case.suite, case.name) for case in self.cases.all]
        self.assertEqual(len(names), len(set(names)))

    def test_every_alert_of_the_rules_is_a_case(self):
        rules = (ROOT / "helm/auscult/files/rules/alerts.yaml").read_text()
        alerts = re.findall(r"^\s*- alert: (\w+)$", rules, re.MULTILINE)
        self.assertEqual([case.name for case in self.cases.all if case.suite == "thresholds"], alerts)

    def test_every_case_has_a_step(self):
        import run
        for number in range(10):
            part = self.cases.of(number)
            suites = {case.suite for case in part} - {"rust"}
            named = {step.name.split()[0] for step in run.long_suites(part, False)} - {"helm", "control"}
            self.assertEqual(named - {"keda"}, suites)
            words = [str(word) for step in run.long_suites(part, False) for word in step.work]
            for case in part:
                if case.suite in ("faults", "mutations", "thresholds"):
                    self.assertIn(case.name, words)
        everything = run.long_suites(list(self.cases.all), True)
        self.assertGreater(len(everything), 10)

    def test_a_case_that_is_added_finds_a_part(self):
        more = Cases(10, (*self.cases.all, Case("faults", "another", 21)))
        self.assertEqual(sum(case.name == "another" for part in more.dealt() for case in part), 1)

    def test_a_full_clone_counts_commits_and_a_shallow_one_takes_the_hash(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]
            full = folder / "full"
            subprocess.run([*git, "init", "--quiet", full], check=True)
            for number in range(3):
                subprocess.run([*git, "-C", full, "commit", "--quiet", "--allow-empty", "-m", str(number)], check=True)
            shallow = folder / "shallow"
            subprocess.run([*git, "clone", "--quiet", "--depth", "1", f"file://{full}", shallow], check=True)
            found = {}
            for each in (full, shallow, folder):
                root, rotation.ROOT = rotation.ROOT, each
                try:
                    found[each.name] = rotation.number_of_revision()
                finally:
                    rotation.ROOT = root
            self.assertEqual(found["full"], (3, "commits on the first-parent line"))
            head = subprocess.run(["git", "-C", full, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
            self.assertEqual(found["shallow"][0], int(head[:8], 16))
            self.assertIn("the date", found[folder.name][1])


class Steps(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.said = []
        self.run_ = Run(ROOT, pathlib.Path(folder.name), self.said.append)

    def test_a_step_starts_after_what_it_needs(self):
        order = []
        steps = [Step("b", lambda log: order.append("b") is None, ("a",)), Step("a", lambda log: order.append("a") is None)]
        self.assertTrue(self.run_.steps(steps))
        self.assertEqual(order, ["a", "b"])

    def test_what_needs_a_failed_step_is_not_run_and_the_others_are(self):
        steps = [Step("bad", ["false"]), Step("after", ["true"], ("bad",)), Step("beside", ["true"])]
        self.assertFalse(self.run_.steps(steps))
        self.assertEqual([step.state for step in steps], ["failed", "not run", "passed"])

    def test_steps_of_one_lane_do_not_overlap(self):
        running, most = [], []

        def work(log):
            running.append(1)
            most.append(len(running))
            status = log.command(["sleep", "0.05"])
            running.pop()
            return status == 0
        self.assertTrue(self.run_.steps([Step(str(number), work, lane="one") for number in range(4)]))
        self.assertEqual(max(most), 1)

    def test_of_the_steps_of_a_lane_that_are_ready_the_first_listed_runs_first(self):
        for _ in range(20):
            order = []
            work = lambda name: lambda log: order.append(name) is None  # noqa: E731
            steps = [Step("first", work("first"), ("gate",), lane="one"), Step("second", work("second"), ("gate",), lane="one"),
                     Step("third", work("third"), ("gate",), lane="one"), Step("gate", ["true"])]
            self.assertTrue(self.run_.steps(steps))
            self.assertEqual(order, ["first", "second", "third"])

    def test_a_failing_step_shows_what_it_wrote(self):
        self.run_.steps([Step("bad", ["sh", "-c", "echo the reason; exit 3"])])
        self.assertTrue(any("FAILED" in said and "the reason" in said for said in self.said), self.said)

    def test_a_need_that_is_no_step_is_an_error(self):
        with self.assertRaises(ValueError):
            self.run_.steps([Step("a", ["true"], ("nothing",))])


OUTPUT = """
running 3 tests
test quick ... ok <0.001s>
test module::slow - should panic ... ok <12.345s>
test broken ... FAILED <0.200s>

test result: FAILED. 2 passed; 1 failed; 4 ignored; 0 measured; 0 filtered out; finished in 12.50s
"""


class Libtest(unittest.TestCase):
    def test_times_and_results_are_read(self):
        binary = libtest.Binary("a/b", pathlib.Path("b"), pathlib.Path("."))
        outcome = libtest.Outcome(binary, 101, 12.5, 1.0, OUTPUT)
        self.assertEqual(outcome.tests, [("quick", 0.001), ("module::slow", 12.345), ("broken", 0.2)])
        self.assertEqual(libtest.totals(outcome.results), (2, 1, 4))

    def test_a_binary_is_run_without_what_is_left_out_and_a_failing_one_is_told(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            path = folder / "binary"
            path.write_text(f"#!/bin/sh\ncat <<'END'\n{OUTPUT}\nEND\necho \"$@ $SEED $PWD\"\nexit 101\n")
            path.chmod(0o755)
            run, said = Run(ROOT, folder / "logs", lambda text: None), []
            outcomes = []
            binary = libtest.Binary("a/b", path, folder)
            run.steps([Step("tests", lambda log: outcomes.extend(
                libtest.run(log, [binary], 2, {"a/b": ["slow::one"]}, {"a/b": {"SEED": "7"}}, said.append)) is None)])
            outcome, = outcomes
            self.assertEqual(outcome.status, 101)
            self.assertIn(f"--report-time --skip slow::one --exact 7 {folder}", outcome.output)
            self.assertEqual(libtest.totals(outcome.results), (2, 1, 4))
            self.assertIn("a/b: test result: FAILED. 2 passed; 1 failed", said[0])

    def test_binaries_are_named_by_crate_and_target(self):
        line = ('{"reason":"compiler-artifact","package_id":"path+file:///x/workers/features#auscult-features@0.1.0","manifest_path":'
                '"/x/workers/features/Cargo.toml","target":{"kind":["test"],"name":"quality"},"profile":{"test":true},"executable":"/x/q-1"}')
        inside = line.replace('"kind":["test"],"name":"quality"', '"kind":["lib"],"name":"auscult_features"')
        program = line.replace('"test":true', '"test":false')
        found = libtest.binaries_of("\n".join([line, inside, program, "not json"]))
        self.assertEqual([binary.name for binary in found], ["features/lib", "features/quality"])
        self.assertEqual(str(found[0].folder), "/x/workers/features")


if __name__ == "__main__":
    sys.exit(unittest.main())
