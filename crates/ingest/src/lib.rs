//! Sans-IO ingest sessions: RTMP and FLV bytes in, media units out
