"""Damaged copies of a file's content."""


def damage(content, stride=1):
    """Yields the bytes with each bit flipped in turn, then cut off at each length."""
    for bit in range(0, 8 * len(content), stride):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)
    for length in range(0, len(content), stride):
        yield content[:length]
