"""`python -m streams` is `healthbook`: how the supervisor starts its own children, whatever PATH says."""

from streams.cli import main

main()
