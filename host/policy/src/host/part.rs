//! `mail.part`: reading and searching parts.

use wasmtime::component::Resource;

use crate::bindings::waxseal::filter::mail::{self, Header};
use crate::capabilities::{CallError, ErrorKind};
use crate::dictionary::fold;

use super::handles::PartHandle;
use super::mail::{READ_AT_ONCE, header, length, window};
use super::{HostState, Refusal, not_granted, saturated};

impl mail::HostPart for HostState {
    fn id(&mut self, handle: Resource<PartHandle>) -> wasmtime::Result<String> {
        Ok(self.handles.get(&handle)?.id.to_string())
    }

    fn media_type(&mut self, handle: Resource<PartHandle>) -> wasmtime::Result<String> {
        let media_type = self.handles.get(&handle)?.part()?.media_type();
        self.give(media_type)
    }

    fn parameter(
        &mut self,
        handle: Resource<PartHandle>,
        name: String,
    ) -> wasmtime::Result<Option<String>> {
        let value = self.handles.get(&handle)?.part()?.parameter(&name);
        self.give_some(value)
    }

    fn header(
        &mut self,
        handle: Resource<PartHandle>,
        name: String,
    ) -> wasmtime::Result<Option<Header>> {
        let found = self.handles.get(&handle)?.part()?.first(&name).map(header);
        self.charge_or_trap(found.as_ref().map_or(0, length))?;
        Ok(found)
    }

    fn disposition(&mut self, handle: Resource<PartHandle>) -> wasmtime::Result<Option<String>> {
        let disposition = self.handles.get(&handle)?.part()?.disposition();
        self.give_some(disposition)
    }

    fn filename(&mut self, handle: Resource<PartHandle>) -> wasmtime::Result<Option<String>> {
        let filename = self.handles.get(&handle)?.part()?.filename();
        self.give_some(filename)
    }

    fn is_attachment(&mut self, handle: Resource<PartHandle>) -> wasmtime::Result<bool> {
        Ok(self.handles.get(&handle)?.part()?.is_attachment())
    }

    fn encoded_size(&mut self, handle: Resource<PartHandle>) -> wasmtime::Result<u32> {
        let size = self.handles.get(&handle)?.part()?.encoded_size();
        Ok(saturated(size))
    }

    fn child_count(&mut self, handle: Resource<PartHandle>) -> wasmtime::Result<u32> {
        let count = self.handles.get(&handle)?.part()?.child_count();
        Ok(saturated(count))
    }

    fn child(
        &mut self,
        handle: Resource<PartHandle>,
        index: u32,
    ) -> wasmtime::Result<Option<Resource<PartHandle>>> {
        let parent = self.held(&handle)?;
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(id) = parent.part()?.child(index).map(|child| child.id()) else {
            return Ok(None);
        };
        let child = PartHandle {
            message: parent.message.clone(),
            id: id.into(),
        };
        self.lend_or_trap(child).map(Some)
    }

    fn read(
        &mut self,
        handle: Resource<PartHandle>,
        offset: u32,
        max: u32,
    ) -> Result<Vec<u8>, Refusal> {
        let part = self.held(&handle)?;
        let decoded = self.at_the_hosts_expense(|state| state.contents.decoded(&part))??;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let octets = window(&decoded, offset, max);
        self.charge(octets.len())?;
        Ok(octets.to_vec())
    }

    fn read_raw(
        &mut self,
        handle: Resource<PartHandle>,
        offset: u32,
        max: u32,
    ) -> Result<Vec<u8>, Refusal> {
        let part = self.held(&handle)?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let octets = window(part.part()?.raw(), offset, max);
        self.charge(octets.len())?;
        Ok(octets.to_vec())
    }

    fn text(&mut self, handle: Resource<PartHandle>, max: u32) -> Result<String, Refusal> {
        let part = self.held(&handle)?;
        let text = self.at_the_hosts_expense(|state| state.contents.text(&part))??;
        let text = text.ok_or_else(|| {
            CallError::new(ErrorKind::Failed, "part.not-text", "the part is not text")
                .about(part.id.as_ref())
        })?;
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let mut end = text.len().min(max);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.charge(end)?;
        Ok(text[..end].to_owned())
    }

    fn contains(
        &mut self,
        handle: Resource<PartHandle>,
        needle: String,
        ignore_case: bool,
    ) -> Result<bool, Refusal> {
        let part = self.held(&handle)?;
        let answer = self.at_the_hosts_expense(|state| {
            Ok(match ignore_case {
                true => state.contents.folded(&part)?.contains(&fold(&needle)),
                false => state.contents.searchable(&part)?.contains(&needle),
            })
        });
        let arguments = || format!("part {} {needle:?}", part.id);
        let answer = answer.map_err(Refusal::from).flatten();
        self.recorded("part.contains", arguments, answer, bool::to_string)
    }

    fn matches(
        &mut self,
        handle: Resource<PartHandle>,
        dictionary: String,
    ) -> Result<bool, Refusal> {
        let part = self.held(&handle)?;
        let answer = self.matches_dictionary(&part, &dictionary);
        let arguments = || format!("part {} {dictionary}", part.id);
        self.recorded("part.matches", arguments, answer, bool::to_string)
    }

    fn drop(&mut self, handle: Resource<PartHandle>) -> wasmtime::Result<()> {
        self.handles.delete(handle)?;
        Ok(())
    }
}

impl HostState {
    fn matches_dictionary(&mut self, part: &PartHandle, name: &str) -> Result<bool, Refusal> {
        let settings = self.settings.clone();
        if !settings.grants.dictionary(name) {
            return Err(not_granted("dictionary.not-granted", name).into());
        }
        let dictionary = settings.dictionaries.find(name).ok_or_else(|| {
            CallError::new(
                ErrorKind::NotFound,
                "dictionary.unknown",
                "no such dictionary",
            )
            .about(name)
        })?;
        self.at_the_hosts_expense(
            |state| Ok(dictionary.matches(&state.contents.searchable(part)?)),
        )?
    }
}

const _: () = assert!(READ_AT_ONCE > 0, "none is returned only at the end");
