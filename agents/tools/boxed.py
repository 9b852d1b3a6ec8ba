"""The first program in a box: it gives up what no script needs, and then becomes the script.

    python -I boxed.py is_box language work script

It is run by its file, never imported by the bot, and knows the standard library alone. The kernel's doors that the
namespaces of a box leave open are shut by a filter on system calls, for this process and all after it: memory that
belongs to no process (nobody could count it), sockets that no namespace holds back, the machine's key rings, namespaces
of its own. The work folder comes last on Python's path, and nothing in it is started by itself: what was signed is the
script, not a `json.py` or `sitecustomize.py` that somebody left there.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import runpy
import struct
import sys
from collections.abc import Iterator

NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2  # linux/prctl.h, linux/seccomp.h
LOAD, EQUALS, AT_LEAST, HAS_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # linux/bpf_common.h
ALLOW, REFUSE, MISSING = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
NUMBER, MACHINE, FIRST = 0, 4, 16  # where struct seccomp_data holds the call, the machine and the first argument
NEW_USER = 0x10000000  # CLONE_NEWUSER
FAMILIES = (1, 2, 10, 16)  # unix, IPv4, IPv6, netlink: those that a network namespace holds back
OTHER_CALLS = 0x40000000  # x86's second table of the same calls

# By machine: its mark; socket, clone, clone3; and the calls that are refused: shmget, msgget, memfd_create,
# memfd_secret, add_key, request_key, keyctl, unshare, setns, io_uring_setup, bpf, perf_event_open, userfaultfd
# (asm/unistd.h).
MACHINES = {
    "x86_64": (0xC000003E, 41, 56, 435, (29, 68, 319, 447, 248, 249, 250, 272, 308, 425, 321, 298, 323)),
    "aarch64": (0xC00000B7, 198, 220, 435, (194, 186, 279, 447, 217, 218, 219, 97, 268, 425, 280, 241, 282)),
}


def main(is_box: str, language: str, work: str, script: str) -> None:
    if is_box == "yes":
        shut(platform.machine())
    if language == "sh":
        os.execv("/bin/sh", ["/bin/sh", script])
    sys.argv = [script]
    sys.path.append(work)
    runpy.run_path(script, run_name="__main__")


def shut(machine: str) -> None:
    """Raises KeyError for a machine whose calls are not known here, OSError where the kernel has no filters."""
    steps = b"".join(program(machine))
    held = ctypes.create_string_buffer(steps, len(steps))
    told = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps) // 8, ctypes.addressof(held)))
    kernel = ctypes.CDLL(None, use_errno=True)
    for words in ((NO_NEW_PRIVILEGES, 1, 0, 0, 0), (SECCOMP, FILTER, ctypes.addressof(told), 0, 0)):
        if kernel.prctl(*(ctypes.c_ulong(word) for word in words)):
            raise OSError(ctypes.get_errno(), "the filter on system calls cannot be set")


def program(machine: str) -> Iterator[bytes]:
    """The filter. Each test is followed by the answer it decides: a jump is never longer than over one step."""
    mark, socket, clone, clone3, refused = MACHINES[machine]
    yield from (_step(LOAD, MACHINE), _step(EQUALS, mark, 1, 0), _step(RETURN, REFUSE), _step(LOAD, NUMBER))
    yield from (_step(AT_LEAST, OTHER_CALLS, 0, 1), _step(RETURN, REFUSE))
    for number in refused:
        yield from (_step(EQUALS, number, 0, 1), _step(RETURN, REFUSE))
    yield from (_step(EQUALS, clone3, 0, 1), _step(RETURN, MISSING))  # its flags are out of sight; clone's are not
    yield from (_step(EQUALS, clone, 0, 4), _step(LOAD, FIRST), _step(HAS_BIT, NEW_USER, 0, 1), _step(RETURN, REFUSE))
    yield _step(RETURN, ALLOW)
    yield from (_step(EQUALS, socket, 1, 0), _step(RETURN, ALLOW), _step(LOAD, FIRST))
    for family in FAMILIES:
        yield from (_step(EQUALS, family, 0, 1), _step(RETURN, ALLOW))
    yield _step(RETURN, REFUSE)


def _step(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_so, if_not, value)


if __name__ == "__main__":
    main(*sys.argv[1:])
