"""The cases: case NUMBER of a seed is a net with a name, an operator set and results to expect, and depends on nothing else."""
import numpy as np

import contractions
import elements
import reference
import regressions
import sequences
from net import F16, F32, F64, Net, NotThere

PACK = 32  # cases of the same operator set, which one model holds
OPSETS = (7, 8, 9, 10, 11, 12, 13, 13, 14, 15, 16, 17, 17, 18, 19, 20, 21, 21, 22, 23, 23, 24, 24)

# Of how many parts, what the case begins with.
FAMILIES = (
    (13, contractions.conv), (6, contractions.conv_transpose), (9, contractions.matmul), (6, contractions.gemm), (3, contractions.einsum), (8, contractions.pool),
    (3, contractions.integers), (8, elements.reduction), (5, elements.softmax), (4, elements.batch_norm), (5, elements.layer_norm), (5, elements.channel_norm),
    (6, sequences.attention), (6, sequences.recurrent), (4, elements.activation), (3, elements.binary), (3, elements.expanding), (3, elements.whole_numbers),
    (2, elements.transpose), (2, elements.reshape), (2, elements.slices), (2, elements.pad), (2, elements.concat), (2, elements.gather), (2, elements.arguments), (1, elements.cumulative),
)
# What follows in a case of several operators.
FOLLOWERS = (
    (10, elements.activation), (10, elements.binary), (5, elements.transpose), (3, elements.reshape), (2, elements.slices), (2, elements.pad), (2, elements.concat), (1, elements.split),
    (1, elements.expand), (1, elements.gather), (5, elements.softmax), (3, elements.reduction), (4, elements.batch_norm), (3, elements.layer_norm), (2, elements.channel_norm),
    (4, contractions.conv), (2, contractions.conv_transpose), (5, contractions.matmul), (2, contractions.gemm), (3, contractions.pool), (1, sequences.spelled_attention),
)
SINGLE = 0.4


def draw(net, table):
    weights = np.array([w for w, _ in table], float)
    return table[int(net.rng.choice(len(table), p=weights / weights.sum()))][1]


def lengthen(net, y):
    """One to four operators after the first; a value from before may come back as a residual or as a part, or leave as an output."""
    seen = [y]
    for _ in range(net.pick(1, 1, 2, 2, 3, 4)):
        step, words = draw(net, FOLLOWERS), {}
        alike = [v for v in seen[:-1] if v.shape == y.shape and v.dtype == y.dtype]
        if step in (elements.binary, elements.concat) and alike and net.chance(0.6):
            words["other"] = net.pick(*alike)
        try:
            made = step(net, y, **words) if y.count <= 60_000 else None
        except NotThere:
            made = None
        if made is None:
            continue
        if net.chance(0.12):
            net.keep(y)
        y = made
        seen.append(y)
    return y


def build(seed, number):
    """The net of a case; its operator set is that of the pack it stands in. Numbers below 0 are the regressions."""
    if number < 0:
        return regressions.build(-1 - number)
    opset = OPSETS[int(np.random.default_rng([seed, 1, number // PACK]).integers(len(OPSETS)))]
    rng = np.random.default_rng([seed, 0, number])
    for _ in range(100):
        net = Net(f"c{number}", opset, rng, budget=2_000_000 if rng.random() < 0.03 else 150_000)
        net.dtype = np.dtype(net.pick(*[F32] * 17, F16, F16, F64))
        try:
            y = draw(net, FAMILIES)(net)
        except NotThere:
            continue
        if y is None:
            continue
        if not net.chance(SINGLE):
            y = lengthen(net, y)
        net.keep(y)
        return net
    raise RuntimeError("nothing to begin with")


class Case:
    def __init__(self, seed, number):
        self.seed, self.number = seed, number
        self.net = build(seed, number)
        self.expected = reference.expected(self.net, np.random.default_rng([seed, 2, abs(number)]))

    @property
    def operators(self):
        return "+".join(n.op_type for n in self.net.nodes)
