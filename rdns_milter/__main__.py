"""`python -m rdns_milter` is the command rdns-milter."""

import sys

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
