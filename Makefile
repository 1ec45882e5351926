# The few commands one needs; everything else is cargo.
.PHONY: demo test test-all setup sbom

## demo: train on simulated machines and watch them being judged; needs nothing but Rust
demo:
	cargo run --release -- demo

## test: everything that CI checks, on real Kafka and Prometheus (gets what it needs first)
test: setup
	tests/run.sh

## test-all: the same, then matrices of real writers and clients, share groups, and a minute of fuzzing a decoder
test-all: setup
	tests/all.sh

## setup: get what the tests need beside Rust
setup:
	tests/setup.sh

## sbom: every crate that the binary is made of, as CycloneDX, in auscult.cdx.json
sbom: setup
	.work/venv/bin/syft scan file:Cargo.lock --quiet --output cyclonedx-json=auscult.cdx.json
