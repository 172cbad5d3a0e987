"""The ledger's tables; the only DDL.

One file is one job. `job` says what the ledger is for, `command` who worked on it, `entry` holds one
line for each input row that was looked at (`digest` tells what its create sent, `undo_at` when an undo set out
to delete its customer), `payload` what is kept only until the row succeeds, `image` what
an update replaced (kept until an undo has put it back), `customer` the account's customers as last read (a cache
for dedupe), with `slice` for what is still to be read, and `interval` and `slow` what the commands measured, for the
report (see `sampling`). `entry.owned_method` tells which row alone may have a payment method.
"""

from __future__ import annotations

VERSION = 4
APPLICATION_ID = 0x42494D50
"""`BIMP`: tells a ledger from any other SQLite file."""

IMAGE = """
CREATE TABLE image (
    number INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    target TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    attached TEXT,
    note TEXT,
    PRIMARY KEY (number, generation)
) WITHOUT ROWID;
"""
MEASURED = """
CREATE TABLE interval (
    began INTEGER PRIMARY KEY,
    width INTEGER NOT NULL,
    facts TEXT NOT NULL
);
CREATE TABLE slow (
    number INTEGER PRIMARY KEY,
    seconds REAL NOT NULL,
    attempts INTEGER NOT NULL
);
"""
METHODS = "CREATE INDEX entry_method ON entry(owned_method) WHERE owned_method IS NOT NULL;"
UPGRADES = {1: IMAGE, 2: MEASURED, 3: f"ALTER TABLE entry ADD COLUMN owned_method TEXT; {METHODS}"}
"""What makes a ledger of this older version one of the next."""

TABLES = (
    """
CREATE TABLE job (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    facts TEXT NOT NULL,
    chunks BLOB NOT NULL
);
CREATE TABLE command (
    id INTEGER PRIMARY KEY,
    verb TEXT NOT NULL,
    started_at REAL NOT NULL,
    ended_at REAL,
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    boot TEXT,
    boot_offset REAL,
    exit_code INTEGER,
    reason TEXT,
    facts TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE entry (
    number INTEGER PRIMARY KEY,
    line INTEGER NOT NULL,
    source_id TEXT,
    email TEXT,
    owned_key TEXT,
    status TEXT NOT NULL,
    owner INTEGER,
    customer_id TEXT,
    target TEXT,
    generation INTEGER NOT NULL DEFAULT 0,
    claimed_at REAL,
    stripe_time REAL,
    key_fingerprint TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    attempted_at REAL,
    doubt TEXT,
    error_type TEXT,
    error_code TEXT,
    error_param TEXT,
    error_message TEXT,
    http_status INTEGER,
    request_id TEXT,
    settled_at REAL,
    digest TEXT,
    undo_at REAL,
    owned_method TEXT
);
CREATE UNIQUE INDEX one_owner_per_email ON entry(owned_key) WHERE owned_key IS NOT NULL;
CREATE INDEX duplicates_of ON entry(owner) WHERE owner IS NOT NULL;
CREATE INDEX entry_customer ON entry(customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX entry_status ON entry(status);
CREATE INDEX entry_undo ON entry(number) WHERE undo_at IS NOT NULL;
CREATE TABLE payload (
    number INTEGER PRIMARY KEY,
    params TEXT,
    fields TEXT
);
CREATE TABLE customer (
    id TEXT PRIMARY KEY,
    email_key TEXT,
    email TEXT,
    created INTEGER NOT NULL,
    marker TEXT
) WITHOUT ROWID;
CREATE INDEX customer_email ON customer(email_key);
CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    begun_at REAL NOT NULL,
    finished_at REAL,
    newest INTEGER NOT NULL DEFAULT 0
);
"""
    + IMAGE
    + MEASURED
    + METHODS
)

SLICES = """
CREATE TABLE IF NOT EXISTS slice (
    id INTEGER PRIMARY KEY,
    low INTEGER,
    high INTEGER,
    cursor TEXT,
    oldest INTEGER,
    read_at REAL NOT NULL
)
"""
# A cache like the customers themselves, so a ledger that has none yet simply gets it: no new version of the schema.

# `entry.status` is indexed for tallies and for the rows at rest; it costs one small write a change.
