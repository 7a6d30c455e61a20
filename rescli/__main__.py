"""`python -m rescli`."""

from rescli.cli import main

if __name__ == "__main__":
    main()
