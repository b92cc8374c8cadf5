//! SMTP and LMTP server: an after-queue content filter in front of a [`waxseal_relay::Relay`].
