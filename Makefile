# nudge: the nginx module and the program "nudge".
#
#   make            both, into build/
#   make demo       everything running, with a shopper walking through it
#   make test       all tests          make check   style and static checks
#   make fuzz       every fuzz target  (FUZZ_SECONDS=60 each)
#   make asan       all tests on sanitized builds
#   make valgrind   nginx and the sender under memcheck
#   make bench      figures, side by side in one run
#   make install    DESTDIR, PREFIX, MODULES

NGINX_SRC    ?= /usr/share/nginx/src
NGINX        ?= /usr/sbin/nginx
PREFIX       ?= /usr
MODULES      ?= /usr/lib/nginx/modules
CC           ?= cc
OPTIMIZE     ?= -O2 -g
SANITIZE     ?=
FUZZ_SECONDS ?= 60
BUILD        ?= build

override BUILD := $(abspath $(BUILD))

LUA_INC    := $(or $(LUAJIT_INC),$(shell pkg-config --variable=includedir \
              luajit 2>/dev/null),/usr/include/luajit-2.1)
WARN       := -Wall -Wextra -Wno-unused-parameter -Werror
NUDGE_CFLAGS := -std=gnu11 $(OPTIMIZE) $(SANITIZE) $(WARN) -pthread \
              -D_GNU_SOURCE -Isrc/core -I$(LUA_INC) \
              -DNUDGE_SHARE='"$(PREFIX)/share/nudge"'
CORE_LIBS  := -llua5.1-cjson -lluajit-5.1 -lcrypto -lm
NUDGE_LIBS := $(CORE_LIBS) -lmemcached -lcurl -lsqlite3

CORE_SRC   := $(sort $(wildcard src/core/*.c))
SENDER_SRC := $(sort $(wildcard src/sender/*.c))
NGINX_FILES := $(sort $(wildcard src/nginx/*.[ch])) \
              $(sort $(wildcard src/core/*.[ch])) config
HEADERS    := $(wildcard src/core/*.h src/sender/*.h)

CORE_OBJ   := $(CORE_SRC:src/%.c=$(BUILD)/obj/%.o)
SENDER_OBJ := $(SENDER_SRC:src/%.c=$(BUILD)/obj/%.o)

MODULE     := $(BUILD)/ngx_http_nudge_module.so
NUDGE      := $(BUILD)/nudge

.PHONY: all deps module nudge unit fuzz-build fuzz test asan valgrind check \
        demo bench install clean FORCE

all: deps
	@$(MAKE) --no-print-directory module nudge

# what is missing is installed, and only then; NUDGE_DEPS=0 leaves it alone
deps:
	@sh demo/deps build

module: $(MODULE)
nudge: $(NUDGE)

# what was compiled and how; changes when a file or a flag does
$(BUILD)/sources: FORCE
	@mkdir -p $(BUILD)
	@echo '$(NGINX_FILES) $(CC) $(OPTIMIZE) $(SANITIZE)' > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

FORCE:

# Debian's nginx-dev: headers and auto/, configured out of tree, no root
$(BUILD)/nginx/Makefile: config $(BUILD)/sources
	@mkdir -p $(BUILD)/nginx
	@echo '  configure'
	@cd $(NGINX_SRC) && bash -c '. ./conf_flags && ./configure \
	    --with-cc="$(CC)" \
	    --with-cc-opt="$(OPTIMIZE) $(SANITIZE) -fPIC -Wno-cast-function-type \
	        -DNUDGE_SHARE=\\\"$(PREFIX)/share/nudge\\\" \
	        -DNUDGE_PROGRAM=\\\"$(PREFIX)/bin/nudge\\\"" \
	    --with-ld-opt="$(SANITIZE) -Wl,-z,relro -Wl,-z,now -fPIC" \
	    "$${NGX_CONF_FLAGS[@]}" --add-dynamic-module="$(CURDIR)" \
	    --builddir="$(BUILD)/nginx"' > $(BUILD)/configure.log 2>&1 \
	    || { tail -5 $(BUILD)/configure.log; rm -f $@; exit 1; }

# moved into place: a running nginx keeps the file it has mapped
$(MODULE): $(BUILD)/nginx/Makefile $(NGINX_FILES)
	@echo '  module'
	@$(MAKE) -s -C $(NGINX_SRC) -f $(BUILD)/nginx/Makefile modules
	@cp $(BUILD)/nginx/ngx_http_nudge_module.so $@.new
	@mv $@.new $@

$(NUDGE): $(CORE_OBJ) $(SENDER_OBJ)
	@echo '  ld $(@F)'
	@$(CC) $(OPTIMIZE) $(SANITIZE) -pthread -o $@ $^ $(NUDGE_LIBS)

$(BUILD)/obj/%.o: src/%.c $(HEADERS)
	@mkdir -p $(@D)
	@echo '  cc $<'
	@$(CC) $(NUDGE_CFLAGS) -c -o $@ $<

# unit tests: under ASan and UBSan, one program a concern

UNIT_SRC := $(sort $(wildcard t/unit/*.c))
UNIT     := $(UNIT_SRC:t/unit/%.c=$(BUILD)/unit/%)
UNIT_SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined
UNIT_OBJ := $(CORE_SRC:src/%.c=$(BUILD)/san/%.o) \
            $(filter-out $(BUILD)/san/sender/main.o, \
            $(SENDER_SRC:src/%.c=$(BUILD)/san/%.o))

unit: $(UNIT)

$(BUILD)/san/%.o: src/%.c $(HEADERS)
	@mkdir -p $(@D)
	@echo '  cc (sanitized) $<'
	@$(CC) $(NUDGE_CFLAGS) -O1 $(UNIT_SAN) -c -o $@ $<

$(BUILD)/libsan.a: $(UNIT_OBJ)
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/unit/%: t/unit/%.c t/unit/tap.h $(BUILD)/libsan.a
	@mkdir -p $(@D)
	@echo '  cc $<'
	@$(CC) $(NUDGE_CFLAGS) -O1 $(UNIT_SAN) -Isrc/sender -o $@ $< \
	    $(BUILD)/libsan.a $(NUDGE_LIBS)

# fuzz targets: libFuzzer, clang

FUZZ_SRC := $(sort $(wildcard t/fuzz/*.c))
FUZZ     := $(FUZZ_SRC:t/fuzz/%.c=$(BUILD)/fuzz/%)
FUZZ_SAN := -fsanitize=address,undefined,fuzzer-no-link \
            -fno-sanitize-recover=undefined
FUZZ_OBJ := $(CORE_SRC:src/%.c=$(BUILD)/fuzzobj/%.o) \
            $(filter-out $(BUILD)/fuzzobj/sender/main.o, \
            $(SENDER_SRC:src/%.c=$(BUILD)/fuzzobj/%.o))

$(BUILD)/fuzzobj/%.o: src/%.c $(HEADERS)
	@mkdir -p $(@D)
	@echo '  clang $<'
	@clang $(NUDGE_CFLAGS) -O1 $(FUZZ_SAN) -c -o $@ $<

$(BUILD)/libfuzz.a: $(FUZZ_OBJ)
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/fuzz/%: t/fuzz/%.c $(BUILD)/libfuzz.a
	@mkdir -p $(@D)
	@echo '  clang $<'
	@clang $(NUDGE_CFLAGS) -O1 -fsanitize=address,undefined,fuzzer \
	    -fno-sanitize-recover=undefined -Isrc/sender -o $@ $< \
	    $(BUILD)/libfuzz.a $(NUDGE_LIBS)

fuzz-build: $(FUZZ)

fuzz: $(FUZZ)
	@sh t/fuzz/run $(BUILD) $(FUZZ_SECONDS)

test:
	@sh demo/deps test
	@$(MAKE) --no-print-directory module nudge unit fuzz-build
	NUDGE_BUILD=$(BUILD) TEST_NGINX_BINARY=$(NGINX) prove -j2 -r t

# the whole suite against an instrumented module and program

ASAN_SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined
ASAN_LIB = $(shell $(CC) -print-file-name=libasan.so):$(shell \
           $(CC) -print-file-name=libubsan.so)

asan:
	@sh demo/deps test
	@$(MAKE) --no-print-directory module nudge BUILD=$(BUILD)/asan \
	    SANITIZE="$(ASAN_SAN)" OPTIMIZE="-O1 -g"
	NUDGE_BUILD=$(BUILD)/asan TEST_NGINX_BINARY=$(NGINX) \
	    NUDGE_NGINX_PRELOAD=$(ASAN_LIB) prove -j2 -r t

valgrind: module nudge
	@sh demo/deps test
	NUDGE_BUILD=$(BUILD) TEST_NGINX_BINARY=$(NGINX) prove t/valgrind/run

check:
	@sh demo/deps check
	@sh t/style/check

demo: all
	@sh demo/deps demo
	@NUDGE_BUILD=$(BUILD) NGINX=$(NGINX) perl demo/run

bench: all
	@sh demo/deps bench
	@NUDGE_BUILD=$(BUILD) NGINX=$(NGINX) perl bench/run

install: all
	install -D -m 644 $(MODULE) $(DESTDIR)$(MODULES)/ngx_http_nudge_module.so
	install -D -m 755 $(NUDGE) $(DESTDIR)$(PREFIX)/bin/nudge
	cd share && find . -type f -exec install -D -m 644 {} \
	    $(DESTDIR)$(PREFIX)/share/nudge/{} \;

clean:
	rm -rf $(BUILD)
