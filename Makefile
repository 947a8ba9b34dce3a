# Every target may be run at any time, from a fresh checkout on. `make help` lists them.

NATS_SERVER_BIN ?= $(CURDIR)/.tools/nats-server
CHROMIUM_BIN ?= $(CURDIR)/.tools/chromium/chromium
CHROMEDRIVER_BIN ?= $(CURDIR)/.tools/chromium/chromedriver
export NATS_SERVER_BIN CHROMIUM_BIN CHROMEDRIVER_BIN

# What `make image` builds for. The C library goes into the binary, so the image needs nothing else.
TARGET ?= x86_64-unknown-linux-gnu
VERSION := $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml | head -n 1)
# What an image was built from, for the metric build_info. A variable of its own, so that other targets do not ask git.
REVISION = $(or $(shell git rev-parse --short=12 HEAD 2>/dev/null),unknown)
SERVICES := ingress context-builder webhook-caller attachment-fetcher egress console chatbot

# What the checks of the manifests run with, each release pinned.
K8S_TOOLS := .tools/k8s

FUZZ_TARGETS := $(basename $(notdir $(wildcard tests/fuzz/fuzz_targets/*.rs)))

.DEFAULT_GOAL := help
TEXT ?= Hello!
SCENARIO ?= main

.PHONY: help tools build run send demo test fuzz faults bench check schemas openapi metrics config-reference fmt image image-check k8s-check k8s-audit clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)$$/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

tools: ## put nats-server into .tools, if it is not there yet
	@python3 deploy/tools/nats-server.py

# All at once and as the tests want it: of another selection of packages cargo would build many of them once more, with
# other features.
build: ## build everything, with the tests
	cargo build --locked --workspace --bins --tests

run: tools ## run the whole pipeline in one process, with its own nats-server
	cargo run --locked -p chatbot -- up

send: ## send a message to a running `make run`: make send TEXT="Hello!"
	@cargo run --locked -q -p chatbot -- send "$(TEXT)"

# With a channel its platform is faked, and what each side gets is shown.
demo: tools ## show a conversation from end to end: make demo, or make demo CHANNEL=http, telegram, slack, discord
ifdef CHANNEL
	@cargo build --locked -q --workspace --bins
	@cargo run --locked -q -p tests --example demo -- --channel $(CHANNEL)
else
	cargo run --locked -q -p chatbot -- demo
endif

# Twice the cores, and not too many brokers at once: most tests wait for processes and pauses more than they compute.
TEST_THREADS ?= $(shell python3 -c 'import os; print(min(16, 2 * (os.cpu_count() or 1)))')

# The end-to-end tests start the binaries, so these are built first. Where no browser can be had (status 3), the script
# says so and why, and no test of a page runs.
test: tools build ## run all tests
	cargo test --locked --workspace --doc
	RUST_TEST_THREADS=$(TEST_THREADS) cargo test --locked --workspace --lib --bins --tests
	@python3 deploy/tools/chromium.py; status=$$?; \
	case $$status in 0) $(IN_A_BROWSER) ;; 3) ;; *) exit $$status ;; esac

.PHONY: browser-tools browser
IN_A_BROWSER = cargo test --locked --workspace --test browser --

# A chromium of the PATH and its driver, or by apt into .tools.
browser-tools:
	@python3 deploy/tools/chromium.py

browser: tools build browser-tools ## run the tests in a browser: make browser, or with TEST=part_of_a_name
	$(IN_A_BROWSER) $(TEST)

# Our code is safe Rust, so it runs without a sanitizer, on the compiler that builds everything else. What is found stays
# in target/fuzz, and what breaks in tests/fuzz/artifacts; the seeds under tests/fuzz/corpus are only read.
fuzz: .tools/bin/cargo-fuzz ## feed strange input to a parser: make fuzz TARGET=render SECONDS=600
	@test -f tests/fuzz/fuzz_targets/$(TARGET).rs || { echo "TARGET is one of: $(FUZZ_TARGETS)"; exit 2; }
	@mkdir -p target/fuzz/corpus/$(TARGET)
	PATH="$(CURDIR)/.tools/bin:$$PATH" cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none --target-dir target/fuzz \
	$(TARGET) target/fuzz/corpus/$(TARGET) tests/fuzz/corpus/$(TARGET) -- -max_total_time=$(or $(SECONDS),60) -timeout=1

.tools/bin/cargo-fuzz:
	cargo install --locked --root .tools --version 0.13.2 cargo-fuzz

# `make bench ARGS=--help` lists the scenarios, and what else can be set.
bench: tools ## measure the whole: make bench SCENARIO=saturation DURATION=10
	cargo build --locked --release $(patsubst %,-p %,$(filter-out console chatbot,$(SERVICES)))
	cargo bench --locked -p tests --bench pipeline -- --scenario $(SCENARIO) --duration $(or $(DURATION),10) $(ARGS)

# `make test` has a minute of it. A run is drawn from SEED; RATE multiplies the faults.
faults: tools build ## break things on purpose: make faults DURATION=10m SEED=7 RATE=2
	DURATION="$(DURATION)" SEED="$(SEED)" RATE="$(RATE)" \
	cargo test --locked --workspace --test faults -- --nocapture promises_hold_under_faults

check: ## formatting, lints and the rules of the workspace
	cargo fmt --all --check
	cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo test --locked --workspace --test conformance

.PHONY: ops-tools ops-check ops-live

# Prometheus of the PATH, or by apt into .tools.
ops-tools:
	@python3 deploy/tools/prometheus.py

# Rules, alerts with their tests and runbooks, dashboards.
ops-check: ops-tools ## check alerts, runbooks and dashboards against each other and the metrics
	@python3 deploy/tools/ops_check.py

# Two minutes: a real Prometheus scrapes the real services under load.
ops-live: tools build ops-tools ## ask a real Prometheus every query of dashboards, rules and runbooks
	@python3 deploy/tools/ops_live.py

schemas: ## write proto-schemas/schemas, asyncapi.json and deploy/nats/auth.conf from the types
	UPDATE=1 cargo test --locked --workspace --test drift

openapi: tools ## write services/console/openapi.json from the routes and types of the admin API
	UPDATE=1 cargo test --locked -p console --test it description::the_committed

metrics: tools build ## write the tables of deploy/metrics.md from what the services show
	UPDATE=1 cargo test --locked --workspace --test e2e metrics::the_documented

config-reference: ## write the tables of deploy/configuration.md from the types of the configuration
	UPDATE=1 cargo test --locked --workspace --test configuration

fmt: ## format the sources
	cargo fmt --all
	cargo fmt --manifest-path tests/fuzz/Cargo.toml

image: ## build a service's static binary and show how to make its image: make image SERVICE=ingress
	@test -n "$(filter $(SERVICE),$(SERVICES))" || { echo "SERVICE is one of: $(SERVICES)"; exit 2; }
	CHATBOT_REVISION="$(REVISION)" RUSTFLAGS='-C target-feature=+crt-static' cargo build --locked --release --target $(TARGET) -p $(SERVICE)
	@mkdir -p target/image
	@cp target/$(TARGET)/release/$(SERVICE) target/image/$(SERVICE)
	@echo "Now, with docker:"
	@echo "  SOURCE_DATE_EPOCH=0 docker build -f deploy/Dockerfile --build-arg SERVICE=$(SERVICE) -t $(SERVICE):$(VERSION) target/image"
	@echo "or with buildah:"
	@echo "  buildah bud --timestamp 0 -f deploy/Dockerfile --build-arg SERVICE=$(SERVICE) -t $(SERVICE):$(VERSION) target/image"

image-check: image ## build a service's image twice and compare, run it: make image-check SERVICE=ingress
	@python3 deploy/tools/image-check.py $(SERVICE)

# Without npm the types of custom resources are left out.
$(K8S_TOOLS)/ready: k8s/check/requirements.txt k8s/check/package-lock.json
	python3 -m venv --clear $(K8S_TOOLS)
	$(K8S_TOOLS)/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
	-r k8s/check/requirements.txt
	cp k8s/check/package.json k8s/check/package-lock.json $(K8S_TOOLS)
	! command -v npm > /dev/null || npm ci --prefix $(K8S_TOOLS) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: k8s-tools
k8s-tools: $(K8S_TOOLS)/ready

k8s-check: build k8s-tools ## check the Kubernetes manifests, without a cluster
	@$(K8S_TOOLS)/bin/python -B k8s/check/check.py --services $(or $(CARGO_TARGET_DIR),target)/debug

# 300 MB, so it is a target of its own.
.tools/checkov/bin/checkov:
	python3 -m venv --clear .tools/checkov
	.tools/checkov/bin/pip install --quiet --disable-pip-version-check checkov==3.3.30

k8s-audit: .tools/checkov/bin/checkov k8s-tools ## hold the Kubernetes manifests against the rules of checkov
	$(K8S_TOOLS)/bin/kubectl kustomize k8s/overlays/prod > .tools/prod.yaml
	.tools/checkov/bin/checkov --config-file k8s/check/checkov.yaml --file .tools/prod.yaml

clean: ## remove what was built and downloaded
	cargo clean
	rm -rf .tools
