//! From the outside in: which layers there are, and what is left when some of them come off.
//!
//! The layers are taken off once, as far as the keys reach; [`open`], [`unwrap_signature`] and
//! [`decrypt`] are views of that. What an encrypted layer held is given out only when the layer
//! is in order: never when it is damaged or suspicious (rule 8).

use super::object::{Object, Taken, object, take};
use super::suspicious::{is_garbage, looks_like_an_attack};
use super::{Layer, LayerKind, Opened, Opening, Problem, State};
use super::{author, below, envelope, fit, restore};
use bytes::Bytes;
use waxseal_message::Message;

/// Layers within layers are read no further than this.
const MAX_LAYERS: usize = 16;

/// Opens all layers, as far as the keys reach.
pub fn open(message: &Message, opening: &Opening<'_>) -> Opened {
    let walk = Walk::of(message, opening);
    let depth = walk.depth();
    Opened {
        content: walk.content(depth),
        message: Some(walk.message(depth, opening)),
        is_bare: false,
        layers: walk.into_layers(),
    }
}

/// A message with some layers off.
pub struct Unwrapped {
    /// The layers that were taken off, outermost first.
    pub taken: Vec<Layer>,
    /// The message without them, as [`Opened::message`].
    pub message: Message,
    /// The layers that it still has, judged on the octets as they were inside.
    pub inside: Vec<Layer>,
}

/// Takes off the outermost layer, when it is a signature; whatever its state. `None` when it is
/// none, or has no content.
pub fn unwrap_signature(message: &Message, opening: &Opening<'_>) -> Option<Unwrapped> {
    let walk = Walk::of(message, opening);
    let is_signature = |step: &Step| step.layer.kind.name() == "signed" && step.inside.is_some();
    let first = walk.steps.first()?;
    is_signature(first).then(|| walk.unwrapped(1, opening))
}

/// Takes off everything up to and with the outermost encrypted layer. The error is that layer
/// (closed, without a key, damaged), or `None` when there is no such layer.
pub fn decrypt(message: &Message, opening: &Opening<'_>) -> Result<Unwrapped, Option<Box<Layer>>> {
    let walk = Walk::of(message, opening);
    let is_encrypted = |step: &Step| step.layer.kind.name() == "encrypted";
    let position = walk.steps.iter().position(is_encrypted).ok_or(None)?;
    if position < walk.depth() {
        Ok(walk.unwrapped(position + 1, opening))
    } else {
        let layers = walk.into_layers();
        Err(layers.into_iter().nth(position).map(Box::new))
    }
}

/// The octets are no CMS object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a CMS object (ContentInfo in BER or DER)")]
pub struct NotCms;

/// Opens a bare CMS object, and the layers inside it. `detached` is the content of a signature
/// that came apart. What is inside may be a CMS object again, or a MIME entity; its own header
/// fields are those that signers are compared with.
pub fn open_cms(
    octets: &[u8],
    detached: Option<&[u8]>,
    opening: &Opening<'_>,
) -> Result<Opened, NotCms> {
    let nobody = Message::parse(Bytes::new(), opening.limits).map_err(|_| NotCms)?;
    let first = Object::Cms(Bytes::copy_from_slice(octets));
    let walk = Walk::start(first, nobody, detached, opening);
    if walk.steps.is_empty() {
        return Err(NotCms);
    }
    let depth = walk.depth();
    let content = walk.content(depth);
    let innermost = depth.checked_sub(1).and_then(|last| walk.steps.get(last));
    let entity = innermost.and_then(Step::entity);
    Ok(Opened {
        message: entity
            .filter(|entity| is_mime(entity))
            .map(|entity| fit::whole(entity, opening.limits)),
        content,
        is_bare: true,
        layers: walk.into_layers(),
    })
}

/// Whether octets of any kind read as a MIME entity: it has a field that says so.
fn is_mime(entity: &Message) -> bool {
    let mut fields = entity.fields();
    fields.any(|field| field.is_content() || field.is_named("MIME-Version"))
}

/// One layer, and what was inside it.
struct Step {
    layer: Layer,
    inside: Option<Inside>,
}

struct Inside {
    octets: Bytes,
    object: Result<Object, Problem>,
}

impl Step {
    fn entity(&self) -> Option<&Message> {
        match &self.inside.as_ref()?.object {
            Ok(Object::Entity(entity)) => Some(entity),
            _ => None,
        }
    }
}

/// All layers, and the message that they are of.
struct Walk {
    outer: Message,
    steps: Vec<Step>,
    /// S/MIME parts that are no layers of the message (rule 9).
    below: Vec<Layer>,
    restored: restore::Restored,
}

impl Walk {
    fn of(message: &Message, opening: &Opening<'_>) -> Self {
        let first = Object::Entity(message.clone());
        Self::start(first, message.clone(), None, opening)
    }

    fn start(
        first: Object,
        outer: Message,
        detached: Option<&[u8]>,
        opening: &Opening<'_>,
    ) -> Self {
        let (mut steps, left) = steps(first, &outer, detached, opening);
        judge_unauthenticated(&mut steps, outer.field_count() == 0);
        let mut walk = Self {
            below: left.as_ref().map(below::layers).unwrap_or_default(),
            outer,
            steps,
            restored: restore::Restored::default(),
        };
        walk.restore(left.as_ref(), opening);
        walk
    }

    /// How many layers come off: the first ones, to one whose content is not given out.
    fn depth(&self) -> usize {
        let is_open = |step: &Step| step.inside.is_some();
        self.steps.iter().take_while(|step| is_open(step)).count()
    }

    fn content(&self, depth: usize) -> Option<Bytes> {
        let inside = self.steps.get(depth.checked_sub(1)?)?.inside.as_ref()?;
        Some(inside.octets.clone())
    }

    /// The protected fields of the payload, and the signers compared with the author that it
    /// has with them.
    fn restore(&mut self, payload: Option<&Message>, opening: &Opening<'_>) {
        let payload = payload.filter(|_| self.depth() == self.steps.len());
        let Some(payload) = payload else { return };
        let layers: Vec<&Layer> = self.steps.iter().map(|step| &step.layer).collect();
        self.restored = restore::restored(&self.outer, payload, &layers, opening.limits);
        let authors = match &self.restored.authors {
            Some(authors) => authors,
            // A bare object has no header of its own.
            None if self.outer.field_count() == 0 => payload,
            None => return,
        };
        for step in &mut self.steps {
            for signature in &mut step.layer.signatures {
                signature.from = author::compared(signature.signer.as_ref(), authors);
            }
        }
        let problem = self.restored.problem.take();
        if let Some(step) = self.steps.last_mut() {
            step.layer.problem = step.layer.problem.take().or(problem);
        }
    }

    /// The message without its first layers.
    fn message(&self, depth: usize, opening: &Opening<'_>) -> Message {
        let last = depth.checked_sub(1).and_then(|last| self.steps.get(last));
        let Some(entity) = last.and_then(Step::entity) else {
            return self.outer.clone();
        };
        let left = self.steps.get(depth..).unwrap_or_default();
        // Protected fields that are still encrypted stay inside.
        let is_closed = left
            .iter()
            .any(|step| step.layer.kind.name() == "encrypted");
        let fields = self.restored.fields.as_deref().filter(|_| !is_closed);
        let body = self.restored.body.as_ref().filter(|_| left.is_empty());
        fit::message(&self.outer, fields, body.unwrap_or(entity), opening.limits)
    }

    fn unwrapped(self, depth: usize, opening: &Opening<'_>) -> Unwrapped {
        let message = self.message(depth, opening);
        let mut taken = self.into_layers();
        let inside = taken.split_off(depth.min(taken.len()));
        Unwrapped {
            taken,
            message,
            inside,
        }
    }

    fn into_layers(self) -> Vec<Layer> {
        let steps = self.steps.into_iter().map(|step| step.layer);
        steps.chain(self.below).collect()
    }
}

/// Takes off all layers. Also gives the entity that has none.
fn steps(
    first: Object,
    authors: &Message,
    mut detached: Option<&[u8]>,
    opening: &Opening<'_>,
) -> (Vec<Step>, Option<Message>) {
    let mut steps: Vec<Step> = Vec::new();
    let mut next = first;
    loop {
        let Some(taken) = take(&next, detached.take(), authors, opening) else {
            return (steps, next.into_entity());
        };
        if steps.len() == MAX_LAYERS {
            steps.push(too_deep());
            return (steps, None);
        }
        let Taken { layer, content } = taken;
        let inside = content.map(|octets| Inside {
            object: object(octets.clone(), opening),
            octets,
        });
        let object = inside.as_ref().map(|inside| inside.object.clone());
        steps.push(Step { layer, inside });
        match object {
            Some(Ok(object)) => next = object,
            Some(Err(problem)) => {
                steps.push(unreadable(problem));
                return (steps, None);
            }
            None => return (steps, None),
        }
    }
}

fn too_deep() -> Step {
    unreadable(Problem {
        code: "layers.too-many",
        message: format!("more than {MAX_LAYERS} layers within each other"),
    })
}

fn unreadable(problem: Problem) -> Step {
    let mut layer = Layer::new(LayerKind::Malformed, State::Malformed);
    layer.problem = Some(problem);
    Step {
        layer,
        inside: None,
    }
}

/// Rule 8: what came out of an unauthenticated envelope is authentic when a valid signature is
/// directly inside (compression apart). Otherwise it is kept back if it looks like an attack, or
/// like what a wrong key gives.
fn judge_unauthenticated(steps: &mut [Step], is_bare: bool) {
    for at in 0..steps.len() {
        let (before, inside) = steps.split_at_mut(at + 1);
        let Some(step) = before.last_mut() else {
            continue;
        };
        if step.layer.state != State::DecryptedUnauthenticated {
            continue;
        }
        let mut layers = inside.iter().map(|step| &step.layer);
        let next = layers.find(|layer| layer.kind != LayerKind::Compressed);
        if next.is_some_and(|layer| layer.state == State::Valid) {
            step.layer.state = State::Decrypted;
            continue;
        }
        if !is_bare && gave_garbage(step) {
            envelope::damage(&mut step.layer);
            step.inside = None;
        } else if let Some(problem) = attack_inside(step, inside, is_bare) {
            step.layer.state = State::Suspicious;
            step.layer.problem = Some(problem);
            step.inside = None;
        }
    }
}

/// What a wrong key gives, once in 256 times. A bare object may hold anything.
fn gave_garbage(step: &Step) -> bool {
    step.inside.as_ref().is_some_and(|inside| {
        matches!(inside.object, Ok(Object::Entity(_))) && is_garbage(&inside.octets)
    })
}

/// Looks at what is inside, through layers that prove nothing. What a bare object holds may be
/// no mail.
fn attack_inside(step: &Step, inside: &[Step], is_bare: bool) -> Option<Problem> {
    let is_proof = |step: &&Step| matches!(step.layer.state, State::Valid | State::Decrypted);
    let unproven = inside.iter().take_while(|step| !is_proof(step));
    let steps = std::iter::once(step).chain(unproven);
    let mut entities = steps
        .filter_map(Step::entity)
        .filter(|entity| !is_bare || is_mime(entity));
    entities.find_map(looks_like_an_attack)
}
