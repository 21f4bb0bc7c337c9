VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BUILD    := -trimpath -ldflags '-X main.version=$(VERSION)'
CLIENTS  := clustat clusvcadm ccs_tool cman_tool fence_ack_manual
DAEMONS  := cmand
LAB      := ./internal/lab/...
FUZZTIME ?= 30s
FUZZED   ?= $(UNITS)
SOAK     ?= 1h
SEED     := $(or $(SEED),$(shell od -An -N4 -tu4 /dev/urandom | tr -d ' '))

# All packages but the lab, which needs root and real daemons.
UNITS = $(shell go list ./... | grep -v /internal/lab)

.PHONY: all deps build demo test check fuzz simulate bench install clean
all: build

# deps: all that building and testing need on a bare Debian 12 that has Go.
deps:
	@./internal/lab/deps.sh

build: $(CLIENTS:%=bin/%) $(DAEMONS:%=bin/%)

.PHONY: $(CLIENTS:%=bin/%) $(DAEMONS:%=bin/%)
$(CLIENTS:%=bin/%):
	CGO_ENABLED=0 go build $(BUILD) -o $@ ./cmd/$(@F)

$(DAEMONS:%=bin/%):
	CGO_ENABLED=1 go build $(BUILD) -o $@ ./cmd/$(@F)

# demo: two hosts and the article's story; KEEP=1 leaves you in a shell on host1.
demo: deps build
	go run ./internal/lab/demo $(if $(KEEP),-keep)

# test: everything, as root; the lab last.
test: deps build
	go vet ./...
	$(MAKE) fuzz FUZZTIME=20000x FUZZED=./internal/conf
	go test -race -shuffle=on $(UNITS)
	go test -race -shuffle=on -timeout 30m $(LAB)

# soak: three hosts and six machines through SOAK=1h of harm, chosen by SEED=number.
.PHONY: soak
soak: deps build
	go test -run '^TestSoak$$' -v -timeout 0 ./internal/lab -soak $(SOAK) -seed $(SEED)

check:
	@! gofmt -l $$(git ls-files '*.go') | grep . >&2
	go vet ./...
	go tool staticcheck ./...
	go mod tidy -diff

# fuzz: every fuzz test of the packages in FUZZED, FUZZTIME each: a duration, or
# a number of runs as in 20000x, which no loaded machine takes for a failure.
fuzz:
	@set -e; for pkg in $(FUZZED); do \
		for f in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg; \
		done; \
	done

# simulate: SEEDS schedules of whole clusters, from the seed FROM on.
SEEDS ?= 100000
FROM  ?= 1
simulate:
	go test -timeout 0 -v -run '^TestSchedules$$' ./internal/simulate -seeds $(SEEDS) -from $(FROM)

bench:
	go test -run '^$$' -bench . -benchmem $(UNITS)

install: build
	install -d $(DESTDIR)/usr/sbin $(DESTDIR)/usr/share/man/man5 $(DESTDIR)/usr/share/man/man8 $(DESTDIR)/usr/lib/systemd/system \
		$(DESTDIR)/usr/share/bash-completion/completions $(DESTDIR)/usr/share/zsh/vendor-completions
	install -m 755 $(CLIENTS:%=bin/%) $(DAEMONS:%=bin/%) $(DESTDIR)/usr/sbin
	ln -sf ccs_tool $(DESTDIR)/usr/sbin/ccs_config_validate
	for p in $(wildcard man/*.5); do install -m 644 $$p $(DESTDIR)/usr/share/man/man5; done
	for p in $(wildcard man/*.8); do install -m 644 $$p $(DESTDIR)/usr/share/man/man8; done
	install -m 644 contrib/systemd/cmand.service $(DESTDIR)/usr/lib/systemd/system
	for p in clustat clusvcadm cman_tool; do \
		install -m 644 contrib/completion/$$p.bash $(DESTDIR)/usr/share/bash-completion/completions/$$p; \
		install -m 644 contrib/completion/_$$p $(DESTDIR)/usr/share/zsh/vendor-completions; \
	done

clean:
	rm -rf bin
