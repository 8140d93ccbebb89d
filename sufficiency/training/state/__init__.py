"""What a job leaves behind in the trainer's process: compared, put back, or a reason for a new trainer."""
