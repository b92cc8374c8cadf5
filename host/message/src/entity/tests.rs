use super::*;

fn parse(octets: &[u8]) -> Message {
    Message::parse(octets.to_vec(), &Limits::default()).unwrap()
}
