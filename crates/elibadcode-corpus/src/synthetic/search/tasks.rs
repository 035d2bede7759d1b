//! Tasks that are neither about collections nor about documents. The markup is that of `intents`.

/// One thing that a function can do.
pub(super) struct Task {
    pub(super) name: &'static str,
    pub(super) names: &'static str,
    /// The parameters.
    pub(super) params: &'static str,
    pub(super) bodies: &'static [&'static str],
    pub(super) sentences: &'static [&'static str],
}

const fn task(
    name: &'static str,
    names: &'static str,
    params: &'static str,
    bodies: &'static [&'static str],
    sentences: &'static [&'static str],
) -> Task {
    Task { name, names, params, bodies, sentences }
}

pub(super) const TASKS: &[Task] = &[
    task(
        "lines with a word",
        "grep find_lines matching_lines",
        "$path",
        &[
            "with open($path) as $handle:\n    return [$text.strip() for $text in $handle if '{word}' in $text]",
            "$out = []\nfor $text in open($path):\n    if '{word}' in $text:\n        $out.append($text.rstrip('\\n'))\nreturn $out",
        ],
        &[
            "`Lines~All lines~The lines` of a `text ~`file that `contain~mention~include` {word}",
            "`Search~Scan` a file for `lines with ~`{word}",
        ],
    ),
    task(
        "last lines",
        "tail last_lines read_tail",
        "$path",
        &[
            "with open($path) as $handle:\n    return $handle.readlines()[-{n}:]",
            "with open($path) as $handle:\n    return list(deque($handle, maxlen={n}))",
        ],
        &[
            "`Return~Read~Get` the last {n} lines of a `file~log file~text`",
            "Tail of a file, {n} lines long",
        ],
    ),
    task(
        "files with an extension",
        "list_{ext} find_{ext} collect_{ext}",
        "$path",
        &[
            "return sorted(glob.glob(os.path.join($path, '*.{ext}')))",
            "$out = []\nfor root, _, names in os.walk($path):\n    $out.extend(os.path.join(root, name) for name in names if name.endswith('.{ext}'))\nreturn $out",
            "return [$tmp for $tmp in Path($path).rglob('*.{ext}')]",
        ],
        &[
            "`List~Find~Collect` `all ~the ~`{ext} `files~documents` `in~below~under` a `folder~directory`",
            "`Paths~Names` of the {ext} documents in a `folder~directory`",
        ],
    ),
    task(
        "delete old files",
        "cleanup remove_old purge delete_old",
        "$path",
        &[
            "$limit = time.time() - {n} * 86400\nfor name in os.listdir($path):\n    full = os.path.join($path, name)\n    if os.path.getmtime(full) < $limit:\n        os.remove(full)",
            "for $tmp in Path($path).iterdir():\n    if time.time() - $tmp.stat().st_mtime > {n} * 24 * 3600:\n        $tmp.unlink()",
        ],
        &[
            "`Delete~Remove` `every file~files~everything` `older than~not touched for` {n} days `from~in` a `folder~directory`",
        ],
    ),
    task(
        "hash of a file",
        "checksum {hash}_of file_digest {hash}sum",
        "$path",
        &[
            "$tmp = hashlib.{hash}()\nwith open($path, 'rb') as $handle:\n    for $word in iter(lambda: $handle.read({k}), b''):\n        $tmp.update($word)\nreturn $tmp.hexdigest()",
            "with open($path, 'rb') as $handle:\n    return hashlib.{hash}($handle.read()).hexdigest()",
        ],
        &[
            "`Compute~Calculate~Return` the {hash} `hash~checksum~digest` of a `file~document`",
            "{hash} `hex digest~fingerprint` of what a file holds",
        ],
    ),
    task(
        "zip a folder",
        "archive pack_{data} zip_{data} backup_{data}",
        "$path",
        &[
            "with zipfile.ZipFile('{data}.zip', 'w') as $handle:\n    for name in os.listdir($path):\n        $handle.write(os.path.join($path, name), name)",
            "return shutil.make_archive('{data}', '`zip~gztar~tar`', $path)",
        ],
        &[
            "`Pack~Archive~Compress` a folder into {data} `archive~zip~bundle`",
            "`Create~Make` the {data} `archive~bundle` of a directory",
        ],
    ),
    task(
        "environment variable",
        "get_{key} {key}_from_env read_{key}",
        "",
        &[
            "return os.environ.get('{key}', '{new}')",
            "$val = os.getenv('{key}')\nif not $val:\n    $val = '{new}'\nreturn $val",
        ],
        &[
            "The {key} `environment variable~from the environment`, {new} `by default~if it is not set~as fallback`",
            "`Read~Get` the {key} from the environment `or~with default` {new}",
        ],
    ),
    task(
        "retry a call",
        "retry call_with_retry attempt try_again",
        "$func",
        &[
            "for $i in range({n}):\n    try:\n        return $func()\n    except {exc}:\n        time.sleep({k})\nraise {exc}('{word}')",
            "$num = 0\nwhile True:\n    try:\n        return $func()\n    except {exc} as $err:\n        $num += 1\n        if $num == {n}:\n            raise\n        time.sleep({k})",
        ],
        &[
            "`Call~Run` a function up to {n} times `while~as long as` it raises {exc}",
            "`Retry~Try` a `call~function` {n} times on {exc} with a `pause~delay` of {k} seconds",
        ],
    ),
    task(
        "fetch from a service",
        "fetch_{things} get_{things} download_{things} request_{things}",
        "$url",
        &[
            "$resp = requests.get($url + '/{things}', timeout={n})\n$resp.raise_for_status()\nreturn $resp.json()",
            "$resp = requests.get(f'{$url}/{things}', params={'{key}': '{new}'}, timeout={n})\nreturn $resp.json()['{things}']",
            "with urllib.request.urlopen($url + '/{things}', timeout={n}) as $resp:\n    return json.loads($resp.read())",
        ],
        &[
            "`Fetch~Download~Request~Get` the {things} from `a web service~the server~an api` within {n} seconds",
        ],
    ),
    task(
        "post to a service",
        "send_{data} post_{data} upload_{data} submit_{data}",
        "$url, {data}",
        &[
            "$resp = requests.post($url, json={data}, headers={'Authorization': '{key}'})\nreturn $resp.status_code == {code}",
            "$resp = requests.put($url, data=json.dumps({data}))\nif $resp.status_code != {code}:\n    raise RuntimeError('{key}')\nreturn $resp.json()",
        ],
        &[
            "`Send~Upload~Post~Submit` the {data} to `a web service~the server~an api`, expecting status {code}",
        ],
    ),
    task(
        "rows of a table",
        "select_{things} query_{things} {things}_by_{key}",
        "$conn, $val",
        &[
            "$cur = $conn.execute('SELECT * FROM {things} WHERE {key} = ?', ($val,))\nreturn $cur.fetchall()",
            "$cur = $conn.cursor()\n$cur.execute('SELECT * FROM {things} WHERE {key} = %s LIMIT {n}', ($val,))\n#N\nreturn list($cur)",
        ],
        &[
            "`Select~Query~Get` the {things} with a `given~certain` {key} from the database",
            "Database rows of {things} `by~for a` {key}",
        ],
    ),
    task(
        "insert into a table",
        "insert_{things} add_{things} store_{things}",
        "$conn, $item",
        &[
            "$conn.execute('INSERT INTO {things} ({key}, {num}) VALUES (?, ?)', ($item.{key}, $item.{num}))\n$conn.commit()",
            "with $conn:\n    $conn.execute('INSERT INTO {things} VALUES (?, ?)', ($item['{key}'], $item['{num}']))",
        ],
        &[
            "`Insert~Add~Put` a row with {key} and {num} into the {things} table",
            "`Store~Save` {key} and {num} of one of the {things} in the database",
        ],
    ),
    task(
        "parse a date",
        "parse_{key} to_date {key}_date read_date",
        "$text",
        &[
            "return datetime.strptime($text, '{date}')",
            "try:\n    return datetime.datetime.strptime($text.strip(), '{date}').date()\nexcept ValueError:\n    return None",
        ],
        &[
            "`Parse~Convert~Turn` a {datename} `date~string` `into a datetime~to a date object`",
            "Date from `a string~text` in {datename} `format~order~notation`",
        ],
    ),
    task(
        "days ago",
        "days_ago before shift_date cutoff",
        "$when",
        &[
            "return $when - timedelta({unit}={n})",
            "$tmp = timedelta({unit}={n})\n#N\nreturn ($when or datetime.now()) - $tmp",
        ],
        &[
            "The `date~moment~time` {n} {unit} `before~earlier than` `a given one~another`",
            "`Subtract~Take` {n} {unit} from a `date~moment`",
        ],
    ),
    task(
        "slug",
        "slugify to_slug make_slug clean_name",
        "$text",
        &[
            "return re.sub('[^a-z0-9]+', '{sep}', $text.lower()).strip('{sep}')",
            "$text = $text.lower().replace(' ', '{sep}')\nreturn ''.join($tmp for $tmp in $text if $tmp.isalnum() or $tmp == '{sep}')",
        ],
        &[
            "`Slug of~Make a slug from~Turn into a slug` a `title~string~text` with {sepname} `between words~as separator`",
        ],
    ),
    task(
        "split and strip",
        "split_{key} parse_{key} parts_of_{key}",
        "$text",
        &[
            "return [$word.strip() for $word in $text.split('{sep}') if $word.strip()]",
            "$out = []\nfor $word in $text.split('{sep}'):\n    $word = $word.strip()\n    if $word:\n        $out.append($word)\nreturn $out",
        ],
        &[
            "`Split~Break` a `string~text` `of~with` {key} values at every {sepname}",
            "List of {key} `parts~values` from a {sepname} separated string",
        ],
    ),
    task(
        "truncate",
        "truncate shorten abbreviate limit_length",
        "$text",
        &[
            "return $text if len($text) <= {n} else $text[:{n}] + '{word}'",
            "if len($text) > {n}:\n    $text = $text[:{n}] + '{word}'\n#N\nreturn $text",
        ],
        &["`Shorten~Truncate~Cut` a `string~text` to {n} characters and `append~add` {word}"],
    ),
    task(
        "pad",
        "pad justify align fill_up",
        "$text",
        &[
            "return str($text).rjust({n}, '{sep}')",
            "while len($text) < {n}:\n    $text = '{sep}' + $text\nreturn $text",
        ],
        &[
            "`Pad~Fill up` a `string~text` on the left with {sepname} to `a width of ~`{n} characters",
        ],
    ),
    task(
        "most common words",
        "top_words common_words frequent",
        "$text",
        &[
            "return Counter($text.lower().split()).most_common({n})",
            "$d = {}\nfor $word in $text.lower().split():\n    $d[$word] = $d.get($word, 0) + 1\nreturn sorted($d, key=$d.get, reverse=True)[:{n}]",
        ],
        &[
            "The {n} most `common~frequent` words `of a text~in a string`",
            "`Top~First` {n} words by `frequency~number of uses`",
        ],
    ),
    task(
        "chunks",
        "chunks batches split_{things} partition",
        "{things}",
        &[
            "for $i in range(0, len({things}), {n}):\n    yield {things}[$i:$i + {n}]",
            "return [{things}[$i:$i + {n}] for $i in range(0, len({things}), {n})]",
        ],
        &[
            "`Split~Cut~Divide` the {things} into `chunks~batches~groups` of {n}",
            "`Chunks~Batches` of {n} {things}",
        ],
    ),
    task(
        "merge two mappings",
        "merge_{data} combine_{data} override_{data}",
        "{data}, $other",
        &[
            "return {**{data}, **$other, '{key}': '{new}'}",
            "$out = dict({data})\n$out.update($other)\n$out['{key}'] = '{new}'\nreturn $out",
        ],
        &["`Merge~Combine` two {data} `dictionaries~mappings` and set the {key} to {new}"],
    ),
    task(
        "validate an email",
        "validate_{key} is_valid_{key} check_{key}",
        "$val",
        &[
            "if not re.match('{regex}', $val):\n    raise ValueError('{key}')\nreturn $val",
            "return bool(re.fullmatch('{regex}', $val))",
        ],
        &[
            "`Check~Validate~Test` that the {key} `is~consists of` {regexname}",
            "`Whether~True if` the {key} `is~has only` {regexname}",
        ],
    ),
    task(
        "matrix of a value",
        "filled_{num} grid make_{num} init_{num}",
        "",
        &[
            "return [[{k} for _ in range({hi})] for _ in range({lo})]",
            "return np.full(({lo}, {hi}), {k})",
            "$mat = []\nfor $i in range({lo}):\n    $mat.append([{k}] * {hi})\nreturn $mat",
        ],
        &[
            "`Matrix~Table~Grid` `of~with` {lo} rows and {hi} columns `filled with~of the number` {k}",
        ],
    ),
    task(
        "clamp a value",
        "clamp_{num} limit_{num} bound_{num}",
        "{num}",
        &[
            "return max({lo}, min({hi}, {num}))",
            "if {num} < {lo}:\n    return {lo}\nif {num} > {hi}:\n    return {hi}\nreturn {num}",
        ],
        &[
            "`Limit~Clamp~Restrict` the {num} to `the range ~`{lo} to {hi}",
            "{num} that is `at least~not below` {lo} and `at most~not above` {hi}",
        ],
    ),
    task(
        "convert a unit",
        "convert_{num} {num}_in to_{unit}",
        "{num}",
        &["return round({num} / {k}.0, {n})", "return float(Decimal({num}) / {k}).__round__({n})"],
        &["`Divide~Scale down` the {num} by {k} and round to {n} `digits~decimals~places`"],
    ),
    task(
        "cached call",
        "cached_{data} get_{data} memoized_{data}",
        "$func, $key",
        &[
            "if $key not in _{data}:\n    _{data}[$key] = $func($key)\nreturn _{data}[$key]",
            "try:\n    return _{data}[$key]\nexcept KeyError:\n    _{data}[$key] = $func($key)\n    return _{data}[$key]",
        ],
        &[
            "`Value~Entry` of the {data} `for~by` a key, `computed~calculated` `on first use~when it is missing`",
        ],
    ),
    task(
        "set up logging",
        "get_logger setup_{key} make_logger",
        "",
        &[
            "$log = logging.getLogger('{word}')\n$log.setLevel(logging.{loglevel})\n$log.addHandler(logging.StreamHandler())\nreturn $log",
            "logging.basicConfig(level=logging.{loglevel})\nreturn logging.getLogger('{word}')",
        ],
        &["`Logger~Set up a logger~Create a logger` called {word} `at~with` level {loglevel}"],
    ),
    task(
        "command line",
        "parse_args get_options cli build_parser",
        "",
        &[
            "$args = argparse.ArgumentParser()\n$args.add_argument('--{key}', default='{new}')\n$args.add_argument('--{num}', type=int, default={n})\nreturn $args.parse_args()",
            "$args = argparse.ArgumentParser(description='{new}')\n$args.add_argument('{key}')\n$args.add_argument('--{num}', type=float, default={n})\nreturn vars($args.parse_args())",
        ],
        &[
            "`Parse~Read` the command line `arguments~options` {key} and {num}",
            "Command line with {key} and {num}, {n} by default",
        ],
    ),
    task(
        "random sample",
        "sample_{things} random_{things} pick_{things}",
        "{things}",
        &[
            "random.seed({k})\nreturn random.sample({things}, {n})",
            "$tmp = list({things})\nrandom.Random({k}).shuffle($tmp)\nreturn $tmp[:{n}]",
        ],
        &["`Pick~Draw~Choose` {n} `random ~`{things} `at random ~`with seed {k}"],
    ),
    task(
        "index by field",
        "index_{things} {things}_by_{key} lookup_table",
        "{things}",
        &[
            "return {$item['{key}']: $item for $item in {things}}",
            "$d = {}\nfor $item in {things}:\n    $d[$item['{key}']] = $item\nreturn $d",
        ],
        &[
            "`Index~Map~Dictionary of` the {things} by `their ~`{key}",
            "`Look up~Lookup` table from {key} to {things}",
        ],
    ),
];
