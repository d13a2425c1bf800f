# Every target sets up what it needs by itself; `make help` lists them.
# Build artefacts and tools live in $EVENT_INGEST_CACHE (~/.cache/event-ingest), shared by all clones.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export EVENT_INGEST_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/event-ingest
export CARGO_TARGET_DIR ?= $(EVENT_INGEST_CACHE)/target

# The corpus of apache/parquet-testing; without it its tests say so and pass.
ifneq ($(wildcard $(CURDIR)/../shared/parquet-testing/data),)
export PARQUET_TESTING_DIR ?= $(CURDIR)/../shared/parquet-testing
endif

# Definitions of other people's custom resources; without them what is checked against them says so and passes.
ifneq ($(wildcard $(CURDIR)/../shared/crds/spark-operator),)
export CRDS_DIR ?= $(CURDIR)/../shared/crds
endif

# With the test crate, so that dependencies have the features that the tests want, and nothing is compiled twice.
BUILD := cargo build --workspace --bins --test system --locked

.PHONY: help setup build lint deny test test-kube test-deploy crds test-spark test-console screenshots soak test-fast demo demo-heavy up kafka bench bench-dispatcher bench-check fmt clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install all that any target needs, but bench and test-kube
	@scripts/setup.sh build python kafka rest-catalog postgres prometheus spark old-iceberg browser data deploy lint

build: ## build the programs
	@scripts/setup.sh build
	$(BUILD)
	@echo "the programs are in $(CARGO_TARGET_DIR)/debug"

lint: ## check format, lints, licences and banned crates
	@scripts/setup.sh build lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --workspace --test kube --locked -- -D warnings
	@scripts/deny.sh licenses bans sources

deny: ## lint's check of the dependencies, and known vulnerabilities (needs the network)
	@scripts/setup.sh build lint
	@scripts/deny.sh licenses bans sources advisories

test: ## run all tests, also those of the whole system against real parts
	@scripts/setup.sh build python kafka rest-catalog postgres prometheus spark old-iceberg browser data deploy
	$(BUILD)
	cargo test --workspace --locked
	@scripts/spark.sh test
	@scripts/browser.sh test
ifdef CRDS_DIR
	@tests/deploy/run.sh --quick
else
	@echo "test: manifests are not validated: CRDS_DIR does not name a folder with definitions (make crds fetches them)"
endif

# Definitions of the Spark operator are needed: CRDS_DIR.
test-kube: ## run the tests against a real Kubernetes API (the first time it is built for some minutes)
ifdef CRDS_DIR
	@scripts/setup.sh build kube
	cargo test --workspace --locked --test kube
else
	@echo "test-kube: nothing to test: CRDS_DIR does not name a folder with the definitions of the Spark operator"
endif

test-deploy: ## check charts, manifests and scripts of deploy/, against a real Kubernetes API too: FILTER
ifdef CRDS_DIR
	@scripts/setup.sh build python kafka camel minio spark kube deploy
	$(BUILD)
	@tests/deploy/run.sh $(FILTER)
else
	@echo "test-deploy: nothing to validate against: run 'make crds', then name the folder that it prints by CRDS_DIR"
endif

crds: ## fetch the definitions of custom resources from their projects (needs GitHub)
	@scripts/setup.sh python
	@scripts/crds.sh

# Each number is named and explained where the tests read it: tests/tests/system/rounds.rs.
soak: export SOAK_KILLS ?= 500
soak: export SOAK_DISPATCHER_KILLS ?= 500
soak: export SOAK_RESTARTS ?= 60
soak: export SOAK_REQUESTS ?= 2000
soak: export SOAK_DAMAGED ?= 20000
soak: export SOAK_ROUND_TRIPS ?= 200
soak: export SIMULATION_SCHEDULES ?= 5000000
soak: ## the same tests with many more rounds: SOAK_KILLS, SOAK_DISPATCHER_KILLS, SOAK_RESTARTS, SOAK_REQUESTS, SOAK_DAMAGED, SOAK_ROUND_TRIPS, SIMULATION_SCHEDULES
	@$(MAKE) test

test-spark: ## run the tests of the Spark job alone
	@scripts/setup.sh spark
	@scripts/spark.sh test

test-console: ## run the tests of the console in Chromium and of the admin API alone: FILTER
	@scripts/setup.sh build browser
	$(BUILD)
	@scripts/browser.sh test $(if $(FILTER),-k "$(FILTER)")

screenshots: ## the same, and the pictures that the tests take go into docs/images
	@$(MAKE) test-console
	@scripts/browser.sh pictures

test-fast: ## run the tests that need no Java, Python or Kafka: Rust, a C and C++ compiler, perl
	@scripts/setup.sh build
	cargo test --workspace --exclude system-tests --locked

# Measured is what is shipped; PROFILE=dev builds in a tenth of the time, to try the measurement itself.
PROFILE ?= release
PROGRAMS := $(CARGO_TARGET_DIR)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))

demo: build ## see real Parquet files go from a bucket into an Iceberg table (KEEP=1 keeps them)
	@scripts/demo.sh

up: build ## the demo, and it stays until Ctrl-C
	@scripts/demo.sh --stay

demo-heavy: ## see more than 500 MB go through Kafka, dispatcher, launcher, Spark and publisher, with the seconds of each stage: PROFILE
	@scripts/setup.sh build
	cargo build --workspace --bins --locked --profile $(PROFILE)
	@scripts/demo-heavy.sh $(PROGRAMS)

kafka: ## a Kafka broker on 127.0.0.1:9092 with the topics, until Ctrl-C
	@scripts/setup.sh kafka
	@scripts/kafka.sh run --topics s3-events,light-ingest,heavy-ingest,ingest-dlq

BENCH := scripts/bench.sh --program $(PROGRAMS)/writing

bench: ## measure writing beside PyIceberg, DuckDB and cp, on disk and on S3: BENCH_OPTIONS, PROFILE
	@scripts/setup.sh build python minio data duckdb-s3
	cargo build --workspace --bins --locked --profile $(PROFILE)
	@$(BENCH) $(BENCH_OPTIONS)

# A trial: RECORDS=50000 REPEAT=1.
RECORDS ?= 1000000
REPEAT ?= 3

bench-dispatcher: ## measure the dispatcher beside a Camel route and a bare poll loop: RECORDS, REPEAT, PROFILE
	@scripts/setup.sh build python kafka camel
	cargo build -p dispatcher -p dispatching --locked --profile $(PROFILE)
	@scripts/bench-dispatcher.sh --dispatcher $(PROGRAMS)/dispatcher --tool $(PROGRAMS)/dispatching \
	  --records $(RECORDS) --repeat $(REPEAT) $(DISPATCHER_OPTIONS)

bench-check: ## bench and bench-dispatcher, and it fails if an expectation is not met
	@$(MAKE) bench BENCH_OPTIONS="--check $(BENCH_OPTIONS)"
	@$(MAKE) bench-dispatcher DISPATCHER_OPTIONS="--check $(DISPATCHER_OPTIONS)"

fmt: ## format the Rust code
	cargo fmt --all

clean: ## delete the build artefacts (the installed tools stay)
	cargo clean
