-- Times are Unix milliseconds.
-- tier: 0 minute, 1 hour, 2 day. event: code of the type in the schema table.
CREATE TABLE rollups (
    video TEXT NOT NULL,
    event INTEGER NOT NULL,
    tier  INTEGER NOT NULL,
    start INTEGER NOT NULL,
    count INTEGER NOT NULL,
    sum   INTEGER NOT NULL,
    PRIMARY KEY (video, event, tier, start)
) STRICT, WITHOUT ROWID;

CREATE INDEX rollups_by_age ON rollups (tier, start);

-- What each session has done with each video: see the viewer module of the stats crate.
CREATE TABLE viewers (
    video         TEXT NOT NULL,
    session       TEXT NOT NULL,
    last_received INTEGER NOT NULL,
    state         BLOB NOT NULL,
    PRIMARY KEY (video, session)
) STRICT, WITHOUT ROWID;

CREATE INDEX viewers_by_age ON viewers (last_received);

-- The offset up to which the log of each partition is in the tables above.
CREATE TABLE consumers (
    partition INTEGER PRIMARY KEY,
    epoch     INTEGER NOT NULL,
    "offset"  INTEGER NOT NULL
) STRICT;
