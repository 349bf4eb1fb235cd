"""The advice's words: every sentence that the rules of `app.advice` have codes for, and nowhere else."""
