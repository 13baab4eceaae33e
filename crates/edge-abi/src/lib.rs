//! The codec between the edge guest and its host
