//! Cloudflare Durable Objects for rooms, around edge-worker's room rules
