# Pharos: `make` builds every artefact into build/, `make help` says the rest.
# What is made of what stands in scripts/build.mk.

SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
export FLAVOR INITRD_WITH_SYSTEM CONFIG_ON_ISO

# One build at a time: several tests may ask for one at once.
BUILD = mkdir -p build && flock build/.lock $(MAKE) -f scripts/build.mk

.PHONY: all iso disk images go check-reproducible
all iso disk images go check-reproducible:
	@$(BUILD) $@

.PHONY: force
build/%: force
	@$(BUILD) $@

.PHONY: help
help:
	@echo 'make                      every artefact (FLAVOR=generic: kernel and firmware for bare metal;'
	echo '                          INITRD_WITH_SYSTEM=1: also build/initrd-pxe)'
	echo 'make iso|disk|images|go   a part of it'
	echo 'make run                  the ISO in QEMU on this terminal, SSH on 127.0.0.1:2222'
	echo '                          (CONFIG=cloud-config, NET=restricted, MEM=MiB, UEFI=1, DISK=file)'
	echo 'make test                 all rings: test-unit, test-fuzz (FUZZTIME=1000x each), test-root, test-vm'
	echo 'make test-generic         what only FLAVOR=generic has (Wi-Fi, sound, USB …), before a release; builds that flavour'
	echo 'make test-soak            what takes long: builds and power cuts, a swarm of three; before a release'
	echo 'make bench                compare with a Debian peer'
	echo 'make check-reproducible   build initrd and system.img twice and compare'
	echo 'make update               forget which package versions were resolved; the next make takes the newest'
	echo 'make clean                remove build/ (not the download cache)'

.PHONY: run
run:
	@$(BUILD) iso
	scripts/run

.PHONY: test test-unit test-fuzz test-root test-vm test-generic test-soak bench
test: test-unit test-fuzz test-root test-vm
test-unit:
	@$(BUILD) build/toolbox/.key
	scripts/test unit
test-fuzz:
	scripts/test fuzz
test-root:
	@$(BUILD) go build/toolbox/.key
	scripts/test root
test-vm:
	@$(BUILD) all build/initrd-pxe
	scripts/test vm
test-generic:
	@$(BUILD) FLAVOR=generic iso
	scripts/test generic
test-soak:
	@$(BUILD) all
	scripts/test soak
bench:
	@$(BUILD) all
	go run -mod=mod ./scripts/bench

.PHONY: update clean
update:
	@scripts/update
clean:
	@scripts/clean
