# syntax=docker/dockerfile:1.7
#
# The one binary, in an image that holds nothing else: no shell, no package manager; it runs as nobody in particular.
#
#   docker build -t auscult .                                    for CPUs, from scratch
#   docker build -t auscult:0.1.0-cuda --target cuda .           for NVIDIA GPUs, with CUDA's libraries
#   docker build -t auscult:debug --target debug .               for CPUs, with a shell to look around
#
# What is in it, as CycloneDX: `docker buildx build --sbom=true --provenance=mode=max …` attaches it to the image; `make sbom` writes that of
# the crates, without Docker. The same bytes again: docs/image.md.

ARG RUST_IMAGE=rust:1.95-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim
ARG CUDA_DEVEL_IMAGE=nvidia/cuda:13.0.1-devel-ubuntu24.04
ARG CUDA_RUNTIME_IMAGE=nvidia/cuda:13.0.1-runtime-ubuntu24.04

FROM ${RUST_IMAGE} AS rust

FROM rust AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN apt-get update && apt-get install --yes --no-install-recommends libssl-dev pkg-config && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ARG SOURCE_DATE_EPOCH=0
# Paths of the machine that built it have no place in the binary, or another machine's would be another one.
ENV RUSTFLAGS="--remap-path-prefix=/src=auscult --remap-path-prefix=/usr/local/cargo/registry/src=crates"
# The caches outlive the layer, so the binary is copied out of them. TLS, SCRAM and tokens, with Debian's OpenSSL 3.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --package auscult --features tls \
    && docker/rootfs.sh target/dist/auscult /out

FROM ${CUDA_DEVEL_IMAGE} AS build-cuda
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN apt-get update && apt-get install --yes --no-install-recommends build-essential ca-certificates libssl-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
COPY --from=rust /usr/local/rustup /usr/local/rustup
COPY --from=rust /usr/local/cargo /usr/local/cargo
ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:$PATH
# Of the card that it will run on: 80 A100, 86 A10, 89 L4 and L40, 90 H100 and H200. Kernels of an older one run on newer cards.
ARG CUDA_COMPUTE_CAP=80
ENV CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP}
ENV RUSTFLAGS="--remap-path-prefix=/src=auscult --remap-path-prefix=/usr/local/cargo/registry/src=crates"
# The driver's own library is no part of an image: the container runtime brings it. A stub of the toolkit is what is linked to.
ENV LIBRARY_PATH=/usr/local/cuda/lib64/stubs
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target-cuda \
    cargo build --locked --profile dist --package auscult --features tls,cuda --target-dir target-cuda \
    && install -D target-cuda/dist/auscult /out/auscult

FROM ${CUDA_RUNTIME_IMAGE} AS cuda
LABEL org.opencontainers.image.title="auscult" \
      org.opencontainers.image.description="Listens to industrial machines over Kafka and says when one changes its sound. With CUDA." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates libssl3t64 && rm -rf /var/lib/apt/lists/*
COPY --from=build-cuda /out/auscult /usr/local/bin/auscult
COPY LICENSE /usr/share/doc/auscult/LICENSE
USER 65532:65532
EXPOSE 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/auscult"]
CMD ["--help"]

FROM ${DEBIAN_IMAGE} AS debug
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates libssl3 && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/usr/local/bin/auscult /usr/local/bin/auscult
USER 65532:65532
EXPOSE 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/auscult"]
CMD ["--help"]

# The last stage is what `docker build` makes when no other is asked for.
FROM scratch AS cpu
LABEL org.opencontainers.image.title="auscult" \
      org.opencontainers.image.description="Listens to industrial machines over Kafka and says when one changes its sound." \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/ /
COPY LICENSE /usr/share/doc/auscult/LICENSE
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /
# Health and metrics.
EXPOSE 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/auscult"]
CMD ["--help"]
