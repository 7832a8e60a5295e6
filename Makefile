# The door. Meson builds; this only names what people ask for.
#   make            build/signet (release)         make check   the fast loop, below 30 s on a built tree
#   make demo       see it work, sets itself up    make test    every test, sets itself up, below 10 minutes
BUILD ?= build
DEBUG ?= build-debug
PYTHON ?= /usr/bin/python3
prefix ?= /usr/local
DESTDIR ?=
N ?= 10000
T ?= 60
SEED ?= 1
SIGNET = $(BUILD)/signet
RUN = TALLY=$(BUILD)/tally $(PYTHON) tools/tally.py
export PYTHONDONTWRITEBYTECODE = 1

all: $(SIGNET)

# Meson leaves the program in its folder's place; people look for it at build/signet.
$(SIGNET): release
	@test -x $@ || { echo "src/app/meson.build builds no signet" >&2; exit 1; }

release: $(BUILD)/build.ninja
	ninja -C $(BUILD)
	@test ! -x $(BUILD)/src/app/signet || ln -sfn src/app/signet $(SIGNET)

debug: $(DEBUG)/build.ninja
	ninja -C $(DEBUG) all meson-test-prereq
	@test ! -x $(DEBUG)/src/app/signet || ln -sfn src/app/signet $(DEBUG)/signet

$(BUILD)/build.ninja:
	@tools/deps.sh --check build
	meson setup $(BUILD) --buildtype=debugoptimized --prefix=$(prefix)

$(DEBUG)/build.ninja:
	@tools/deps.sh --check build
	meson setup $(DEBUG) --buildtype=debug -Doptimization=1 -Db_sanitize=address,undefined

demo:
	tools/deps.sh build demo
	$(MAKE) all
	$(PYTHON) tools/demo.py

# A suite that fails does not stop the next: `sum` counts them all and says no at the end.
define CHECKS
$(RUN) script tidy $(PYTHON) tools/tidy.py
$(RUN) script layers $(PYTHON) tools/layers.py
$(RUN) script purity tools/purity.sh $(BUILD)
$(RUN) script snippets $(PYTHON) tools/snippets.py $(SIGNET)
$(RUN) meson units $(DEBUG) --no-rebuild --no-suite torture
endef

# Real programs against ours: unbound, named, kdig, ldns, dnsperf ...; what is absent is skipped by name.
define PEERS
$(RUN) pytest peers $(PYTHON) test/peer/run.py -q -rs
endef

check: release debug
	@$(RUN) start
	@$(CHECKS)
	@$(RUN) sum

test:
	tools/deps.sh build demo test peers
	$(MAKE) test-here

# The same on a machine that has what it needs.
test-here: $(SIGNET) debug
	@$(RUN) start
	@$(CHECKS)
	@$(PEERS)
	@$(RUN) sum

peers: $(SIGNET)
	@$(RUN) start
	@$(PEERS)
	@$(RUN) sum

bench: $(SIGNET)
	$(PYTHON) bench/run.py
	$(PYTHON) bench/attacks.py

# One slice a capability, end to end, below a minute in all: work begins and ends here.
slices: $(SIGNET)
	$(PYTHON) tools/slices.py

# Random worlds of the network, of signed zones and of clusters: with the sanitizers, more than 10000 in the release
# build.
SIM := $(if $(shell test $(N) -gt 10000 && echo many),$(BUILD),$(DEBUG))
sim: $(if $(filter $(SIM),$(BUILD)),release,debug)
	test -x $(SIM)/test/sim/sim && test -x $(SIM)/test/sim/oracle && test -x $(SIM)/test/sim/clusters
	$(SIM)/test/sim/oracle --seeds $(N) --seed $(SEED) & zones=$$!; \
	$(SIM)/test/sim/sim --seeds $(N) --seed $(SEED) && $(SIM)/test/sim/clusters --seeds $(N) --seed $(SEED); \
	worlds=$$?; wait $$zones && exit $$worlds

# Our own, and with RPL=DIR those of a peer's test-suite in that folder, in-process: milliseconds each.
scenarios: debug
	meson test -C $(DEBUG) --no-rebuild --suite scenario --print-errorlogs
	test -z "$(RPL)" || find "$(RPL)" -name '*.rpl' -print0 -o -name '*.crpl' -print0 | sort -z | \
		xargs -0 -n 1000 $(DEBUG)/test/sim/replay --quiet

# The image for another machine: cross-built in a Debian root of its own (kept: minutes the first time), and tried by
# qemu's user mode.
image-arm64:
	tools/deps.sh build arm64
	deploy/container/cross.sh $(BUILD)/arm64
	deploy/container/build.sh --program $(BUILD)/arm64/signet --sysroot $(BUILD)/arm64/sysroot --arch arm64 \
		$(BUILD)/image-arm64
	$(PYTHON) -m pytest -p no:cacheprovider -q -rs test/peer/test_image_arm64.py

torture: debug
	meson test -C $(DEBUG) --no-rebuild --suite torture --print-errorlogs

# Coverage-guided, T seconds for each fuzzer.
fuzz:
	tools/deps.sh build fuzz
	test -f build-fuzz/build.ninja || CC=clang meson setup build-fuzz -Dfuzz=true \
		--buildtype=debug -Doptimization=1 -Db_sanitize=address,undefined
	ninja -C build-fuzz
	for f in build-fuzz/test/fuzz_*; do test -f $$f || continue; \
		name=$${f##*/fuzz_}; mkdir -p build-fuzz/corpus/$$name; echo "== $$name"; \
		$$f -max_total_time=$(T) -timeout=10 -max_len=65536 -print_final_stats=1 \
		-artifact_prefix=build-fuzz/crash-$$name- build-fuzz/corpus/$$name \
		$$(ls -d test/fuzz/$$name 2>/dev/null) || exit 1; done

install: $(SIGNET)
	tools/install.sh $(SIGNET) "$(DESTDIR)" "$(prefix)"

clean:
	rm -rf $(BUILD) $(DEBUG) build-fuzz

.PHONY: all release debug demo check test test-here peers bench slices sim scenarios image-arm64 torture fuzz \
	install clean
