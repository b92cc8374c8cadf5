//! `peak OPERATION FILE`: octets of heap that an operation on a mail takes at most, the mail
//! included. A process of its own, because counting allocations takes time. `speed` runs it.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use peak_alloc::PeakAlloc;
use waxseal_benches::people::People;
use waxseal_benches::smime::{Operation, perform};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [operation, file] = &arguments[..] else {
        eprintln!("usage: peak OPERATION FILE");
        std::process::exit(64);
    };
    let operation = Operation::named(operation).unwrap();
    let people = People::load(std::path::Path::new(file).parent().unwrap());
    let before = HEAP.current_usage();
    let mail = Bytes::from(std::fs::read(file).unwrap());
    HEAP.reset_peak_usage();
    drop(perform(operation, &mail, &people));
    println!("{}", HEAP.peak_usage() - before);
}
