"""The composition root: chooses the parts of a job, wires them, opens and closes, and sums up.

Nothing is imported here: `status` asks only for what the ledger's log says (`history`), and must not wait for the engine.
"""
