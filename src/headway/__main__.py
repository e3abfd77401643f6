"""`python -m headway`."""

from headway.cli.app import main

main()
