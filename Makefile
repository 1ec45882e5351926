# The few commands one needs; everything else is cargo.
.PHONY: demo test test-all setup sbom

## demo: train on simulated machines and watch them being judged; needs nothing but Rust
demo:
	cargo run --release -- demo

## test: everything that CI checks, on real Kafka and Prometheus (gets what it needs first), and of the long suites the part that is this
## revision's turn; `make test ROTATION=7` runs part 7 instead. docs/testing.md says what runs when.
test:
	tests/run.sh $(if $(ROTATION),--rotation $(ROTATION))

## test-all: every case of every suite, then matrices of real writers and clients, share groups, and a minute of fuzzing a decoder; some two hours
test-all:
	tests/run.sh --all

## setup: get what the tests need beside Rust
setup:
	tests/setup.sh

## sbom: every crate that the binary is made of, as CycloneDX, in auscult.cdx.json
sbom: setup
	.work/venv/bin/syft scan file:Cargo.lock --quiet --output cyclonedx-json=auscult.cdx.json
