"""The flags of a command that several processes run together, and how they join."""

from typing import Any

import jax
from absl import flags

from experiments import command

COORDINATOR = flags.DEFINE_string(
    "coordinator",
    None,
    "Where processes that train one run together find each other: HOST:PORT of the first, or 'auto' on TPU pods and "
    "under SLURM or Open MPI, which tell JAX. All of them need the same --workdir, on a shared disk.",
)
PROCESSES = flags.DEFINE_integer("processes", None, "How many they are; not for 'auto'.", 1)
PROCESS = flags.DEFINE_integer("process", None, "Which of them this is, from 0; not for 'auto'.", 0)


def connect() -> None:
    """Joins the other processes, where there are others. To be called before JAX computes anything.

    Raises Refusal where the flags do not say who this is, or the others did not come.
    """
    where, count, number = COORDINATOR.value, PROCESSES.value, PROCESS.value
    if where is None and count is None and number is None:
        return
    if where == "auto":
        given: dict[str, Any] = {}
    elif where is None or count is None or number is None or number >= count:
        raise command.Refusal(
            "processes that train together need --coordinator=HOST:PORT, --processes=N and --process=i, from 0 to "
            "N-1; or --coordinator=auto"
        )
    else:
        given = {"coordinator_address": where, "num_processes": count, "process_id": number}
    try:
        jax.distributed.initialize(**given)
    except (RuntimeError, ValueError) as error:
        raise command.Refusal(f"--coordinator={where}: {str(error).splitlines()[0]}") from error
