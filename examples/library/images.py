#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""images FILE...: one line for each image: its guest, its emulators, its size; whole or damaged.  libconvoy through
ctypes, nothing else: the structures below are those of convoy/convoy.h."""
import ctypes
import json
import os
import sys


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("sys", ctypes.c_int), ("text", ctypes.c_char * 768)]


class ImageOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("threads", ctypes.c_uint), ("cancel", ctypes.c_void_p),
                ("parents", ctypes.POINTER(ctypes.c_char_p))]


lib = ctypes.CDLL("libconvoy.so.0")
lib.convoy_version.restype = ctypes.c_char_p
lib.convoy_inspect_fd.argtypes = [ctypes.c_int, ctypes.POINTER(ImageOptions), ctypes.POINTER(ctypes.c_void_p),
                                  ctypes.POINTER(Error)]
lib.convoy_free.argtypes = [ctypes.c_void_p]


def inspect(path):
    """(what is in it, as a dictionary, or None; why it cannot be trusted, or None)"""
    # Images below an incremental one lie in the same folder.
    folders = (ctypes.c_char_p * 2)(os.fsencode(os.path.dirname(os.path.abspath(path))), None)
    options = ImageOptions(size=ctypes.sizeof(ImageOptions), parents=folders)
    text, error = ctypes.c_void_p(), Error()
    fd = os.open(path, os.O_RDONLY)
    try:
        rc = lib.convoy_inspect_fd(fd, options, text, error)
    finally:
        os.close(fd)
    shown = json.loads(ctypes.string_at(text.value)) if text.value else None
    lib.convoy_free(text)
    return shown, None if rc == 0 else error.text.decode("utf-8", "replace")


def main():
    bad = 0
    print(f"libconvoy {lib.convoy_version().decode()}")
    for path in sys.argv[1:]:
        shown, why = inspect(path)
        bad |= why is not None
        shown = shown or {}
        guest = ((shown.get("guest") or {}).get("facts") or {}).get("name", "?")
        emulators = len((shown.get("layout") or {}).get("order") or [])
        print(f"{path}: '{guest}', {emulators} emulators, {os.path.getsize(path)} bytes, {why or 'whole'}")
    return int(bad)


sys.exit(main())
