"""Iceberg's maintenance without any caution: what a table has to survive. Arguments: the catalog, the table.

Everything that can go goes: all snapshots but the last, every file that no snapshot names and that is older than a day
(the procedure takes no younger ones: the tests make them all older), and all data files are written anew.
"""

import sys
from datetime import datetime, timedelta, timezone

from pyspark.sql import SparkSession

catalog, table = sys.argv[1:]
spark = SparkSession.builder.appName("maintain").getOrCreate()
spark.conf.set("spark.sql.session.timeZone", "UTC")


def call(procedure: str, arguments: str = "") -> None:
    rows = spark.sql(f"call {catalog}.system.{procedure}(table => '{table}'{arguments})").collect()
    print(procedure, [row.asDict() for row in rows], flush=True)


now = datetime.now(timezone.utc)
# First, so that the last snapshot is the light worker's: one that names the ledger has to stay (docs/ledger.md).
call("expire_snapshots", f", older_than => timestamp '{now + timedelta(hours=1):%Y-%m-%d %H:%M:%S}', retain_last => 1")
call("remove_orphan_files", f", older_than => timestamp '{now - timedelta(hours=25):%Y-%m-%d %H:%M:%S}'")
call("rewrite_data_files", ", options => map('rewrite-all', 'true')")
call("rewrite_manifests")
spark.stop()
