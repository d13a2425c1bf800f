"""Runs SQL statements, one an argument, and prints the rows of the last one as a line of JSON."""

import json
import sys

from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("sql").getOrCreate()
for statement in sys.argv[1:]:
    rows = spark.sql(statement).collect()
print("rows", json.dumps([row.asDict() for row in rows], default=str), flush=True)
spark.stop()
