//! What is counted and measured, through the facade `metrics`: whoever wires the service says
//! where it goes. The table stands in the documentation of the crate, and a test holds it.

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use waxseal_engine::{Generation, Outcome};
use waxseal_policy::FilterFailure;

use crate::line::Line;

/// Says what each metric is, with its unit. Call it once, when the recorder is there.
pub fn describe() {
    for (name, text) in [
        (
            "waxseal_messages_total",
            "Messages that ended, by result and listener",
        ),
        (
            "waxseal_overload_total",
            "Messages deferred for want of a worker, by reason",
        ),
        (
            "waxseal_panics_total",
            "Panics that were contained, by where",
        ),
        (
            "waxseal_filter_failures_total",
            "Failures of filters, by filter and code",
        ),
        (
            "waxseal_rollbacks_total",
            "Generations taken back, by who did it",
        ),
        (
            "waxseal_shadow_messages_total",
            "Messages that a candidate was asked about, by answer",
        ),
        (
            "waxseal_decisions_lost_total",
            "Decisions that were not recorded, by reason",
        ),
    ] {
        describe_counter!(name, Unit::Count, text);
    }
    for (name, text) in [
        ("waxseal_stage_seconds", "Time of one message, by stage"),
        (
            "waxseal_filter_seconds",
            "Time of one evaluation, by filter",
        ),
        (
            "waxseal_crypto_seconds",
            "Time of one message for opening, signing and encrypting",
        ),
    ] {
        describe_histogram!(name, Unit::Seconds, text);
    }
    describe_gauge!(
        "waxseal_in_flight",
        Unit::Count,
        "Messages between their arrival and their end"
    );
    describe_gauge!(
        "waxseal_generation",
        Unit::Count,
        "1 for the generation in service, 0 for others"
    );
    describe_gauge!(
        "waxseal_certificate_expiry_seconds",
        Unit::Seconds,
        "When an identity's certificate ends, in Unix seconds; NaN when it is not in service"
    );
}

/// A message ended.
pub(crate) fn message(line: &Line, outcome: &Outcome) {
    let listener = line.listener.clone().unwrap_or_default();
    counter!("waxseal_messages_total", "outcome" => line.result, "listener" => listener)
        .increment(1);
    let times = &line.times;
    for (stage, time) in [
        ("wait", times.wait),
        ("parse", times.parse),
        ("filters", times.filters),
        ("copies", times.copies),
        ("carry-out", times.carry_out),
        ("total", times.total),
    ] {
        histogram!("waxseal_stage_seconds", "stage" => stage).record(seconds(time));
    }
    let Some(decision) = &outcome.decision else {
        return;
    };
    histogram!("waxseal_crypto_seconds").record(seconds(times.crypto));
    let suspended = |failure: &FilterFailure| failure.code == "filter.suspended";
    let run = decision.trace.filters.iter();
    for filter in run.filter(|filter| !filter.failure.as_ref().is_some_and(suspended)) {
        histogram!("waxseal_filter_seconds", "filter" => filter.name.clone())
            .record(filter.elapsed.as_secs_f64());
    }
    for failure in &decision.failures {
        let labels = [
            ("filter", failure.filter.clone()),
            ("code", failure.code.to_owned()),
        ];
        counter!("waxseal_filter_failures_total", &labels).increment(1);
    }
}

#[allow(clippy::cast_precision_loss)] // a message of 285 years loses a microsecond
fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

/// A message was deferred at the door.
pub(crate) fn overload(reason: &'static str) {
    counter!("waxseal_overload_total", "reason" => reason).increment(1);
}

/// Code of ours panicked, and the message was deferred (or the comparison left out).
pub(crate) fn panicked(place: &'static str) {
    counter!("waxseal_panics_total", "in" => place).increment(1);
}

/// A message came (1) or ended (-1).
pub(crate) fn in_flight(change: f64) {
    gauge!("waxseal_in_flight").increment(change);
}

/// A generation took another's place.
pub(crate) fn generation(new: &Generation, old: Option<&Generation>) {
    if let Some(old) = old {
        gauge!("waxseal_generation", "id" => old.id().to_owned()).set(0.0);
        expiry(old, |_| f64::NAN);
    }
    gauge!("waxseal_generation", "id" => new.id().to_owned()).set(1.0);
    expiry(new, |end| end);
}

#[allow(clippy::cast_precision_loss)] // seconds until the year 285 million
fn expiry(generation: &Generation, value: impl Fn(f64) -> f64) {
    for own in generation.identities() {
        let certificate = &own.identity.certificate;
        let labels = [
            ("identity", own.identity.name.clone()),
            ("serial", certificate.serial().to_string()),
        ];
        gauge!("waxseal_certificate_expiry_seconds", &labels)
            .set(value(certificate.not_after().unix() as f64));
    }
}

/// A generation was taken back.
pub(crate) fn rollback(by: &'static str) {
    counter!("waxseal_rollbacks_total", "by" => by).increment(1);
}

/// A candidate was asked, or not.
pub(crate) fn shadow(answer: &'static str) {
    counter!("waxseal_shadow_messages_total", "answer" => answer, "shadow" => "true").increment(1);
}

/// A decision is not in the record.
pub(crate) fn decision_left_out(reason: &'static str) {
    counter!("waxseal_decisions_lost_total", "reason" => reason).increment(1);
}
