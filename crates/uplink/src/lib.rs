//! ONVIF Uplink chapter 5: the reverse tunnel, both ends.
