//! Sans-IO statistics: event schema, validation, deduplication, rollup fold
