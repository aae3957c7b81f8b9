#!/usr/bin/env python3
"""An installed copy: the command runs from there, a program outside the project finds the library by find_package and by pkg-config."""
import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from checks import BUILD, MODELS, ROOT, Checks, run, scratch  # noqa: E402

MODEL = os.path.join(MODELS, "mnist-mlp", "model.onnx")


def test_example(checks, prefix, folder):
    """plugins/example, copied out of the tree: built with a C compiler and CMake, tested by ctest, used by the installed command."""
    copy, tree = os.path.join(folder, "example"), os.path.join(folder, "example-build")
    shutil.copytree(os.path.join(ROOT, "plugins", "example"), copy)
    made = run(["cmake", "-G", "Ninja", "-S", copy, "-B", tree, f"-DCMAKE_PREFIX_PATH={prefix}"])
    built = run(["cmake", "--build", tree]) if made.status == 0 else made
    if not checks.check("the example plugin builds against the installed copy", built.status == 0, built.last):
        return
    tested = run(["ctest", "--test-dir", tree, "--output-on-failure"])
    checks.check("its tests pass", tested.status == 0 and "100% tests passed" in tested.out, tested.out)
    plugin = os.path.join(tree, "example.so")
    command = os.path.join(prefix, "bin", "tenon")
    listed = run([command, "passes", "--plugin", plugin, "example"])
    checks.check("the installed command lists it", listed.status == 0 and listed.out.startswith("example: Dropout and Identity are removed"), listed.last)
    apart = run([command, "passes", "--plugin", plugin, "example", "--isolate"])
    checks.check("install: --isolate finds its worker", apart.status == 0 and apart.out == listed.out, apart.last)
    listed = run([command, "passes", "dead_inputs"])
    checks.check("the installed command has its own plugins", listed.status == 0 and prefix in listed.out, listed.last)


def test_docs(checks, prefix, folder):
    """Every command of docs/plugins.md, in its order, with the installed copy."""
    text = open(os.path.join(ROOT, "docs", "plugins.md")).read()
    commands = [line for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.splitlines()]
    place = os.path.join(folder, "docs")
    os.makedirs(place)
    shutil.copy(MODEL, os.path.join(place, "model.onnx"))
    environment = {"PATH": os.path.join(prefix, "bin") + os.pathsep + os.environ["PATH"], "CMAKE_PREFIX_PATH": prefix}
    checks.check("docs/plugins.md has commands", len(commands) >= 8, commands)
    for command in commands:
        done = run(["sh", "-c", command], cwd=place, env=environment)
        checks.check(f"docs/plugins.md: {command}", done.status == 0, done.last)
    again = run([os.path.join(prefix, "bin", "tenon"), "passes", "--new", "my-pass", "my-pass"], cwd=place)
    checks.check("--new does not write over files", again.status == 2 and "is there already" in again.err, again.last)
    wrong = run([os.path.join(prefix, "bin", "tenon"), "passes", "--new", "a b", "other"], cwd=place)
    checks.check("--new refuses what is no name", wrong.status == 2 and not os.path.exists(os.path.join(place, "other")), wrong.last)


def test_gdb(checks, prefix, folder):
    """A plugin can be stepped through: stopped in its run function, asked for the graph."""
    copy, tree = os.path.join(folder, "example"), os.path.join(folder, "example-debug")
    made = run(["cmake", "-G", "Ninja", "-S", copy, "-B", tree, f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_BUILD_TYPE=Debug"])
    built = run(["cmake", "--build", tree]) if made.status == 0 else made
    script = ["set breakpoint pending on", "break example.c:run", "run", "next", "next", "next", "next", "next", "print graph->nodes(g)", "print graph->print(host, g)"]
    done = run(["gdb", "-batch", *[w for line in script for w in ("-ex", line)], "--args", os.path.join(prefix, "bin", "tenon"), "inspect", MODEL,
                "--plugin", os.path.join(tree, "example.so"), "-p", "example"])
    checks.check("gdb stops in the plugin", built.status == 0 and "run (host=" in done.out and "example.c:" in done.out, done.out[-600:] + done.err[-600:])
    checks.check("gdb prints the graph", 'graph \\"main\\"' in done.out, done.out[-600:])


def main():
    checks = Checks()
    folder = scratch("install")
    prefix = os.path.join(folder, "prefix")
    done = run(["cmake", "--install", BUILD, "--prefix", prefix])
    if not checks.check("cmake --install", done.status == 0, done.last):
        checks.finish()
    command = os.path.join(prefix, "bin", "tenon")
    # Nothing of the build tree may be needed: neither library nor LLVM module.
    traced = run(["env", "LD_DEBUG=libs", command, "check", MODEL, os.path.dirname(MODEL), "--backend", "jit"])
    checks.check("the installed command runs a model by JIT", traced.status == 0, traced.last)
    checks.check("it loads nothing from the build tree", os.path.join(BUILD, "lib") + "/" not in traced.err)

    tree = os.path.join(folder, "cmake")
    made = run(["cmake", "-G", "Ninja", "-S", os.path.join(HERE, "consumer"), "-B", tree, f"-DCMAKE_PREFIX_PATH={prefix}"])
    built = run(["cmake", "--build", tree]) if made.status == 0 else made
    if checks.check("find_package(tenon)", built.status == 0, built.last):
        ran = run([os.path.join(tree, "consumer"), MODEL])
        checks.check("the program runs a model", ran.status == 0 and ran.out.startswith("logits: 10 values"), ran.last)

    test_example(checks, prefix, folder)
    test_docs(checks, prefix, folder)
    test_gdb(checks, prefix, folder)
    import glob
    pc = glob.glob(os.path.join(prefix, "lib*", "**", "tenon.pc"), recursive=True)
    if checks.check("tenon.pc is installed", len(pc) == 1):
        paths = {"PKG_CONFIG_PATH": os.path.dirname(pc[0])}
        flags = run(["pkg-config", "--cflags", "--libs", "tenon"], env=paths)
        version = run(["pkg-config", "--modversion", "tenon"], env=paths)
        checks.check("pkg-config --modversion", version.out.strip() == run([command, "--version"]).out.split()[-1], version.last)
        program = os.path.join(folder, "by_pkg_config")
        built = run(["cc", "-Wall", "-Wextra", "-Werror", os.path.join(HERE, "consumer", "consumer.c"), "-o", program, *flags.out.split(),
                     "-Wl,-rpath," + os.path.join(os.path.dirname(os.path.dirname(pc[0])))])
        if checks.check("a program built by pkg-config", built.status == 0, built.last):
            ran = run([program, MODEL])
            checks.check("it runs a model", ran.status == 0 and ran.out.startswith("logits: 10 values"), ran.last)
    checks.finish()


if __name__ == "__main__":
    main()
