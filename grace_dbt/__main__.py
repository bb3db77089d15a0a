"""`python -m grace_dbt` is `grace-dbt`."""

from grace_dbt.cli.app import main

if __name__ == "__main__":
    main()
