# Each verb is one command; "make help" lists them. FUZZTIME is per target;
# ROUNDS and ONLY (names with commas) choose what is measured; the same SEED and
# MINUTES give the same faults.
FUZZTIME ?= 30s
SEED ?= 1
MINUTES ?= 10
ROUNDS ?= 3
ORDERS ?= 60000000
RUNS ?= 5
FLINK ?= flink/bench
LISTEN ?= 127.0.0.1:8080
NICE := nice -n 5

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## fetch what the tests need into .cache (browser, Kafka, DuckDB, real orders)
	ci/setup

build: setup ## build the page into web/dist and the program into ./livemap
	npm --prefix web run --silent build
	CGO_ENABLED=0 go build -trimpath -o livemap ./cmd/livemap

demo: ## the whole map in one process, at http://127.0.0.1:8080/
	go run ./cmd/livemap demo

check: setup ## the fast loop: lint, short Go tests, the page's types and unit tests
	$(NICE) ci/lint
	$(NICE) go run ./ci/gotest -short ./...
	$(NICE) npm --prefix web run --silent check
	$(NICE) npm --prefix web run --silent test

test: setup ## everything: race detector, real Kafka, the oracle, the page in Chromium
	ci/test

fuzz: ## run every fuzz target for FUZZTIME
	ci/fuzz $(FUZZTIME)

bench: setup ## measure beside other servers, pinned: some sixteen minutes, with nothing else running
	go -C bench run . -rounds $(ROUNDS) -only '$(ONLY)' -docs ../docs/measurements.md

faults: setup ## kill pods, nginx, Kafka and the aggregator under 5,000 clients for MINUTES
	@go run ./e2e/faults -seed $(SEED) -minutes $(MINUTES) -ledger .cache/logs/faults.csv

# The map fed by Flink on a real Kafka, at http://LISTEN/ (flink/README.md).
flink-demo: setup
	@go run ./flink/demo $(LISTEN)

bench-aggregate: setup ## drain a backlog of ORDERS from a real Kafka beside it, RUNS times; kept below .cache/backlog
	go run ./e2e/backlog -orders $(ORDERS) -runs $(RUNS) -flink '$(FLINK)'

clean: ## remove what was built; .cache stays, for it was fetched
	rm -rf livemap .cache/web-dist .cache/logs .cache/artifacts

.PHONY: help setup build demo check test fuzz bench bench-aggregate faults flink-demo clean
