"""Contractions and windows: Conv, ConvTranspose, MatMul, Gemm, Einsum, pooling, and their integer forms.

Each function adds one node with random valid attributes to a net and returns its value. It reads `x` where one is given that it
can read, returns None where it cannot, and feeds itself where none is given.
"""
import numpy as np

from net import F32, SPECIAL, TAME


def spatial_input(net, x, special=SPECIAL):
    if x is None:
        rank = net.pick(1, 2, 2, 2, 2, 3)
        return net.feed((net.pick(1, 1, 1, 2, 3), *net.shape(1 + rank, 9000)), special=special)
    return x if 3 <= x.rank <= 5 and x.dtype == net.dtype and min(x.shape) > 0 else None


class Window:
    """Kernel, dilations, strides and padding that fit the sizes of a picture."""

    def __init__(self, net, sizes, dilated=True, kernels=(1, 1, 2, 3, 3, 3, 4, 5, 7)):
        n = len(sizes)
        self.dilations = [net.pick(1, 1, 1, 2, 3) if dilated else 1 for _ in range(n)]
        self.kernel = [net.pick(*kernels) for _ in range(n)]
        if net.chance(0.1):
            self.kernel = list(sizes)
            self.dilations = [1] * n
        self.kernel = [min(k, 9) for k in self.kernel]
        self.strides = [net.pick(1, 1, 1, 2, 2, 3, 4) for _ in range(n)] if net.chance(0.6) else [net.pick(1, 1, 2)] * n
        self.auto = net.pick("SAME_UPPER", "SAME_LOWER", "VALID") if net.chance(0.15) else None
        if self.auto not in (None, "VALID"):
            self.dilations = [1] * n
        self.pads = self.draw_pads(net, sizes)

    def reach(self, k):
        return (self.kernel[k] - 1) * self.dilations[k] + 1

    def draw_pads(self, net, sizes):
        n = len(sizes)
        pads = [0] * (2 * n)
        for k, size in enumerate(sizes):
            if self.auto == "VALID" and self.reach(k) > size or self.auto is None and self.reach(k) > size + 2 * (self.kernel[k] - 1):
                self.dilations[k], self.kernel[k] = 1, min(self.kernel[k], size)
            most = self.kernel[k] - 1
            if self.auto is None:
                missing = max(0, self.reach(k) - size)
                begin = net.whole(max(0, missing - most), min(most, missing)) if missing else 0
                pads[k], pads[n + k] = begin, missing - begin
                if net.chance(0.6):
                    pads[k], pads[n + k] = net.whole(pads[k], most), net.whole(pads[n + k], most)
        return pads

    def attributes(self, net, dilated=True):
        """Those at their defaults are left out now and then."""
        said = {"strides": self.strides, "kernel_shape": self.kernel}
        if dilated:
            said["dilations"] = self.dilations
        if self.auto:
            said["auto_pad"] = self.auto
        else:
            said["pads"] = self.pads
        for name in ("strides", "dilations", "pads"):
            usual = 0 if name == "pads" else 1
            if name in said and all(v == usual for v in said[name]) and net.chance(0.7):
                del said[name]
        return said

    def outputs(self, sizes):
        if self.auto in ("SAME_UPPER", "SAME_LOWER"):
            return [-(-s // t) for s, t in zip(sizes, self.strides)]
        n = len(sizes)
        return [(s + self.pads[k] + self.pads[n + k] - self.reach(k)) // self.strides[k] + 1 for k, s in enumerate(sizes)]

    def rounds_up(self, sizes):
        """With ceil_mode no window starts in the padding at the end; there onnx's shape inference and ONNX Runtime part."""
        n = len(sizes)
        left = [s + self.pads[k] + self.pads[n + k] - self.reach(k) for k, s in enumerate(sizes)]
        return all(-(-l // t) * t < s + self.pads[k] for k, (l, t, s) in enumerate(zip(left, self.strides, sizes)))


def groups_of(net, channels):
    """Mostly one, often one per channel, at times a divisor."""
    divisors = [d for d in range(1, channels + 1) if channels % d == 0]
    return net.pick(1, 1, 1, channels, net.pick(*divisors))


def conv(net, x=None):
    x = spatial_input(net, x)
    if x is None:
        return None
    batch, channels, *sizes = x.shape
    window = Window(net, sizes)
    group = groups_of(net, channels)
    length = channels // group * int(np.prod(window.kernel))
    most = net.budget // max(1, batch * length * int(np.prod(window.outputs(sizes))))
    each = net.size(max(1, most // group)) if group < channels or group == 1 else net.pick(1, 1, 1, 2)
    w = net.weight((group * each, channels // group, *window.kernel), length=length)
    bias = [net.weight((group * each,))] if net.chance() else []
    attributes = window.attributes(net)
    if net.chance(0.3):
        del attributes["kernel_shape"]
    if group > 1 or net.chance(0.3):
        attributes["group"] = group
    net.sums(length)
    return net.add("Conv", [x, w, *bias], **attributes)


def conv_transpose(net, x=None):
    x = spatial_input(net, x)
    if x is None:
        return None
    channels, sizes = x.shape[1], x.shape[2:]
    n = len(sizes)
    kernel = [net.pick(1, 2, 2, 3, 3, 4, 5) for _ in range(n)]
    strides = [net.pick(1, 1, 2, 2, 3, 4) for _ in range(n)]
    dilations = [net.pick(1, 1, 1, 2, 3) for _ in range(n)]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
    full = [(s - 1) * t + r for s, t, r in zip(sizes, strides, reach)]
    attributes = {"strides": strides, "dilations": dilations, "kernel_shape": kernel}
    way = net.pick("pads", "pads", "pads", "none", "auto", "shape")
    if way == "pads":
        pads = [net.whole(0, min(r - 1, (f - 1) // 2)) for r, f in zip(reach, full)] + [net.whole(0, min(r - 1, (f - 1) // 2)) for r, f in zip(reach, full)]
        attributes["pads"] = pads
        if net.chance(0.3):
            attributes["output_padding"] = [net.whole(0, t - 1) for t in strides]
    elif way == "auto":
        attributes["auto_pad"] = net.pick("SAME_UPPER", "SAME_LOWER", "VALID")
        # A kernel below its stride would need negative padding.
        if any(r < t for r, t in zip(reach, strides)):
            attributes["auto_pad"] = "VALID"
    elif way == "shape":
        attributes["output_shape"] = [net.whole(max(1, f - r + 1), f) for f, r in zip(full, reach)]
        if net.chance(0.4):
            attributes["auto_pad"] = net.pick("SAME_UPPER", "SAME_LOWER")
    group = groups_of(net, channels)
    length = channels // group * int(np.prod(kernel))
    most = net.budget // max(1, x.count // group * int(np.prod(kernel)))
    each = net.size(max(1, min(most // group, 20_000 // max(1, group * int(np.prod(full))))))
    w = net.weight((channels, each, *kernel), length=length)
    bias = [net.weight((group * each,))] if net.chance() else []
    if group > 1:
        attributes["group"] = group
    net.sums(length)
    return net.add("ConvTranspose", [x, w, *bias], **attributes)


def matmul(net, x=None):
    if x is not None and (x.rank < 2 or x.dtype != net.dtype):
        return None
    if x is None:
        k = net.size()
        shape = net.pick((), (1,), (net.size(),), (net.size(),), (net.size(),), (net.pick(2, 3, 5), net.size(20)), (2, net.pick(1, 3), net.size(20)),
                         (net.pick(1, 2), net.pick(1, 3), 2, net.size(9)))
        x = net.feed((*shape, k))
    k = x.shape[-1]
    n = net.size(max(1, net.budget // max(1, x.count)))
    batch = [1 if net.chance(0.3) else d for d in x.shape[:-2]]
    batch = net.pick((), (), tuple(batch), tuple(batch[net.whole(0, len(batch)):]))
    if x.rank <= 3 and x.count * k * n < net.budget // 2 and net.chance(0.1):
        batch = (2, *([1] if x.rank == 3 else []))
    w = net.weight((*batch, k, n) if net.chance(0.93) else (k,), length=k)
    net.sums(k)
    if x.rank >= 2 and net.chance(0.15):
        # The weight in front: all but the last axis of x count as its columns.
        w = net.weight((net.size(max(1, net.budget // max(1, x.count))), x.shape[-2]), length=x.shape[-2])
        net.sums(x.shape[-2])
        return net.add("MatMul", [w, x])
    return net.add("MatMul", [x, w])


def gemm(net, x=None):
    if x is not None and (x.rank != 2 or x.dtype != net.dtype):
        return None
    trans_a, trans_b = net.pick(0, 0, 1), net.pick(0, 1)
    x = x or net.feed(net.shape(2, 4000))
    m, k = (x.shape[1], x.shape[0]) if trans_a else x.shape
    n = net.size(max(1, net.budget // max(1, m * k)))
    w = net.weight((n, k) if trans_b else (k, n), length=k)
    c = [] if net.opset >= 11 and net.chance(0.2) else [net.weight(net.pick((n,), (n,), (1, n), (m, n), (m, 1), (1, 1), (1,), ()))]
    attributes = {}
    for name, value, usual in (("transA", trans_a, 0), ("transB", trans_b, 0), ("alpha", net.pick(1.0, 1.0, 0.5, -1.25), 1.0), ("beta", net.pick(1.0, 1.0, 0.0, 2.0), 1.0)):
        if value != usual or net.chance(0.3):
            attributes[name] = value
    net.sums(k)
    return net.add("Gemm", [x, w, *c], **attributes)


def einsum(net, x=None):
    if net.opset < 12 or x is not None:
        return None
    left, right, out = net.pick(("ij", "jk", "ik"), ("bij", "bjk", "bik"), ("bhqd", "bhkd", "bhqk"), ("bqhd", "bkhd", "bhqk"), ("bhqk", "bkhd", "bqhd"), ("ij", "kj", "ki"),
                                ("i", "j", "ij"), ("ijk", "k", "ij"), ("ij", "ij", "i"), ("abc", "cd", "dab"), ("ij", "ij", ""), ("abij", "bjk", "akbi"))
    sizes = {letter: net.size(24) if net.chance(0.85) else 1 for letter in sorted(set(left + right))}
    while np.prod(list(sizes.values())) > net.budget:
        largest = max(sizes, key=sizes.get)
        sizes[largest] //= 2
    length = int(np.prod([v for k, v in sizes.items() if k not in out]))
    net.sums(length)
    return net.add("Einsum", [net.feed([sizes[c] for c in left]), net.weight([sizes[c] for c in right], length=length)], equation=f"{left},{right}->{out}")


def pool(net, x=None):
    # The maximum with a NaN is nowhere defined.
    averages = x is not None and net.special
    x = spatial_input(net, x, special=TAME)
    if x is None:
        return None
    if net.chance(0.15):
        op = "GlobalAveragePool" if averages else net.pick("GlobalAveragePool", "GlobalMaxPool")
        net.sums(int(np.prod(x.shape[2:])))
        return net.add(op, [x])
    op = net.pick("MaxPool", "MaxPool", "AveragePool", "AveragePool", "LpPool")
    if averages and op == "MaxPool":
        op = "AveragePool"
    least = {"MaxPool": 10, "AveragePool": 19, "LpPool": 18}[op]
    window = Window(net, x.shape[2:], dilated=net.opset >= least)
    if window.auto in ("SAME_UPPER", "SAME_LOWER"):  # ONNX Runtime takes negative padding here, and none in Conv
        window.strides = [min(s, k) for s, k in zip(window.strides, window.kernel)]
    attributes = window.attributes(net, dilated=net.opset >= least)
    if net.opset >= {"MaxPool": 10, "AveragePool": 10, "LpPool": 18}[op] and net.chance(0.25) and not window.auto and window.rounds_up(x.shape[2:]):
        attributes["ceil_mode"] = 1
    if op == "AveragePool" and net.chance(0.4):
        attributes["count_include_pad"] = 1
    if op == "LpPool":
        attributes["p"] = net.pick(1, 2, 2, 3)
    net.sums(int(np.prod(window.kernel)))
    if op == "MaxPool" and net.opset >= 8 and net.chance(0.2):
        if net.chance(0.3):
            attributes["storage_order"] = 1
        values, indices = net.add(op, [x], 2, **attributes)
        net.keep(indices)
        return values
    return net.add(op, [x], **attributes)


def integers(net, x=None):
    """Products of bytes: exact."""
    if x is not None or net.opset < 10 or net.dtype != F32:
        return None
    byte = lambda dtype, shape: net.rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, endpoint=True).astype(dtype)
    hold = lambda array: net.feed_array(array) if net.chance(0.3) else net.constant(array)
    if net.chance():
        types = net.pick((np.uint8, np.uint8), (np.uint8, np.int8))
        m, k, n = net.size(64), net.size(), net.size(64)
        inputs = [net.feed_array(byte(types[0], (m, k))), hold(byte(types[1], (k, n)))]
        if net.chance():
            inputs += [hold(byte(types[0], ())), hold(byte(types[1], net.pick((), (n,))))]
        return net.add("MatMulInteger", inputs)
    channels, sizes = net.size(20), [net.size(17), net.size(17)]
    window = Window(net, sizes)
    group = net.pick(1, 1, channels)
    w = hold(byte(np.uint8, (group * net.pick(1, 2, 5), channels // group, *window.kernel)))
    inputs = [net.feed_array(byte(np.uint8, (net.pick(1, 2), channels, *sizes))), w]
    if net.chance():
        inputs += [hold(byte(np.uint8, ()))]
    return net.add("ConvInteger", inputs, group=group, **window.attributes(net))
