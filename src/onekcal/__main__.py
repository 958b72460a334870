"""`python -m onekcal`, so that torchrun can start it."""

from onekcal.cli.main import main

if __name__ == "__main__":
    main()
