"""The composition root: chooses the parts of a job, wires them, opens and closes, and sums up."""

from bulk_import.job.importing import run_job
from bulk_import.job.retrying import retry_job
from bulk_import.job.undoing import undo_job
from bulk_import.job.verifying import verify_job

__all__ = ["retry_job", "run_job", "undo_job", "verify_job"]
