//! What the tests share: starting servers, encoders and browsers, reading what was served.
