//! Weight files: what their headers promise, checked before any tensor is read.
//!
//! Every format comes down to named tensors at some offset of some file. Headers are read within
//! fixed limits and their promises compared with the file's length, so that reading a tensor
//! never allocates more than the file holds.

mod archive;
mod names;
mod pickle;
mod safetensors;
mod torch;

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use elibadcode_corpus::{LFS_START, lfs_problem};
use fs_err as fs;

pub(crate) use self::names::{HEADS, Names, bare_name, canonical_names};
pub(crate) use self::safetensors::write_safetensors;
use crate::checkpoint::{ElementType, HostTensor};
use crate::error::Error;

/// The reference code's weights, which are the fine-tuned ones.
const FINE_TUNED: &str = "model.bin";
/// In the order in which they are taken.
const WEIGHT_FILES: [&str; 3] = ["model.safetensors", "pytorch_model.bin", FINE_TUNED];
/// What changes the weights of a model once they are loaded.
const ADAPTERS: [&str; 3] =
    ["adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"];
/// A model's weights are far below. Larger ones would let a model answer in one program otherwise than in
/// another that sums in another order.
const MAX_VALUE: f32 = 1e4;
/// Bytes that a header or a text file may have; headers of real models have well under a million,
/// tokenizers a few.
const MAX_HEADER: u64 = 1 << 24;

/// A tensor in a file.
#[derive(Clone, Debug)]
pub(crate) struct StoredTensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) element: ElementType,
    /// Index of the file among those of the folder.
    file: usize,
    /// Byte offset in the file.
    start: u64,
}

/// The weights of a folder, not read yet.
#[derive(Debug)]
pub(crate) struct Weights {
    /// Every file that counts, an index file first.
    pub(crate) files: Vec<PathBuf>,
    /// What they hold together.
    n_bytes: u64,
    tensors: BTreeMap<String, StoredTensor>,
}

impl Weights {
    /// Reads the headers of the weight files of a folder; several, if it has them in several formats.
    pub(crate) fn open(dir: &Path) -> Result<Vec<Self>, Error> {
        locate(dir)?.into_iter().map(Self::open_located).collect()
    }

    fn open_located(located: Located) -> Result<Self, Error> {
        let shards: Vec<BTreeMap<String, StoredTensor>> = located
            .files
            .iter()
            .enumerate()
            .map(|(file, path)| match &located.shard_of {
                // An index file holds no tensors.
                Some(_) if file == 0 => Ok(BTreeMap::new()),
                // One after the other: together they could hold more than the index names.
                Some(shard_of) => check_places(open_file(path, file)?, path, file, shard_of),
                None => open_file(path, file),
            })
            .collect::<Result<_, Error>>()?;
        let tensors = match located.shard_of {
            None => shards.into_iter().next().unwrap_or_default(),
            Some(shard_of) => shard_of
                .into_iter()
                .filter_map(|(name, shard)| Some((name.clone(), shards[shard].get(&name)?.clone())))
                .collect(),
        };
        let lengths = located.files.iter().map(|path| Ok(fs::metadata(path)?.len()));
        let n_bytes = lengths.sum::<Result<u64, Error>>()?;
        Ok(Self { files: located.files, n_bytes, tensors })
    }

    /// Fails if these tensors take more than the files hold, which several of one storage could: each
    /// has memory of its own when it is read.
    pub(crate) fn check_size<'a>(
        &self,
        names: impl Iterator<Item = &'a String>,
    ) -> Result<(), Error> {
        let sizes = names.map(|name| {
            let tensor = &self.tensors[name];
            n_bytes(&tensor.shape, tensor.element).unwrap_or(u64::MAX)
        });
        let wanted = sizes.fold(0, u64::saturating_add);
        if wanted > self.n_bytes {
            return Err(Error::Weights {
                path: self.path().to_owned(),
                problem: format!(
                    "the model's tensors take {wanted} bytes, the files hold {}",
                    self.n_bytes
                ),
            });
        }
        Ok(())
    }

    /// The file to name when tensors do not fit.
    pub(crate) fn path(&self) -> &Path {
        &self.files[0]
    }

    /// The tensors of floating point, by the name in the file.
    pub(crate) fn tensors(&self) -> &BTreeMap<String, StoredTensor> {
        &self.tensors
    }

    /// Whether the files are those of a program of its own, the reference code's or another.
    pub(crate) fn is_fine_tuned(&self) -> bool {
        self.path().file_name().is_some_and(|it| it == FINE_TUNED)
    }

    /// Whether two tensors hold the same.
    pub(crate) fn are_equal(&self, one: &str, other: &str) -> Result<bool, Error> {
        let (a, b) = (&self.tensors[one], &self.tensors[other]);
        Ok((a.file, a.start, &a.shape, a.element) == (b.file, b.start, &b.shape, b.element)
            || self.is_equal(one, self, other)?)
    }

    /// Whether a tensor holds the same as one of other files.
    pub(crate) fn is_equal(&self, name: &str, files: &Self, other: &str) -> Result<bool, Error> {
        let (a, b) = (&self.tensors[name], &files.tensors[other]);
        Ok((&a.shape, a.element) == (&b.shape, b.element)
            && self.read(name)?.values == files.read(other)?.values)
    }

    /// Reads one tensor as f32; a value that is not finite, or huge, is an error.
    pub(crate) fn read(&self, name: &str) -> Result<HostTensor, Error> {
        let tensor = &self.tensors[name];
        let path = &self.files[tensor.file];
        let n: usize = tensor.shape.iter().product();
        let mut bytes = vec![0; n * tensor.element.size()];
        let mut file = open_regular(path)?;
        file.seek(SeekFrom::Start(tensor.start))?;
        file.read_exact(&mut bytes)?;
        let values = tensor.element.values(&bytes);
        let is_usable = |value: &f32| value.abs() <= MAX_VALUE;
        if let Some(index) = values.iter().position(|value| !is_usable(value)) {
            return Err(Error::Weights {
                path: path.clone(),
                problem: format!(
                    "`{name}` holds {} at index {index}, expected at most {MAX_VALUE} in either \
                     direction: what is added to such a value is rounded away, by each program in its \
                     own way",
                    values[index]
                ),
            });
        }
        Ok(HostTensor { shape: tensor.shape.clone(), values })
    }
}

/// Fails if a shard holds a tensor that the index does not place there: transformers loads all that
/// the shards hold, and of two tensors of one name the last.
fn check_places(
    tensors: BTreeMap<String, StoredTensor>,
    path: &Path,
    file: usize,
    shard_of: &BTreeMap<String, usize>,
) -> Result<BTreeMap<String, StoredTensor>, Error> {
    match tensors.keys().find(|&name| shard_of.get(name) != Some(&file)) {
        None => Ok(tensors),
        Some(name) => Err(Error::Weights {
            path: path.to_owned(),
            problem: format!("holds `{name}`, which the index does not place there"),
        }),
    }
}

/// The weight files of a folder.
pub(crate) struct Located {
    /// Every file that counts, an index file first.
    pub(crate) files: Vec<PathBuf>,
    /// Which of the files each tensor is in, if an index says so.
    shard_of: Option<BTreeMap<String, usize>>,
}

/// All of these that a folder has, the one that transformers takes first: `model.safetensors`, its sharded
/// form, `pytorch_model.bin`, its sharded form, the reference code's `model.bin`.
///
/// A `model.bin` beside others is another model as a rule: what was fine-tuned, put into the folder of what
/// it began with.
pub(crate) fn locate(dir: &Path) -> Result<Vec<Located>, Error> {
    let problem = |problem: String| Error::Weights { path: dir.to_owned(), problem };
    let is_there = |name: &str| dir.join(name).exists();
    if let Some(name) = ADAPTERS.into_iter().find(|name| is_there(name)) {
        return Err(problem(format!(
            "has {name}: programs put such an adapter upon the model, and this one does not; merge it \
             into the weights"
        )));
    }
    let mut found = Vec::new();
    for name in WEIGHT_FILES {
        let file = dir.join(name);
        let index = dir.join(format!("{name}.index.json"));
        if name == FINE_TUNED
            && file.exists()
            && let Some(Located { files, .. }) = found.first()
        {
            let other = files[0].file_name().unwrap_or_default().display();
            return Err(problem(format!(
                "has {other} and {name}, which are different models as a rule: remove the one that is not \
                 meant"
            )));
        }
        if file.exists() {
            found.push(Located { files: vec![file], shard_of: None });
        }
        if index.exists() {
            found.push(locate_shards(dir, &index)?);
        }
    }
    if found.is_empty() {
        return Err(problem(format!("has none of {}", WEIGHT_FILES.join(", "))));
    }
    Ok(found)
}

fn locate_shards(dir: &Path, index: &Path) -> Result<Located, Error> {
    let problem = |problem: String| Error::Weights { path: index.to_owned(), problem };
    let json: serde_json::Value = serde_json::from_slice(&read_bounded(index)?)
        .map_err(|error| problem(error.to_string()))?;
    let map = json.get("weight_map").and_then(|it| it.as_object());
    let map = map.ok_or_else(|| problem("has no weight_map".to_owned()))?;
    let mut files = vec![index.to_owned()];
    let mut numbers = BTreeMap::new();
    let mut shard_of = BTreeMap::new();
    for (name, shard) in map {
        let shard = shard.as_str().unwrap_or_default();
        // A shard is a file of the same folder, whatever the index says.
        if shard.is_empty() || Path::new(shard).file_name() != Some(shard.as_ref()) {
            return Err(problem(format!("`{name}` is in `{shard}`, expected a file name")));
        }
        let file = *numbers.entry(shard).or_insert_with(|| {
            files.push(dir.join(shard));
            files.len() - 1
        });
        shard_of.insert(name.clone(), file);
    }
    Ok(Located { files, shard_of: Some(shard_of) })
}

fn open_file(path: &Path, file: usize) -> Result<BTreeMap<String, StoredTensor>, Error> {
    let is_safetensors = path.extension().is_some_and(|it| it == "safetensors");
    let mut reader = open_regular(path)?;
    let length = reader.metadata()?.len();
    let start = read_at(&mut reader, 0, length.min(LFS_START as u64) as usize);
    if let Some(problem) = start.ok().and_then(|it| lfs_problem(&it)) {
        return Err(Error::Weights { path: path.to_owned(), problem });
    }
    let opened = if is_safetensors {
        safetensors::open(&mut reader, length, file)
    } else {
        torch::open(&mut reader, length, file)
    };
    opened.map_err(|problem| Error::Weights { path: path.to_owned(), problem })
}

/// Opens a file of a model folder. A folder can be hostile, and a device or a pipe never ends.
pub(crate) fn open_regular(path: &Path) -> Result<fs::File, Error> {
    // Asked before it is opened, which waits for the other end of a pipe.
    if !fs::metadata(path)?.is_file() {
        let problem = "is no regular file".to_owned();
        return Err(Error::Weights { path: path.to_owned(), problem });
    }
    Ok(fs::File::open(path)?)
}

/// The bytes of a file to read whole.
pub(crate) fn read_bounded(path: &Path) -> Result<Vec<u8>, Error> {
    let file = open_regular(path)?;
    let length = file.metadata()?.len();
    if length > MAX_HEADER {
        return Err(Error::Weights {
            path: path.to_owned(),
            problem: format!("has {length} bytes, expected at most {MAX_HEADER}"),
        });
    }
    let mut bytes = Vec::new();
    file.take(MAX_HEADER).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `length` bytes at `start`, of a file that was found to be long enough.
fn read_at(reader: &mut (impl Read + Seek), start: u64, length: usize) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; length];
    reader
        .seek(SeekFrom::Start(start))
        .and_then(|_| reader.read_exact(&mut bytes))
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Bytes that a tensor takes; none if that is more than a number can hold.
fn n_bytes(shape: &[usize], element: ElementType) -> Option<u64> {
    let n = shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size))?;
    n.checked_mul(element.size()).map(|n| n as u64)
}
