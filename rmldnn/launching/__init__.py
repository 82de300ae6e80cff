"""Starting the processes of a run: on this machine, on several by ssh, as a job of SLURM. Imports no torch."""
