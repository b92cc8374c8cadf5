//! Filters that start with their settings read.
//!
//! A filter that exports `preparation` reads its settings when it is loaded, in an instance of
//! its own. The memory that this leaves becomes the data of another component, and it is this
//! one that every message gets a fresh instance of. Such an instance is as new as any other:
//! nothing of a message is in it.
//!
//! While it prepares a filter has no host: what it leaves depends on its octets and settings
//! alone, and can be kept for the next generation. Where no copy comes of it (it traps, or has
//! tables that change or globals that hold references) the filter reads its settings for each
//! message, as one without this export does. Only time depends on it.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, ComponentNamedList, Instance, Lift, Linker, TypedFunc};
use wasmtime::{Config, Engine, OptLevel, RegallocAlgorithm, Store};
use wasmtime_wizer::{ComponentInstanceState, Wizer};

use crate::compiled::Compiled;
use crate::component::{Names, is_our_line, of_contract};
use crate::limits::{FilterLimits, Limiter};

/// Instructions, roughly, that reading the settings may take.
const FUEL: u64 = 500_000_000;

/// Where filters are prepared: an engine that compiles soon and counts instructions.
pub(crate) struct Workshop {
    engine: Engine,
    /// Components that can be looked into: other settings of a filter need no other one.
    compiled: Compiled,
}

/// The export of a filter that can be prepared, by its full name.
pub(crate) fn export(names: &Names) -> Option<&str> {
    let exports = names.exports.iter().map(String::as_str);
    exports.into_iter().find(|name| {
        of_contract(name)
            .is_some_and(|(interface, version)| interface == "preparation" && is_our_line(version))
    })
}

impl Workshop {
    pub(crate) fn new() -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config.wasm_component_model(true);
        config.concurrency_support(false);
        config.consume_fuel(true);
        config.cranelift_opt_level(OptLevel::None);
        config.cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
        Ok(Self {
            engine: Engine::new(&config)?,
            compiled: Compiled::default(),
        })
    }

    /// The octets of a component that starts where `prepare` of this one ended.
    pub(crate) fn prepare(
        &self,
        octets: &[u8],
        export: &str,
        json: &str,
        limits: &FilterLimits,
    ) -> wasmtime::Result<Vec<u8>> {
        // Wizer asserts that modules are as toolchains make them.
        catch_unwind(AssertUnwindSafe(|| {
            self.snapshot(octets, export, json, limits)
        }))
        .unwrap_or_else(|_| Err(wasmtime::Error::msg("no snapshot can be made of it")))
    }

    fn snapshot(
        &self,
        octets: &[u8],
        export: &str,
        json: &str,
        limits: &FilterLimits,
    ) -> wasmtime::Result<Vec<u8>> {
        let mut wizer = Wizer::new();
        wizer.keep_init_func(true);
        let (context, instrumented) = wizer.instrument_component(octets)?;
        let component = self
            .compiled
            .find(Sha256::digest(&instrumented).into(), || {
                Component::from_binary(&self.engine, &instrumented)
            })?;
        let mut linker = Linker::new(&self.engine);
        linker.define_unknown_imports_as_traps(&component)?;
        let mut store = Store::new(&self.engine, Limiter::new(limits));
        store.limiter(|limiter| limiter);
        store.set_fuel(FUEL)?;
        let instance = linker.instantiate(&mut store, &component)?;
        let mut prepared = Prepared {
            store,
            instance,
            failure: None,
        };
        let prepare = prepared.function::<(&str,), ()>(export, "prepare")?;
        prepare.call(&mut prepared.store, (json,))?;
        let snapshot = at_once(wizer.snapshot_component(&context, &mut prepared));
        match prepared.failure {
            Some(failure) => Err(failure),
            None => snapshot,
        }
    }
}

/// An instance after `prepare`, and why reading its state failed, if it did.
struct Prepared {
    store: Store<Limiter>,
    instance: Instance,
    failure: Option<wasmtime::Error>,
}

impl Prepared {
    fn function<P, R>(&mut self, interface: &str, name: &str) -> wasmtime::Result<TypedFunc<P, R>>
    where
        P: ComponentNamedList + wasmtime::component::Lower,
        R: ComponentNamedList + Lift,
    {
        let missing = || wasmtime::Error::msg(format!("no export {interface} {name}"));
        let instance = self.instance;
        let interface = instance
            .get_export_index(&mut self.store, None, interface)
            .ok_or_else(missing)?;
        let function = instance
            .get_export_index(&mut self.store, Some(&interface), name)
            .ok_or_else(missing)?;
        instance.get_typed_func(&mut self.store, function)
    }

    /// A part of the state.
    fn read<R: Lift + Default + 'static>(&mut self, interface: &str, name: &str) -> R {
        let read = self
            .function::<(), (R,)>(interface, name)
            .and_then(|function| function.call(&mut self.store, ()));
        match read {
            Ok((value,)) => value,
            Err(error) => {
                self.failure.get_or_insert(error);
                R::default()
            }
        }
    }
}

impl ComponentInstanceState for Prepared {
    async fn call_func_ret_list_u8(
        &mut self,
        instance: &str,
        func: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) {
        contents(&self.read::<Vec<u8>>(instance, func));
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.read(instance, func)
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.read(instance, func)
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.read::<f32>(instance, func).to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.read::<f64>(instance, func).to_bits()
    }
}

/// Nothing that [`Prepared`] answers has to be waited for.
fn at_once<T>(answer: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => Err(wasmtime::Error::msg(
            "the state of the instance is not there",
        )),
    }
}
