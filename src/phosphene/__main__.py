"""`python -m phosphene` is `phosphene`."""

from phosphene.cli import main

if __name__ == "__main__":
    main()
