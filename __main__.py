"""``python -m nnconform``."""

from .conformance.cli import main

if __name__ == "__main__":
    main()
