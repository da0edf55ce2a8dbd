"""Memory of the process that computes: what XLA on CPU gives back is kept for its next program."""

import ctypes
import gc

ARENA_BYTES = 4 * 2**30  # bytes of address space that go on large pages; training here takes less
YOUNG = 50_000  # objects made since the last collection of garbage, before the next; Python's own is 700


def collect_rarely() -> None:
    """Looks for garbage in cycles less often: a quarter of the time to the first update can go to that.

    Reading a corpus and tracing make objects by the million, nearly all of which stay; each full collection visits
    all of them. Arrays are not in cycles, and are freed as before.
    """
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])


def keep_memory() -> None:
    """Keeps what a compiled program gave back for the next one, on large pages, where the C library is glibc.

    XLA on CPU asks for a program's temporaries, hundreds of MiB, anew at each call, and glibc returns them
    to the system in between: a third of a training step can go to page faults. Large pages take a tenth off
    what is left. Nothing happens elsewhere. To be called before JAX starts its threads.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        mallopt, malloc, free, madvise = libc.mallopt, libc.malloc, libc.free, libc.madvise
    except (OSError, AttributeError):
        return
    arena_max, mmap_max, trim_threshold = -8, -4, -1  # of malloc.h
    mallopt(arena_max, 1)  # other threads' arenas would map large blocks all the same
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, -1)  # never

    page, hugepage = 2**21, 14  # of x86 and most ARM; of madvise
    malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    free.argtypes = [ctypes.c_void_p]
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    arena = malloc(ARENA_BYTES)  # addresses only: a page is taken when it is first written
    if arena:
        first = -(-arena // page) * page
        madvise(first, (arena + ARENA_BYTES - first) // page * page, hugepage)
        free(arena)
