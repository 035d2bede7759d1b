//! The devices of burn's backends; what [`crate::host`] does has to know the backend, too.

use burn::tensor::Device;

use crate::error::Error;

/// A device that answers, and what it is called in run records.
#[derive(Clone, Debug)]
pub struct Compute {
    /// Where tensors live.
    pub device: Device,
    /// `cpu (flex)`, or the name of the GPU and its API.
    pub name: String,
}

impl Compute {
    /// Selects `auto`, `cpu` or `gpu`, or a backend by name: `flex`, `ndarray`.
    ///
    /// `auto` takes a hardware GPU if one answers and the CPU otherwise. A device that is asked
    /// for by name and does not answer is an error, never a silent replacement.
    pub fn select(name: &str) -> Result<Self, Error> {
        match name {
            "auto" => match gpu() {
                Ok(compute) if !compute.name.contains("software") => Ok(compute),
                _ => cpu(),
            },
            "cpu" => cpu(),
            "gpu" => gpu(),
            "flex" => flex(),
            "ndarray" => ndarray(),
            other => Err(Error::Device(format!(
                "unknown device `{other}`, expected auto, cpu, gpu, flex or ndarray"
            ))),
        }
    }

    /// Every device of this build, with the reason where one does not answer.
    pub fn all() -> Vec<(&'static str, Result<Self, Error>)> {
        ["flex", "ndarray", "gpu"].map(|name| (name, Self::select(name))).into()
    }
}

fn cpu() -> Result<Compute, Error> {
    flex().or_else(|_| ndarray()).map_err(|_| missing("CPU", "flex"))
}

#[cfg(feature = "flex")]
#[expect(clippy::unnecessary_wraps, reason = "the build without the feature fails")]
fn flex() -> Result<Compute, Error> {
    Ok(Compute { device: Device::flex(), name: "cpu (flex)".into() })
}

#[cfg(not(feature = "flex"))]
fn flex() -> Result<Compute, Error> {
    Err(missing("flex", "flex"))
}

// burn-ndarray is named in the manifest because its own defaults bring SIMD and threads, which
// burn without default features leaves off.
#[cfg(feature = "ndarray")]
#[expect(deprecated, reason = "burn-ndarray is deprecated upstream but supported here")]
#[expect(clippy::unnecessary_wraps, reason = "the build without the feature fails")]
fn ndarray() -> Result<Compute, Error> {
    Ok(Compute { device: Device::ndarray(), name: "cpu (ndarray)".into() })
}

#[cfg(not(feature = "ndarray"))]
fn ndarray() -> Result<Compute, Error> {
    Err(missing("ndarray", "ndarray"))
}

#[cfg(feature = "wgpu")]
fn gpu() -> Result<Compute, Error> {
    use std::sync::OnceLock;

    use burn::tensor::wgpu::wgpu::DeviceType;

    // A second initialization of the same adapter is an error, so the first is kept.
    static GPU: OnceLock<Result<Compute, String>> = OnceLock::new();
    GPU.get_or_init(|| {
        let (device, setup) =
            Device::wgpu_options().init_with_setup().map_err(|error| error.to_string())?;
        let info = setup.adapter.get_info();
        let kind = if info.device_type == DeviceType::Cpu { ", software" } else { "" };
        Ok(Compute { device, name: format!("gpu ({}, {:?}{kind})", info.name, info.backend) })
    })
    .clone()
    .map_err(|problem| {
        Error::Device(format!(
            "no GPU answers: {problem}; install its Vulkan driver, or mesa-vulkan-drivers for \
             software rendering, or use --device cpu"
        ))
    })
}

#[cfg(not(feature = "wgpu"))]
fn gpu() -> Result<Compute, Error> {
    Err(missing("GPU", "wgpu"))
}

fn missing(what: &str, feature: &str) -> Error {
    Error::Device(format!("this build has no {what} backend; rebuild with --features {feature}"))
}

/// A backend whose tensors lie in main memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CpuBackend {
    #[cfg(feature = "flex")]
    Flex,
    #[cfg(feature = "ndarray")]
    NdArray,
}

impl CpuBackend {
    /// That of a device, with or without gradients, if it is a CPU.
    #[cfg_attr(
        not(any(feature = "flex", feature = "ndarray")),
        expect(unused_variables, reason = "a build without a CPU")
    )]
    pub(crate) fn of(device: &Device) -> Option<Self> {
        let plain = device.clone().without_autodiff();
        #[cfg(feature = "flex")]
        if plain == Device::flex() {
            return Some(Self::Flex);
        }
        #[cfg(feature = "ndarray")]
        #[expect(deprecated, reason = "see `ndarray`")]
        if plain == Device::ndarray() {
            return Some(Self::NdArray);
        }
        None
    }
}

/// Whether tensors of the device lie in main memory.
pub(crate) fn is_cpu(device: &Device) -> bool {
    CpuBackend::of(device).is_some()
}
