"""What a ledger says once the work is done: the closing summary and the exports."""
