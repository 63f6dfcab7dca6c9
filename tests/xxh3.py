# SPDX-License-Identifier: LGPL-2.1-or-later
"""XXH3-64 and XXH3-128 in plain Python, after the xxHash specification: slow, and shares nothing with libxxhash.

Seeds are supported for inputs of up to 240 bytes, which is all that the stream format uses them for.
"""
import struct

M = (1 << 64) - 1
P32_1, P32_2, P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
P64_1, P64_2, P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P64_4, P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
MX = 0x9FB21C651E98DF25
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")


def _u32(b, o=0):
    return struct.unpack_from("<I", b, o)[0]


def _u64(b, o=0):
    return struct.unpack_from("<Q", b, o)[0]


def _swap64(x):
    return int.from_bytes(x.to_bytes(8, "little"), "big")


def _swap32(x):
    return int.from_bytes(x.to_bytes(4, "little"), "big")


def _rotl(x, r, bits=64):
    return ((x << r) | (x >> (bits - r))) & ((1 << bits) - 1)


def _fold(a, b):
    p = a * b
    return (p & M) ^ (p >> 64)


def _avalanche(h):
    h ^= h >> 37
    h = h * 0x165667919E3779F9 & M
    return h ^ h >> 32


def _avalanche64(h):
    h ^= h >> 33
    h = h * P64_2 & M
    h ^= h >> 29
    h = h * P64_3 & M
    return h ^ h >> 32


def _mix16(d, o, s, seed):
    return _fold(_u64(d, o) ^ (_u64(SECRET, s) + seed & M), _u64(d, o + 8) ^ (_u64(SECRET, s + 8) - seed & M))


def _combined(d):
    n = len(d)
    return d[0] << 16 | d[n >> 1] << 24 | d[n - 1] | n << 8


def _short64(d, seed):
    n = len(d)
    if n == 0:
        return _avalanche64(seed ^ _u64(SECRET, 56) ^ _u64(SECRET, 64))
    if n <= 3:
        return _avalanche64(_combined(d) ^ ((_u32(SECRET) ^ _u32(SECRET, 4)) + seed & M))
    if n <= 8:
        seed ^= _swap32(seed & 0xFFFFFFFF) << 32
        h = (_u32(d, n - 4) + (_u32(d) << 32)) ^ ((_u64(SECRET, 8) ^ _u64(SECRET, 16)) - seed & M)
        h ^= _rotl(h, 49) ^ _rotl(h, 24)
        h = h * MX & M
        h ^= (h >> 35) + n
        h = h * MX & M
        return h ^ h >> 28
    lo = _u64(d) ^ ((_u64(SECRET, 24) ^ _u64(SECRET, 32)) + seed & M)
    hi = _u64(d, n - 8) ^ ((_u64(SECRET, 40) ^ _u64(SECRET, 48)) - seed & M)
    return _avalanche(n + _swap64(lo) + hi + _fold(lo, hi) & M)


def _medium64(d, seed):
    n = len(d)
    acc = n * P64_1
    if n <= 128:
        for i in range((n - 1) // 32, -1, -1):
            acc += _mix16(d, 16 * i, 32 * i, seed) + _mix16(d, n - 16 * (i + 1), 32 * i + 16, seed)
        return _avalanche(acc & M)
    for i in range(8):
        acc += _mix16(d, 16 * i, 16 * i, seed)
    acc = _avalanche(acc & M)
    for i in range(8, n // 16):
        acc += _mix16(d, 16 * i, 16 * (i - 8) + 3, seed)
    return _avalanche(acc + _mix16(d, n - 16, 136 - 17, seed) & M)


def _accumulate(acc, d, o, s):
    data = struct.unpack_from("<8Q", d, o)
    key = struct.unpack_from("<8Q", SECRET, s)
    for i in range(8):
        k = data[i] ^ key[i]
        acc[i ^ 1] = acc[i ^ 1] + data[i] & M
        acc[i] = acc[i] + (k & 0xFFFFFFFF) * (k >> 32) & M


def _long(d):
    acc = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1]
    n, block = len(d), 1024
    for b in range((n - 1) // block):
        for i in range(16):
            _accumulate(acc, d, b * block + 64 * i, 8 * i)
        key = struct.unpack_from("<8Q", SECRET, 128)
        for i in range(8):
            acc[i] = (acc[i] ^ acc[i] >> 47 ^ key[i]) * P32_1 & M
    start = (n - 1) // block * block
    for i in range((n - 1 - start) // 64):
        _accumulate(acc, d, start + 64 * i, 8 * i)
    _accumulate(acc, d, n - 64, 192 - 64 - 7)
    return acc


def _merge(acc, s, start):
    for i in range(4):
        start += _fold(acc[2 * i] ^ _u64(SECRET, s + 16 * i), acc[2 * i + 1] ^ _u64(SECRET, s + 16 * i + 8))
    return _avalanche(start & M)


def xxh3_64(d, seed=0):
    """XXH3-64 of bytes as an integer."""
    n = len(d)
    if n <= 16:
        return _short64(d, seed)
    if n <= 240:
        return _medium64(d, seed)
    assert seed == 0
    return _merge(_long(d), 11, n * P64_1 & M)


def _short128(d):
    n = len(d)
    if n == 0:
        return (_avalanche64(_u64(SECRET, 64) ^ _u64(SECRET, 72)), _avalanche64(_u64(SECRET, 80) ^ _u64(SECRET, 88)))
    if n <= 3:
        low = _combined(d)
        high = _rotl(_swap32(low), 13, 32)
        return (_avalanche64(low ^ _u32(SECRET) ^ _u32(SECRET, 4)),
                _avalanche64(high ^ _u32(SECRET, 8) ^ _u32(SECRET, 12)))
    if n <= 8:
        keyed = (_u32(d) + (_u32(d, n - 4) << 32)) ^ _u64(SECRET, 16) ^ _u64(SECRET, 24)
        p = keyed * (P64_1 + (n << 2))
        low, high = p & M, p >> 64
        high = high + (low << 1) & M
        low ^= high >> 3
        low ^= low >> 35
        low = low * MX & M
        return low ^ low >> 28, _avalanche(high)
    lo, hi = _u64(d), _u64(d, n - 8)
    p = (lo ^ hi ^ _u64(SECRET, 32) ^ _u64(SECRET, 40)) * P64_1
    low, high = (p & M) + (n - 1 << 54) & M, p >> 64
    hi ^= _u64(SECRET, 48) ^ _u64(SECRET, 56)
    high = high + hi + (hi & 0xFFFFFFFF) * (P32_2 - 1) & M
    low ^= _swap64(high)
    p = low * P64_2
    return _avalanche(p & M), _avalanche((p >> 64) + high * P64_2 & M)


def _mix32(acc, d, o1, o2, s):
    low, high = acc
    low = (low + _mix16(d, o1, s, 0) & M) ^ (_u64(d, o2) + _u64(d, o2 + 8) & M)
    high = (high + _mix16(d, o2, s + 16, 0) & M) ^ (_u64(d, o1) + _u64(d, o1 + 8) & M)
    return low, high


def _medium128(d):
    n = len(d)
    acc = (n * P64_1 & M, 0)
    if n <= 128:
        for i in range((n - 1) // 32, -1, -1):
            acc = _mix32(acc, d, 16 * i, n - 16 * (i + 1), 32 * i)
    else:
        for i in range(4):
            acc = _mix32(acc, d, 32 * i, 32 * i + 16, 32 * i)
        acc = (_avalanche(acc[0]), _avalanche(acc[1]))
        for i in range(4, n // 32):
            acc = _mix32(acc, d, 32 * i, 32 * i + 16, 3 + 32 * (i - 4))
        acc = _mix32(acc, d, n - 16, n - 32, 136 - 17 - 16)
    low, high = acc
    return (_avalanche(low + high & M),
            -_avalanche(low * P64_1 + high * P64_4 + n * P64_2 & M) & M)


def xxh3_128(d):
    """XXH3-128 of bytes in its canonical form: 16 bytes, high half first."""
    n = len(d)
    if n <= 16:
        low, high = _short128(d)
    elif n <= 240:
        low, high = _medium128(d)
    else:
        acc = _long(d)
        low, high = _merge(acc, 11, n * P64_1 & M), _merge(acc, 192 - 64 - 11, ~(n * P64_2) & M)
    return struct.pack(">QQ", high, low)
