"""Runs the named cases: a line before each and one with its outcome after it.

`python -m sweep_worker` reads case names from standard input, one a line. When the process dies,
the last name that was begun is the one that killed it.
"""

import sys

from sweep_cases import operator_cases
from sweep_constructors import constructor_cases

CASES = {**operator_cases(), **constructor_cases()}


def main() -> None:
    """Prints `begin NAME` and then `ok NAME` or `broken NAME: reason`."""
    for name in sys.stdin.read().splitlines():
        print(f"begin {name}", flush=True)
        try:
            CASES[name]()
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"broken {name}: {reason}", flush=True)
        else:
            print(f"ok {name}", flush=True)


if __name__ == "__main__":
    main()
