"""The command `python -m semcal_utils.regenerate`."""

import os
import sys
import traceback

from semcal_utils.regenerate import main

if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        # Whoever read our lines, such as `head`, has gone: no reason to say anything.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        print(
            f"semcal_utils.regenerate: this is a mistake of the workbook, not yours "
            f"({type(error).__name__}: {reason}). What was finished is kept. Please report what "
            "follows.",
            file=sys.stderr,
        )
        traceback.print_exc()
        sys.exit(1)
