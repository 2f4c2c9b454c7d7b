"""Entry point: runs the app and turns every expected error into one sentence on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from sparsegnn.cli.app import app
from sparsegnn.cli.errors import USER_ERRORS, sentence, usage_sentence

DEFECT = 1
BAD_INPUT = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The words after the program name; by default those of the process.

    Returns:
        Exit status: 0, 1 for a defect of this package, 2 for bad input, 130 after Ctrl-C.
    """
    try:
        status = app(args=arguments, prog_name="sparsegnn", standalone_mode=False)
    except USER_ERRORS as error:
        return _fail(sentence(error))
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if (text := usage_sentence(error)) is not None:
            return _fail(text)
        if sys.flags.dev_mode:
            raise
        _fail(f"internal error, {type(error).__name__}: {sentence(error)} (python -X dev shows it)")
        return DEFECT
    return status if isinstance(status, int) else 0


def _fail(text: str) -> int:
    print(f"error: {text}", file=sys.stderr)
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
