"""Memory settings of the process: glibc keeps the memory that XLA on CPU frees, for the next program."""

import ctypes
import gc

ARENA_BYTES = 4 * 2**30  # the address space with large pages; training on a CPU uses less
YOUNG = 50_000  # allocations between two garbage collections of the youngest generation; Python's default is 700


def collect_rarely() -> None:
    """Makes cyclic garbage collection rarer; it can take a quarter of the time before the first update.

    Reading a corpus and tracing create millions of objects, nearly all of which persist, and each full collection
    visits all of them. Arrays are not in cycles, and are freed as before.
    """
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])


def keep_memory() -> None:
    """Makes glibc keep freed memory for later allocations, on large pages; does nothing for other C libraries.

    XLA on CPU allocates a program's temporaries, hundreds of MiB, at each call, and by default glibc returns them to
    the system in between: page faults can take a third of the time of a training step. Large pages save a tenth of
    the remaining time. It must be called before JAX starts its threads.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        mallopt, malloc, free, madvise = libc.mallopt, libc.malloc, libc.free, libc.madvise
    except (OSError, AttributeError):
        return
    arena_max, mmap_max, trim_threshold = -8, -4, -1  # constants of malloc.h
    mallopt(arena_max, 1)  # the arenas of other threads would still map large blocks
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, -1)  # never trim

    page, hugepage = 2**21, 14  # the large page of x86 and most ARM; a constant of madvise
    malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    free.argtypes = [ctypes.c_void_p]
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    arena = malloc(ARENA_BYTES)  # reserves addresses: a page is allocated when it is first written
    if arena:
        first = -(-arena // page) * page
        madvise(first, (arena + ARENA_BYTES - first) // page * page, hugepage)
        free(arena)
