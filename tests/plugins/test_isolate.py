#!/usr/bin/env python3
"""--isolate: plugins that crash, hang, eat memory or spoil what they can reach; the same bytes as without it. tenon passes --check."""
import glob
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, MODELS, ROOT, TENON, Checks, gone, run, scratch, tenon, workers  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = scratch("isolate")
HOSTILE = os.path.join(BUILD, "tests", "hostile.so")
CNN = os.path.join(MODELS, "mnist-cnn", "model.onnx")
BERT = os.path.join(MODELS, "bert-tiny-imdb")
PASS = f"pass 'hostile' of plugin 'hostile' ({HOSTILE})"
AS_IT_WAS = "note: the graph is as it was before\n"
LOADED = "note: that was in a process of its own, while it was loaded\n"
CRASHED = "crashed: signal 11 (Segmentation fault)"


def refused(count):
    return f"; its limit of 256 MiB of memory refused it {count} more bytes"


# What is done, and what is said: of the pass, or (LOADED) of the plugin. None: the pass works.
HARMS = [("crash in run", "plugin-crashed", CRASHED), ("overflow in run", "plugin-crashed", CRASHED), ("write weights", "plugin-crashed", CRASHED),
         ("abort in run", "plugin-crashed", "crashed: signal 6 (Aborted)"), ("hang in run", "plugin-late", "was not done after 1 seconds"),
         ("stop in run", "plugin-late", "was not done after 1 seconds"), ("eat in run", "plugin-memory", CRASHED + refused(1 << 20)),
         ("eat-at-once in run", "plugin-memory", CRASHED + refused(1 << 40)), ("eat and say", "plugin-memory", f"failed: its limit of 256 MiB of memory refused it {1 << 40} more bytes"),
         ("exit in run", "plugin-crashed", "ended its process, with status 0, before it was done"),
         ("_exit in run", "plugin-crashed", "ended its process, with status 0, before it was done"),
         ("close-all in run", "plugin-crashed", "ended its process, with status 5, before it was done"),
         ("spoil-late in run", "plugin-answer", "spoilt what its process answers: it cannot be read"),
         ("crash in load", "plugin-crashed", None), ("crash in query", "plugin-crashed", None), ("crash in open", "plugin-crashed", None),
         ("crash in close", "plugin-crashed", None), ("crash in unload", "plugin-crashed", None)]
HARMS_LOADED = {"hang in load": ("plugin-late", "was not done after 1 seconds"), "hang in open": ("plugin-late", "was not done after 1 seconds"),
                "eat in load": ("plugin-memory", CRASHED + refused(1 << 20)),
                "_exit in load": ("plugin-crashed", "ended its process, with status 0, before it was done"),
                "spoil-late in open": ("plugin-answer", "spoilt what its process answers: it cannot be read")}
HARMLESS = ["", "spoil in run", "talk in run", "leave-child in run", "leave-child in load"]


def hostile(harm, *words, limits="seconds=1,memory=256", form="graph"):
    mark = harm.replace(" ", "-") + str(os.getpid())
    begin = time.time()
    done = run([TENON, "compile", CNN, "--emit", form, "-o", "-", "--plugin", HOSTILE, f"--isolate={limits}", "-p", "hostile", *words], timeout=60,
               env={"HARM": harm, "TENON_TEST_MARK": mark})
    done.seconds, done.gone = time.time() - begin, gone(mark, 2)
    return done


def test_harm(checks):
    cases = [(harm, id, what or CRASHED, what is None) for harm, id, what in HARMS] + [(harm, id, what, True) for harm, (id, what) in HARMS_LOADED.items()]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = list(pool.map(lambda case: hostile(case[0]), cases))
    for (harm, id, what, loaded), done in zip(cases, results):
        note = "" if id == "plugin-answer" else LOADED
        want = f"{HOSTILE}: error[{id}]: the plugin {what}\n{note}" if loaded else f"tenon: error[{id}]: {PASS} {what}\n{AS_IT_WAS}"
        status = 5 if harm == "eat and say" else 3  # what the pass itself returns
        checks.check(f"{harm}: status {status}, nothing written", done.status == status and done.out == "", f"status {done.status}")
        checks.equal(f"{harm}: what is said", done.err, want)
        checks.check(f"{harm}: no process is left", done.gone)
        checks.check(f"{harm}: in time", done.seconds < 20, f"{done.seconds:.1f} s")
    plain = run([TENON, "compile", CNN, "--emit", "graph", "-o", "-", "--plugin", HOSTILE, "-p", "hostile"], env={"HARM": ""})
    for harm in HARMLESS:
        done = hostile(harm)
        talk = "hello from the plugin\n" if harm.startswith("talk") else ""
        checks.check(f"{harm or 'no harm'}: the graph as without --isolate", done.status == 0 and done.out == plain.out and 'note "hostile"' in done.out, done.last)
        checks.equal(f"{harm or 'no harm'}: what is said", done.err, talk)
        checks.check(f"{harm or 'no harm'}: no process is left", done.gone)
    done = hostile("say what is open")
    checks.check("a plugin has two descriptors and no input", "error[open]: 2 descriptors, 0 bytes of input" in done.err, done.err)


def test_ends(checks):
    """Ctrl-C ends the work at once, and a worker does not outlive tenon."""
    for name, number in (("Ctrl-C", signal.SIGINT), ("tenon is killed", signal.SIGKILL)):
        mark = f"end{int(number)}-{os.getpid()}"
        child = subprocess.Popen([TENON, "compile", CNN, "--emit", "graph", "-o", "-", "--plugin", HOSTILE, "--isolate", "-p", "hostile"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, "HARM": "hang in run", "TENON_TEST_MARK": mark})
        for _ in range(200):
            if len(workers(mark)) == 2:
                break
            time.sleep(0.05)
        time.sleep(0.3)
        begin = time.time()
        child.send_signal(number)
        err = child.communicate(timeout=60)[1]
        checks.check(f"{name}: ends at once", child.returncode == -number and time.time() - begin < 10, f"status {child.returncode}")
        checks.check(f"{name}: no worker is left", gone(mark, 2))
        checks.check(f"{name}: what is said", number == signal.SIGKILL or "error[stopped]" in err, err)
    bare = os.path.join(FOLDER, "bare")
    os.makedirs(bare)
    for file in glob.glob(os.path.join(BUILD, "lib", "libtenon.so*")):
        shutil.copy(file, bare)
    done = run([TENON, "passes", "--plugin", HOSTILE, "--isolate"], env={"LD_LIBRARY_PATH": bare})
    checks.check("without tenon-worker", done.status == 5 and "error[no-worker]: --isolate: " in done.err and "No such file" in done.err, done.err)
    done = run([os.path.join(BUILD, "lib", "tenon", "tenon-worker")])
    checks.check("tenon-worker by hand", done.status == 2 and "not by hand" in done.err, done.err)


def both(checks, name, words, *more):
    """The same with and without --isolate: status, output, messages."""
    plain, apart = tenon(*words, *more), tenon(*words, *more, "--isolate")
    same = (plain.status, plain.out, plain.err) == (apart.status, apart.out, apart.err)
    checks.check(f"{name}: the same under --isolate", same, f"{plain.status} {plain.err[:300]!r}, {apart.status} {apart.err[:300]!r}")
    return plain


def build(source, to, *flags):
    done = run(["cc", "-std=c99", "-shared", "-fPIC", "-fvisibility=hidden", "-I", os.path.join(ROOT, "plugins", "include"), *flags, source, "-o", to])
    assert done.status == 0, done.err
    return to


def test_same(checks):
    asked = "dead_inputs:drop=labels,bind=attention_mask=1,token_type_ids=0"
    example = build(os.path.join(ROOT, "plugins", "example", "example.c"), os.path.join(FOLDER, "example.so"))
    fixed = ("--dim", "batch=1", "--dim", "sequence=128")
    for model in ("labels.onnx", "dynamic.onnx", "static_1x128.onnx"):
        path = os.path.join(BERT, model)
        here = asked if model == "labels.onnx" else asked.replace("drop=labels,", "")
        bound = () if model.startswith("static") else fixed
        for dims in {(), bound}:
            where = f"{model}, {'bound' if dims else 'as it is'}"
            for form in ("graph", "onnx"):
                done = both(checks, f"dead_inputs, {where}, --emit {form}", ["compile", path, "-p", here, "--plugin", example, "-p", "example", "--emit", form, "-o", "-", *dims], *(["--verify-passes"] if form == "graph" else []))
                checks.check(f"dead_inputs, {where}, --emit {form}: done", done.status == 0, done.err)
        plain = both(checks, f"dead_inputs, {model}, --emit loops", ["compile", path, "-p", here, "--emit", "loops", "--target", "generic", "-o", "-", *bound])
        checks.check(f"dead_inputs, {model}, --emit loops: done", plain.status == 0, plain.err)
    plain = both(checks, "inspect --json", ["inspect", os.path.join(BERT, "labels.onnx"), "-p", asked, "--json", *fixed])
    checks.check("inspect --json has the report", plain.status == 0 and json.loads(plain.out)["passes"][0]["text"], plain.err)
    probe = build(os.path.join(HERE, "probe.c"), os.path.join(FOLDER, "probe.so"))
    file = os.path.join(FOLDER, "pipeline.toml")
    with open(file, "w") as f:
        f.write('plugins = ["probe.so"]\nskip = ["cse"]\n[[pass]]\nname = "mark"\nwords = ["a,b", "c\\"d"]\nway = "left"\n[[pass.override]]\nselect = ["op:Conv", "re:Gemm$"]\nbits = 4\n'
                'deep = true\nrate = 0.1\n[[pass]]\nname = "twice"\n')
    plain = both(checks, "a pipeline file with overrides", ["compile", CNN, "--pipeline", file, "--emit", "graph", "-o", "-", "--verify-passes"])
    checks.check("the overrides count", plain.status == 0 and "bits 4, rate 0.1, deep, [a,b], [c\\\"d], left" in plain.out and "bits 8, rate 0.5, flat" in plain.out, plain.err)
    both(checks, "a pass that lies", ["compile", CNN, "--plugin", probe, "-p", "liar", "--emit", "graph", "-o", "-", "--verify-passes"])
    both(checks, "a wrong option", ["compile", CNN, "--plugin", probe, "-p", "mark:bits=99", "--emit", "graph", "-o", "-"])
    both(checks, "tenon passes", ["passes", "--plugin", probe, "--json"])
    both(checks, "tenon passes NAME", ["passes", "mark", "--plugin", probe])
    both(checks, "tenon passes --test", ["passes", "--test", example, os.path.join(ROOT, "plugins", "example", "tests")])
    times = {"": [], "--isolate": []}
    for _ in range(7):
        for word in times:
            begin = time.time()
            tenon("compile", os.path.join(BERT, "labels.onnx"), *fixed, "-p", asked, "--emit", "graph", "-o", "/dev/null", *([word] if word else []))
            times[word].append(time.time() - begin)
    cost = (statistics.median(times["--isolate"]) - statistics.median(times[""])) * 1e3
    print(f"--isolate adds {cost:.0f} ms to dead_inputs on bert-tiny, {statistics.median(times['']) * 1e3:.0f} ms without")
    checks.check("what it costs is little", cost < 1000, f"{cost:.0f} ms")


# broken.c: its fault, the exit status of --check, the check that finds it; the same fault is said with and without --isolate.
BROKEN = [("OLDER", 0, None), ("NEWER_MINOR", 4, "loading"), ("OTHER_MAJOR", 4, "loading"), ("REFUSES", 4, "loading"), ("NO_RUN", 3, "loading"), ("NO_NAME", 3, "loading"),
          ("SHORT_STRUCT", 3, "loading"), ("OPEN_FAILS", 3, "loading"), ("BAD_DEFAULT", 2, "loading"), ("LOOPS_IN_ORDER", 3, "loading"), ("INVALID_GRAPH", 3, "pass broken"),
          ("UNDECLARED", 3, "pass broken"), ("WRONG_KIND", 3, "pass broken"), ("NO_INTERFACE", 3, "pass broken"), ("SAYS_BUT_SUCCEEDS", 3, "pass broken"), ("BAD_PATTERN", 3, "pass broken"),
          ("FAILS_SILENTLY", 4, "pass broken"), ("FAILS_LOUDLY", 0, None)]
# Faults of hostile.so, and the check that finds each.
CHECKED = [("", None), ("crash in load", "loading"), ("hang in open", "loading"), ("impure", "versions"), ("refuse newer", "versions"), ("open once", "reopening"), ("close twice", "reopening"),
           ("crash in run", "pass hostile"), ("eat in run", "pass hostile"), ("hang in run", "pass hostile")]


def faults(done):
    return [c["name"] for c in json.loads(done.out)["checks"] if c["result"] == "fail"]


def test_check(checks):
    for name, status, check in BROKEN:
        path = build(os.path.join(HERE, "broken.c"), os.path.join(FOLDER, name.lower() + ".so"), f"-DWRONG={name}", "-w")
        done = tenon("passes", "--check", path, "--json")
        if checks.check(f"--check {name}: status {status}", done.status == status and done.out.startswith("{"), done.last):
            checks.equal(f"--check {name}: what fails", faults(done), [check] if check else [])
        both(checks, f"broken.c {name}", ["compile", CNN, "--emit", "graph", "-o", "-", "--plugin", path, "-p", "broken"])
    loud = tenon("passes", "--check", os.path.join(FOLDER, "fails_loudly.so"))
    checks.check("a pass that says why it refuses is a warning", "warn  pass broken: " in loud.out and "error[too-odd]" in loud.out and "6 checks: 0 failed, 1 warnings" in loud.out, loud.out)
    for harm, check in CHECKED:
        done = run([TENON, "passes", "--check", HOSTILE, "--json", "--isolate=seconds=1,memory=256"], env={"HARM": harm})
        if checks.check(f"--check {harm}: status", done.status == (3 if check else 0) and done.out.startswith("{"), done.last):
            checks.equal(f"--check {harm}: what fails", faults(done), [check] if check else [])
    source = os.path.join(FOLDER, "linked.c")
    with open(source, "w") as f:
        f.write('const char *tenon_version(void);\nconst char *helper(void) { return tenon_version(); }\n#include "%s"\n' % os.path.join(ROOT, "plugins", "example", "example.c"))
    linked = build(source, os.path.join(FOLDER, "linked.so"), "-fvisibility=default", "-Wl,--no-as-needed", "-L", os.path.join(BUILD, "lib"), "-ltenon", f"-Wl,-rpath,{BUILD}/lib")
    done = tenon("passes", "--check", linked)
    checks.check("--check of one that links to tenon", done.status == 3 and "FAIL  links: " in done.out and "it links to libtenon.so" in done.out and "it calls tenon_version of" in done.out, done.out)
    checks.check("--check of one that shows more than it must", "warn  symbols: also visible: helper" in done.out, done.out)
    done = tenon("passes", "--check", os.path.join(FOLDER, "none.so"))
    checks.check("--check of no file", done.status == 5 and done.out == "" and "none.so: error[file]: " in done.err, done.last)
    done = tenon("passes", "--check", source)
    checks.check("--check of no library", done.status == 5 and "FAIL  loading: " in done.out and "the plugin cannot be loaded" in done.out, done.out)
    done = tenon("passes", "--check", os.path.join(BUILD, "lib", "tenon", "plugins", "dead_inputs.so"))
    checks.check("--check of our own", done.status == 0 and "6 checks: 0 failed, 0 warnings" in done.out, done.out)


def test_values(checks):
    for value in ("seconds=0", "seconds=x", "memory", "minutes=3", "seconds=1;memory=2", "seconds=99999999999999999999", "memory=-1", ""):
        done = tenon("passes", f"--isolate={value}")
        checks.check(f"--isolate={value}", done.status == 2 and "error[usage]: --isolate" in done.err, done.last)
    done = tenon("passes", "--isolate", "dead_inputs")
    checks.check("--isolate takes no word after it", done.status == 0 and done.out.startswith("dead_inputs: "), done.last)


if __name__ == "__main__":
    checks = Checks()
    test_harm(checks)
    test_ends(checks)
    test_same(checks)
    test_check(checks)
    test_values(checks)
    checks.finish()
