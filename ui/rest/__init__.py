"""What programs and the page are served under `/api`."""
