# syntax=docker/dockerfile:1.7
#
# The one binary, in an image of about 100 MB that runs as nobody in particular.
#
#   docker build -t auscult .
#
# With CUDA, give it images that have the toolkit (and Rust) to build with and the libraries to run with:
#
#   docker build -t auscult:cuda --build-arg FEATURES=tls,cuda \
#     --build-arg BUILD_IMAGE=my/cuda-13.0-devel-with-rust --build-arg RUNTIME_IMAGE=nvidia/cuda:13.0.0-runtime-ubuntu24.04 .

ARG BUILD_IMAGE=rust:1.95-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${BUILD_IMAGE} AS build
RUN apt-get update && apt-get install --yes --no-install-recommends libssl-dev pkg-config && rm -rf /var/lib/apt/lists/*
# TLS, SCRAM and tokens, with the system's OpenSSL 3; `tls-vendored` builds one into the binary.
ARG FEATURES="tls"
WORKDIR /src
COPY . .
# The caches outlive the layer, so the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --package auscult --features "${FEATURES}" \
    && install -D target/dist/auscult /out/auscult

FROM ${RUNTIME_IMAGE}
LABEL org.opencontainers.image.title="auscult" \
      org.opencontainers.image.description="Listens to industrial machines over Kafka and says when one changes its sound." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates libssl3 && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/auscult /usr/local/bin/auscult
COPY LICENSE /usr/share/doc/auscult/LICENSE
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /
# Health and metrics.
EXPOSE 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/auscult"]
CMD ["--help"]
