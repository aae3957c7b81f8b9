"""What random cases have found, kept whatever the generator draws. Case -1 is the first, and so on."""
import numpy as np

from net import Net


def convolved_bytes(net):
    """gcc 12 could not compile the select of widened bytes or zero for AVX-512."""
    x, w = (net.rng.integers(0, 255, shape).astype(np.uint8) for shape in ((2, 13, 3, 4), (13, 1, 1, 3)))
    return net.add("ConvInteger", [net.feed_array(x), net.feed_array(w)], group=13, pads=[0, 1, 0, 2], strides=[3, 2])


def maximum_past_a_nan(net):
    """A NaN made the maximum forget what came before it, in an order that was the schedule's."""
    x = np.linspace(3, -3, 300, dtype=np.float32)
    x[[60, 130]] = np.nan
    return net.add("ReduceMax", [net.feed_array(x)])


def window_without_elements(net):
    """Both places of the window are padding: the average was 0 / 0."""
    return net.add("AveragePool", [net.feed((1, 7, 1), special=None)], kernel_shape=[2], dilations=[2], pads=[1, 1], strides=[2])


OPSET = 21
REGRESSIONS = (convolved_bytes, maximum_past_a_nan, window_without_elements)


def build(number):
    net = Net(f"r{number}", OPSET, np.random.default_rng(number))
    net.keep(REGRESSIONS[number](net))
    return net
