//! The things that functions are about: how code names them, and how sentences do.

/// A thing with the word of the code and those of the sentences.
pub(super) struct Concept {
    /// As in an identifier or a string of the code.
    pub(super) code: &'static str,
    /// As in a sentence, separated by `|`; the first is the most common.
    pub(super) spoken: &'static str,
    /// Values that a field may have, separated by spaces.
    pub(super) values: &'static str,
}

const fn concept(code: &'static str, spoken: &'static str) -> Concept {
    Concept { code, spoken, values: "" }
}

const fn field(code: &'static str, spoken: &'static str, values: &'static str) -> Concept {
    Concept { code, spoken, values }
}

/// Fields with numbers.
pub(super) const NUMERIC: &[Concept] = &[
    concept("price", "price|cost"),
    concept("age", "age"),
    concept("score", "score|point total"),
    concept("weight", "weight|mass"),
    concept("height", "height"),
    concept("duration", "duration|running time"),
    concept("size", "size|extent"),
    concept("rating", "rating|grade"),
    concept("salary", "salary|pay"),
    concept("balance", "balance|credit"),
    concept("quantity", "quantity|amount"),
    concept("temperature", "temperature|heat"),
    concept("distance", "distance|mileage"),
    concept("priority", "priority|urgency"),
    concept("discount", "discount|reduction"),
    concept("latency", "latency|delay"),
    concept("year", "year"),
    concept("pages", "page count|length"),
    concept("retries", "retry count|number of attempts"),
    concept("visits", "visit count|number of views"),
];

/// Fields with text.
pub(super) const TEXTUAL: &[Concept] = &[
    field("name", "name", "alice bob carol dave erin frank grace heidi"),
    field("email", "email|mail address", "example.com test.org admin info sales office"),
    field("city", "city|town", "paris london berlin tokyo madrid oslo rome vienna"),
    field("status", "status|state", "active closed pending failed archived draft open blocked"),
    field("category", "category|kind", "toys garden sports kitchen music health office travel"),
    field("country", "country|nation", "france spain japan brazil canada norway india kenya"),
    field("title", "title|heading", "introduction chapter untitled manager summary draft"),
    field("owner", "owner|holder", "root admin nobody alice team system"),
    field("color", "color", "red blue green black white silver yellow orange"),
    field("department", "department|division", "sales finance marketing support research legal"),
    field("language", "language", "python java rust german english spanish french"),
    field("author", "author|writer", "austen tolkien orwell homer dickens woolf"),
    field("host", "host|machine", "localhost example gateway backup primary staging"),
    field("branch", "branch", "main develop release hotfix stable feature"),
    field("currency", "currency|money unit", "euro dollar pound yen franc peso"),
    field("phone", "phone|telephone number", "0049 0033 unknown mobile 555 0800"),
    field("genre", "genre|style", "rock jazz drama comedy horror classical pop"),
    field("vendor", "vendor|supplier", "acme globex initech umbrella hooli stark"),
    field("region", "region|area", "north south east west central coastal"),
    field("level", "level|severity", "debug warning error critical info fatal"),
];

/// What lists are made of; the code has the plural.
pub(super) const ENTITIES: &[Concept] = &[
    concept("users", "users|people"),
    concept("orders", "orders|purchases"),
    concept("products", "products|goods"),
    concept("employees", "employees|staff members"),
    concept("books", "books|volumes"),
    concept("tasks", "tasks|jobs"),
    concept("events", "events|incidents"),
    concept("students", "students|pupils"),
    concept("invoices", "invoices|bills"),
    concept("cars", "cars|vehicles"),
    concept("movies", "movies|films"),
    concept("songs", "songs|tracks"),
    concept("servers", "servers|hosts"),
    concept("messages", "messages|mails"),
    concept("packages", "packages|parcels"),
    concept("tickets", "tickets|issues"),
    concept("accounts", "accounts"),
    concept("sensors", "sensors|probes"),
    concept("players", "players|gamers"),
    concept("articles", "articles|posts"),
    concept("customers", "customers|clients"),
    concept("devices", "devices|gadgets"),
    concept("flights", "flights|trips"),
    concept("recipes", "recipes|dishes"),
];

/// What a document holds.
pub(super) const CONTENTS: &[Concept] = &[
    concept("config", "configuration|settings"),
    concept("settings", "settings|preferences"),
    concept("report", "report|summary"),
    concept("metrics", "metrics|measurements"),
    concept("cache", "cache|cached values"),
    concept("profile", "profile|user data"),
    concept("labels", "labels|annotations"),
    concept("schema", "schema|structure"),
    concept("history", "history|past runs"),
    concept("manifest", "manifest|package list"),
    concept("credentials", "credentials|secrets"),
    concept("inventory", "inventory|stock"),
    concept("catalog", "catalog|index"),
    concept("translations", "translations|phrases"),
    concept("results", "results|outcomes"),
    concept("sessions", "sessions|logins"),
];

/// The words that a variable's role draws from.
pub(super) fn pool(role: &str) -> &'static str {
    match role {
        "items" => "items rows records entries data collection elements",
        "item" => "item row record entry it element obj",
        "out" => "result output out found res selected collected",
        "acc" => "total acc sum_ amount current agg",
        "best" => "best top leader winner candidate",
        "limit" => "limit threshold bound cutoff minimum_value",
        "val" => "value val v wanted target",
        "key" => "key k field attr",
        "path" => "path filename source location target_path p",
        "dir" => "root base_dir folder directory home",
        "handle" => "f handle fh stream fp",
        "text" => "text s string content raw value line",
        "word" => "word token w part chunk",
        "num" => "n count number size k",
        "i" => "i idx index pos",
        "tmp" => "tmp temp current x",
        "err" => "err exc e error",
        "when" => "when moment date timestamp dt",
        "url" => "url link address endpoint",
        "resp" => "response resp reply answer",
        "args" => "args params options kwargs_",
        "conn" => "conn connection db database",
        "cur" => "cursor cur c",
        "func" => "func fn callback action",
        "pattern" => "pattern regex matcher rx",
        "mat" => "matrix grid table board m",
        "d" => "d mapping table lookup registry",
        "other" => "other second right extra rest",
        "log" => "log logger LOG",
        _ => unreachable!("a shape uses the unknown role `{role}`"),
    }
}
