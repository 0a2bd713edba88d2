# The server: one static binary in an empty image.
# The syntax is plain on purpose: BuildKit and the classic builder of older Dockers both know it.

# The manifests, with a stub for the first file of each target. Their content changes only with the dependencies or the shape of
# the workspace, so the layer that builds the dependencies stays cached when only code changed.
FROM rust:1.95-slim-bookworm AS manifests
WORKDIR /src
COPY . .
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock ! -name lib.rs ! -name main.rs ! -name build.rs \
        ! -path '*/src/bin/*.rs' ! -path '*/benches/*.rs' ! -path '*/examples/*.rs' ! -path '*/fuzz_targets/*.rs' -delete \
    && find . -name '*.rs' | while read -r file; do \
        printf '//! A stub.\n#![allow(dead_code)]\nfn main() {}\n' > "$file"; \
    done \
    && find . -type d -empty -delete

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
ENV CARGO_TARGET_DIR=/target RUSTFLAGS="-C target-feature=+crt-static"
# Static linking needs the target named, or build scripts and procedural macros would be linked so too, which fails.
RUN rustc -vV | sed -n 's/^host: //p' > /triple
COPY --from=manifests /src .
RUN cargo build --locked --release --package chinwag --target "$(cat /triple)"
COPY . .
# The lines for backtraces are compressed, which is more than half of the image.
# Touched, since the sources may be older than the stubs' build, and cargo would then take the stubs' for theirs.
RUN find . -name '*.rs' -exec touch {} + \
    && cargo build --locked --release --package chinwag --target "$(cat /triple)" \
    && mkdir -p /out/data \
    && objcopy --compress-debug-sections=zlib "/target/$(cat /triple)/release/chinwag" /out/chinwag

FROM scratch
COPY --from=build /out/chinwag /chinwag
# Empty, but owned: a new volume gets the owner that its place has in the image.
COPY --from=build --chown=65532:65532 /out/data /data
# CHINWAG_AUTH is not set here: who runs the image says whether everyone who reaches it may use it.
ENV CHINWAG_LISTEN=0.0.0.0:8080 CHINWAG_DATA=/data
USER 65532:65532
VOLUME ["/data"]
EXPOSE 8080
# The start period covers the store's recovery after a crash: until it is over, not being ready is no failure.
HEALTHCHECK --interval=5s --timeout=3s --start-period=120s --retries=3 CMD ["/chinwag", "health"]
ENTRYPOINT ["/chinwag"]
