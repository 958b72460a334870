"""What several test files share and import; fixtures are in the `conftest.py` files, which nothing
imports.
"""
