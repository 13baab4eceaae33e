-- Times are Unix milliseconds.
CREATE TABLE videos (
    id         TEXT PRIMARY KEY,
    title      TEXT NOT NULL,
    state      TEXT NOT NULL,
    key_hash   BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at   INTEGER,
    epoch      INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX videos_by_age ON videos (created_at, id);

CREATE TABLE comments (
    video      TEXT NOT NULL REFERENCES videos (id),
    seq        INTEGER NOT NULL,
    author     TEXT NOT NULL,
    text       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (video, seq)
) STRICT, WITHOUT ROWID;
