"""The command `python -m semcal_utils.regenerate`."""

import sys

from semcal_utils.regenerate import main

if __name__ == "__main__":
    sys.exit(main())
