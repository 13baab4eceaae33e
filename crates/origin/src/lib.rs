//! The origin: ingest sockets, live windows, storage, comments, events, HTTP API
