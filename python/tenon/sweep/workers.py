"""Points measured side by side, each process one at a time."""
from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from typing import Any, Dict, Iterator, Optional, Sequence

Job = Dict[str, Any]
Jobs = queue.Queue[Job]
# Without the folder that it is started in, where any file may have a module's name.
START = "import sys; sys.path[:] = filter(None, sys.path); from tenon.sweep.measure import main; main()"


class Worker:
    """A process of measure.py, and a thread that hands it points."""

    def __init__(self, setup: Job, jobs: Jobs, results: Jobs) -> None:
        self.setup, self.jobs, self.results = setup, jobs, results
        self.process: Optional[subprocess.Popen[str]] = None
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _start(self) -> subprocess.Popen[str]:
        # One thread each: the points are what runs side by side.
        env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        env["PYTHONPATH"] = os.pathsep.join([package, *filter(None, [env.get("PYTHONPATH")])])
        # A session of its own: Ctrl-C is for who started it, who ends it.
        process = subprocess.Popen([sys.executable, "-c", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, start_new_session=True)
        self._tell(process, self.setup)
        return process

    def _tell(self, process: subprocess.Popen[str], what: Job) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps(what) + "\n")
        process.stdin.flush()

    def _one(self, job: Job) -> Job:
        try:
            self.process = self.process or self._start()
            self._tell(self.process, job)
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
        except OSError:
            line = ""
        if line:
            answer: Job = json.loads(line)
            return answer
        status, self.process = (self.process.wait() if self.process else "not started"), None
        return {**job, "error": f"the process that measured it ended ({status})"}

    def _work(self) -> None:
        while True:
            try:
                job = self.jobs.get_nowait()
            except queue.Empty:
                break
            self.results.put(self._one(job))
        if self.process and self.process.stdin:
            self.process.stdin.close()

    def kill(self) -> None:
        """Ends its process."""
        if self.process:
            self.process.kill()


def measured(setup: Job, jobs: Sequence[Job], n: int) -> Iterator[Job]:
    """Each job's answer, as it comes, from n processes."""
    waiting: Jobs = queue.Queue()
    results: Jobs = queue.Queue()
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
