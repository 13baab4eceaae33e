//! The transcoder: live ladders through ffmpeg-next, in a process of its own
