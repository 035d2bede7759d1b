//! What the functions do: an operation on a collection under a condition, a document that is read
//! or written, or one of the [tasks](super::tasks).
//!
//! Markup beside that of all templates: `{slot}` is a concept, a constant or a part of the intent;
//! the code takes the concept's name, the sentence one of its spoken forms.

/// A condition on the records of a collection.
pub(super) struct Condition {
    pub(super) name: &'static str,
    /// Python expression over `$item`.
    pub(super) code: &'static str,
    /// What follows "users …" in a sentence.
    pub(super) spoken: &'static str,
}

/// An operation on the records that fulfill a condition.
pub(super) struct Operation {
    pub(super) name: &'static str,
    /// Function names.
    pub(super) names: &'static str,
    /// Bodies over `$items`, with `{cond}` for the condition.
    pub(super) bodies: &'static [&'static str],
    /// Sentences, with `{which}` for the records and their condition.
    pub(super) sentences: &'static [&'static str],
}

pub(super) const CONDITIONS: &[Condition] = &[
    Condition {
        name: "above",
        code: "$item['{num}'] > {n}",
        spoken: "`whose {num} is~with a {num}~that have a {num}` `above~over~greater than~of more than` {n}",
    },
    Condition {
        name: "below",
        code: "$item['{num}'] < {n}",
        spoken: "`whose {num} is~with a {num}~that have a {num}` `below~under~less than~smaller than` {n}",
    },
    Condition {
        name: "equal",
        code: "$item['{txt}'] == '{lit}'",
        spoken: "`whose {txt} is~with the {txt}~that have the {txt}` {lit}",
    },
    Condition {
        name: "different",
        code: "$item['{txt}'] != '{lit}'",
        spoken: "`whose {txt} is not~with a {txt} other than~with any {txt} except` {lit}",
    },
    Condition {
        name: "missing",
        code: "`not $item.get('{txt}')~$item.get('{txt}') is None`",
        spoken: "`without a~that lack a~that have no~missing a` {txt}",
    },
    Condition {
        name: "prefix",
        code: "$item['{txt}'].startswith('{lit}')",
        spoken: "whose {txt} `starts with~begins with` {lit}",
    },
    Condition {
        name: "contains",
        code: "'{lit}' in $item['{txt}']",
        spoken: "whose {txt} `contains~includes~mentions` {lit}",
    },
    Condition {
        name: "between",
        code: "`{lo} <= $item['{num}'] <= {hi}~$item['{num}'] >= {lo} and $item['{num}'] <= {hi}`",
        spoken: "with a {num} `between {lo} and {hi}~from {lo} to {hi}`",
    },
];

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "select",
        names: "filter_{things} select_{things} get_matching keep",
        bodies: &[
            "return [$item for $item in $items if {cond}]",
            "$out = []\n#N\nfor $item in $items:\n    if {cond}:\n        $out.append($item)\nreturn $out",
            "return list(filter(lambda $item: {cond}, $items))",
        ],
        sentences: &[
            "`Return~Get~Select~Find` `all ~the ~a list of ~the list of `{which}",
            "Filter the {which}",
            "`Gives~Returns` `the list of ~a list with the ~the `{which}",
        ],
    },
    Operation {
        name: "count",
        names: "count_{things} number_of_{things} how_many",
        bodies: &[
            "return sum(1 for $item in $items if {cond})",
            "$acc = 0\nfor $item in $items:\n    if {cond}:\n        $acc += 1\n#N\nreturn $acc",
            "return len([$item for $item in $items if {cond}])",
        ],
        sentences: &[
            "`Count~Count how many of~Tally` the {which}",
            "`Number~The number~Total number` of {which}",
            "How many {which} there are",
        ],
    },
    Operation {
        name: "first",
        names: "first_{things} find_first find_{things} lookup",
        bodies: &[
            "for $item in $items:\n    if {cond}:\n        return $item\nreturn None",
            "return next(($item for $item in $items if {cond}), None)",
        ],
        sentences: &[
            "`Find~Return~Get~Look up` the first of the {which}",
            "`First~The first one` among {which} `or None~, if any~`",
        ],
    },
    Operation {
        name: "any",
        names: "has_{things} any_{things} exists check_{things}",
        bodies: &[
            "return any({cond} for $item in $items)",
            "for $item in $items:\n    if {cond}:\n        return True\n#N\nreturn False",
        ],
        sentences: &[
            "`Check~Test~Tell` `whether~if` there are `any ~`{which}",
            "True if `at least one of the~some` {which} `exist~are there~is found`",
        ],
    },
    Operation {
        name: "remove",
        names: "remove_{things} drop_{things} purge_{things} exclude",
        bodies: &[
            "return [$item for $item in $items if not ({cond})]",
            "for $item in list($items):\n    if {cond}:\n        $items.remove($item)\n#N\nreturn $items",
            "$items[:] = [$item for $item in $items if not ({cond})]",
        ],
        sentences: &["`Remove~Drop~Delete~Throw away~Leave out` `all ~the ~`{which}"],
    },
    Operation {
        name: "total",
        names: "total_{val} sum_{val} add_up",
        bodies: &[
            "return sum($item['{val}'] for $item in $items if {cond})",
            "$acc = 0\nfor $item in $items:\n    if {cond}:\n        $acc += $item['{val}']\nreturn $acc",
        ],
        sentences: &[
            "`Sum of~Total of~Add up~Sum up` the {val} of `all ~the ~`{which}",
            "`Compute~Calculate` the total {val} `of~over` {which}",
        ],
    },
    Operation {
        name: "average",
        names: "average_{val} mean_{val} avg",
        bodies: &[
            "$out = [$item['{val}'] for $item in $items if {cond}]\nreturn sum($out) / len($out) if $out else 0",
            "$acc = 0.0\n$num = 0\nfor $item in $items:\n    if {cond}:\n        $acc += $item['{val}']\n        $num += 1\nreturn $acc / max($num, 1)",
            "return statistics.mean($item['{val}'] for $item in $items if {cond})",
        ],
        sentences: &[
            "`Average~Mean~Compute the average~Compute the mean` {val} of `all ~the ~`{which}",
        ],
    },
    Operation {
        name: "largest",
        names: "top_{val} max_{val} highest",
        bodies: &[
            "return max(($item for $item in $items if {cond}), key=lambda $tmp: $tmp['{val}'])",
            "$best = None\nfor $item in $items:\n    if {cond} and ($best is None or $item['{val}'] > $best['{val}']):\n        $best = $item\nreturn $best",
        ],
        sentences: &[
            "`Find~Return~Get` the one with the `highest~largest~greatest~biggest` {val} among {which}",
            "`Highest~Largest` {val} `of~among` {which}",
        ],
    },
    Operation {
        name: "group",
        names: "group_{things} by_{key} bucket_{things}",
        bodies: &[
            "$out = defaultdict(list)\nfor $item in $items:\n    if {cond}:\n        $out[$item['{key}']].append($item)\nreturn `$out~dict($out)`",
            "$out = {}\n#N\nfor $item in $items:\n    if {cond}:\n        $out.setdefault($item['{key}'], []).append($item)\nreturn $out",
        ],
        sentences: &[
            "`Group~Bucket~Partition` the {which} by {key}",
            "`Map~Dictionary from` `each~every` {key} to the {which}",
        ],
    },
    Operation {
        name: "sort",
        names: "sort_{things} order_by_{key} ranked",
        bodies: &[
            "return sorted(($item for $item in $items if {cond}), key=lambda $tmp: $tmp['{key}'])",
            "$out = [$item for $item in $items if {cond}]\n$out.sort(key=itemgetter('{key}'))\n#N\nreturn $out",
        ],
        sentences: &[
            "`Sort~Order~Arrange` the {which} by `their ~`{key}",
            "{which} `sorted by~ordered by~in order of` {key}",
        ],
    },
    Operation {
        name: "project",
        names: "{key}_of_{things} extract_{key} pluck collect_{key}",
        bodies: &[
            "return [$item['{key}'] for $item in $items if {cond}]",
            "$out = []\nfor $item in $items:\n    if {cond}:\n        $out.append($item['{key}'])\n#N\nreturn $out",
            "return {$item['{key}'] for $item in $items if {cond}}",
        ],
        sentences: &["`Extract~Collect~Pull out~List` the {key} of `all ~the ~`{which}"],
    },
    Operation {
        name: "update",
        names: "set_{key} update_{things} assign_{key} mark_{things}",
        bodies: &[
            "for $item in $items:\n    if {cond}:\n        $item['{key}'] = '{new}'\n#N\nreturn $items",
            "return [dict($item, {key}='{new}') if {cond} else $item for $item in $items]",
        ],
        sentences: &[
            "`Set~Change~Update` the {key} of `all ~the ~`{which} to {new}",
            "`Assign~Give` the {key} {new} to `all ~the ~`{which}",
        ],
    },
];

/// A format of documents.
pub(super) struct Format {
    /// As in the code and the sentence.
    pub(super) name: &'static str,
    pub(super) extension: &'static str,
    /// Whether a document is a mapping, with keys to look up.
    pub(super) is_mapping: bool,
    /// Expression that reads `$handle`, and statement that writes `{data}` to it.
    pub(super) read: &'static str,
    pub(super) write: &'static str,
    /// `b` for formats that are not text.
    pub(super) mode: &'static str,
}

pub(super) const FORMATS: &[Format] = &[
    Format {
        name: "json",
        extension: "json",
        is_mapping: true,
        read: "json.load($handle)",
        write: "json.dump({data}, $handle`, indent={n}~`)",
        mode: "",
    },
    Format {
        name: "yaml",
        extension: "yml",
        is_mapping: true,
        read: "yaml.safe_load($handle)",
        write: "yaml.safe_dump({data}, $handle)",
        mode: "",
    },
    Format {
        name: "toml",
        extension: "toml",
        is_mapping: true,
        read: "toml.load($handle)",
        write: "toml.dump({data}, $handle)",
        mode: "",
    },
    Format {
        name: "pickle",
        extension: "pkl",
        is_mapping: true,
        read: "pickle.load($handle)",
        write: "pickle.dump({data}, $handle)",
        mode: "b",
    },
    Format {
        name: "csv",
        extension: "csv",
        is_mapping: false,
        read: "list(csv.`DictReader~reader`($handle))",
        write: "csv.writer($handle).writerows({data})",
        mode: "",
    },
    Format {
        name: "xml",
        extension: "xml",
        is_mapping: false,
        read: "ElementTree.parse($handle).getroot()",
        write: "$handle.write(ElementTree.tostring({data}))",
        mode: "b",
    },
    Format {
        name: "text",
        extension: "txt",
        is_mapping: false,
        read: "$handle.read()`.splitlines()~`",
        write: "$handle.write(`'\\n'.join({data})~str({data})`)",
        mode: "",
    },
    Format {
        name: "gzip",
        extension: "gz",
        is_mapping: false,
        read: "gzip.decompress($handle.read())",
        write: "$handle.write(gzip.compress({data}))",
        mode: "b",
    },
];

/// Something done with a document.
pub(super) struct DocumentTask {
    pub(super) name: &'static str,
    /// Whether the document must be a mapping.
    pub(super) needs_mapping: bool,
    pub(super) names: &'static str,
    pub(super) bodies: &'static [&'static str],
    pub(super) sentences: &'static [&'static str],
}

/// What a document may be called in a sentence.
pub(super) const DOCUMENT_WORDS: &[&str] =
    &["file", "file", "file", "document", "document", "on disk", "export", ""];

pub(super) const DOCUMENT_TASKS: &[DocumentTask] = &[
    DocumentTask {
        name: "load",
        needs_mapping: false,
        names: "load_{data} read_{data} get_{data} open_{data}",
        bodies: &[
            "with open($path`, 'r{mode}'~, mode='r{mode}'`) as $handle:\n    return {read}",
            "with open(os.path.join($dir, '{data}.{ext}'), 'r{mode}') as $handle:\n    {data} = {read}\n#N\nreturn {data}",
            "if not os.path.exists($path):\n    return {}\nwith open($path, 'r{mode}') as $handle:\n    return {read}",
        ],
        sentences: &[
            "`Load~Read~Parse~Get` the {data} `from a~from the~out of a` {format} {doc}",
            "`Reads~Loads` a {format} {doc} with the {data}",
        ],
    },
    DocumentTask {
        name: "save",
        needs_mapping: false,
        names: "save_{data} write_{data} dump_{data} store_{data}",
        bodies: &[
            "with open($path, 'w{mode}') as $handle:\n    {write}",
            "os.makedirs(os.path.dirname($path), exist_ok=True)\nwith open($path, 'w{mode}') as $handle:\n    {write}\n#N",
            "$tmp = $path + '.`tmp~part~new`'\nwith open($tmp, 'w{mode}') as $handle:\n    {write}\nos.replace($tmp, $path)",
        ],
        sentences: &[
            "`Save~Write~Store~Dump` the {data} `to a~as a~into a` {format} {doc}",
            "`Writes~Saves` a {format} {doc} with the {data}",
        ],
    },
    DocumentTask {
        name: "update",
        needs_mapping: true,
        names: "update_{data} edit_{data} patch_{data} change_{data}",
        bodies: &[
            "with open($path, 'r{mode}') as $handle:\n    {data} = {read}\n{data}['{key}'] = $val\nwith open($path, 'w{mode}') as $handle:\n    {write}",
            "with open($path, 'r+{mode}') as $handle:\n    {data} = {read}\n    {data}.update({key}=$val)\n    $handle.seek(0)\n    {write}\n    $handle.truncate()",
        ],
        sentences: &[
            "`Set~Change~Update` the {key} in the {format} {doc} of the {data}",
            "`Replace~Overwrite` the {key} of the {data} stored as {format} {doc}",
        ],
    },
    DocumentTask {
        name: "key",
        needs_mapping: true,
        names: "get_{key} read_{key} {key}_from_{data} lookup_{key}",
        bodies: &[
            "with open($path, 'r{mode}') as $handle:\n    {data} = {read}\nreturn {data}.get('{key}'`~, None~, ''`)",
            "with open($path, 'r{mode}') as $handle:\n    return {read}['{key}']",
        ],
        sentences: &[
            "`Look up~Get~Read~Return` the {key} in the {format} {data} {doc}",
            "The {key} that the {format} {doc} with the {data} `holds~has~contains`",
        ],
    },
];
