-- Packed blocks of events, one log per partition. Times are Unix milliseconds.
CREATE TABLE blocks (
    partition   INTEGER NOT NULL,
    "offset"    INTEGER NOT NULL,
    batch       BLOB NOT NULL,
    appended_at INTEGER NOT NULL,
    block       BLOB NOT NULL,
    UNIQUE (partition, "offset"),
    UNIQUE (partition, batch)
) STRICT;
