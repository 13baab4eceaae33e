-- Who sent the events, and how their values are spread: see the cell module of the stats crate.
-- Empty for types without.
ALTER TABLE rollups ADD COLUMN sketches BLOB NOT NULL DEFAULT x'';

-- Beside videos there is the sum of all videos of each partition: 'all.' and its number. What was
-- counted before stands in the first one; asked for is the sum over partitions.
INSERT INTO rollups (video, event, tier, start, count, sum)
    SELECT 'all.0', event, tier, start, SUM(count), SUM(sum) FROM rollups
    GROUP BY event, tier, start;

DROP INDEX rollups_by_age;
CREATE INDEX rollups_by_time ON rollups (tier, event, start);

-- The same broken down by one dimension: see the breakdown module of the stats crate.
CREATE TABLE breakdowns (
    video     TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    tier      INTEGER NOT NULL,
    start     INTEGER NOT NULL,
    cells     BLOB NOT NULL,
    PRIMARY KEY (video, dimension, tier, start)
) STRICT, WITHOUT ROWID;

CREATE INDEX breakdowns_by_age ON breakdowns (tier, start);

-- One row if there were counts before sketches and breakdowns were kept.
CREATE TABLE sketched_since (
    time INTEGER NOT NULL
) STRICT;

INSERT INTO sketched_since
    SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000 WHERE EXISTS (SELECT 1 FROM rollups);
