# Everything one runs by hand. `make help` lists it.

.DEFAULT_GOAL := help
.PHONY: help setup build serve test lint bench compat
SHELL := /bin/bash
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: ## Install what the build needs, and build RocksDB once
	@tools/setup
	@tools/rocksdb

build: setup ## Build the release binary
	cargo build --release --locked

serve: build ## Build and start a gateway on 127.0.0.1:9000 with its data in ./data
	@exec $(TARGET_DIR)/release/dovetail serve

test: setup ## Build and run every test, then other people's clients against the binary that was tested
	@tools/setup tests
	@tools/test-servers
	cargo test --workspace --locked
	COMPAT_MIB=$${COMPAT_MIB:-64} GATEWAY=$(abspath $(TARGET_DIR))/debug/dovetail compat/run

lint: setup ## Formatting, clippy without warnings, licences and advisories of dependencies
	@tools/lint

bench: build ## What the gateway costs, next to a bare HTTP server
	GATEWAY=$(abspath $(TARGET_DIR))/release/dovetail BENCH_DIR=$(abspath $(TARGET_DIR)) \
		cargo bench --locked --bench gateway

compat: build ## Run other people's S3 clients against the gateway
	GATEWAY=$(abspath $(TARGET_DIR))/release/dovetail compat/run
