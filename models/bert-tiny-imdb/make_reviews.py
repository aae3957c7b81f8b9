#!/usr/bin/env python3
"""Makes all 50,000 labelled reviews for `tenon eval` from the archive of the Large Movie Review Dataset.

    make_reviews.py aclImdb_v1.tar.gz [OUT_DIR]

Get the archive at https://ai.stanford.edu/~amaas/data/sentiment/. Writes OUT_DIR/imdb_test_256.npz and imdb_train_256.npz (25,000
reviews each) with the arrays input_ids, attention_mask, token_type_ids and label. order.npz, beside this script, has a
checksum of each row's tokens: rows come in that order, whatever the archive's, so that the first 5,000 of each file are the rows of
test_5000.npz and train_5000.npz here.

The tokens are those of BERT uncased: text in lower case without accents, split at blanks and punctuation, then greedily into the
longest pieces that vocab.txt has.
"""
import hashlib
import os
import re
import sys
import tarfile
import unicodedata

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
LENGTH, UNKNOWN, FIRST, LAST = 256, 100, 101, 102


def clean(text):
    """HTML line breaks and runs of blanks are one blank."""
    return re.sub(r"\s+", " ", re.sub(r"<\s*br\s*/?\s*>", " ", text)).strip()


def is_punctuation(c):
    code = ord(c)
    return 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126 or unicodedata.category(c).startswith("P")


def is_ideograph(c):
    code = ord(c)
    ranges = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))
    return any(low <= code <= high for low, high in ranges)


def words(text):
    """Lower-case words without accents; each punctuation mark and ideograph is a word of its own."""
    kept = []
    for c in text:
        category = unicodedata.category(c)
        if c in "\t\n\r" or category == "Zs":
            kept.append(" ")
        elif ord(c) not in (0, 0xFFFD) and not category.startswith("C"):
            kept.append(f" {c} " if is_ideograph(c) else c)
    plain = "".join(c for c in unicodedata.normalize("NFD", "".join(kept).lower()) if unicodedata.category(c) != "Mn")
    return "".join(f" {c} " if is_punctuation(c) else c for c in plain).split()


def pieces(word, vocabulary):
    """The word as the longest pieces of the vocabulary from the left; [UNK] where it has none."""
    found, begin = [], 0
    if len(word) > 100:
        return [UNKNOWN]
    while begin < len(word):
        for end in range(len(word), begin, -1):
            piece = ("##" if begin else "") + word[begin:end]
            if piece in vocabulary:
                found.append(vocabulary[piece])
                begin = end
                break
        else:
            return [UNKNOWN]
    return found


def tokens(text, vocabulary):
    """LENGTH numbers: [CLS], the text, [SEP], then zeros."""
    row = [FIRST]
    for word in words(text):
        row += pieces(word, vocabulary)
        if len(row) >= LENGTH:
            break
    row = row[: LENGTH - 1] + [LAST]
    return np.array(row + [0] * (LENGTH - len(row)), np.uint16)


def checksum(row):
    return int.from_bytes(hashlib.blake2b(row.astype("<u2").tobytes(), digest_size=5).digest(), "little")


def write(path, ids, label):
    """Deflated, in the narrowest types: `tenon eval` widens them."""
    ids = np.asarray(ids, np.uint16)
    np.savez_compressed(path, input_ids=ids, attention_mask=(ids != 0).astype(np.uint8), token_type_ids=np.zeros(ids.shape, np.uint8),
                        label=np.asarray(label, np.uint8))


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    out = sys.argv[2] if len(sys.argv) == 3 else "."
    vocabulary = {line.rstrip("\n"): i for i, line in enumerate(open(os.path.join(HERE, "vocab.txt"), encoding="utf-8"))}
    order = np.load(os.path.join(HERE, "order.npz"))
    rows = {"test": {}, "train": {}}
    with tarfile.open(sys.argv[1]) as archive:
        for member in archive:
            match = re.search(r"(test|train)/(neg|pos)/[^/]+\.txt$", member.name)
            if match:
                text = archive.extractfile(member).read().decode("utf-8")
                row = tokens(clean(text), vocabulary)
                rows[match[1]].setdefault((checksum(row), int(match[2] == "pos")), []).append(row)
    for split, found in rows.items():
        ids, labels = [], []
        for number, label in zip(order[split], order[split + "_label"]):
            same = found.get((int(number), int(label)))
            if not same:
                sys.exit(f"{split}: row {len(ids)} is not in this archive")
            ids.append(same[0])
            labels.append(label)
        write(os.path.join(out, f"imdb_{split}_256.npz"), np.stack(ids), labels)
        print(f"{out}/imdb_{split}_256.npz: {len(ids)} reviews")


if __name__ == "__main__":
    main()
