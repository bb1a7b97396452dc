"""Number of what the simulator draws, by which Snakemake decides whether databases must be simulated again."""

# To the workflow a simulated database is raw data, which depends on this number and on no code. Raise it when a seed
# gives other files than before; tests/simulation/test_version.py fails if they are others under the old number.
DRAWN = 3
