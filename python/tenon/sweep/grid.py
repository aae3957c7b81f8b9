"""What is swept: options of a pass with their values, and the points that these make."""
import decimal
import itertools

MOST = 100_000


class Axis:
    """An option, or several that take the same value, and the values: "data_width=2..16", "data_width,weight_width=2..8", "sparsity=0.1..0.9..0.2",
    "frac=half,mse"."""

    def __init__(self, text):
        names, equals, values = text.partition("=")
        self.names = names.split(",")
        if not equals or not all(self.names) or not values:
            raise ValueError(f"'{text}' is not OPTION=FIRST..LAST or OPTION=VALUE,VALUE")
        self.values = self._range(text, values) if ".." in values else values.split(",")
        if not all(self.values):
            raise ValueError(f"'{text}' has an empty value")
        self.values = list(dict.fromkeys(self.values))

    @staticmethod
    def _range(text, values):
        """From the first to the last, by steps of the last digit that is written, or as given."""
        try:
            ends = [decimal.Decimal(x) for x in values.split("..")]
        except decimal.InvalidOperation:
            raise ValueError(f"'{text}': FIRST..LAST or FIRST..LAST..STEP has numbers") from None
        if len(ends) not in (2, 3) or not all(x.is_finite() for x in ends):
            raise ValueError(f"'{text}': a range is FIRST..LAST or FIRST..LAST..STEP")
        first, last = ends[:2]
        step = ends[2] if len(ends) == 3 else decimal.Decimal(1).scaleb(min(0, *(x.as_tuple().exponent for x in ends)))
        if step <= 0 or last < first:
            raise ValueError(f"'{text}': the first is above the last, or the step is not above 0")
        if (last - first) / step > MOST:
            raise ValueError(f"'{text}': more than {MOST:,} values")
        return [format(first + i * step, "f") for i in range(int((last - first) / step) + 1)]

    @property
    def title(self):
        return ", ".join(self.names)

    def spell(self, value):
        return ",".join(f"{n}={value}" for n in self.names)


def number(text):
    """The value as a number; None where it is none."""
    try:
        return float(text)
    except ValueError:
        return None


def request(pass_text, axes, values):
    """The pass as -p has it, with these values."""
    name, _, items = pass_text.partition(":")
    words = [items] if items else []
    return f"{name}:" + ",".join(words + [axis.spell(v) for axis, v in zip(axes, values)])


def points(axes):
    """Every combination of values; the first axis varies fastest, so that each series is soon seen whole."""
    return [tuple(reversed(v)) for v in itertools.product(*(a.values for a in reversed(axes)))]
