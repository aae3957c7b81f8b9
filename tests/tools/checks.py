"""What the test scripts share: counting checks, running commands, finding the tools."""
import glob
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("TENON_BUILD", os.path.join(ROOT, "build"))
TENON = os.path.join(BUILD, "bin", "tenon")
MODELS = os.path.join(ROOT, "models")
CLANG = os.environ.get("CLANG", "clang-19")
SCRATCH = os.path.join(BUILD, "tests", "scratch")


class Checks:
    """Counts named checks, prints the failed ones, and ends the script with `N passed, N failed`."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, name, ok, why=""):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {name}" + (f": {why}" if why else ""), flush=True)
        return ok

    def equal(self, name, got, want):
        return self.check(name, got == want, f"got {got!r}, want {want!r}")

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    @property
    def last(self):
        """The last line of what was printed: what a failed check shows."""
        lines = [line for line in (self.err + "\n" + self.out).splitlines() if line.strip()]
        return f"status {self.status}: " + (lines[0][:300] if lines else "nothing printed")


def run(command, timeout=600, cwd=None, env=None, text=True):
    """Runs a command; a command that takes too long has the status 'timeout'."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, cwd=cwd, stdin=subprocess.DEVNULL,
                              env=None if env is None else {**os.environ, **env})
    except subprocess.TimeoutExpired:
        return Result("timeout", "", "")
    decode = (lambda b: b.decode(errors="replace")) if text else (lambda b: b)
    return Result(done.returncode, decode(done.stdout), decode(done.stderr))


def tenon(*words, **options):
    return run([TENON, *map(str, words)], **options)


def accuracy_of(done):
    """How many samples `tenon eval` found right; -1 where it says nothing of that."""
    found = re.search(r"accuracy\s+\S+ \((\d+) of", done.out)
    return int(found[1]) if found else -1


def scratch(name):
    """An empty folder of this name under the build tree."""
    import shutil
    folder = os.path.join(SCRATCH, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def cached(folder, key, make):
    """Calls make(folder) unless it was made before from the same key (the text that it depends on)."""
    import shutil
    mark = os.path.join(folder, ".made-from")
    if not os.path.exists(mark) or open(mark).read() != key:
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        make(folder)
        with open(mark, "w") as f:
            f.write(key)
    return folder


def workers(mark):
    """The processes of tenon's that were started with TENON_TEST_MARK=mark, but for those that have ended."""
    found = []
    for path in glob.glob("/proc/[0-9]*"):
        try:
            with open(path + "/environ", "rb") as f:
                if f"TENON_TEST_MARK={mark}".encode() in f.read().split(b"\0") and "tenon" in os.readlink(path + "/exe"):
                    found.append(path)
        except OSError:
            pass
    return found


def gone(mark, seconds):
    """Are they, within so long?"""
    end = time.monotonic() + seconds
    while workers(mark):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
