#!/usr/bin/env python3
"""Plugins that are built wrongly on purpose: each failure names the plugin, and leaves the graph as it was. The text of a refused erase."""
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import MODELS, ROOT, Checks, run, scratch, tenon  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
CNN = os.path.join(MODELS, "mnist-cnn", "model.onnx")
FOLDER = scratch("plugins")
# Name, exit status, and what the diagnostics say; None: it works.
WRONG = [("FAILS_SILENTLY", 4, "error[pass-failed]: pass 'broken' of plugin 'broken' (FILE) failed with code 4 and did not say why"),
         ("FAILS_LOUDLY", 3, "main/node 0 '/0/Conv' (Conv-22): error[too-odd]: it has 3 inputs\nnote: try another model\nnote: said by pass 'broken' of plugin 'broken' (FILE)"),
         ("INVALID_GRAPH", 3, "note: pass 'broken' of plugin 'broken' (FILE) left this graph, which is not valid"),
         ("UNDECLARED", 3, "error[undeclared-option]: pass 'broken' of plugin 'broken' (FILE) reads the option 'bits', which it does not declare"),
         ("WRONG_KIND", 3, "error[undeclared-option]: pass 'broken' of plugin 'broken' (FILE) reads the option 'rate' as another kind than it declares"),
         ("NO_INTERFACE", 3, "error[unknown-interface]: pass 'broken' of plugin 'broken' (FILE) asks for the interface 'tenon.graph/9'"),
         ("SAYS_BUT_SUCCEEDS", 3, "error[half-done]: something is wrong\nnote: said by pass 'broken' of plugin 'broken' (FILE)"),
         ("OLDER", 0, None),
         ("NEWER_MINOR", 4, "FILE: error[plugin-version]: plugin 'broken' is built for version 1.1 of the plugin ABI, this tenon has 1.0"),
         ("OTHER_MAJOR", 4, "FILE: error[plugin-version]: plugin 'broken' is built for version 8.0 of the plugin ABI, this tenon has 1.0"),
         ("NO_RUN", 3, "FILE: error[plugin]: pass 'broken': the function run is missing"),
         ("NO_NAME", 3, "FILE: error[plugin]: pass 0: a name of letters, digits, _ and - is missing"),
         ("SHORT_STRUCT", 3, "FILE: error[plugin]: pass 0: its struct_size is 16, too short"),
         ("OPEN_FAILS", 3, "FILE: error[plugin]: plugin 'broken' could not open: code 5"),
         ("BAD_DEFAULT", 2, "error[usage]: FILE: 'rate=fast': expected a number"),
         ("REFUSES", 4, "FILE: error[plugin-version]: the plugin refuses version 1.0 of the plugin ABI"),
         ("BAD_PATTERN", 3, "error[bad-pattern]: pass 'broken' of plugin 'broken' (FILE) matches 'Add(x', which is no pattern: expected ',' or ')'"),
         ("LOOPS_IN_ORDER", 3, "error[pass-order]: no order satisfies what these passes say of each other: ")]


def compile_plugin(source, to, *flags):
    return run(["cc", "-std=c99", "-Wall", "-Wextra", "-Wno-type-limits", "-shared", "-fPIC", "-fvisibility=hidden",
                "-I", os.path.join(ROOT, "plugins", "include"), *flags, source, "-o", to])


def test_wrong(checks):
    def build(case):
        to = os.path.join(FOLDER, case[0].lower() + ".so")
        return to, compile_plugin(os.path.join(HERE, "broken.c"), to, f"-DWRONG={case[0]}")

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        plugins = list(pool.map(build, WRONG))
    for (name, status, says), (path, built) in zip(WRONG, plugins):
        if not checks.check(f"{name} compiles", built.status == 0, built.err):
            continue
        done = tenon("compile", CNN, "--emit", "graph", "-o", "-", "--plugin", path, "-p", "broken")
        ok = done.status == status and (done.out == "" if says else 'note "broken" "yes"' in done.out)
        checks.check(f"{name}: status {status}, nothing written", ok, f"status {done.status}: {done.err}")
        checks.check(f"{name}: what is said", says is None or says.replace("FILE", path) in done.err, done.err)


def test_loading(checks):
    good = os.path.join(FOLDER, "older.so")
    copy = os.path.join(FOLDER, "copy.so")
    with open(good, "rb") as f, open(copy, "wb") as g:
        g.write(f.read())
    done = tenon("passes", "--plugin", good, "--plugin", copy)
    checks.check("two plugins of one name: both files are named", done.status == 3 and "error[duplicate-plugin]" in done.err and good in done.err and copy in done.err, done.err)
    done = tenon("passes", "--plugin", good, "--plugin", good)
    checks.check("the same file twice is one plugin", done.status == 0, done.err)
    done = tenon("passes", "--plugin", os.path.join(FOLDER, "none.so"))
    checks.check("no such file", done.status == 5 and "none.so: error[plugin]: the plugin cannot be loaded" in done.err, done.err)
    text = os.path.join(FOLDER, "text.so")
    with open(text, "w") as f:
        f.write("no library\n")
    done = tenon("passes", "--plugin", text)
    checks.check("no shared object", done.status == 5 and "text.so: error[plugin]: the plugin cannot be loaded" in done.err, done.err)
    other = os.path.join(FOLDER, "other.c")
    with open(other, "w") as f:
        f.write("int nothing(void);\nint nothing(void) { return 0; }\n")
    compile_plugin(other, os.path.join(FOLDER, "other.so"))
    done = tenon("passes", "--plugin", os.path.join(FOLDER, "other.so"))
    checks.check("no plugin", done.status == 3 and "this is no plugin: it has no function tenon_plugin_query" in done.err, done.err)
    alone = scratch("plugins-path")
    os.rename(copy, os.path.join(alone, "mine.so"))
    done = run([os.path.join(os.environ.get("TENON_BUILD", os.path.join(ROOT, "build")), "bin", "tenon"), "passes", "broken"], env={"TENON_PLUGIN_PATH": f"/none:{alone}"})
    checks.check("TENON_PLUGIN_PATH", done.status == 0 and f"{alone}/mine.so, stage edit" in done.out, done.last)


ERASED = """# pass: example
graph "main"(%x: f32[2,3]) {
  opset "" 28
  %a: f32[2,3] = Identity-25(%x) name "same"
  %b: f32[2,3] = Relu-14(%a) name "relu"
  %c: f32[2,3] = Neg-13(%a) name "minus"
  return %b as "y", %c as "z", %a as "w"
}
---
graph "main"(%x: f32[2,3]) {
  opset "" 28
  return %x as "y"
}
"""


def test_erase(checks):
    """The example without its replace_all_uses: the erase is refused, and says who still uses what."""
    source = open(os.path.join(ROOT, "plugins", "example", "example.c")).read()
    cut, n = re.subn(r" *if \(\(code = graph->replace_all_uses.*?return code;\n", "", source, flags=re.S)
    checks.equal("the example has one replace_all_uses", n, 1)
    path, folder = os.path.join(FOLDER, "careless.c"), scratch("plugins-erase")
    with open(path, "w") as f:
        f.write(cut)
    with open(os.path.join(folder, "used.graph"), "w") as f:
        f.write(ERASED)
    built = compile_plugin(path, os.path.join(FOLDER, "careless.so"))
    done = tenon("passes", "--test", os.path.join(FOLDER, "careless.so"), folder)
    with open(os.path.join(HERE, "erase_used.txt")) as f:
        golden = f.read()
    checks.check("an erase with users is refused", built.status == 0 and done.status == 1, built.err + done.err)
    if os.environ.get("TENON_UPDATE_GOLDEN"):
        with open(os.path.join(HERE, "erase_used.txt"), "w") as f:
            f.write(done.out)
    else:
        checks.equal("its text", done.out, golden)


def test_example(checks):
    path = os.path.join(FOLDER, "example.so")
    built = compile_plugin(os.path.join(ROOT, "plugins", "example", "example.c"), path, "-Wpedantic", "-Wconversion", "-Werror")
    checks.check("the example compiles without a warning", built.status == 0, built.err)
    done = tenon("passes", "--test", path, os.path.join(ROOT, "plugins", "example", "tests"))
    checks.check("the example's tests pass", done.status == 0 and done.out.count("ok  ") == 4, done.out + done.err)
    done = tenon("passes", "--test", path, FOLDER)
    checks.check("--test: a folder without cases", done.status == 2 and "there is no *.graph in the folder" in done.err, done.err)
    done = tenon("passes", "--test", path)
    checks.check("--test without a folder", done.status == 2 and "needs DIR" in done.err, done.err)


def main():
    checks = Checks()
    test_wrong(checks)
    test_loading(checks)
    test_erase(checks)
    test_example(checks)
    checks.finish()


main()
