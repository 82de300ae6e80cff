"""`python -m rmldnn config.json`, for launchers that start modules (`torchrun -m rmldnn`)."""

import sys

from rmldnn.cli import main

if __name__ == "__main__":
    sys.exit(main())
