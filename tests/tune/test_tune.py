#!/usr/bin/env python3
"""tenon tune and --tune: what is written, read and merged, what a file changes, files that are broken, Ctrl-C. No time is checked."""
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import MODELS, TENON, Checks, scratch, tenon  # noqa: E402

CNN = os.path.join(MODELS, "mnist-cnn", "model.onnx")
RESNET = os.path.join(MODELS, "mlperf-tiny", "resnet8_bn", "model.onnx")
BERT = os.path.join(MODELS, "bert-tiny-imdb", "labels.onnx")
BATCH = ("--dim", "batch=1")
TARGET = "x86-64-v3"
HEAD = "tenon-tune 1\n"
FOLDER = scratch("tune")


def path(name, text=None):
    at = os.path.join(FOLDER, name)
    if text is not None:
        with open(at, "w") as f:
            f.write(text)
    return at


def read(at):
    with open(at) as f:
        return f.read()


def entries(at):
    return [line for line in read(at).splitlines()[1:] if not line.startswith("#")]


def numbers(tile):
    """The fields of a tile as tune's report tells it: "2x16 (last 8) along 0, 5 rows along 2 and 1, vectors inside"."""
    found = re.match(r"(\d+)x(\d+)(?: \(last (\d+)\))? along (\d+)(?:, (\d+) rows? along (\d+)(?: and (\d+))?)?", tile)
    vectors, lanes, tail, along, rows, rows_along, runs_on = found.groups()
    return {"along": along, "rows_along": rows_along, "runs_on": runs_on, "lanes": lanes, "vectors": vectors, "tail": tail or lanes,
            "rows": rows or 1}


def entry(kernel, target=TARGET, threads=1, **fields):
    words = " ".join(f"{name} {value}" for name, value in fields.items() if value is not None)
    return f'"{target}" threads {threads} "{kernel}" {words} default_us 2 tuned_us 1\n'


def smallest(kernel, **others):
    """Another tile than the cost model's: one vector, one row."""
    tile = numbers(kernel["default"])
    return entry(kernel["kernel"], **{**tile, "vectors": 1, "rows": 1, "runs_on": None, "tail": tile["lanes"], **others})


def is_form(kernel):
    return kernel["default"].startswith("form ")


def forms(kernel):
    """An entry for each other form of a 3x3 convolution (direct, by tiles of 2x2 or 4x4 results) or of a chain (apart, chained)."""
    default = int(kernel["default"].split()[1])
    return [entry(kernel["kernel"], form=n) for n in ((0, 2, 4) if kernel["kernel"].startswith("conv ") else (0, 1)) if n != default]


def loops(model, *words):
    return tenon("compile", model, "--emit", "loops", "--target", TARGET, *words)


def tune(checks, name, model, *words):
    done = tenon("tune", model, "--target", TARGET, *words, "--json", timeout=200)
    checks.check(f"{name}: status", done.status == 0, done.last)
    return json.loads(done.out) if done.status == 0 else {"kernels": []}


def test_writes(checks):
    at = path("written.tune")
    made = tune(checks, "tune", CNN, *BATCH, "--time", "0.5", "-o", at)
    missing = {"model", "target", "cpu", "threads", "file", "entries", "variants", "seconds", "stopped", "faster", "kernels"} - set(made)
    checks.check("tune --json: fields", not missing, str(missing))
    checks.check("tune: variants were measured", made.get("variants", 0) > 0, str(made))
    checks.check("tune: the kernels of the model", len({k["kernel"] for k in made["kernels"]}) == len(made["kernels"]) >= 4, str(made["kernels"]))
    checks.check("tune: the file", read(at).startswith(HEAD) and len(entries(at)) == made["entries"] == made["faster"], read(at))
    checks.check("tune: its file is read", loops(CNN, *BATCH, "--tune", at).status == 0)
    text = tenon("tune", CNN, *BATCH, "--time", "0.1", "-o", path("text.tune"))
    checks.check("tune: as text", text.status == 0 and re.search(r"^measured  \d+ variants of \d+ kernels", text.out, re.M) is not None, text.out)
    return [k for k in made["kernels"] if not is_form(k)], [k for k in made["kernels"] if is_form(k)]


def test_default_file(checks):
    done = tenon("tune", CNN, *BATCH, "--time", "0.1", cwd=FOLDER)
    checks.check("tune: a file named as the model", done.status == 0 and read(path("model.tune")).startswith(HEAD), done.last)


def test_changes(checks, kernels):
    """Each entry changes the code of its kernel, for its target and number of threads; nothing else does."""
    plain = loops(CNN, *BATCH).out
    texts = {plain}
    for k in kernels:
        done = loops(CNN, *BATCH, "--tune", path("one.tune", HEAD + smallest(k)))
        checks.check(f"--tune changes {k['node']}", done.status == 0 and done.err == "" and done.out not in texts, done.last)
        texts.add(done.out)
    everything = path("all.tune", HEAD + "".join(smallest(k) for k in kernels))
    once, again = loops(CNN, *BATCH, "--tune", everything), loops(CNN, *BATCH, "--tune", everything)
    checks.check("--tune: the same bytes each time", once.status == 0 and once.out == again.out != plain)
    for what, text in (("another target", smallest(kernels[0], target="x86-64-v4")), ("another number of threads", smallest(kernels[0], threads=2)),
                       ("a target that nobody knows", smallest(kernels[0], target="z80")), ("an empty file", "")):
        done = loops(CNN, *BATCH, "--tune", path("others.tune", HEAD + text))
        checks.check(f"--tune, {what}: nothing changes", done.status == 0 and done.out == plain, done.last)
        checks.check(f"--tune, {what}: a note", "others.tune has nothing for target x86-64-v3 and 1 thread" in done.err, done.err)
    done = loops(CNN, *BATCH, "--tune", path("unknown.tune", HEAD + entry("8x8 sum 8 of 1", along=0, lanes=8, vectors=1, tail=8, rows=1)))
    checks.check("--tune, other kernels: a note", done.status == 0 and done.out == plain and "nothing for the kernels of this model" in done.err, done.err)
    done = loops(CNN, *BATCH, "--tune", path("both.tune", HEAD + smallest(kernels[0]) + entry("8x8 sum 8 of 1", along=0, lanes=8, vectors=1, tail=8, rows=1)))
    checks.check("--tune: other kernels are ignored", done.status == 0 and done.err == "" and done.out != plain, done.last)
    two = loops(CNN, *BATCH, "--threads", "2").out
    done = loops(CNN, *BATCH, "--threads", "2", "--tune", path("two.tune", HEAD + smallest(kernels[0], threads=2)))
    checks.check("--tune --threads 2", done.status == 0 and done.err == "" and done.out != two, done.last)
    return everything


def test_forms(checks, kernels):
    """Other forms change the code, too; what has no such form is refused."""
    plain = loops(CNN, *BATCH).out
    checks.check("there are convolutions and chains", {k["kernel"].split()[0] for k in kernels} == {"conv", "chain"}, str(kernels))
    for k in kernels:
        texts = {plain}
        for line in forms(k):
            done = loops(CNN, *BATCH, "--tune", path("form.tune", HEAD + line))
            checks.check(f"--tune, another form: {line.strip()}", done.status == 0 and done.err == "" and done.out not in texts, done.last)
            texts.add(done.out)
        done = loops(CNN, *BATCH, "--tune", path("form.tune", HEAD + entry(k["kernel"], form=9)))
        checks.check(f"--tune, form 9 of {k['kernel']}", done.status == 3 and "error[tune-file]: line 2: this kernel has no such form" in done.err, done.last)


def test_told(checks, everything, n):
    made = json.loads(tenon("inspect", CNN, *BATCH, "--target", TARGET, "--tune", everything, "--json").out)
    checks.equal("inspect --json: tune", made.get("tune"), {"file": everything, "used": n})
    made = json.loads(tenon("bench", CNN, *BATCH, "--target", TARGET, "--tune", everything, "--json", "--time", "0.05").out)
    checks.equal("bench --json: tune", made.get("tune"), {"file": everything, "used": n})
    for command in (("inspect",), ("bench", "--time", "0.05")):
        done = tenon(*command, CNN, *BATCH, "--target", TARGET, "--tune", everything)
        checks.check(f"{command[0]}: tuned by", re.search(rf"^tuned by +{re.escape(everything)} \({n} of its entries\)$", done.out, re.M) is not None, done.out)
        checks.check(f"{command[0]}: nothing without a file", "tuned by" not in tenon(*command, CNN, *BATCH).out)
    checks.check("--print-pipeline", f"tiles as {everything} has them" in tenon("compile", CNN, "--tune", everything, "--print-pipeline").out)
    out = scratch("tune-c")
    tenon("compile", CNN, *BATCH, "--target", TARGET, "--tune", everything, "-o", out)
    checks.check("C: the command line", "--tune all.tune" in read(os.path.join(out, "model.c")))


def test_bits(checks, model, folder, words):
    """All back ends agree under a file that changes every kernel, in vectors along whatever axis the cost model takes, too."""
    made = tune(checks, f"tune {folder}", model, *words, "--time", "0.1", "-o", path("bits.tune"))
    tiles = [k for k in made["kernels"] if not is_form(k)]
    alternatives = [forms(k)[-1] for k in made["kernels"] if is_form(k)]
    for name, fields in (("one row", {}), ("several", {"vectors": 2, "rows": 3}), ("turned", {"panels": 1})):
        lines = []
        for k in tiles:
            line = smallest(k, **fields)
            alone = path("alone.tune", HEAD + line)
            if loops(model, *words, "--tune", alone).status == 0:  # not every kernel has two vectors
                lines.append(line)
        at = path("bits.tune", HEAD + "".join(lines))
        done = tenon("check", model, folder, "--backend", "all", "--target", TARGET, "--tune", at)
        checks.check(f"--backend all, {os.path.basename(folder)}, {name}: {len(lines)} kernels", lines and done.status == 0 and done.err == "", done.last)
    if alternatives:
        done = tenon("check", model, folder, "--backend", "all", "--target", TARGET, "--tune", path("bits.tune", HEAD + "".join(alternatives)))
        checks.check(f"--backend all, {os.path.basename(folder)}: {len(alternatives)} forms", done.status == 0 and done.err == "", done.last)


def test_merges(checks, kernels):
    foreign = entry("8x8 sum 8 of 1", along=0, lanes=8, vectors=1, tail=8, rows=1)
    others = [smallest(kernels[0], target="x86-64-v4"), smallest(kernels[0], threads=2), foreign]
    at = path("merged.tune", HEAD + "# a comment\n" + "".join(others) + smallest(kernels[0]))
    made = tune(checks, "tune, again", CNN, *BATCH, "--time", "0.5", "-o", at)
    for line in others:
        checks.check("tune: entries of others stay", line.strip() in entries(at), read(at))
    checks.check("tune: an entry that is slow goes", smallest(kernels[0]).strip() not in entries(at), read(at))
    checks.equal("tune: its count", made.get("entries"), len(entries(at)))
    before = read(at)
    checks.check("tune: written as it is read", before == HEAD + before.split("\n", 1)[1] and entries(at) == sorted(entries(at), key=order), before)


def order(line):
    target, threads, kernel = re.match(r'"([^"]*)" threads (\d+) "([^"]*)"', line).groups()
    return target, int(threads), kernel


def test_broken(checks, kernels):
    good = smallest(kernels[0])
    for what, text, said in (
            ("no tune file", "hello\n", "this is no tune file: it does not begin with tenon-tune 1"),
            ("nothing", "", "this is no tune file"),
            ("another format", "tenon-tune 2\n", "its format is 2; this tenon reads 1"),
            ("half a line", HEAD + good[:len(good) // 2], "line 2: expected"),
            ("no lanes", HEAD + re.sub(r"lanes \d+ ", "", good), "line 2: expected lanes"),
            ("a word", HEAD + good.replace("tuned_us 1", "tuned_us one"), "line 2: expected microseconds: tuned_us"),
            ("seven lanes", HEAD + re.sub(r"lanes \d+", "lanes 7", good), "line 2: there is no such tile: lanes are a power of two"),
            ("99 rows", HEAD + re.sub(r"rows \d+", "rows 99", good), "line 2: there is no such tile: rows are 1 to 14"),
            ("no vectors", HEAD + re.sub(r"vectors \d+", "vectors 0", good), "line 2: there is no such tile: vectors are 1 to 8"),
            ("twice", HEAD + good + "\n" + good, "line 4: the kernel has an entry already, in line 2"),
            ("an axis too far", HEAD + re.sub(r" along \d+", " along 9", good), "this kernel cannot be computed in such tiles"),
            ("too many registers", HEAD + re.sub(r"vectors \d+", "vectors 8", re.sub(r"rows \d+", "rows 14", good)), "line 2: this kernel cannot be computed"),
            ("lanes that it has not", HEAD + re.sub(r"(lanes|tail) \d+", r"\1 64", good), "line 2: this kernel cannot be computed in such tiles")):
        at = path("broken.tune", text)
        done = loops(CNN, *BATCH, "--tune", at)
        checks.check(f"{what}: refused", done.status == 3 and f"{at}: error[tune-file]: " in done.err and said in done.err and "\nnote: " in done.err
                     and done.out == "", f"{done.status}: {done.err}")
    at = path("broken.tune", "hello\n")
    done = tenon("tune", CNN, *BATCH, "--time", "0.1", "-o", at)
    checks.check("tune does not write over what is no tune file", done.status == 3 and read(at) == "hello\n", done.last)
    done = loops(CNN, *BATCH, "--tune", path("nowhere.tune"))
    checks.check("no file", done.status == 5 and "nowhere.tune: error[file]: " in done.err, done.last)
    for command in ("draw", "diff", "eval", "run"):
        done = tenon(command, CNN, "--tune", path("nowhere.tune"), *(("-o", path("x.dot")) if command == "draw" else ()))
        checks.check(f"{command}: no file", done.status == 5 and "nowhere.tune: error[file]: " in done.err, done.last)


def test_usage(checks):
    out = scratch("tune-so")
    tenon("compile", CNN, *BATCH, "--emit", "shared", "-o", out)
    for what, words, status, said in (
            ("naive", (CNN, *BATCH, "--schedule", "naive"), 2, "--schedule naive has no tiles"),
            ("another machine", (CNN, *BATCH, "--target", "aarch64"), 5, "this machine cannot run code for target 'aarch64'"),
            ("an unbound dimension", (CNN,), 2, "batch"),
            ("a compiled model", (os.path.join(out, "model.so"),), 2, "tune"),
            ("--tune", (CNN, *BATCH, "--tune", path("all.tune")), 2, "'tune' has no option --tune"),
            ("a folder that is not there", (CNN, *BATCH, "--time", "0.1", "-o", path("no/where.tune")), 5, "cannot be written")):
        done = tenon("tune", *words, *(() if "-o" in words else ("-o", path("never.tune"))))
        checks.check(f"tune, {what}", done.status == status and said in done.err, done.last)
    checks.check("nothing was written", not os.path.exists(path("never.tune")))


def test_interrupt(checks):
    """Ctrl-C: what was found is written, and what was there stays."""
    foreign = entry("8x8 sum 8 of 1", along=0, lanes=8, vectors=1, tail=8, rows=1)
    at = path("stopped.tune", HEAD + foreign)
    child = subprocess.Popen([TENON, "tune", RESNET, *BATCH, "--time", "600", "-o", at], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(4)
    begin = time.time()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    checks.check("Ctrl-C: ends by the signal, soon", child.returncode == -signal.SIGINT and time.time() - begin < 10, f"{child.returncode}: {err}")
    checks.check("Ctrl-C: a report", "stopped before the end" in out, out)
    checks.check("Ctrl-C: the file", foreign.strip() in entries(at) and loops(RESNET, *BATCH, "--tune", at).status == 0, read(at))


def main():
    checks = Checks()
    kernels, others = test_writes(checks)
    test_default_file(checks)
    everything = test_changes(checks, kernels)
    test_forms(checks, others)
    test_told(checks, everything, len(kernels))
    test_bits(checks, CNN, os.path.join(os.path.dirname(CNN), "test_data_set_0"), BATCH)
    test_bits(checks, RESNET, os.path.join(os.path.dirname(RESNET), "test_data_set_0"), BATCH)
    test_bits(checks, BERT, os.path.join(os.path.dirname(BERT), "labels", "test_data_set_3"), ("--dim", "batch=3", "--dim", "sequence=40"))
    test_merges(checks, kernels)
    test_broken(checks, kernels)
    test_usage(checks)
    test_interrupt(checks)
    checks.finish()


main()
