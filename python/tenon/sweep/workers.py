"""Points measured side by side, each process one at a time."""
import json
import os
import queue
import subprocess
import sys
import threading


class Worker:
    """A process of measure.py, and a thread that hands it points."""

    def __init__(self, setup, jobs, results):
        self.setup, self.jobs, self.results, self.process = setup, jobs, results, None
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _start(self):
        # One thread each: the points are what runs side by side.
        env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        env["PYTHONPATH"] = os.pathsep.join([package, *filter(None, [env.get("PYTHONPATH")])])
        self.process = subprocess.Popen([sys.executable, "-m", "tenon.sweep.measure"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self._tell(self.setup)

    def _tell(self, what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def _one(self, job):
        try:
            if self.process is None:
                self._start()
            self._tell(job)
            line = self.process.stdout.readline()
        except OSError:
            line = ""
        if line:
            return json.loads(line)
        status, self.process = (self.process.wait() if self.process else "not started"), None
        return {**job, "error": f"the process that measured it ended ({status})"}

    def _work(self):
        while True:
            try:
                job = self.jobs.get_nowait()
            except queue.Empty:
                break
            self.results.put(self._one(job))
        if self.process:
            self.process.stdin.close()

    def kill(self):
        if self.process:
            self.process.kill()


def measured(setup, jobs, n):
    """Each job's answer, as it comes, from n processes."""
    waiting, results = queue.Queue(), queue.Queue()
    for job in jobs:
        waiting.put(job)
    workers = [Worker(setup, waiting, results) for _ in range(min(n, len(jobs)))]
    try:
        for _ in jobs:
            yield results.get()
    finally:
        while not waiting.empty():
            waiting.get_nowait()
        for worker in workers:
            worker.kill()
