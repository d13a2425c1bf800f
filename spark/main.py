"""The job as a file for spark-submit: `spark-submit main.py REQUEST`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from event_ingest_job.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
