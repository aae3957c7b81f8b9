#!/usr/bin/env python3
"""An installed copy: the command runs from there, a program outside the project finds the library by find_package and by pkg-config."""
import os
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
    listed = run([command, "passes", "dead_inputs"])
    checks.check("the installed command has its own plugins", listed.status == 0 and prefix in listed.out, listed.last)


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
