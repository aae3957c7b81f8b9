#!/usr/bin/env python3
"""The rules of the house, on the built objects and with the compiler's own flags: includes, globals, calls that a library must not make."""
import glob
import itertools
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, ROOT, Checks, run, scratch  # noqa: E402

COMPILER = os.path.join(ROOT, "compiler")
# The public headers and who may see them.
PUBLIC = {"tenon/tenon.h": {"api", "cli", "worker"}, "tenon/runtime.h": {"codegen", "api"}, "tenon/plugin.h": {"passes", "plugin", "report"}}
# The objects that may have state of their own, and why.
STATEFUL = {"report/gvc/gvc_module.c": "libgvc has globals: calls take turns, and its messages go where the call whose turn it is wants them"}
# Which functions only these files may call. The allocator has one door, and nothing but the command ends the process.
DOORS = {
    "exit": ["cli/main.c"], "_exit": ["cli/main.c"], "quick_exit": [], "longjmp": [], "siglongjmp": [], "__longjmp_chk": [],
    "abort": ["base/"], "malloc": ["base/memory.c"], "calloc": ["base/memory.c"], "realloc": ["base/memory.c"], "free": ["base/memory.c"],
    "strdup": [], "strndup": [], "asprintf": [], "aligned_alloc": ["base/memory.c"], "posix_memalign": ["base/memory.c"],
}


def declared_rooms():
    """Rooms and what each may use, transitively, as the top CMakeLists.txt declares them."""
    uses = {}
    for line in open(os.path.join(ROOT, "CMakeLists.txt")):
        match = re.match(r"tenon_room\((\w+)(.*)\)", line.split("#")[0].strip())
        if match:
            uses[match[1]] = [w for w in re.sub(r"^.*?USES", "", match[2]).split() if w.islower()] if "USES" in match[2] else []

    def close(room):
        return {room}.union(*(close(used) for used in uses[room])) if uses[room] else {room}

    return {room: close(room) for room in uses}


def compile_flags():
    """For each room the include flags that its files are compiled with."""
    flags = {}
    for entry in json.load(open(os.path.join(BUILD, "compile_commands.json"))):
        relative = os.path.relpath(entry["file"], COMPILER)
        room = relative.split(os.sep)[0]
        if not relative.startswith("..") and room not in flags and "/llvm/" not in relative and "/gvc/" not in relative:
            flags[room] = re.findall(r"-I\S+|-isystem \S+|-D\S*\\\"\S+|-D\S+", entry["command"])
    return {room: [w.replace('\\"', '"') for f in fs for w in f.split()] for room, fs in flags.items()}


def test_includes(checks):
    rooms, flags = declared_rooms(), compile_flags()
    headers = {room: sorted(glob.glob(os.path.join(COMPILER, room, "*.h"))) for room in rooms}
    folder = scratch("rooms")
    cases = []
    for user, used in itertools.product(rooms, rooms):
        if user in flags and headers[used]:
            door = [h for h in headers[used] if os.path.basename(h) == used + ".h"] or headers[used]
            cases.append((user, f"{used}/{os.path.basename(door[0])}", used in rooms[user]))
    for header, users in PUBLIC.items():
        cases += [(user, header, user in users) for user in flags]

    def attempt(case):
        user, header, _ = case
        source = os.path.join(folder, f"{user}_{header.replace('/', '_')}.c")
        with open(source, "w") as f:
            f.write(f'#include "{header}"\ntypedef int no_empty_unit;\n')
        return run(["cc", "-std=gnu11", "-fsyntax-only", *flags[user], source]).status == 0

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for (user, header, allowed), compiles in zip(cases, pool.map(attempt, cases)):
            checks.check(f"{user} {'may' if allowed else 'may not'} include {header}", compiles == allowed,
                         "it compiles" if compiles else "it does not compile")
    for room in rooms:
        if glob.glob(os.path.join(COMPILER, room, "*.c")):
            checks.check(f"room {room} is compiled", room in flags)


def test_foreign_headers(checks):
    """protobuf-c in frontend/ and LLVM in codegen/llvm/, nowhere else: system headers, so by reading the sources."""
    for pattern, door in ((r"#include [<\"](protobuf-c|onnx\.pb-c)", "frontend/"), (r"#include <llvm-c", "codegen/llvm/"), (r"#include <zip\.h", "data/"),
                          (r"#include <graphviz/", "report/gvc/")):
        found = [os.path.relpath(p, COMPILER) for p in glob.glob(COMPILER + "/**/*.[ch]", recursive=True) if re.search(pattern, open(p).read())]
        outside = [p for p in found if not p.startswith(door)]
        checks.check(f"{pattern} only in {door}", found and not outside, ", ".join(outside) or "nowhere at all")


def our_objects():
    """Every object of ours in the build tree, by its source's path below compiler/."""
    objects = {}
    for entry in json.load(open(os.path.join(BUILD, "compile_commands.json"))):
        relative = os.path.relpath(entry["file"], COMPILER)
        path = os.path.join(entry["directory"], entry.get("output") or re.search(r" -o (\S+)", entry["command"])[1])
        if os.path.exists(path) and not relative.startswith(".."):
            objects[relative] = path
    return objects


def test_sections(checks, objects):
    """No object has a byte of .data or .bss: whatever changes belongs to a context."""
    for source, path in sorted(objects.items()):
        if source in STATEFUL:
            continue
        filled = []
        for line in subprocess.run(["size", "-A", "-d", path], capture_output=True, text=True, check=True).stdout.splitlines():
            words = line.split()
            if len(words) == 3 and re.match(r"\.(data|bss|tdata|tbss)", words[0]) and not words[0].startswith(".data.rel.ro") and words[1] != "0":
                filled.append(f"{words[0]} of {words[1]} bytes")
        checks.check(f"{source}: no mutable globals", not filled, ", ".join(filled))


def test_calls(checks, objects):
    for source, path in sorted(objects.items()):
        wanted = {line.split()[-1].split("@")[0] for line in subprocess.run(["nm", "-u", path], capture_output=True, text=True, check=True).stdout.splitlines()}
        wrong = [name for name in wanted if name in DOORS and not any(source.startswith(door) for door in DOORS[name])]
        checks.check(f"{source}: calls what it may", not wrong, ", ".join(wrong))


if __name__ == "__main__":
    checks = Checks()
    test_includes(checks)
    test_foreign_headers(checks)
    objects = our_objects()
    checks.check("objects are found", len(objects) > 50, f"only {len(objects)}")
    test_sections(checks, objects)
    test_calls(checks, objects)
    checks.finish()
