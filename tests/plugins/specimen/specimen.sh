#!/bin/sh
# How specimen-1.0.so was built, with gcc 12 on x86-64 and the header as it was when the ABI became 1.0:
#   tests/plugins/specimen/specimen.sh tests/plugins/specimen/specimen-1.0.so
# It is not built again: what later versions have to load is this file.
here=$(dirname "$0")
exec "${CC:-cc}" -std=c99 -Wall -Wextra -Werror -Os -shared -fPIC -fvisibility=hidden -nostdlib -fno-asynchronous-unwind-tables \
    -s -Wl,-z,noseparate-code,--build-id=none -I "$here/../../../plugins/include" "$here/specimen.c" -o "$1"
