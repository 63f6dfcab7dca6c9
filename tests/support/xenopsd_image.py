#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads a suspend image as xenopsd's restore does, and no more gently: an unknown header is an error, what XENOPS holds
must be an S-expression of its record, QEMU's state may not be longer than 1 MiB.  Written from xen-api's
suspend_image.ml and domain.ml (restore_common), and from libxc's public format, not from convoy.

usage: xenopsd_image.py IMAGE QEMU_STATE_OUT"""
import struct
import sys

XENOPS, LIBXC, QEMU, END = 0x000F, 0x00F0, 0x0F00, 0xFFFF
KNOWN = {XENOPS: "Xenops", LIBXC: "Libxc", QEMU: "Qemu_trad", END: "End_of_image"}


def fail(text):
    sys.exit(f"xenopsd_image: {text}")


def exactly(f, size):
    data = f.read(size)
    if len(data) != size:
        fail(f"truncated at {f.tell()}")
    return data


def words(text):
    """Tokens of an S-expression: "(", ")" and byte strings."""
    at = 0
    while at < len(text):
        c = text[at : at + 1]
        at += 1
        if c.isspace():
            continue
        if c in b"()":
            yield c.decode()
        elif c == b'"':
            atom = bytearray()
            while text[at : at + 1] != b'"':
                if text[at] == ord("\\"):
                    if text[at + 1 : at + 4].isdigit():
                        atom.append(int(text[at + 1 : at + 4]))
                        at += 4
                        continue
                    at += 1
                atom.append(text[at])
                at += 1
            at += 1
            yield bytes(atom)
        else:
            end = at
            while text[end : end + 1] not in b'()" \t\n\r':
                end += 1
            yield text[at - 1 : end]
            at = end


def sexp(text):
    stack = [[]]
    for word in words(text):
        if word == "(":
            stack.append([])
        elif word == ")":
            last = stack.pop()
            stack[-1].append(last)
        else:
            stack[-1].append(word)
    if len(stack) != 1 or len(stack[0]) != 1:
        fail("Xenops: not one S-expression")
    return stack[0][0]


def read_xenops(body):
    """As [@@deriving sexp] would: time and word_size must be there, nothing unknown may be."""
    fields = {}
    for field in sexp(body):
        if len(field) != 2 or field[0] in fields:
            fail(f"Xenops: field {field[0]}")
        fields[field[0]] = field[1]
    if not {b"time", b"word_size"} <= fields.keys() <= {b"time", b"word_size", b"vm_str", b"xs_subtree"}:
        fail(f"Xenops: fields {sorted(fields)}")
    if int(fields[b"word_size"]) != 64:
        fail("Xenops: word_size")
    for pair in fields.get(b"xs_subtree", []):
        if len(pair) != 2 or not all(isinstance(x, bytes) for x in pair):
            fail("Xenops: xs_subtree")
        print(f"  {pair[0].decode()}: {len(pair[1])} bytes")


def read_libxc(f):
    """What xenguest is handed: it reads up to libxc's END and not a byte further."""
    marker, ident, version, options, _, _ = struct.unpack(">QIIHHI", exactly(f, 24))
    if marker != 2**64 - 1 or ident != 0x58454E46 or version != 3 or options != 0:
        fail("libxc: image header")
    kind, shift, _, major, minor = struct.unpack("<IHHII", exactly(f, 16))
    if kind != 2 or shift != 12:
        fail("libxc: domain header")
    records = pages = 0
    while True:
        kind, length = struct.unpack("<II", exactly(f, 8))
        body = exactly(f, (length + 7) // 8 * 8)
        records += 1
        if kind == 1:
            pages += struct.unpack_from("<I", body)[0]
        if kind == 0:
            print(f"  Xen {major}.{minor}, {records} records, {pages} pages")
            return


def main():
    image, out = sys.argv[1:]
    seen = []
    with open(image, "rb") as f:
        if exactly(f, 15) != b"XenSavedDomv2-\n":
            fail("signature")
        while END not in seen:
            kind, length = struct.unpack("<qq", exactly(f, 16))
            if kind not in KNOWN:
                fail(f"Invalid_header_type {kind:#x}")
            print(f"{KNOWN[kind]}, {length} bytes")
            seen.append(kind)
            if kind == XENOPS:
                read_xenops(exactly(f, length))
            elif kind == LIBXC:
                read_libxc(f)
            elif kind == QEMU:
                if length > 1048576:
                    fail("QEMU record length in header too large")
                with open(out, "wb") as state:
                    state.write(exactly(f, length))
        if f.read(1):
            fail("bytes follow")
    if seen.count(LIBXC) != 1 or seen.count(QEMU) != 1:
        fail(f"records {seen}")


main()
