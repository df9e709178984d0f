# How build/ is made. Called by the Makefile, which lets one run at a time.
# Steps that are cheap when nothing changed run every time and leave equal
# files alone; the others run when what they are made of is newer.

SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

FLAVOR := $(or $(FLAVOR),cloud)
export FLAVOR
B := build
TOOLBOX := scripts/toolbox
CORE := udev syslog ntp console docker
# Radios are real machines'.
ifeq ($(FLAVOR),generic)
CORE += wifi
endif
IMAGES := $(CORE) host kernel-$(FLAVOR)
BINARIES := $(addprefix $B/bin/,init ros containerd containerd-shim-runc-v2 runc dockerd docker-proxy docker docker-plugins)

ALL := $B/pharos.iso $B/pharos.raw $B/vmlinuz $B/initrd $B/system.img $B/ros $B/manifest.json
ifneq ($(INITRD_WITH_SYSTEM),)
ALL += $B/initrd-pxe
endif

.PHONY: all
all: $(ALL)

.PHONY: iso disk images go
iso: $B/pharos.iso
disk: $B/pharos.raw
images: $(CORE:%=$B/images/%/config.json)
go: $B/.go

# --- programs ------------------------------------------------------------

.PHONY: $B/.deps
$B/.deps:
	@scripts/deps

# go build knows best what changed; files that did not are left alone.
.PHONY: $B/.go
$B/.go: | $B/.deps
	@scripts/gobin

$(BINARIES) $B/ros $B/builder $B/os-release: $B/.go ;

$B/toolbox/.key: scripts/toolbox scripts/toolbox.packages | $B/.deps
	@$(TOOLBOX) touch $@

# --- trees ----------------------------------------------------------------

# An image depends on its recipe's files and on the builder.
define image_rule
$B/images/$1/config.json: $(shell find images/$1 -type f) images/common.yml $(filter-out %_test.go,$(wildcard images/builder/*.go)) \
		$B/toolbox/.key | $B/.go
	@scripts/image $1
endef
$(foreach i,$(IMAGES),$(eval $(call image_rule,$i)))

$B/kernel/version: $B/images/kernel-$(FLAVOR)/config.json $B/.flavor
	@$(TOOLBOX) $B/builder kernel -in $B/images/kernel-$(FLAVOR)/rootfs -out $B/kernel

# Changes only when the kernel's flavour does.
.PHONY: $B/.flavor.now
$B/.flavor: $B/.flavor.now
$B/.flavor.now:
	@mkdir -p $B
	echo '$(FLAVOR)' | cmp -s - $B/.flavor || echo '$(FLAVOR)' >$B/.flavor

# --- artefacts ------------------------------------------------------------

$B/vmlinuz: $B/kernel/version
	@$(TOOLBOX) ln -f $B/kernel/vmlinuz $@
	$(TOOLBOX) touch $@

$B/system.img: $(BINARIES) $B/os-release $B/kernel/version $(CORE:%=$B/images/%/config.json) \
		$B/images/host/config.json scripts/system scripts/env
	@$(TOOLBOX) scripts/system $B

$B/cmdline: $B/system.img ;

$B/initrd: $B/bin/init $B/kernel/version $B/images/host/config.json images/initrd-modules scripts/initrd scripts/env
	@$(TOOLBOX) scripts/initrd $@

$B/initrd-pxe: $B/initrd $B/system.img
	@$(TOOLBOX) scripts/initrd $@ $B/system.img

$B/pharos.iso: $B/vmlinuz $B/initrd $B/system.img scripts/iso scripts/grub-iso.cfg $(CONFIG_ON_ISO)
	@$(TOOLBOX) env CONFIG='$(CONFIG_ON_ISO)' scripts/iso

$B/pharos.raw: $B/vmlinuz $B/initrd $B/system.img scripts/disk scripts/grub-disk.cfg
	@$(TOOLBOX) scripts/disk

$B/manifest.json: $B/pharos.iso $B/pharos.raw $B/ros
	@scripts/manifest

.PHONY: check-reproducible
check-reproducible: all
	@$(TOOLBOX) scripts/reproducible
