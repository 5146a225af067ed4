# make check answers in under two minutes: format, vet, and all tests that need no redis-server.
# make all is the gate: everything, on real servers, with the race detector.
.PHONY: check all bench

check:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w on these files'; exit 1; }
	go vet ./...
	go test -short $$(go list ./... | grep -v /internal/faults)

all:
	.ci/run

bench:
	go run -C internal/bench . -quick
