"""The flags of a command that several processes run together, and the connection between the processes."""

from typing import Any

import jax
from absl import flags

from experiments import command

COORDINATOR = flags.DEFINE_string(
    "coordinator",
    None,
    "The address of the coordinator of the processes that train one run together: HOST:PORT of the first process, or "
    "'auto' on TPU pods and under SLURM or Open MPI, where JAX detects it. All processes need the same --workdir, on a "
    "shared disk.",
)
PROCESSES = flags.DEFINE_integer(
    "processes", None, "The number of processes; it is omitted with 'auto'.", 1
)
PROCESS = flags.DEFINE_integer(
    "process", None, "The index of this process, from 0; it is omitted with 'auto'.", 0
)


def connect() -> None:
    """Connects to the other processes, if there are any. It must be called before JAX computes anything.

    Raises Refusal if the flags are incomplete, or if the other processes do not connect.
    """
    address, count, number = COORDINATOR.value, PROCESSES.value, PROCESS.value
    if address is None and count is None and number is None:
        return
    if address == "auto":
        options: dict[str, Any] = {}
    elif address is None or count is None or number is None or number >= count:
        raise command.Refusal(
            "processes that train together need --coordinator=HOST:PORT, --processes=N and --process=i, from 0 to "
            "N-1; or --coordinator=auto"
        )
    else:
        options = {"coordinator_address": address, "num_processes": count, "process_id": number}
    try:
        jax.distributed.initialize(**options)
    except (RuntimeError, ValueError) as error:
        raise command.Refusal(f"--coordinator={address}: {str(error).splitlines()[0]}") from error
