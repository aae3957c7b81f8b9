"""Signals during calls of tenon's, in a process of its own: what came of each goes to stdout, and nothing may go to stderr. Run by test_python.py."""
import os
import signal
import sys
import threading
import time

import numpy as np
import tenon

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may have it ignored
MODELS, MLP_DATA = sys.argv[1], "mnist-cnn/test_10000.npz"
TIMES = 10


def path(name):
    return os.path.join(MODELS, name)


def sent(number, delay, call):
    """The name of what the call raises when the signal comes while it runs."""
    timer = threading.Timer(delay, os.kill, (os.getpid(), number))
    timer.start()
    try:
        call()
        return "nothing"
    except BaseException as error:  # noqa: B902
        return f"{type(error).__name__} {error}".strip()
    finally:
        timer.join()


def tell(name, found):
    print(f"{name}: {', '.join(sorted(set(found)))}", flush=True)


def own(number, frame):
    seen.append(number)


def late(number, frame):
    raise TimeoutError("late")


def in_each(graph):
    graph.run(graph.samples(path(MLP_DATA)), graph.outputs, n=3, each=lambda *_: time.sleep(1))


def in_run(graph):
    samples = graph.samples(path(MLP_DATA))
    for _ in range(50):
        graph.run(samples, graph.outputs, n=1000, each=lambda *_: None)


seen = []
mlp = tenon.load(path("mnist-mlp/model.onnx"), dim={"batch": 1})
resnet = tenon.load(path("mlperf-tiny/resnet8/model.onnx"))
calls = {"bench": lambda: mlp.bench(time=3), "eval": lambda: [resnet.eval(path("mlperf-tiny/cifar10_2000.npz")) for _ in range(20)],
         "graph.run in a pass": lambda: mlp.visit(in_run), "each of graph.run": lambda: mlp.visit(in_each), "a pass's own code": lambda: mlp.visit(lambda g: time.sleep(3))}
for name, call in calls.items():
    tell(name, [sent(signal.SIGINT, 0.1 + 0.013 * i, call) for i in range(TIMES)])
tell("the handler afterwards", [signal.getsignal(signal.SIGINT).__name__])
signal.signal(signal.SIGINT, own)
tell("a handler that raises nothing", [sent(signal.SIGINT, 0.1, lambda: mlp.bench(time=0.4))])
tell("it was called", map(str, seen))
signal.signal(signal.SIGALRM, late)
tell("SIGALRM", [sent(signal.SIGALRM, 0.1, lambda: mlp.bench(time=3))])
signal.signal(signal.SIGINT, signal.default_int_handler)
there = []
worker = threading.Thread(target=lambda: there.append(sorted(mlp.bench(time=0.5))[0]))
worker.start()
tell("the main thread while another is in a call", [sent(signal.SIGINT, 0.1, lambda: time.sleep(3))])
worker.join()
tell("the other's call", ["has ended" if there else "was lost"])
tell("and it still runs", [str(mlp.compile().run(np.zeros((1, 1, 28, 28), np.float32))["logits"].shape)])
