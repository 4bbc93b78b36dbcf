"""Records that come in by CSV and XLSX files: tried first, brought in by a job, and undone if need be."""
