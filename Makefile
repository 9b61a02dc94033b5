# dmsnap needs Swift 6.3 and git; whatever else is missing, .ci/setup installs, or says how to.

PREFIX ?= /usr/local
DESTDIR ?=

RELEASE := .build/release/dmsnap
STATIC := .build-static
TESTED := .build-test
# The program, and what it runs to serve: beside it here, in PREFIX/lib/dmsnap once installed.
PRODUCTS := dmsnap dmsnap-fuse nbdkit-dmsnap-plugin

# Options for Tests/Benchmarks/bench, Tests/CrashTest/crash-test, Tests/Fuzz/fuzz and what is in
# Tests/KernelTest: make bench BENCH='--rounds 3'
BENCH ?=
AREA_TEST ?=
CRASH_POINTS ?= 100000
CRASH_TEST ?=
FILES_TEST ?=
FUZZ ?=
KERNEL_TEST ?=
LVM_TEST ?=
OVERFLOW_TEST ?=
PLACE_TEST ?=
RECIPE_TEST ?=
SALVAGE_TEST ?=
SERVE_TEST ?=
STORM ?=
TRIAL_TEST ?=

# Debian keeps mke2fs, sfdisk and losetup where an ordinary user's shell does not look.
export PATH := $(PATH):/usr/sbin:/sbin

# SwiftPM passes the package's traits to the compiler in the order of a set, which is another in each
# process: without this, nearly every build compiles everything anew.
STABLE := SWIFT_DETERMINISTIC_HASHING=1

# What is tested is optimised, or the tests take three times as long; what they reach into needs a
# build of its own. All that shares it must agree on the flags and on the variable, which the manifest reads.
# Of C there is only swift-crypto's, whose digests are in assembler: optimising it, and what a debugger
# needs, would take a minute.
TEST_BUILD := -c release -Xswiftc -enable-testing -Xcc -O0 -debug-info-format none --scratch-path $(TESTED)
# `swift test` would build with other flags, and so everything anew.
TEST := swift test --skip-build --disable-xctest $(TEST_BUILD)
suite consumer docs crash-points: export DMSNAP_WARNINGS_ARE_ERRORS = 1

help:  ## say what there is to make
	@sed -n 's/^\([a-z-]*\):.*##/\1	/p' Makefile | expand -t 14

demo: release  ## look at, export, merge and un-merge a snapshot that Linux wrote
	Tests/demo $(RELEASE)

test: suite consumer  ## build everything with warnings as errors, and run all tests

lint: setup  ## check the style
	swift format lint --strict --recursive Sources Tests Package.swift

# Without the gem, the table says that it is missing.
bench: release  ## measure against C, thin_check, qemu-img and cp; half an hour, 12 GiB in .build/bench
	corpus/lab --install thin-provisioning-tools qemu-utils xfsprogs ruby
	-gem install --user-install --conservative --no-document lvmsync
	Tests/Benchmarks/bench --dmsnap $(RELEASE) $(BENCH)

corpus: lab  ## have Linux write the stores in corpus/ again, and lvm2 the volume groups
	corpus/make --all
	corpus/lvm/make --all
	corpus/file-systems/make --all

kernel-test: release lab  ## compare with Linux, under qemu, on stores made up from a seed
	Tests/KernelTest/kernel-test --dmsnap $(RELEASE) $(KERNEL_TEST)

lvm-test: release lab  ## read and merge volume groups, made up from a seed, that lvm2 makes and reads
	Tests/KernelTest/lvm-test --dmsnap $(RELEASE) $(LVM_TEST)

salvage-test: release lab  ## damage the corpus in every way; Linux loads what is salvaged
	Tests/KernelTest/salvage-test --dmsnap $(RELEASE) --kernel 6.12 $(SALVAGE_TEST)

area-test: release  ## overwrite one area of 500 stores: make area-test AREA_TEST='--seed 2'
	Tests/KernelTest/area-test --dmsnap $(RELEASE) $(AREA_TEST)

overflow-test: release lab  ## have Linux overflow snapshots, and count what no exception names
	Tests/KernelTest/overflow-test --dmsnap $(RELEASE) $(OVERFLOW_TEST)

place-test: release  ## have Linux write file systems, lose areas, and judge what gets its place back; hours
	corpus/lab --install xfsprogs btrfs-progs
	Tests/KernelTest/place-test --dmsnap $(RELEASE) $(PLACE_TEST)

files-test: release lab  ## have Linux mount snapshots, and compare their files with what dmsnap reads
	corpus/lab --install xfsprogs btrfs-progs
	Tests/KernelTest/files-test --dmsnap $(RELEASE) $(FILES_TEST)

log-test: release  ## have Linux crash with btrfs, and compare what its replay shows; as root, where Linux mounts btrfs
	corpus/lab --install btrfs-progs
	Tests/KernelTest/log-test --dmsnap $(RELEASE) $(LOG_TEST)

serve-test: release  ## serve and mount snapshots, compare with export, and measure: 4 GiB, a few minutes
	corpus/lab --install nbdkit libnbd-bin fuse3 qemu-utils xfsprogs btrfs-progs sleuthkit strace
	Tests/ServeTest/serve-test --dmsnap $(RELEASE) $(SERVE_TEST)

trial-test: release lab  ## cut the power while a trial layer is written; Linux loads what is left of it
	corpus/lab --install nbdkit strace
	Tests/ServeTest/trial-test --dmsnap $(RELEASE) $(TRIAL_TEST)

recipe-test: release lab  ## have Linux run the commands that `dmsnap recipe` prints
	corpus/lab --install nbdkit libnbd-bin fuse3 qemu-utils binutils
	Tests/KernelTest/recipe-test --dmsnap $(RELEASE) $(RECIPE_TEST)

storm: release  ## salvage 10,000 stores that are damaged at random: make storm STORM='--seed 2'
	Tests/KernelTest/storm --dmsnap $(RELEASE) $(STORM)

crash-test: release  ## kill, starve and cut the power of merges; make crash-test CRASH_TEST='--seed 2'
	corpus/lab --install nbdkit libnbd-bin fuse3 xfsprogs
	Tests/CrashTest/crash-test --dmsnap $(RELEASE) $(CRASH_TEST)

crash-points: tested  ## interrupt merges wherever they can be: make crash-points CRASH_POINTS=1000000
	DMSNAP_CRASH_POINTS=$(CRASH_POINTS) $(TEST) --filter CrashPoint

fuzz: setup  ## fuzz what reads stores and mapfiles, a minute each: make fuzz FUZZ='--seconds 600'
	Tests/Fuzz/fuzz $(FUZZ)

docs: tested  ## write the generated pages of docs/ again, and the libraries' reference in .build/reference
	DMSNAP_REGENERATE=1 $(TEST) --filter Documentation
	swift package dump-symbol-graph --minimum-access-level public
	mkdir -p .build/reference
	for target in SnapshotKit BlockIO LVM2 SnapshotFormat; do \
	  rm -rf .build/symbols/$$target && mkdir -p .build/symbols/$$target && \
	  cp .build/*/symbolgraph/$$target.symbols.json .build/symbols/$$target && \
	  docc convert Sources/$$target/$$target.docc --fallback-display-name $$target \
	    --fallback-bundle-identifier dmsnap.$$target \
	    --additional-symbol-graph-dir .build/symbols/$$target \
	    --output-path .build/reference/$$target || exit; \
	done

install: static  ## install the program, its manual, completions and docs below PREFIX
	install -D -s -m 755 $(STATIC)/release/dmsnap $(DESTDIR)$(PREFIX)/bin/dmsnap
	install -D -s -m 755 -t $(DESTDIR)$(PREFIX)/lib/dmsnap \
	  $(STATIC)/release/dmsnap-fuse $(STATIC)/release/libnbdkit-dmsnap-plugin.so
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/dmsnap LICENSE docs/*.md
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 $(STATIC)/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -D -m 644 $(STATIC)/dmsnap.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/dmsnap
	install -D -m 644 $(STATIC)/dmsnap.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_dmsnap
	install -D -m 644 $(STATIC)/dmsnap.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/dmsnap.fish

clean:  ## remove all that was built
	rm -rf .build .build-fuzz $(TESTED) $(STATIC)

# What the targets above need.

setup:
	@.ci/setup

lab:
	corpus/lab --install

tested: setup
	$(STABLE) swift build --build-tests $(TEST_BUILD)

# What the program prints as JSON is held against docs/schema afterwards.
suite: tested
	rm -rf $(TESTED)/json
	DMSNAP=$(CURDIR)/$(TESTED)/release/dmsnap DMSNAP_JSON_LOG=$(CURDIR)/$(TESTED)/json $(TEST)
	Tests/Schema/check $(TESTED)/json

consumer: tested
	$(STABLE) Tests/Consumer/check $(TEST_BUILD)

# Without the variable that test sets, or every other target would build it anew.
release: setup
	for product in $(PRODUCTS); do \
	  env -u DMSNAP_WARNINGS_ARE_ERRORS $(STABLE) swift build -c release --product $$product || exit; done

# All that `install` copies.
static: setup
	for product in $(PRODUCTS); do \
	  $(STABLE) swift build -c release --product $$product --static-swift-stdlib -Xswiftc -static-stdlib \
	    --scratch-path $(STATIC) || exit; done
	rm -rf $(STATIC)/man
	docs/man/make $(STATIC)/release/dmsnap $(STATIC)/man $(PREFIX)/share/doc/dmsnap
	for shell in bash zsh fish; do \
	  $(STATIC)/release/dmsnap --generate-completion-script $$shell >$(STATIC)/dmsnap.$$shell && \
	  sed -i '1{/^#!/d;}' $(STATIC)/dmsnap.$$shell || exit; done

.PHONY: help demo test lint bench corpus kernel-test lvm-test salvage-test area-test overflow-test place-test files-test log-test serve-test trial-test recipe-test storm crash-test crash-points fuzz docs install clean setup lab tested suite consumer release static
