"""Numbers of the layouts of what is fetched, by which Snakemake decides whether it must be fetched again.

The rules that fetch depend on these numbers and on no code: checksums prove the content, and an update of the package
must not ask for a database anew. Raise a number when the layout changes, and only then: what was fetched by the old one
is deleted and fetched again, MIMIC-IV-ECG's 97 GB as well. ``tests/fetch/test_formats.py`` fails when a layout has
changed under its old number.
"""

# Files of the folder ``metadata``. Whoever raises it has the archives fetched again, too: they are made from its lists.
METADATA = 1
# The archive of a chunk, which records belong to the chunk, and the table of those that could not be had.
ARCHIVE = 1
# The table of a published split.
SPLIT = 1
