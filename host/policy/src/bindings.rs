//! The guest contract as Rust, generated from `wit/filter.wit`. No rules live here.
#![allow(missing_docs, unreachable_pub, clippy::all)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "opener",
    imports: { default: trappable },
    trappable_error_type: {
        "waxseal:filter/types.error" => crate::host::Refusal,
    },
    with: {
        "waxseal:filter/types.certificate": crate::host::handles::CertificateHandle,
        "waxseal:filter/mail.message": crate::host::handles::MessageHandle,
        "waxseal:filter/mail.part": crate::host::handles::PartHandle,
        "waxseal:filter/session.transaction": crate::host::handles::TransactionHandle,
        "waxseal:filter/certificates.candidates": crate::host::handles::CandidatesHandle,
        "waxseal:filter/protect.options": crate::host::handles::OptionsHandle,
        "waxseal:filter/inspect.signature": crate::host::handles::SignatureHandle,
        "waxseal:filter/inspect.layer": crate::host::handles::LayerHandle,
    },
});
