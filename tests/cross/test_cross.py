#!/usr/bin/env python3
"""Code for other machines. aarch64: C from two compilers and objects, run by qemu-aarch64, give the interpreter's bits. AVX-VNNI: C and
objects have its instruction. cortex-m4 and riscv64: C and objects compile and need no library. What --triple, --cpu and --features refuse."""
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np
import onnx

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from checks import CLANG, ROOT, Checks, run, scratch, tenon  # noqa: E402
from operator_cases import operator_cases  # noqa: E402
from samples import SHIPPED, fed, inputs, output_types, packed, shape_options  # noqa: E402

GCC = "aarch64-linux-gnu-gcc"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
WAYS = {  # of generated C for aarch64: which of the models (every n-th), compiler and flags
    "gcc-O0": (3, [GCC, "-O0", *WARNINGS]),
    "gcc-O2": (1, [GCC, "-O2", "-std=c99", *WARNINGS]),
    "clang-O2": (2, [CLANG, "--target=aarch64-linux-gnu", "-O2", *WARNINGS]),
}
LIBRARY = {"memcpy", "memset", "memmove"}


class Model:
    """A model, its inputs as FOLDER/PREFIX.I.in, and what the interpreter makes of them."""

    def __init__(self, folder, prefix, path, data_set):
        self.folder, self.prefix, self.path, self.data_set = folder, prefix, path, data_set
        self.pairs = inputs(path, data_set)
        self.shapes = shape_options(self.pairs)
        self.outputs = output_types(path)
        self.want = []

    def file(self, suffix):
        return os.path.join(self.folder, self.prefix + suffix)

    def interpret(self, target):
        """The first line of what went wrong, or ''."""
        words = []
        for i, (name, array) in enumerate(self.pairs):
            with open(self.file(f".{i}.in"), "wb") as f:
                f.write(packed(array.tobytes(), array.dtype))
            np.save(self.file(f".{i}.npy"), fed(array))
            words += ["--input", f"{name}={self.file(f'.{i}.npy')}"]
        done = tenon("run", self.path, "--backend", "interp", "--target", target, *words, "-o", self.file(".want"), timeout=300)
        if done.status != 0:
            return done.last
        for name, dtype in self.outputs:
            data = np.load(os.path.join(self.file(".want"), name + ".npy")).tobytes()
            narrow = packed(data, dtype)
            self.want.append(np.frombuffer(narrow, dtype if len(narrow) == len(data) else np.uint8))
        return ""

    def compare(self):
        """Which outputs that a harness wrote are not the interpreter's; every NaN is the same."""
        wrong = []
        for i, want in enumerate(self.want):
            path = self.file(f".{i}.out")
            got = np.fromfile(path, want.dtype) if os.path.exists(path) else None
            if got is None or got.size != want.size:
                wrong.append(f"{self.outputs[i][0]} was not written")
                continue
            os.unlink(path)
            bits = f"u{want.dtype.itemsize}"
            differ = got.view(bits) != want.view(bits)
            if want.dtype.kind == "f" or hasattr(ml_dtypes, want.dtype.name):
                differ &= ~(np.isnan(got.astype(np.float64)) & np.isnan(want.astype(np.float64)))
            if differ.any():
                wrong.append(f"{self.outputs[i][0]}: {differ.sum()} of {want.size} differ, the first at {int(np.argmax(differ))}")
        return "; ".join(wrong)


# ---- what is compiled ----

def cases():
    """Of the single-operator models: one of each operator, and one of each pair of element types that an operator has."""
    folder = operator_cases()
    seen, chosen = set(), []
    for op in sorted(os.listdir(folder)):
        for number in sorted(os.listdir(os.path.join(folder, op))) if os.path.isdir(os.path.join(folder, op)) else []:
            path = os.path.join(folder, op, number, "model.onnx")
            graph = onnx.load(path).graph
            types = tuple(v.type.tensor_type.elem_type for v in (*graph.input[:1], *graph.output[:1]))
            keys = {op, types}
            if keys - seen:
                chosen.append((f"m_{op}_{number}", path, os.path.join(folder, op, number, "test_data_set_0")))
            seen |= keys
    return chosen


def shipped():
    left_out = ("bert-labels", "bert-static_1x128_labels")  # the same code as their neighbours, and large
    return [("m_" + name.replace("-", "_"), path, os.path.join(folder, "test_data_set_0")) for name, path, folder in SHIPPED
            if name not in left_out]


def undefined(file):
    """The symbols that an object needs, without the linker's own."""
    said = subprocess.run(["llvm-nm-19", "--undefined-only", "--just-symbol-name", file], capture_output=True, text=True, check=True).stdout
    return {line.strip() for line in said.splitlines()}


def is_own_helper(symbol):
    return symbol.startswith("__aeabi_")


def compile_object(model, folder, *options):
    """tenon compile --emit obj; the object's file, or the Result of a failure."""
    done = tenon("compile", model.path, "--emit", "obj", "--name", model.prefix, *model.shapes, "-o", folder, *options, timeout=300)
    return done, os.path.join(folder, model.prefix + ".o")


def compile_c(model, target, compiler, way):
    """An object of the model's C from the compiler."""
    folder = os.path.join(model.folder, target, model.prefix)
    source, made = os.path.join(folder, model.prefix + ".c"), os.path.join(folder, f"{way}.o")
    return run([*compiler, "-I", folder, "-c", source, "-o", made], timeout=300), made


def prepare(model, target):
    """The interpreter's outputs and the model's C for a target; the first line of what went wrong, or ''."""
    done = tenon("compile", model.path, "--emit", "c", "--target", target, "--name", model.prefix, *model.shapes, "-o",
                 os.path.join(model.folder, target, model.prefix), timeout=300)
    return done.last if done.status != 0 else ""


def in_parallel(what, jobs):
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(lambda job: what(*job), jobs))


# ---- aarch64 ----

def bytes_of(models, end):
    """The quantised ones, anew."""
    return [Model(m.folder, m.prefix + end, m.path, m.data_set) for m in models if "int8" in m.path]


def run_all(checks, way, models, objects, folder, linker=(GCC, "-static"), runner=("qemu-aarch64",)):
    """Links all objects of one way into a program, runs it, and compares every output with the interpreter's."""
    program, table, list_file = (os.path.join(folder, f"{way}.{end}") for end in ("exe", "h", "objects"))
    with open(table, "w") as f:
        f.write("#define MODELS " + " ".join(f"ROW({m.prefix}_model)" for m in models) + "\n")
    with open(list_file, "w") as f:
        f.write("\n".join(objects))
    linked = run([*linker, "-O1", "-include", table, "-I", os.path.join(ROOT, "runtime", "include"), os.path.join(HERE, "harness.c"),
                  f"@{list_file}", "-o", program], timeout=300)
    if not checks.check(f"{way}: links", linked.status == 0, linked.last):
        return
    ran = run([*runner, program, folder], timeout=600)
    codes = dict(line.split() for line in ran.out.splitlines())
    checks.check(f"{way}: runs", ran.status == 0, ran.last)
    for m in models:
        wrong = m.compare()
        checks.check(f"{way}: {m.prefix}: the interpreter's bits", codes.get(m.prefix) == "0" and not wrong, f"returned {codes.get(m.prefix)}; {wrong}")


def test_aarch64(checks, models, folder, target):
    for m, wrong in zip(models, in_parallel(lambda m: m.interpret(target) or prepare(m, target), [(m,) for m in models])):
        checks.check(f"{m.prefix}: interpreted, and C for {target}", not wrong, wrong)
    good = [m for m in models if len(m.want) == len(m.outputs)]
    for way, (every, compiler) in WAYS.items():
        some, name = good[::every], f"{target}-{way}"
        made = in_parallel(compile_c, [(m, target, compiler, way) for m in some])
        built = [(m, file) for m, (done, file) in zip(some, made)
                 if checks.check(f"{name}: {m.prefix}: compiles without a word", done.status == 0 and done.err == "", done.last)]
        check_symbols(checks, name, built, lambda symbol: False)
        run_all(checks, name, [m for m, _ in built], [file for _, file in built], folder)
    objects, name = os.path.join(folder, f"objects-{target}"), f"{target}-object"
    made = in_parallel(compile_object, [(m, objects, "--target", target) for m in good])
    built = [(m, file) for m, (done, file) in zip(good, made) if checks.check(f"{name}: {m.prefix}: compiles", done.status == 0, done.last)]
    check_symbols(checks, name, built, lambda symbol: False)
    run_all(checks, name, [m for m, _ in built], [file for _, file in built], folder)
    return [file for _, file in built]


def test_dotprod(checks, models, folder):
    """Models of bytes, whose sums take the core's own instruction."""
    objects = test_aarch64(checks, models, folder, "aarch64-dotprod")
    for file in objects:
        code = run(["llvm-objdump-19", "-d", "--no-show-raw-insn", file]).out
        checks.check(f"{os.path.basename(file)}: sums by sdot", len(re.findall(r"\tsdot\t", code)) > 8)


# ---- AVX-VNNI ----

AVXVNNI = ["--target", "x86-64-avxvnni"]
AVXVNNI_WAYS = {"avxvnni-gcc": ["gcc", "-O2", "-std=c99", *WARNINGS], "avxvnni-clang": [CLANG, "-O2", *WARNINGS]}


def sums_of_bytes(file):
    """How many a disassembly shows: of all, and of those without AVX-512's prefix."""
    lines = re.findall(r":\s+((?:[0-9a-f]{2} )+)\s*\S*\s*vpdpbusd", run(["llvm-objdump-19", "-d", file]).out)
    return len(lines), sum(line.startswith("c4 ") for line in lines)


def compile_evex(model, folder):
    """An object of the model's LLVM IR, in which the instruction is that of AVX-512, which LLVM does not take where it has the other."""
    text, made = os.path.join(folder, model.prefix + ".ll"), os.path.join(folder, model.prefix + ".evex.o")
    done = tenon("compile", model.path, "--emit", "llvm", "--name", model.prefix, *model.shapes, *AVXVNNI, "-o", text, timeout=300)
    if done.status != 0:
        return done, made
    with open(text) as f:
        lines = f.read()
    with open(text, "w") as f:
        f.write(lines.replace('"+avxvnni"', '"+avx512vl,+avx512vnni"'))
    return run([CLANG, "-O2", "-Wno-override-module", "-c", text, "-o", made], timeout=300), made


def test_avxvnni(checks, models, folder):
    """C and objects have the instruction; a core with AVX-512 runs the same program with its form of it."""
    for m, wrong in zip(models, in_parallel(lambda m: m.interpret(AVXVNNI[1]) or prepare(m, AVXVNNI[1]), [(m,) for m in models])):
        checks.check(f"{m.prefix}: interpreted, and C for {AVXVNNI[1]}", not wrong, wrong)
    made = {way: in_parallel(compile_c, [(m, AVXVNNI[1], compiler, way) for m in models]) for way, compiler in AVXVNNI_WAYS.items()}
    made["avxvnni-object"] = in_parallel(compile_object, [(m, os.path.join(folder, "avxvnni"), *AVXVNNI) for m in models])
    made["avxvnni-evex"] = in_parallel(compile_evex, [(m, folder) for m in models])
    for way, objects in made.items():
        for m, (done, file) in zip(models, objects):
            if checks.check(f"{way}: {m.prefix}: compiles without a word", done.status == 0 and done.err == "", done.last):
                all_sums, without = sums_of_bytes(file)
                checks.check(f"{way}: {m.prefix}: sums by vpdpbusd", all_sums > 8 and without == (0 if way == "avxvnni-evex" else all_sums), f"{without} of {all_sums}")
    with open("/proc/cpuinfo") as f:
        flags = f.read()
    if "avx512_vnni" in flags and "avx512vl" in flags:
        run_all(checks, "avxvnni-evex", models, [file for _, file in made["avxvnni-evex"]], folder, ("gcc",), ())


def check_symbols(checks, way, built, is_allowed):
    for m, file in built:
        extra = {s for s in undefined(file) - LIBRARY if not is_allowed(s)}
        checks.check(f"{way}: {m.prefix}: nothing undefined but memory functions", not extra, ", ".join(sorted(extra)))


# ---- cortex-m4 ----

M4_GCC = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"]
M4_CLANG = [CLANG, "--target=thumbv7em-none-eabihf", "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"]
M4_WAYS = {"m4-gcc-O0": [*M4_GCC, "-O0", "-std=c99", *WARNINGS], "m4-gcc-O2": [*M4_GCC, "-O2", *WARNINGS],
           "m4-clang-O2": [*M4_CLANG, "-O2", *WARNINGS]}


def test_cortex_m4(checks, models, folder):
    for m, wrong in zip(models, in_parallel(prepare, [(m, "cortex-m4") for m in models])):
        checks.check(f"{m.prefix}: C for cortex-m4", not wrong, wrong)
    ways = list(M4_WAYS.items())
    jobs = [(m, "cortex-m4", compiler, way) for k, m in enumerate(models) for i, (way, compiler) in enumerate(ways) if i == k % len(ways)]
    built = [(m, file) for (m, _, _, way), (done, file) in zip(jobs, in_parallel(compile_c, jobs))
             if checks.check(f"{way}: {m.prefix}: compiles without a word", done.status == 0 and done.err == "", done.last)]
    check_symbols(checks, "m4", built, is_own_helper)
    objects = os.path.join(folder, "m4-objects")
    made = in_parallel(compile_object, [(m, objects, "--target", "cortex-m4") for m in models])
    built = [(m, file) for m, (done, file) in zip(models, made) if checks.check(f"m4-object: {m.prefix}: compiles", done.status == 0, done.last)]
    check_symbols(checks, "m4-object", built, is_own_helper)
    plain, _ = compile_c(models[0], "cortex-m4", [M4_GCC[0], "-O2"], "plain")
    checks.check("cortex-m4 C without its flags names them", plain.status != 0 and "-mfpu=fpv4-sp-d16" in plain.err, plain.last)


# ---- --triple, --cpu, --features ----

EM_386, EM_PPC64, EM_ARM, EM_X86_64, EM_AARCH64, EM_RISCV, EM_LOONGARCH = 3, 21, 40, 62, 183, 243, 258
MACHINES = [  # options, ELF class (1: 32 bits) and machine
    (["--triple", "riscv64-unknown-linux-gnu"], 2, EM_RISCV),
    (["--triple", "riscv64-unknown-linux-gnu", "--cpu", "sifive-u74"], 2, EM_RISCV),
    (["--triple", "riscv32-unknown-elf"], 1, EM_RISCV),
    (["--triple", "powerpc64le-linux-gnu"], 2, EM_PPC64),
    (["--triple", "loongarch64-linux-gnu"], 2, EM_LOONGARCH),
    (["--triple", "armv7-linux-gnueabihf"], 1, EM_ARM),
    (["--triple", "i686-linux-gnu"], 1, EM_386),
    (["--target", "cortex-m4", "--cpu", "cortex-m7"], 1, EM_ARM),
    (["--target", "aarch64", "--triple", "aarch64-none-elf", "--cpu", "cortex-a72", "--features", "+crc,-crypto"], 2, EM_AARCH64),
    (["--target", "x86-64-v3", "--cpu", "i386", "--features", "-fma"], 2, EM_X86_64),
]
REFUSED = [  # options, diagnostic, what the message names
    (["--triple", "z80-linux"], "unknown-triple", "riscv64-unknown-linux-gnu"),
    (["--triple", "riscv64-unknown-linuz"], "unknown-triple", "systems: linux"),
    (["--triple", "aarch64_be-linux-gnu"], "unknown-triple", "architectures: x86_64"),
    (["--triple", "riscv64"], "unknown-triple", "ARCHITECTURE-SYSTEM"),
    (["--cpu", "cray-1"], "unknown-cpu", "--cpu cray-1"),
    (["--cpu", "help"], "unknown-cpu", "--cpu help"),
    (["--triple", "riscv64-linux-gnu", "--cpu", "haswell"], "unknown-cpu", "riscv64"),
    (["--features", "+avx2,+warp"], "unknown-feature", "--features +warp"),
    (["--features", "avx2"], "unknown-feature", "+NAME or -NAME"),
    (["--features", "+avx2,"], "unknown-feature", "+NAME or -NAME"),
    (["--features", "+help"], "unknown-feature", "+help"),
    (["--triple", "riscv64-linux-gnu", "--features", "+zvbb"], "unknown-feature", "+zvbb"),
    (["--emit", "c", "--cpu", "haswell"], "usage", "--emit c"),
    (["--emit", "graph", "--triple", "riscv64-linux-gnu"], "usage", "--emit graph"),
]


def elf_of(file):
    """Class and machine of an ELF object, the latter's bytes in this file's order."""
    with open(file, "rb") as f:
        head = f.read(20)
    return (head[4], int.from_bytes(head[18:20], "little")) if head[:4] == b"\x7fELF" else None


def test_machines(checks, model, folder):
    for k, (options, bits, machine) in enumerate(MACHINES):
        name = " ".join(options)
        done, file = compile_object(model, os.path.join(folder, f"machine{k}"), *options)
        if checks.check(f"{name}: compiles without a word", done.status == 0 and done.err == "", done.last):
            checks.equal(f"{name}: the object's class and machine", elf_of(file), (bits, machine))
    hosted = undefined(os.path.join(folder, "machine0", model.prefix + ".o"))
    checks.check("riscv64 Linux has float instructions", hosted <= LIBRARY, ", ".join(sorted(hosted)))
    no_fma = undefined(os.path.join(folder, f"machine{len(MACHINES) - 1}", model.prefix + ".o"))
    checks.check("what the target uses stays", no_fma <= LIBRARY, ", ".join(sorted(no_fma)))
    for k, (options, diagnostic, text) in enumerate(REFUSED):
        emit = [] if "--emit" in options else ["--emit", "obj"]
        out = os.path.join(folder, f"refused{k}")
        done = tenon("compile", model.path, *model.shapes, *emit, *options, "-o", out)
        lines = done.err.splitlines()
        good = done.status == 2 and lines and f"error[{diagnostic}]" in lines[0] and all(s.startswith("note: ") for s in lines[1:])
        checks.check(f"{' '.join(options)}: refused", good and text in done.err and not os.path.exists(out), done.err)


def main():
    checks = Checks()
    folder = scratch("cross")
    models = [Model(folder, *words) for words in (*shipped(), *cases())]
    test_machines(checks, models[0], folder)
    test_cortex_m4(checks, models, folder)
    test_aarch64(checks, models, folder, "aarch64")
    test_dotprod(checks, bytes_of(models, "_dot"), folder)
    test_avxvnni(checks, bytes_of(models, "_vnni"), folder)
    checks.finish()


if __name__ == "__main__":
    main()
