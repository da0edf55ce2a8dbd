"""A process in place of those that train, which imports nothing that takes long."""

import os


def worker(pipe, config, seed, times, count):
    """Writes its arguments, its number and its threads for each request that it answers."""
    while True:
        pipe.recv()
        with open(config["log"], "a", encoding="utf-8") as file:
            file.write(f"{seed} {times} {count} {os.environ['NPROC']} {os.getpid()}\n")
        pipe.send(None)
