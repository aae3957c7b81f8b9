"""Damages model files: bits, bytes and cuts anywhere, and whole fields of the protocol buffer deleted, repeated, exchanged or replaced."""

import re

NUMBERS = (0, 1, 2, 3, 7, 11, 16, 63, 64, 127, 128, 255, 1 << 16, (1 << 31) - 1, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data, at):
    number = shift = 0
    while at < len(data) and shift < 64:
        number |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return number, at
    raise ValueError


def parse(data):
    """The fields of a message as lists [number, kind, value]; ValueError where it is none."""
    fields, at = [], 0
    while at < len(data):
        key, at = read_varint(data, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise ValueError
        if kind == VARINT:
            value, at = read_varint(data, at)
        else:
            size = {FIXED64: 8, FIXED32: 4}.get(kind)
            if size is None and kind == BYTES:
                size, at = read_varint(data, at)
            if size is None or at + size > len(data):
                raise ValueError
            value, at = data[at:at + size], at + size
        fields.append([number, kind, value])
    return fields


def spell(fields):
    out = bytearray()
    for number, kind, value in fields:
        out += varint(number << 3 | kind)
        if kind == VARINT:
            out += varint(value)
        else:
            out += (varint(len(value)) if kind == BYTES else b"") + value
    return bytes(out)


def change_fields(dice, fields, other):
    """One change of a list of fields; `other` is a list to take one from."""
    at = dice.randrange(len(fields))
    kind = dice.randrange(6)
    if kind == 0:
        del fields[at]
    elif kind == 1:
        fields.insert(dice.randrange(len(fields) + 1), list(fields[at]))
    elif kind == 2:
        to = dice.randrange(len(fields))
        fields[at], fields[to] = fields[to], fields[at]
    elif kind == 3 and other:
        fields[at] = list(dice.choice(other))
    elif kind == 4:
        fields[at][0] = dice.randint(1, 20)
    elif fields[at][1] == VARINT:
        fields[at][2] = dice.choice(NUMBERS) if dice.random() < 0.7 else dice.getrandbits(64)
    elif fields[at][2]:
        value = bytearray(fields[at][2])
        value[dice.randrange(len(value))] = dice.randrange(256)
        fields[at][2] = bytes(value)


def damage_fields(dice, data, other, depth=0):
    """Goes down a random way through the messages and changes one of the fields there."""
    try:
        fields = parse(data)
    except ValueError:
        return damage_bytes(dice, data)
    inner = [f for f in fields if f[1] == BYTES and len(f[2]) > 1]
    if inner and depth < 6 and dice.random() < 0.75:
        weights = [len(f[2]) for f in inner]
        at = dice.choices(inner, weights)[0]
        at[2] = damage_fields(dice, at[2], other, depth + 1)
    elif fields:
        change_fields(dice, fields, fields_somewhere(dice, other))
    return spell(fields)


def fields_somewhere(dice, data):
    """The fields of some message inside of another file."""
    found = []
    for _ in range(dice.randint(1, 5)):
        try:
            fields = parse(data)
        except ValueError:
            break
        found = fields
        inner = [f[2] for f in fields if f[1] == BYTES and f[2]]
        if not inner:
            break
        data = dice.choice(inner)
    return found


def damage_bytes(dice, data):
    data = bytearray(data)
    at = dice.randrange(len(data)) if data else 0
    kind = dice.randrange(5)
    if kind == 0 and data:
        data[at] ^= 1 << dice.randrange(8)
    elif kind == 1 and data:
        data[at] = dice.choice((0, 1, 0x7F, 0x80, 0xFF))
    elif kind == 2:
        del data[at:at + dice.randint(1, 16)]
    elif kind == 3:
        data[at:at] = data[at:at + dice.randint(1, 64)]
    else:
        del data[at:]
    return bytes(data)


def damage(dice, data, other):
    for _ in range(dice.choice((1, 1, 1, 2, 3, 6))):
        data = damage_fields(dice, data, other) if dice.random() < 0.7 else damage_bytes(dice, data)
    return data


TOKEN = re.compile(rb"[A-Za-z0-9_.]+|\s+|.", re.S)


def damage_text(dice, data, other):
    """Words and lines deleted, repeated, exchanged, or taken from another text; and single bytes."""
    for _ in range(dice.choice((1, 1, 2, 4))):
        if dice.random() < 0.2:
            data = damage_bytes(dice, data)
            continue
        by_line = dice.random() < 0.4
        parts = data.splitlines(keepends=True) if by_line else TOKEN.findall(data)
        donors = other.splitlines(keepends=True) if by_line else TOKEN.findall(other)
        if not parts or not donors:
            continue
        at, kind = dice.randrange(len(parts)), dice.randrange(5)
        if kind == 0:
            del parts[at]
        elif kind == 1:
            parts.insert(dice.randrange(len(parts) + 1), parts[at])
        elif kind == 2:
            parts[at] = dice.choice(donors)
        elif kind == 3:
            to = dice.randrange(len(parts))
            parts[at], parts[to] = parts[to], parts[at]
        else:
            parts[at] = str(dice.choice(NUMBERS)).encode()
        data = b"".join(parts)
    return data
