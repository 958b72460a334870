"""What test files import; fixtures are in the `conftest.py` files, which nothing imports."""
