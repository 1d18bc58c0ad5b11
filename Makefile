# make demo       the whole story on this machine: lab, rollout, rollout again
# make demo-down  takes the lab away without a trace
# make test       everything, on real parts
# make test-short what needs no root, no docker and no cluster: under a minute

SHELL   := /bin/bash
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GOFLAGS := -buildvcs=false
export GOFLAGS

LAB_DIR ?= $(or $(ANTDBCTL_LAB_DIR),/run/antdbctl-lab)
LAB      = bin/antdbctl-lab
SITE     = $(LAB_DIR)/site.hcl

.PHONY: build lab demo demo-down test test-short vet docs bench bench-images bench-diagnosis clean

build: bin/antdbctl

bin/antdbctl: $(shell find cmd engine modules docs -name '*.go' -o -name '*.hcl' 2>/dev/null) go.mod go.sum
	@echo "building antdbctl (some minutes the first time, when its libraries are compiled)"
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $@ ./cmd/antdbctl

$(LAB): $(shell find lab -type f 2>/dev/null)
	@echo "building the lab"
	cd lab && go build -o ../$@ .

lab: $(LAB)
	$(LAB) up

demo: bin/antdbctl lab
	lab/demo.sh bin/antdbctl $(SITE)

demo-down: $(LAB)
	$(LAB) down
	@if [ -e runbooks/.antdbctl/made-by-demo ]; then rm -r runbooks/.antdbctl; fi

vet:
	@unformatted=$$(gofmt -l cmd engine modules docs examples lab bench 2>/dev/null); \
	  if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	cd lab && go vet ./...

test-short:
	go test -short ./...

# What the tests run beside the lab's own needs, as PROGRAM:DEBIAN-PACKAGE.
TEST_NEEDS = sshd:openssh-server sftp:openssh-client sudo:sudo openssl:openssl unshare:util-linux \
  containerd:containerd dockerd:docker.io busybox:busybox ip:iproute2 podman:podman buildah:buildah \
  /usr/lib/postgresql/*/bin/postgres:postgresql /usr/lib/postgresql/*/lib/pgaudit.so:postgresql-15-pgaudit \
  pgbackrest:pgbackrest patroni:patroni etcd:etcd-server

test: vet bin/antdbctl lab
	$(LAB) require $(TEST_NEEDS)
	go test -timeout 30m ./...
	cd lab && go test -timeout 30m -count 1 ./...

docs:
	go test ./docs -update

bench: bin/antdbctl
	go run ./bench/ssh

# Root; brings up eight nodes beside a lab that may run (antdbctl-lab fleet down, in slot 7, takes them away).
bench-images: bin/antdbctl $(LAB)
	go run ./bench/images

# The cases of bench/diagnosis, a bundle with a gigabyte of logs, and the lab's site when it is up (make lab).
bench-diagnosis: bin/antdbctl
	go run ./bench/diagnosis

clean:
	rm -rf bin
