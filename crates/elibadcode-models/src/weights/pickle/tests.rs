use super::*;

fn text(text: &str) -> Vec<u8> {
    let length = (text.len() as u32).to_le_bytes();
    [b"X", &length[..], text.as_bytes()].concat()
}

/// A tensor of storage 0, of this type and with this many axes, and what stands behind its strides.
fn tensor(storage: &str, rank: usize, rest: &[u8]) -> Vec<u8> {
    let ones = [&b"("[..], &b"K\x01".repeat(rank), b"t"].concat();
    [
        &b"ctorch._utils\n_rebuild_tensor_v2\n(("[..],
        &text("storage"),
        format!("ctorch\n{storage}\n").as_bytes(),
        &text("0"),
        &text("cpu"),
        b"K\x01tQK\x00",
        &ones,
        &ones,
        rest,
        b"tR",
    ]
    .concat()
}

/// A dictionary with these values, and what is done to it.
fn state_dict(entries: &[(&str, Vec<u8>)], after: &[u8]) -> Vec<u8> {
    let set = |(name, value): &(&str, Vec<u8>)| [&text(name), &value[..], b"s"].concat();
    let entries: Vec<u8> = entries.iter().flat_map(set).collect();
    [b"\x80\x02}", &entries[..], after, b"."].concat()
}

fn read(bytes: &[u8]) -> Result<Vec<String>, String> {
    let tensors = Interpreter::new(bytes).state_dict()?;
    Ok(tensors.keys().map(ToString::to_string).collect())
}

#[test]
fn tensors_have_few_axes() {
    let read = |rank| {
        let weight = ("weight", tensor("FloatStorage", rank, b""));
        Interpreter::new(&state_dict(&[weight], b"")).state_dict()
    };
    let tensors = read(MAX_RANK).unwrap();
    assert_eq!(tensors["weight"].shape, [1; MAX_RANK]);
    assert_eq!(read(MAX_RANK + 1).unwrap_err(), "a tensor has 9 axes, expected at most 8");
}

/// Whether it wants a gradient and its hooks, as torch writes them.
const USUAL: &[u8] = b"\x89}";

#[test]
fn what_would_change_a_tensor_is_refused() {
    let weight = |rest: &[u8]| tensor("FloatStorage", 1, rest);
    let with = |value: Vec<u8>| read(&state_dict(&[("weight", value)], b""));
    for rest in [USUAL, b"\x89}N", b"\x89}}"] {
        assert_eq!(with(weight(rest)).unwrap(), ["weight"]);
    }
    let negative = [USUAL, b"}", &text("neg"), b"\x88s"].concat();
    let error = with(weight(&negative)).unwrap_err();
    assert!(error.contains("arguments that torch.save never gives"), "{error}");
    // BUILD.
    let set = [weight(USUAL), b"}b".to_vec()].concat();
    assert_eq!(with(set).unwrap_err(), "refusing to set the state of anything but a dictionary");
    let of_dictionary = state_dict(&[("weight", weight(USUAL))], b"}b");
    assert_eq!(read(&of_dictionary).unwrap(), ["weight"]);
    let twice = [("a", tensor("HalfStorage", 1, USUAL)), ("b", weight(USUAL))];
    assert_eq!(read(&state_dict(&twice, b"")).unwrap_err(), "storage `0` is of two types");
}

#[test]
fn of_two_state_dicts_none_is_chosen() {
    let weight = || ("weight", tensor("FloatStorage", 2, USUAL));
    let loss = || ("loss", tensor("FloatStorage", 0, USUAL));
    let inner = |entries: &[(&str, Vec<u8>)]| {
        let dict = state_dict(entries, b"");
        ("state_dict", dict[2..dict.len() - 1].to_vec())
    };
    assert_eq!(read(&state_dict(&[inner(&[weight()])], b"")).unwrap(), ["weight"]);
    assert_eq!(read(&state_dict(&[inner(&[weight()]), loss()], b"")).unwrap(), ["weight"]);
    let both = state_dict(&[inner(&[weight()]), weight()], b"");
    assert!(read(&both).unwrap_err().contains("beside `state_dict`"));
    let last = state_dict(&[inner(&[weight()]), inner(&[])], b"");
    assert_eq!(read(&last).unwrap(), [""; 0]);
    let (_, nested) = inner(&[weight()]);
    let error = read(&state_dict(&[("model", nested)], b"")).unwrap_err();
    assert_eq!(error, "the pickle holds no tensors by name at its top; it has 1 entries: model");
}
