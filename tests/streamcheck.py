#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A second reader of convoy streams, written from docs/stream-format.md alone: Python's standard library, its own
constants, its own XXH3 (xxh3.py).  It shows that the document is enough to read a stream.

    streamcheck.py FILE...           print each stream as text, or its fault; exit status 1 if one has a fault
    streamcheck.py --expect FOLDER   compare the text of every FOLDER/*.cvy with the .expect file beside it

zstd payloads are unpacked by the program "zstd"; without it they are left out, and --expect skips such files.
"""
import os
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from xxh3 import xxh3_64, xxh3_128  # noqa: E402

MAGIC = bytes.fromhex("894356590d0a1a0a")
MEMORY_ONLY = 1 << 8
STATES_ONLY = 1 << 9
INCREMENTAL = 1
FIXED_OFFSETS = 1 << 2
OPTIONAL_MAX = 16 << 20
KINDS = ("DATA", "ABSENT", "BROKEN", "ALLOC", "ZERO", "SKIP")

# section 5: name, type, presence, in, min, max, rank, tag
TABLE = (
    ("HOST", 0x1, "ONE", "FULL", 26, 1048576, 10, "NONE"),
    ("GUEST", 0x2, "ONE", "FULL", 34, 1048576, 20, "NONE"),
    ("LAYOUT", 0x3, "ONE", "FULL", 18, 1048576, 30, "NONE"),
    ("DEVICES", 0x8, "MAYBE", "FULL", 10, 1048576, 35, "NONE"),
    ("VCPUS", 0x4, "ONE", "FULL", 16, 520, 40, "NONE"),
    ("PARENT", 0x7, "INCREMENTAL", "BOTH", 40, 295, 45, "NONE"),
    ("MEMORY", 0x5, "ONE", "BOTH", 64, 3136, 50, "NONE"),
    ("PLACES", 0x9, "FIXED", "BOTH", 24, 65544, 55, "NONE"),
    ("CPU_POLICY", 0x6, "MAYBE", "FULL", 8, 40968, 60, "NONE"),
    ("PAGES", 0x10, "ANY", "BOTH", 41, 8407080, 70, "BODY"),
    ("PASS_END", 0x11, "SOME", "BOTH", 48, 48, 70, "BODY"),
    ("TSC_INFO", 0x20, "ONE", "FULL", 24, 24, 80, "NONE"),
    ("HVM_CONTEXT", 0x21, "ONE", "FULL", 8, 67108864, 90, "NONE"),
    ("HVM_PARAMS", 0x22, "ONE", "FULL", 8, 16392, 100, "NONE"),
    ("XENSTORE", 0x23, "MAYBE", "FULL", 8, 4194304, 110, "NONE"),
    ("DEVICE_STATE", 0x30, "EMULATORS", "FULL", 33, 67108896, 120, "BODY"),
    ("END", 0xFF, "ONE", "BOTH", 48, 48, 255, "NONE"),
    ("NOTE", 0x80000001, "ANY", "BOTH", 1, 65536, 0, "NONE"),
    ("PAGE_HASHES", 0x80000011, "ANY", "BOTH", 25, 51224, 72, "NONE"),
    ("FREEZE", 0x80000010, "MAYBE", "FULL", 25, 36888, 75, "NONE"),
    ("INDEX", 0x80000002, "MAYBE", "BOTH", 8, 2621448, 250, "NONE"),
)
RULES = {row[1]: row for row in TABLE}


class Fault(Exception):
    """rule: the short word of section 6; version: it needs a newer program, otherwise damaged."""

    def __init__(self, rule, version=False):
        super().__init__(rule)
        self.rule, self.version, self.place = rule, version, None


class NoZstd(Exception):
    pass


def need(ok, rule="body"):
    if not ok:
        raise Fault(rule)


def name_of(kind):
    return RULES[kind][0] if kind in RULES else "?"


class Body:
    """Takes fields off a body; running over its end is a fault."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        size = struct.calcsize("<" + form)
        values = struct.unpack("<" + form, self.bytes(size))
        return values[0] if len(values) == 1 else values

    def bytes(self, size):
        need(size <= len(self.data) - self.at)
        self.at += size
        return self.data[self.at - size:self.at]

    def end(self):
        need(self.at == len(self.data))


def check_text(data):
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Fault("body") from None
    need(all((ord(c) >= 32 and ord(c) != 127) or c in "\t\r\n" for c in text))


def check_json(data):
    need(len(data) >= 2 and data[:1] == b"{" and data[-1:] == b"}")
    check_text(data)


def show(data):
    return "".join(chr(c) if 0x20 <= c <= 0x7E and c != 0x5C else "\\x%02x" % c for c in data)


class Reader:
    def __init__(self, data):
        self.data, self.at, self.number, self.out = data, 0, 0, []
        self.pvh = False
        self.rank, self.seen, self.dmids, self.states = 0, set(), set(), set()
        self.next_pass, self.last_pass, self.index_at = 0, False, 0
        self.pass_records = self.pass_data = self.next_pfn = self.data_pages = self.pfn_count = self.next_hash = 0
        self.headers, self.listed, self.index = b"", [], None
        self.fixed, self.area_pages, self.places, self.empty_to = False, 0, [], 0

    def say(self, *lines):
        self.out.extend(lines)

    # ---- header ----
    def header(self):
        d = self.data
        need(d[:8] == MAGIC[:len(d[:8])], "magic")
        need(len(d) >= 16, "truncated")
        version, length = struct.unpack_from("<HH", d, 8)
        need(64 <= length <= 4096 and length % 8 == 0, "length")
        need(len(d) >= length, "truncated")
        self.chain = struct.unpack_from("<Q", d, length - 8)[0]
        need(self.chain == xxh3_64(d[:length - 8]), "check")
        if version != 1:
            raise Fault("version", True)
        need(length == 64, "length")
        reserved1, required, optional, ident, area = struct.unpack_from("<IQQ16sQ", d, 12)
        self.fixed = bool(required & FIXED_OFFSETS)
        need(reserved1 == 0 and (self.fixed or area == 0), "reserved")
        if required & STATES_ONLY and required != STATES_ONLY:
            raise Fault("feature", True)
        if required & ~(MEMORY_ONLY | STATES_ONLY | INCREMENTAL | FIXED_OFFSETS) or (self.fixed and required & INCREMENTAL):
            raise Fault("feature", True)
        self.memory_only = bool(required & MEMORY_ONLY)
        self.states_only = bool(required & STATES_ONLY)
        self.incremental = bool(required & INCREMENTAL)
        self.at, self.headers = 64, d[:64]
        self.say("header version %d required 0x%x optional 0x%x id %s%s"
                 % (version, required, optional, ident.hex(), " area %d" % area if self.fixed else ""))
        if self.fixed:
            need(1 <= area <= 1 << 40, "area")
            need(not any(d[64:4096]), "reserved")
            self.at, self.area_pages = 4096 * (area + 1), area
            need(len(d) >= self.at, "truncated")

    # ---- order: section 6.2 ----
    def check_missing(self, name, rank):
        for row in TABLE:
            must = (row[2] in ("ONE", "SOME") or (row[2] == "INCREMENTAL" and self.incremental)
                    or (row[2] == "FIXED" and self.fixed))
            if row[6] and row[6] < rank and must and row[0] not in self.seen:
                need((self.memory_only and row[3] == "FULL") or (self.states_only and row[0] != "LAYOUT"), "missing")
        need(rank <= 70 or self.last_pass or self.states_only, "missing")
        need(rank <= 120 or self.states == self.dmids, "missing")

    def check_order(self, kind, tag, length):
        row = RULES.get(kind)
        if row is None and not kind >> 31:
            raise Fault("unknown", True)
        need("INDEX" not in self.seen or name_of(kind) == "END", "order")
        low, high = 0, OPTIONAL_MAX
        if row is not None:
            name, _, presence, where, low, high, rank, tagged = row
            need(not (self.memory_only and where == "FULL"), "order")
            need(not self.states_only or name in ("LAYOUT", "DEVICE_STATE", "NOTE", "END"), "order")
            need(presence != "INCREMENTAL" or self.incremental, "order")
            need(presence != "FIXED" or self.fixed, "order")
            need(not (name == "PAGES" and self.fixed), "order")
            need(rank == 0 or rank >= self.rank, "order")
            need(not (presence in ("ONE", "MAYBE", "INCREMENTAL", "FIXED") and name in self.seen), "order")
            if rank:
                self.check_missing(name, rank)
            need(tagged == "BODY" or tag == 0, "tag")
            if name == "DEVICE_STATE":
                need(tag in self.dmids and tag not in self.states, "dmid")
            if name in ("PAGES", "PASS_END"):
                need(not self.last_pass and tag == self.next_pass, "pass")
        need(low <= length <= high, "length")

    # ---- records ----
    def record(self):
        at, d = self.at, self.data
        self.place, before = "record %d ? at offset %d" % (self.number, at), self.chain
        need(len(d) - at >= 40, "truncated")
        raw = d[at:at + 40]
        kind, tag, length, number, body_hash, check = struct.unpack("<IIQQQQ", raw)
        name = name_of(kind)
        claimed = name if name == "?" else name + "?"
        self.place = "record %d %s at offset %d" % (self.number, claimed, at)
        need(check == xxh3_64(raw[:32], self.chain), "chain")
        self.chain = check
        label = "%s dmid %d" % (name, tag) if name == "DEVICE_STATE" else name
        self.place = "record %d %s at offset %d" % (self.number, label, at)
        need(number == self.number, "number")
        self.check_order(kind, tag, length)
        padded = length + -length % 8
        need(len(d) - at - 40 >= padded, "truncated")
        body = d[at + 40:at + 40 + length]
        need(not any(d[at + 40 + length:at + 40 + padded]), "padding")
        need(xxh3_64(body) == body_hash, "hash")
        if name != "END":
            self.headers += raw
            self.say("record %d %s type 0x%08x tag %d offset %d length %d hash %016x"
                     % (number, name, kind, tag, at, length, body_hash))
        self.body(name, kind, tag, body)
        if name == "INDEX":
            need(self.index == self.prescribed_index(), "index")
        elif not kind >> 31:
            key = struct.unpack_from("<Q", body, 8)[0] if name == "PAGES" else 0
            self.listed.append((at, number, kind, tag, key, before))
        self.at = at + 40 + padded
        self.number += 1
        return name != "END"

    def prescribed_index(self):
        """Section 5.15: every PAGES record number k * s, s the least power of two that makes the list short enough."""
        pages = [e for e in self.listed if e[2] == 0x10]
        others, s = len(self.listed) - len(pages), 1
        while s < len(pages) and others + -(-len(pages) // s) > 65536:
            s *= 2
        kept = set(pages[::s])
        return [e for e in self.listed if e[2] != 0x10 or e in kept][:65536]

    def body(self, name, kind, tag, data):
        b = Body(data)
        method = getattr(self, "read_" + name.lower(), None) if name != "?" else None
        if method is not None:
            finish = method(b)
        if kind not in RULES:
            return
        if RULES[kind][7] == "BODY":
            need(struct.unpack_from("<I", data)[0] == tag, "tag")
        self.seen.add(name)
        self.rank = max(self.rank, RULES[kind][6])
        if method is not None and finish is not None:
            finish()

    def read_host(self, b):
        schema, major, minor, n, time = b.take("IIIIQ")
        json = b.bytes(n)
        b.end()
        need(schema >= 1)
        check_json(json)
        self.say("  schema %d xen %d.%d time %d" % (schema, major, minor, time), "  json " + show(json))

    def read_guest(self, b):
        schema, kind, uuid, n, m = b.take("II16sII")
        json, config = b.bytes(n), b.bytes(m)
        b.end()
        need(schema >= 1 and kind in (1, 2))
        check_json(json)
        check_text(config)
        self.pvh = kind == 2
        self.say("  schema %d type %d uuid %s" % (schema, kind, uuid.hex()), "  json " + show(json),
                 "  config " + show(config))

    def read_layout(self, b):
        schema, count, n, reserved = b.take("IIII")
        need(count <= 8)
        emulators = [b.take("II") for _ in range(count)]
        json = b.bytes(n)
        b.end()
        dmids = {dmid for dmid, _ in emulators}
        need(schema >= 1 and reserved == 0 and len(dmids) == count and max(dmids, default=0) <= 7)
        need(all(flags <= 1 for _, flags in emulators) and sum(flags for _, flags in emulators) == min(count, 1))
        check_json(json)
        need(count <= 1 if self.pvh else count >= 1, "emulators")
        self.say("  schema %d emulators %d" % (schema, count))
        self.say(*("  emulator dmid %d flags 0x%x" % e for e in emulators))
        self.say("  json " + show(json))
        self.dmids = dmids

    def read_devices(self, b):
        schema, n = b.take("II")
        json = b.bytes(n)
        b.end()
        need(schema >= 1)
        check_json(json)
        self.say("  schema %d" % schema, "  json " + show(json))

    def read_vcpus(self, b):
        most, reserved = b.take("II")
        need(1 <= most <= 4096)
        words = [b.take("Q") for _ in range((most + 63) // 64)]
        b.end()
        online = sum(w << 64 * i for i, w in enumerate(words))
        need(reserved == 0 and online != 0 and online >> most == 0)
        self.say("  max %d online %s" % (most, " ".join("%016x" % w for w in words)))

    def read_memory(self, b):
        pfns, most, owned, target, static, video, pool, shift, count = b.take("QQQQQQQII")
        need(1 <= pfns <= 1 << 40 and shift == 12 and count <= 128)
        self.say("  pfns %d max %d owned %d" % (pfns, most, owned),
                 "  target %d static-max %d videoram %d paging-pool %d" % (target, static, video, pool))
        end = 0
        for _ in range(count):
            start, size, kind, reserved = b.take("QQII")
            need(start >= end and size and kind and not reserved and start + size < 1 << 64)
            end = start + size
            self.say("  e820 0x%x 0x%x type %d" % (start, size, kind))
        b.end()
        self.pfn_count = pfns

    def read_cpu_policy(self, b):
        leaves, msrs = b.take("II")
        need(leaves <= 1024 and msrs <= 1024)
        before = None
        for _ in range(leaves):
            leaf = b.take("6I")
            need(before is None or leaf[:2] > before)
            before = leaf[:2]
            self.say("  leaf " + " ".join("%08x" % v for v in leaf))
        before = -1
        for _ in range(msrs):
            index, flags, value = b.take("IIQ")
            need(index > before)
            before = index
            self.say("  msr %08x flags 0x%x %016x" % (index, flags, value))
        b.end()

    def read_pages(self, b):
        head = b.take("IBBHQQIIII")
        number, codec, flags, reserved, first, span, runs_length, data_pages, raw_length, payload_length = head
        need(flags == 0 and reserved == 0 and codec <= 1 and span >= 1 and first + span <= 1 << 40)
        need(data_pages <= min(2048, span) and raw_length == 4096 * data_pages and 1 <= runs_length <= 18432)
        need(payload_length == raw_length if codec == 0 else 1 <= payload_length < raw_length)
        need(40 + runs_length + payload_length == len(b.data))

        def finish():
            need(first + span <= self.pfn_count)
            need(first >= self.next_pfn, "pass")
            self.next_pfn = first + span
            self.pass_records += 1
            self.pass_data += data_pages
            self.data_pages += data_pages
            self.say("  pass %d codec %d first 0x%x span %d data %d runs-length %d payload-length %d"
                     % (number, codec, first, span, data_pages, runs_length, payload_length))
            self.runs(b.bytes(runs_length), first, span, data_pages)
            self.contents(b.bytes(payload_length), codec, raw_length)
        return finish

    def runs(self, table, first, span, data_pages):
        at, pfn, before, listed, data, runs = 0, first, 5, 0, 0, []
        while at < len(table):
            value = shift = 0
            while True:
                need(at < len(table) and shift < 56)
                byte = table[at]
                at += 1
                value |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            need(byte or shift == 7)
            kind, length = value & 7, value >> 3
            need(kind <= 5 and kind != before and length >= 1)
            before = kind
            need(pfn + length <= first + span)
            if kind != 5:
                listed += length
                need(listed <= 2048)
                self.say("  run %s 0x%x %d" % (KINDS[kind], pfn, length))
            data += length if kind == 0 else 0
            pfn += length
            runs.append((kind, pfn - length, length))
        need(before != 5 and pfn == first + span and data == data_pages)
        return runs

    def contents(self, payload, codec, raw_length):
        if codec == 1:
            need(payload[:4] == bytes.fromhex("28b52ffd"))
            if shutil.which("zstd") is None:
                raise NoZstd
            done = subprocess.run(["zstd", "-dcq"], input=payload, capture_output=True, check=False)
            need(done.returncode == 0 and len(done.stdout) == raw_length)
            payload = done.stdout
        self.say("  contents %016x" % xxh3_64(payload))

    def read_pass_end(self, b):
        number, flags, records, data, pages, dirty, us = b.take("IIQQQQQ")
        need(flags <= 1 and data <= pages and not (flags and dirty))

        def finish():
            need(records == self.pass_records and data == self.pass_data, "totals")
            self.next_pass += 1
            self.pass_records = self.pass_data = self.next_pfn = 0
            self.last_pass = bool(flags)
            self.say("  pass %d flags 0x%x records %d data %d pages %d dirty %d us %d"
                     % (number, flags, records, data, pages, dirty, us))
        return finish

    def read_tsc_info(self, b):
        mode, khz, nsec, incarnation, reserved = b.take("IIQII")
        need(reserved == 0)
        self.say("  mode %d khz %d nsec %d incarnation %d" % (mode, khz, nsec, incarnation))

    def read_hvm_params(self, b):
        count, reserved = b.take("II")
        need(count <= 1024 and reserved == 0)
        before = -1
        for _ in range(count):
            index, value = b.take("QQ")
            need(index > before)
            before = index
            self.say("  param %d 0x%x" % (index, value))
        b.end()

    def read_xenstore(self, b):
        count, reserved = b.take("II")
        need(count <= 8192 and reserved == 0)
        before = None
        for _ in range(count):
            root, dmid, access, reserved, n, m = b.take("BBBBHH")
            key, value = b.bytes(n), b.bytes(m)
            need(root <= 4 and (dmid <= 7 or dmid == 255) and access <= 7 and reserved == 0)
            need(1 <= n <= 2048 and m <= 4096 and all(key.split(b"/")))
            need(all(chr(c).isascii() and (chr(c).isalnum() or chr(c) in "-_@:.+/") for c in key))
            need(before is None or (root, dmid, key) > before)
            before = (root, dmid, key)
            self.say("  node root %d dmid %d access %d %s" % (root, dmid, access, key.decode()), "  value " + show(value))
        b.end()

    def read_device_state(self, b):
        dmid, form, n, digest = b.take("IIQ16s")
        need(n >= 1 and n == len(b.data) - 32 and dmid <= 7 and form <= 1)
        need(xxh3_128(b.bytes(n)) == digest)
        self.say("  dmid %d format %d bytes %d digest %s" % (dmid, form, n, digest.hex()))
        return lambda: self.states.add(dmid)

    def read_note(self, b):
        check_text(b.data)
        self.say("  text " + show(b.data))

    def read_parent(self, b):
        ident, digest, n, reserved = b.take("16s16sII")
        name = b.bytes(n)
        b.end()
        need(reserved == 0 and n <= 255 and b"/" not in name)
        check_text(name)
        self.say("  id %s digest %s" % (ident.hex(), digest.hex()), "  name " + show(name))

    def read_page_hashes(self, b):
        first, span, runs_length, data_pages = b.take("QQII")
        need(span >= 1 and first + span <= 1 << 40 and 1 <= runs_length <= 18432 and data_pages <= min(2048, span))
        table = b.bytes(runs_length)
        hashes = [b.bytes(16) for _ in range(data_pages)]
        b.end()

        def finish():
            need(first + span <= self.pfn_count)
            need(first >= self.next_hash, "order")
            self.next_hash = first + span
            self.say("  first 0x%x span %d data %d runs-length %d" % (first, span, data_pages, runs_length))
            self.say(*("  hash " + h.hex() for h in hashes))
            runs = self.runs(table, first, span, data_pages)
            if self.fixed:
                self.data_pages += data_pages
                self.placed(runs, hashes)
        return finish

    # ---- fixed layout: section 5.21 ----
    def read_places(self, b):
        count, reserved = b.take("II")
        need(1 <= count <= 4096 and reserved == 0)
        entries, due = [b.take("QQ") for _ in range(count)], 0
        b.end()
        for first, pages in entries:
            need(first >= due and pages >= 1 and first + pages <= 1 << 40)
            due = first + pages + 1

        def finish():
            need(entries[-1][0] + entries[-1][1] <= self.pfn_count)
            need(sum(pages for _, pages in entries) == self.area_pages, "area")
            self.places = entries
            self.say(*("  place 0x%x %d" % e for e in entries))
        return finish

    def find_place(self, pfn, length):
        before = 0
        for first, pages in self.places:
            if first <= pfn and pfn + length <= first + pages:
                return before + pfn - first
            before += pages
        raise Fault("area")

    def empty(self, place):
        need(not any(self.data[4096 * (self.empty_to + 1):4096 * (place + 1)]), "area")

    def placed(self, runs, hashes):
        """Between the pages there is nothing; and they are what their hashes say."""
        found = []
        for kind, pfn, length in runs:
            if kind != 0:
                continue
            place = self.find_place(pfn, length)
            self.empty(place)
            self.empty_to = place + length
            found += [self.data[4096 * (p + 1):4096 * (p + 2)] for p in range(place, place + length)]
        need(all(xxh3_128(page) == h for page, h in zip(found, hashes)), "hash")
        self.say("  contents %016x" % xxh3_64(b"".join(found)))

    def read_freeze(self, b):
        time, ms, flags, n, m = b.take("QIIII")
        command, output = b.bytes(n), b.bytes(m)
        b.end()
        need(flags <= 1 and 1 <= n <= 4096 and m <= 32768)
        check_text(command)
        check_text(output)
        self.say("  time %d ms %d flags 0x%x" % (time, ms, flags), "  command " + show(command),
                 "  output " + show(output))

    def read_index(self, b):
        count, reserved = b.take("II")
        need(count <= 65536 and reserved == 0)
        offset_before = number_before = None
        self.index = []
        for _ in range(count):
            offset, number, kind, tag, key, chain = b.take("QQIIQQ")
            need(offset >= 64 and offset % 8 == 0)
            need(offset_before is None or (offset >= offset_before + 40 and number > number_before))
            offset_before, number_before = offset, number
            self.index.append((offset, number, kind, tag, key, chain))
            self.say("  entry %d offset %d %s tag %d key 0x%x chain %016x"
                     % (number, offset, name_of(kind), tag, key, chain))
        b.end()
        self.index_at = self.at

    def read_end(self, b):
        records, length, data, index, digest = b.take("QQQQ16s")

        def finish():
            need((records, length, data, index) == (self.number, self.at, self.data_pages, self.index_at), "totals")
            need(digest == xxh3_128(self.headers), "digest")
            need(len(self.data) == self.at + 88, "trailing")
            self.say("end records %d bytes %d data %d index %d digest %s" % (records, length, data, index, digest.hex()))
        return finish

    def read_all(self):
        self.place = "header at offset 0"
        self.header()
        while self.record():
            pass
        if self.fixed:
            self.place = "area at offset 4096"
            self.empty(self.area_pages)


def dump(data):
    """(text, good) of a stream."""
    reader = Reader(data)
    try:
        reader.read_all()
    except Fault as fault:
        return "error %s %s: %s\n" % ("stream-version" if fault.version else "stream", reader.place, fault.rule), False
    return "\n".join(reader.out) + "\n", True


def expect(folder):
    names = sorted(n[:-4] for n in os.listdir(folder) if n.endswith(".cvy"))
    bad = skipped = 0
    for name in names:
        with open(os.path.join(folder, name + ".cvy"), "rb") as f:
            data = f.read()
        with open(os.path.join(folder, name + ".expect"), encoding="ascii") as f:
            wanted = f.read()
        try:
            text, _ = dump(data)
        except NoZstd:
            skipped += 1
            continue
        if text != wanted:
            bad += 1
            print("%s: differs\n  wanted: %s\n  got:    %s" % (name, wanted[:200], text[:200]))
    print("%s: %d vectors, %d differ, %d skipped (no zstd)" % (folder, len(names), bad, skipped))
    return bad or not names


def main(args):
    if args[:1] == ["--expect"]:
        return 1 if sum(bool(expect(folder)) for folder in args[1:]) else 0
    good = True
    for path in args:
        with open(path, "rb") as f:
            text, fine = dump(f.read())
        good &= fine
        if len(args) > 1:
            print("file", path)
        sys.stdout.write(text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
