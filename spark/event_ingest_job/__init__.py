"""The Spark job of event-ingest: stages one append on a branch of its own, which the light worker publishes.

| module | what it decides or does |
|---|---|
| `cli`, `settings` | flags, environment, exit codes |
| `job` | the order of things: look, plan, stage, look again, post |
| `request`, `objects`, `listing` | the request, the versions of its objects, the list of what was staged |
| `store`, `documents` | objects of S3, read under one version; small documents |
| `options`, `columns`, `added` | which column of a file is which of the table, and what fits |
| `parquet`, `text`, `csv_rows`, `json_rows`, `values` | rows of files as Arrow batches |
| `align` | from a file's batches to the table's columns |
| `files`, `tasks` | opening one file; what runs on executors |
| `table`, `publisher` | branches and appends; posting the event |
| `maintenance` | Iceberg's procedures with safe defaults, a program of its own |
"""
