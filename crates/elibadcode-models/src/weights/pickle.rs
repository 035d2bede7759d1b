//! A pickle interpreter that knows what `torch.save` of a state dict consists of, and nothing else.
//!
//! A pickle is a program that may call any function of the process that reads it. This one can
//! make dictionaries and say where tensors are; any other global is refused by name. Containers
//! live in arenas and values refer to them by index, so that a hostile file can neither nest them
//! deeper than the stack nor multiply them by copying.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::checkpoint::ElementType;

/// What a storage is: the key of its data and its element type.
#[derive(Clone, Debug)]
pub(super) struct StorageRecord {
    pub(super) key: Rc<str>,
    pub(super) kind: StorageKind,
}

/// What a storage holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StorageKind {
    Floats(ElementType),
    /// Other numbers, of this many bytes each.
    Other(usize),
}

impl StorageKind {
    /// Bytes of a number.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Floats(element) => element.size(),
            Self::Other(size) => size,
        }
    }
}

/// A view of a storage.
#[derive(Clone, Debug)]
pub(super) struct TensorRecord {
    pub(super) storage: Rc<StorageRecord>,
    /// Of the first element, in elements.
    pub(super) offset: u64,
    pub(super) shape: Vec<usize>,
    strides: Vec<usize>,
}

impl TensorRecord {
    /// Whether the elements follow each other in row-major order.
    pub(super) fn is_contiguous(&self) -> bool {
        let mut expected = 1usize;
        for (&size, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if size != 1 && stride != expected {
                return false;
            }
            expected = expected.saturating_mul(size);
        }
        self.shape.len() == self.strides.len()
    }
}

/// The globals of a state dict.
#[derive(Clone, Copy, Debug)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(StorageKind),
}

impl Global {
    fn find(module: &str, name: &str) -> Result<Self, String> {
        let floats = |element| Self::Storage(StorageKind::Floats(element));
        let other = |size| Self::Storage(StorageKind::Other(size));
        Ok(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch", "DoubleStorage") => floats(ElementType::F64),
            ("torch", "FloatStorage") => floats(ElementType::F32),
            ("torch", "HalfStorage") => floats(ElementType::F16),
            ("torch", "BFloat16Storage") => floats(ElementType::BF16),
            ("torch", "LongStorage") => other(8),
            ("torch", "IntStorage") => other(4),
            ("torch", "ShortStorage") => other(2),
            ("torch", "CharStorage" | "ByteStorage" | "BoolStorage") => other(1),
            _ => return Err(format!("refusing to load `{module}.{name}`")),
        })
    }
}

/// Bytes of a storage's key, which is a number as torch writes it.
const MAX_STORAGE_KEY: usize = 32;
/// Keys of a dictionary without tensors that are named.
const MAX_KEYS: usize = 10;
/// Dimensions of a tensor; more would let a small file ask for much memory.
const MAX_RANK: usize = 8;

#[derive(Clone, Debug)]
pub(super) enum Value {
    None,
    Int(i64),
    /// A number or truth value that no state dict needs.
    Other,
    Text(Rc<str>),
    /// A list or tuple, in the arena of lists.
    List(usize),
    /// In the arena of dictionaries.
    Dict(usize),
    Global(Global),
    Storage(Rc<StorageRecord>),
    Tensor(Rc<TensorRecord>),
}

impl Value {
    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn size(&self) -> Option<usize> {
        if let Self::Int(value) = self { usize::try_from(*value).ok() } else { None }
    }
}

/// Reads one pickle after the other from a buffer.
#[derive(Debug)]
pub(super) struct Interpreter<'a> {
    bytes: &'a [u8],
    position: usize,
    stack: Vec<Value>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: std::collections::BTreeMap<u32, Value>,
    lists: Vec<Vec<Value>>,
    dicts: Vec<Vec<(Value, Value)>>,
    /// Of every storage that was named.
    kinds: BTreeMap<Rc<str>, StorageKind>,
}

impl<'a> Interpreter<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            position: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: std::collections::BTreeMap::new(),
            lists: Vec::new(),
            dicts: Vec::new(),
            kinds: BTreeMap::new(),
        }
    }

    /// Bytes of a number in the storage with this key, if it was named.
    pub(super) fn size_of(&self, key: &str) -> Option<usize> {
        self.kinds.get(key).map(|it| it.size())
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The members of a list or tuple.
    pub(super) fn items(&self, value: &Value) -> Option<&[Value]> {
        if let Value::List(index) = value { Some(&self.lists[*index]) } else { None }
    }

    /// The tensors of the next pickle: a dictionary of them, or one that has it as `state_dict`.
    ///
    /// Of entries with the same name the last one counts, as in Python.
    pub(super) fn state_dict(&mut self) -> Result<BTreeMap<Rc<str>, Rc<TensorRecord>>, String> {
        let top = self.read()?;
        let dict = self.entries(&top).ok_or("the pickle is not of a state dict")?;
        let tensors = tensors(dict);
        let inner = dict.iter().rfind(|(key, _)| key.text() == Some("state_dict"));
        let Some(inner) = inner.and_then(|(_, value)| self.entries(value)) else {
            if tensors.is_empty() {
                let keys: Vec<&str> = dict.iter().filter_map(|(key, _)| key.text()).collect();
                return Err(format!(
                    "the pickle holds no tensors by name at its top; it has {} entries: {}",
                    dict.len(),
                    keys[..keys.len().min(MAX_KEYS)].join(", ")
                ));
            }
            return Ok(tensors);
        };
        // Some programs read the outer ones, others the inner ones. A number, as a loss is one, is no model.
        if tensors.values().any(|it| it.shape.len() > 1) {
            return Err(
                "tensors are both beside `state_dict` and in it: which are meant?".to_owned()
            );
        }
        Ok(self::tensors(inner))
    }

    fn entries(&self, value: &Value) -> Option<&[(Value, Value)]> {
        if let Value::Dict(index) = value { Some(&self.dicts[*index]) } else { None }
    }

    /// The value of the next pickle.
    pub(super) fn read(&mut self) -> Result<Value, String> {
        self.stack.clear();
        self.marks.clear();
        self.memo.clear();
        loop {
            let code = self.byte()?;
            if code == b'.' {
                return self.pop();
            }
            self.execute(code)?;
        }
    }

    fn execute(&mut self, code: u8) -> Result<(), String> {
        match code {
            // PROTO, FRAME: nothing to do but to skip the argument.
            0x80 => self.skip(1)?,
            0x95 => self.skip(8)?,
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.stack.push(Value::None),
            0x88 | 0x89 => self.stack.push(Value::Other),
            b'K' => {
                let value = self.byte()?;
                self.stack.push(Value::Int(value.into()));
            }
            b'M' => {
                let value = self.number(2)?;
                self.stack.push(Value::Int(value as i64));
            }
            b'J' => {
                let value = self.number(4)? as u32 as i32;
                self.stack.push(Value::Int(value.into()));
            }
            0x8a => {
                let length = usize::from(self.byte()?);
                let value = if length <= 8 {
                    Value::Int(self.signed(length)?)
                } else {
                    self.skip(length)?;
                    Value::Other
                };
                self.stack.push(value);
            }
            b'G' => {
                self.skip(8)?;
                self.stack.push(Value::Other);
            }
            b'X' | b'T' => self.push_text(4)?,
            0x8c | b'U' => self.push_text(1)?,
            b'}' => self.push_dict(),
            b']' | b')' => self.push_list(Vec::new()),
            b't' => {
                let items = self.pop_to_mark()?;
                self.push_list(items);
            }
            0x85..=0x87 => {
                let at = self.stack.len().checked_sub(usize::from(code - 0x84));
                let items = self.stack.split_off(at.ok_or_else(damaged)?);
                self.push_list(items);
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(vec![key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(items)?;
            }
            b'q' | b'r' | 0x94 => {
                let key = match code {
                    b'q' => self.number(1)? as u32,
                    b'r' => self.number(4)? as u32,
                    _ => self.memo.len() as u32,
                };
                let value = self.stack.last().cloned().ok_or_else(damaged)?;
                self.memo.insert(key, value);
            }
            b'h' | b'j' => {
                let key = self.number(if code == b'h' { 1 } else { 4 })? as u32;
                let value = self.memo.get(&key).cloned().ok_or_else(damaged)?;
                self.stack.push(value);
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.stack.push(Value::Global(Global::find(&module, &name)?));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (module, name) = module.text().zip(name.text()).ok_or_else(damaged)?;
                self.stack.push(Value::Global(Global::find(module, name)?));
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(&id)?;
                self.stack.push(Value::Storage(Rc::new(storage)));
            }
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let value = self.call(&function, &arguments)?;
                self.stack.push(value);
            }
            b'b' => self.build()?,
            other => return Err(format!("refusing the pickle opcode {other:#04x}")),
        }
        Ok(())
    }

    /// `('storage', type, key, location, number of elements)`; before PyTorch 1.6 with a part of the
    /// storage behind it, which is none in a state dict.
    fn storage(&mut self, id: &Value) -> Result<StorageRecord, String> {
        let foreign = "a persistent id is not of a storage";
        let [what, Value::Global(Global::Storage(kind)), Value::Text(key), _, _, rest @ ..] =
            self.items(id).ok_or(foreign)?
        else {
            return Err(foreign.to_owned());
        };
        if what.text() != Some("storage") || !matches!(rest, [] | [Value::None]) {
            return Err(foreign.to_owned());
        }
        if key.len() > MAX_STORAGE_KEY {
            return Err(format!("a storage's key has {} bytes, expected a number", key.len()));
        }
        let record = StorageRecord { key: key.clone(), kind: *kind };
        // torch keeps what it read first under a key.
        let first = self.kinds.entry(record.key.clone()).or_insert(record.kind);
        if *first != record.kind {
            return Err(format!("storage `{}` is of two types", record.key));
        }
        Ok(record)
    }

    fn call(&mut self, function: &Value, arguments: &Value) -> Result<Value, String> {
        let Value::Global(function) = function else { return Err(damaged()) };
        let arguments = self.items(arguments).ok_or_else(damaged)?;
        match (function, arguments) {
            (Global::OrderedDict, []) => {
                self.push_dict();
                self.pop()
            }
            (
                Global::RebuildTensor,
                [Value::Storage(storage), Value::Int(offset), shape, strides, rest @ ..],
            ) if self.changes_nothing(rest) => {
                let sizes = |value: &Value| -> Result<Vec<usize>, String> {
                    let items = self.items(value).ok_or_else(damaged)?;
                    if items.len() > MAX_RANK {
                        let rank = items.len();
                        return Err(format!(
                            "a tensor has {rank} axes, expected at most {MAX_RANK}"
                        ));
                    }
                    items.iter().map(Value::size).collect::<Option<_>>().ok_or_else(damaged)
                };
                let record = TensorRecord {
                    storage: Rc::clone(storage),
                    offset: u64::try_from(*offset).map_err(|_| damaged())?,
                    shape: sizes(shape)?,
                    strides: sizes(strides)?,
                };
                Ok(Value::Tensor(Rc::new(record)))
            }
            (Global::RebuildParameter, [tensor @ Value::Tensor(_), _, _]) => Ok(tensor.clone()),
            _ => Err(format!("a call of {function:?} with arguments that torch.save never gives")),
        }
    }

    /// Whether what stands behind a tensor's strides (whether it wants a gradient, its hooks, its
    /// metadata) leaves the values alone: metadata can turn their sign.
    fn changes_nothing(&self, rest: &[Value]) -> bool {
        match rest {
            [] | [_] | [_, _] | [_, _, Value::None] => true,
            [_, _, metadata] => self.entries(metadata).is_some_and(<[_]>::is_empty),
            _ => false,
        }
    }

    /// BUILD sets attributes, which a dictionary of tensors has no use for; of a tensor it sets what it
    /// holds.
    fn build(&mut self) -> Result<(), String> {
        self.pop()?;
        match self.stack.last() {
            Some(Value::Dict(_)) => Ok(()),
            _ => Err("refusing to set the state of anything but a dictionary".to_owned()),
        }
    }

    fn append(&mut self, items: Vec<Value>) -> Result<(), String> {
        let Some(Value::List(index)) = self.stack.last() else { return Err(damaged()) };
        self.lists[*index].extend(items);
        Ok(())
    }

    fn set(&mut self, items: Vec<Value>) -> Result<(), String> {
        let Some(Value::Dict(index)) = self.stack.last() else { return Err(damaged()) };
        let mut items = items.into_iter();
        while let Some(key) = items.next() {
            self.dicts[*index].push((key, items.next().ok_or_else(damaged)?));
        }
        Ok(())
    }

    fn push_list(&mut self, items: Vec<Value>) {
        self.lists.push(items);
        self.stack.push(Value::List(self.lists.len() - 1));
    }

    fn push_dict(&mut self) {
        self.dicts.push(Vec::new());
        self.stack.push(Value::Dict(self.dicts.len() - 1));
    }

    fn push_text(&mut self, n_length: usize) -> Result<(), String> {
        let length = self.number(n_length)? as usize;
        let text = std::str::from_utf8(self.take(length)?).map_err(|error| error.to_string())?;
        self.stack.push(Value::Text(text.into()));
        Ok(())
    }

    fn pop(&mut self) -> Result<Value, String> {
        if self.marks.last().is_some_and(|&mark| mark >= self.stack.len()) {
            return Err(damaged());
        }
        self.stack.pop().ok_or_else(damaged)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>, String> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len());
        Ok(self.stack.split_off(mark.ok_or_else(damaged)?))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let end = self.position.checked_add(length);
        let bytes = end.and_then(|end| self.bytes.get(self.position..end));
        let bytes = bytes.ok_or("the pickle ends too early")?;
        self.position += length;
        Ok(bytes)
    }

    fn skip(&mut self, length: usize) -> Result<(), String> {
        self.take(length).map(|_| ())
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    /// A little-endian number of at most eight bytes.
    fn number(&mut self, length: usize) -> Result<u64, String> {
        let bytes = self.take(length)?;
        Ok(bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
    }

    fn signed(&mut self, length: usize) -> Result<i64, String> {
        let value = self.number(length)?;
        let unused = 64 - 8 * length as u32;
        Ok(if length == 0 { 0 } else { (value << unused) as i64 >> unused })
    }

    fn line(&mut self) -> Result<String, String> {
        let rest = &self.bytes[self.position..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or_else(damaged)?;
        let line = self.take(length + 1)?;
        String::from_utf8(line[..length].to_vec()).map_err(|error| error.to_string())
    }
}

/// The entries that are tensors.
fn tensors(entries: &[(Value, Value)]) -> BTreeMap<Rc<str>, Rc<TensorRecord>> {
    let tensors = entries.iter().filter_map(|(key, value)| match (key, value) {
        (Value::Text(name), Value::Tensor(record)) => Some((Rc::clone(name), Rc::clone(record))),
        _ => None,
    });
    tensors.collect()
}

fn damaged() -> String {
    "the pickle is damaged".to_owned()
}
