# A gateway on port 9000 with its data in /data.
#
#   docker build -t dovetail . && docker run -p 9000:9000 -v dovetail:/data dovetail

FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libclang-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# RocksDB first, which takes longest and changes least.
COPY Cargo.toml Cargo.lock ./
COPY crates crates
COPY tools tools
RUN mkdir -p src benches/gateway examples && echo 'fn main() {}' | tee src/main.rs benches/gateway/main.rs >/dev/null \
    && touch src/lib.rs && tools/rocksdb
COPY . .
RUN tools/rocksdb && cargo build --release --locked && strip --strip-debug target/release/dovetail

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin dovetail \
    && install -d -o dovetail -g dovetail -m 0700 /data
COPY --from=build /src/target/release/dovetail /usr/local/bin/dovetail
COPY LICENSE /usr/share/doc/dovetail/LICENSE
USER dovetail
WORKDIR /data
VOLUME /data
EXPOSE 9000
ENV DOVETAIL_LISTEN=0.0.0.0:9000 DOVETAIL_DATA_DIR=/data
# The image has no HTTP client, and needs none. With [tls] configured, replace this check.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9000 && printf 'GET /_/live HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["dovetail"]
CMD ["serve"]
