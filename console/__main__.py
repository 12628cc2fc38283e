"""`python -m console` is the command `mailbox-guard`."""

import sys

from console.main import main

if __name__ == "__main__":
    sys.exit(main())
