//! `mail.message`: reading, and header edits that make another message.

use wasmtime::component::Resource;
use waxseal_message::{Field, Message};

use crate::bindings::waxseal::filter::mail::{self, Address, Header};
use crate::capabilities::{CallError, ErrorKind};
use crate::plan::HeaderEdit;
use crate::table::edit_refused;

use super::handles::{MessageHandle, PartHandle};
use super::{HostState, Refusal, saturated};

/// Octets that one call of `read` returns at most.
pub(super) const READ_AT_ONCE: usize = 256 << 10;

impl mail::Host for HostState {}

impl mail::HostMessage for HostState {
    fn size(&mut self, handle: Resource<MessageHandle>) -> wasmtime::Result<u32> {
        Ok(saturated(self.handles.get(&handle)?.view().size()))
    }

    fn digest(&mut self, handle: Resource<MessageHandle>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.handles.get(&handle)?.view_digest().to_vec())
    }

    fn header_count(&mut self, handle: Resource<MessageHandle>) -> wasmtime::Result<u32> {
        Ok(saturated(self.handles.get(&handle)?.view().field_count()))
    }

    fn header(
        &mut self,
        handle: Resource<MessageHandle>,
        name: String,
    ) -> wasmtime::Result<Option<Header>> {
        let found = self.handles.get(&handle)?.view().first(&name).map(header);
        self.charge_or_trap(found.as_ref().map_or(0, length))?;
        Ok(found)
    }

    fn headers(
        &mut self,
        handle: Resource<MessageHandle>,
        name: String,
        max: u32,
    ) -> wasmtime::Result<Vec<Header>> {
        let view = self.handles.get(&handle)?.view();
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let found: Vec<Header> = view.all(&name).take(max).map(header).collect();
        self.charge_or_trap(found.iter().map(length).sum())?;
        Ok(found)
    }

    fn header_raw(
        &mut self,
        handle: Resource<MessageHandle>,
        index: u32,
    ) -> wasmtime::Result<Option<Vec<u8>>> {
        let view = self.handles.get(&handle)?.view();
        let raw = field_at(view, index).map(|field| field.raw().to_vec());
        self.charge_or_trap(raw.as_ref().map_or(0, Vec::len))?;
        Ok(raw)
    }

    fn addresses(
        &mut self,
        handle: Resource<MessageHandle>,
        name: String,
    ) -> wasmtime::Result<Vec<Address>> {
        let view = self.handles.get(&handle)?.view();
        let found: Vec<Address> = view
            .addresses(&name)
            .into_iter()
            .map(|mailbox| Address {
                display: mailbox.display,
                local: mailbox.address.local().to_owned(),
                domain: mailbox.address.domain().to_owned(),
            })
            .collect();
        let octets = found.iter().map(|address| {
            let display = address.display.as_ref().map_or(0, String::len);
            display + address.local.len() + address.domain.len()
        });
        self.charge_or_trap(octets.sum())?;
        Ok(found)
    }

    fn root(&mut self, handle: Resource<MessageHandle>) -> wasmtime::Result<Resource<PartHandle>> {
        let message = self.handles.get(&handle)?.view().clone();
        let id = message.root().id().into();
        self.lend_or_trap(PartHandle { message, id })
    }

    fn read(
        &mut self,
        handle: Resource<MessageHandle>,
        offset: u32,
        max: u32,
    ) -> Result<Vec<u8>, Refusal> {
        let message = self.held(&handle)?.view().clone();
        let (head, body) = (message.head(), message.body());
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let octets = match offset.checked_sub(head.len()) {
            None => window(head, offset, max),
            Some(offset) => window(body, offset, max),
        };
        self.charge(octets.len())?;
        Ok(octets.to_vec())
    }

    fn with_header_added(
        &mut self,
        handle: Resource<MessageHandle>,
        name: String,
        value: String,
    ) -> Result<Resource<MessageHandle>, Refusal> {
        self.edit(&handle, HeaderEdit::Add { name, value })
    }

    fn with_header_replaced(
        &mut self,
        handle: Resource<MessageHandle>,
        name: String,
        value: String,
    ) -> Result<Resource<MessageHandle>, Refusal> {
        self.edit(&handle, HeaderEdit::Replace { name, value })
    }

    fn with_header_removed(
        &mut self,
        handle: Resource<MessageHandle>,
        index: u32,
    ) -> Result<Resource<MessageHandle>, Refusal> {
        let message = self.held(&handle)?;
        let field = field_at(message.view(), index).ok_or_else(|| {
            CallError::new(
                ErrorKind::NotFound,
                "header.unknown",
                "no field at this position",
            )
            .about(index.to_string())
        })?;
        let name = field.name().to_owned();
        let nth = message
            .view()
            .all(&name)
            .position(|other| other.index() == field.index())
            .unwrap_or_default();
        self.edit(&handle, HeaderEdit::RemoveNth { name, nth })
    }

    fn with_headers_removed(
        &mut self,
        handle: Resource<MessageHandle>,
        name: String,
    ) -> Result<Resource<MessageHandle>, Refusal> {
        self.edit(&handle, HeaderEdit::RemoveAll { name })
    }

    fn drop(&mut self, handle: Resource<MessageHandle>) -> wasmtime::Result<()> {
        self.handles.delete(handle)?;
        Ok(())
    }
}

impl HostState {
    fn edit(
        &mut self,
        handle: &Resource<MessageHandle>,
        edit: HeaderEdit,
    ) -> Result<Resource<MessageHandle>, Refusal> {
        let (HeaderEdit::Add { name, .. }
        | HeaderEdit::Replace { name, .. }
        | HeaderEdit::RemoveNth { name, .. }
        | HeaderEdit::RemoveAll { name }) = &edit;
        // `RemoveAll` of a content field would otherwise change nothing, silently.
        if is_content(name) {
            return Err(edit_refused(waxseal_message::Error::ContentField(name.clone())).into());
        }
        let edited = self.handles.get(handle).map_err(wasmtime::Error::from)?;
        let edited = edited.edited(edit).map_err(edit_refused)?;
        let limit = self.settings.limits.bytes_written;
        self.spent.written = self
            .spent
            .written
            .saturating_add(edited.view().head().len());
        if self.spent.written > limit {
            let text = format!("octets of edited header sections: limit {limit}");
            let kind = ErrorKind::LimitExceeded;
            return Err(CallError::new(kind, "limit.bytes-written", text).into());
        }
        self.lend(edited)
    }
}

/// RFC 2045 §9: fields that describe the content.
fn is_content(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("content-") || name == "mime-version"
}

fn field_at(message: &Message, index: u32) -> Option<Field<'_>> {
    message.field(usize::try_from(index).ok()?)
}

pub(super) fn header(field: Field<'_>) -> Header {
    Header {
        name: field.name().to_owned(),
        value: field.value(),
        index: saturated(field.index()),
    }
}

pub(super) fn length(header: &Header) -> usize {
    header.name.len() + header.value.len()
}

/// At most `max` octets from `offset`.
pub(super) fn window(octets: &[u8], offset: usize, max: u32) -> &[u8] {
    let rest = octets.get(offset..).unwrap_or_default();
    let max = usize::try_from(max).unwrap_or(usize::MAX).min(READ_AT_ONCE);
    &rest[..rest.len().min(max)]
}
