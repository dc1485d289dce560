# Everything runs through npm's packages: a machine needs Node 20.19 or newer, npm and make.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run example test soak lint format proto baseline build pack bench clean \
	lint-proto lint-generated lint-format lint-code lint-types lint-dead lint-package

bin := node_modules/.bin
# A stamp is in the folder that it dates, so that removing the folder removes the stamp.
installed := node_modules/.installed
bench_installed := bench/node_modules/.installed
built := dist/.built
packed := dist/packages/.packed
examples_built := examples/.build/.built
generated := node_modules/.cache/generated
# The last released API: `buf breaking` compares our protos with it, not the third-party ones.
api_baseline := buf.baseline.binpb
# Third-party files stay as they were published.
published_protos := --exclude-path proto/spoken/google --exclude-path proto/spoken/grpc

protos := $(shell find proto -name '*.proto')
sources := $(shell find src -name '*.ts')
pages := README.md LICENSE $(wildcard docs/*.md)
examples := $(shell find examples -name '*.ts' -not -path '*/.build/*')

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

run: $(built) ## install, build, serve: make run ARGS="--listen 127.0.0.1:50052"
	@exec node dist/cli/main.js serve $(ARGS)

example: $(examples_built) ## a worked example: make example NAME=logs ARGS="--seconds 5"
	@exec node examples/.build/$(NAME)/main.js $(ARGS)

test: $(examples_built) ## install, build, all tests: make test ARGS=test/streams
	$(bin)/vitest run $(ARGS)

soak: $(examples_built) ## the tests that take minutes to hours: make soak SEED=7 DURATION=60 (seconds a file)
	SOAK=1 MILLRACE_SOAK_SEED=$(SEED) MILLRACE_SOAK_SECONDS=$(DURATION) MILLRACE_SOAK_COUNT=$(COUNT) $(bin)/vitest run $(ARGS)

# `make -k lint` runs all of them, even after a failure.
lint: lint-proto lint-generated lint-format lint-types lint-code lint-dead lint-package ## every check that is not a test

lint-proto: $(installed)
	$(bin)/buf lint
	$(bin)/buf format --diff --exit-code $(published_protos)
	$(bin)/buf breaking --against $(api_baseline)

# src/gen is committed: it must equal what the protos generate now.
lint-generated: $(installed)
	@$(generate)
	diff -r src/gen $(generated)/src/gen

lint-format: $(installed)
	$(bin)/biome format

# The examples' types come from dist/.
lint-types: $(built) $(bench_installed)
	$(bin)/tsc -p tsconfig.json
	$(bin)/tsc -p bench/tsconfig.json --noEmit

lint-code: $(built)
	$(bin)/oxlint --type-aware

lint-dead: $(installed)
	$(bin)/knip

# Checks the packages as they are published.
lint-package: $(packed)
	$(bin)/publint --strict dist/packages/millrace
	$(bin)/publint --strict dist/packages/client

format: $(installed) ## protos and code
	$(bin)/buf format --write $(published_protos)
	$(bin)/biome format --write

proto: $(installed) ## generate src/gen from the protos
	$(bin)/buf format --write $(published_protos)
	$(replace_generated)

baseline: $(installed) ## renew the API baseline: at a release, or for an intended break
	$(bin)/buf build --path proto/millrace --exclude-source-info --output $(api_baseline)

build: $(built) ## install, generate, compile to dist/

pack: $(packed) ## millrace and @millrace/client, as they are published, in dist/packages/

bench: $(built) $(bench_installed) ## run the benchmarks, write bench/results.md
	$(bin)/tsc -p bench/tsconfig.json
	@exec node bench/.build/bench/main.js $(ARGS)

# Only for the benchmarks: clients of the peers.
$(bench_installed): bench/package-lock.json
	npm ci --prefix bench --no-audit --no-fund
	@touch $@

clean: ## remove what was built; node_modules and data stay
	rm -rf dist bench/.build examples/.build coverage node_modules/.cache

$(installed): package-lock.json
	npm ci --no-audit --no-fund
	@touch $@

# Builds a new dist/, so that no deleted module stays there. The link makes `npx millrace` work in the checkout.
$(built): $(installed) src/gen/descriptor-set.ts $(sources) tsconfig.json tsconfig.build.json scripts/build-template.mjs
	rm -rf dist
	$(bin)/tsc -p tsconfig.build.json
	@cp -R proto/spoken dist/spoken
	node scripts/build-template.mjs dist/templates
	@chmod +x dist/cli/main.js
	@ln -sf ../../dist/cli/main.js $(bin)/millrace
	@touch $@

# Both packages from one dist/, with only the modules that they reach.
$(packed): $(built) $(pages) $(protos) package.json scripts/build-packages.mjs scripts/reachable-modules.mjs
	rm -rf dist/packages
	node scripts/build-packages.mjs dist/packages
	cd dist/packages && npm pack --silent ./millrace ./client
	@touch $@

$(examples_built): $(built) $(examples) examples/tsconfig.json
	rm -rf examples/.build
	$(bin)/tsc -p examples/tsconfig.json
	@touch $@

src/gen/descriptor-set.ts: $(protos) buf.gen.yaml scripts/build-descriptors.mjs | $(installed)
	$(replace_generated)

# Generates into another folder first: buf empties its output folder, and src/gen may be in use.
define generate
rm -rf $(generated) && $(bin)/buf generate --output $(generated) && \
	node scripts/build-descriptors.mjs $(generated)/src/gen/descriptor-set.ts
endef

define replace_generated
$(generate) && rm -rf src/gen && mv $(generated)/src/gen src/gen
endef
